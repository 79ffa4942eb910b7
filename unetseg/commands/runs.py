"""``unetseg runs``: what was trained here."""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import Parser
from unetseg.errors import UnetsegError, UsageError
from unetseg.runs import Run, StudyFolder, list_below
from unetseg.utilities.text import align, printable
from unetseg.utilities.yaml_files import load_yaml

_Listed = TypeVar("_Listed", Run, StudyFolder)

RUN_HEAD = ["run", "data", "skips", "encoder", "seed", "test IoU", "made"]
STUDY_HEAD = ["study", "data", "runs", "finished", "begun"]


def run(argv: Sequence[str]) -> int:
    """List runs and studies."""
    parser = Parser(
        "runs", "runs [DIR]", "List the runs and studies here, up to three folders down, newest last."
    )
    parser.add_argument("folder", nargs="?", default=".", metavar="DIR", help="another folder to look in")
    folder = Path(parser.parse(argv).folder)
    if not folder.is_dir():
        raise UsageError(f"{printable(folder)}: no such folder; check the path")
    runs, studies = list_below(folder)
    if not (runs or studies):
        print("no runs here; 'unetseg fit' trains one")
        return 0
    run_rows, unread_runs = _readable(runs, _run_cells)
    study_rows, unread_studies = _readable(studies, _study_cells)
    tables = [align([RUN_HEAD, *run_rows], left=4)] if run_rows else []
    tables += [align([STUDY_HEAD, *study_rows], left=2)] if study_rows else []
    print("\n\n".join(tables))
    unread = unread_runs + unread_studies
    for line in unread:
        print(f"left out: {line}", file=sys.stderr)
    return PARTLY_DONE if unread else 0


def _readable(
    found: Sequence[_Listed], cells: Callable[[_Listed], list[str]]
) -> tuple[list[list[str]], list[str]]:
    """Return the cells of what can be read, and a line for each that cannot."""
    rows, unread = [], []
    for each in found:
        try:
            rows.append(cells(each))
        except UnetsegError as error:
            line, name = str(error), printable(each.path)
            unread.append(line if name in line else f"{name}: {line}")
    return rows, unread


def _run_cells(run: Run) -> list[str]:
    """Return what a run is, how it scored and when it was made."""
    config = run.config()
    score = f"{run.test_iou:.3f}" if run.finished else "unfinished"
    named = [printable(run.path), config.data, config.skips_text, config.encoder, str(config.seed)]
    return [*named, score, _made(run.config_file)]


def _study_cells(study: StudyFolder) -> list[str]:
    """Return on what a study is, how many of its runs there are, and when it was last begun."""
    base = load_yaml(study.file).get("base") or {}
    finished = sum(run.finished for run in study.runs)
    counts = [str(len(study.runs)), str(finished)]
    return [printable(study.path), str(base.get("data", "")), *counts, _made(study.file)]


def _made(file: Path) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(file.stat().st_mtime))
