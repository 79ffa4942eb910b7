"""What README and docs/ tell people to type works: every command is run, or read by the real parser."""

import doctest
import inspect
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import unetseg
import unetseg.metrics
from unetseg import cli
from unetseg.commands import arguments
from unetseg.metrics.registry import METRICS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What a reader has to fill in, and what stands for it while the words are parsed.
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|…")


def blocks(page: Path) -> list[str]:
    """The fenced blocks of a page without a language, which are commands or what commands print."""
    return re.findall(r"^```\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(block: str) -> list[str]:
    """The lines to type, without the remark that two spaces part from them, or the file they are sent to."""
    lines = (line.removeprefix("$ ") for line in block.splitlines())
    return [re.split(r"\s{2,}| > ", line)[0] for line in lines if line.startswith("unetseg ")]


COMMANDS = [
    pytest.param(command, id=f"{page.name}: {command}")
    for page in PAGES
    for block in blocks(page)
    for command in commands(block)
]


class Understood(Exception):
    """The parser took every word."""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_parser_takes_every_command_of_the_docs(command, monkeypatch):
    parse = arguments.Parser.parse

    def parse_and_stop(self, argv):
        parse(self, argv)
        raise Understood

    monkeypatch.setattr(arguments.Parser, "parse", parse_and_stop)
    with pytest.raises(Understood):
        cli._dispatch(shlex.split(command.replace("…", "X"))[1:])


def test_the_readmes_commands_run_in_an_empty_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    typed = [command for block in blocks(PAGES[0]) for command in commands(block)]
    known = [command for command in typed if not PLACEHOLDER.search(command) and " ablate " not in command]
    assert {"fit", "predict", "runs", "data"} <= {command.split()[1] for command in known}
    for command in known:
        words = shlex.split(command)[1:]
        if words[0] == "fit":  # the whole of it takes a minute: the same verb, one epoch of small crops
            words += ["--epochs", "1", "--size", "32"]
        assert cli.main(words) == 0, f"{command}\n{capsys.readouterr().err}"
    masks = {path.name for path in Path("masks").glob("*.png")}
    assert masks and masks == {path.name for path in Path("images").glob("*.png")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_is_commands_or_what_a_command_prints(page):
    """A block that looks like a command of ours and is neither run nor parsed would rot unseen."""
    for block in blocks(page):
        for line in block.splitlines():
            if re.match(r"(\$ )?(\.venv/bin/)?unetseg\b", line) and not line.startswith(".venv"):
                assert commands(line), line


def test_the_readme_is_short_and_its_lines_are_too():
    lines = PAGES[0].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 170
    assert [line for line in lines if len(line) > 110 and not line.startswith(("|", "!["))] == []


def test_links_lead_to_files_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_metric_has_its_row():
    page = (ROOT / "docs" / "evaluate.md").read_text(encoding="utf-8")
    missing = [key for key, record in METRICS.items() if record.group != "counts" and f"`{key}`" not in page]
    assert missing == []


VERBS = ("fit", "load", "predict", "evaluate", "compare", "lesion", "probe", "export", "ablate")


def test_the_examples_of_the_verbs_hold_one_after_the_other(discs, tmp_path, monkeypatch):
    """``cells`` holds images and masks, ``wide`` the masks drawn too wide; fit trains ``runs/first``."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(discs, "cells")
    Path("wide").mkdir()
    for path in Path("cells/masks").iterdir():
        cv2.imwrite(
            f"wide/{path.name}", cv2.dilate(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), np.ones((3, 3)))
        )
    for verb in VERBS:
        names = {"np": np, "unetseg": unetseg, "log": []}
        (example,) = doctest.DocTestFinder(recurse=False).find(getattr(unetseg, verb), verb, globs=names)
        assert example.examples, f"{verb}: no example"
        assert doctest.DocTestRunner().run(example).failed == 0, verb


def public_metrics() -> dict[str, Callable[..., object]]:
    """The functions that ``unetseg.metrics`` offers, and those that compute one metric of an image."""
    offered = {name: getattr(unetseg.metrics, name) for name in unetseg.metrics.__all__}
    single = {
        key: record.function.__wrapped__
        for key, record in METRICS.items()
        if hasattr(record.function, "__wrapped__")
    }
    return {name: each for name, each in (offered | single).items() if inspect.isfunction(each)}


@pytest.mark.parametrize("name", public_metrics())
def test_the_examples_of_a_metric_hold(name):
    function = public_metrics()[name]
    names = {
        "np": np,
        **{each: getattr(unetseg.metrics, each) for each in unetseg.metrics.__all__},
        **vars(sys.modules[function.__module__]),
    }
    (example,) = doctest.DocTestFinder(recurse=False).find(function, name, globs=names)
    assert example.examples, "no example"
    assert doctest.DocTestRunner().run(example).failed == 0
