"""A dataset of a few discs, and trainings on it through the command line that take a fraction of a second."""

import contextlib
import gc
import io
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from unetseg.cli import main
from unetseg.runs import Run

# On a busy machine the first inputs of a fresh process are slow to draw, which is no fault of the test.
settings.register_profile("unetseg", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unetseg")
torch.set_num_threads(1)  # of fixtures, too, that are made before the first test


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it would go through that again and again."""
    gc.collect()
    gc.freeze()


def draw_discs(folder: Path, names: list[str], seed: int, classes: int = 2) -> None:
    generator = np.random.default_rng(seed)
    for name in names:
        mask = np.zeros((40, 40), np.uint8)
        for value in range(1, classes):
            x, y, radius = (int(v) for v in generator.integers((10, 10, 5), (30, 30, 9)))
            cv2.circle(mask, (x, y), radius, value, -1)
        image = generator.normal(80, 20, (40, 40, 3)) + 60 * mask[..., None]
        for kind, pixels in (("images", image.clip(0, 255).astype(np.uint8)), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind / f"{name}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())


def draw_set(folder: Path, classes: int = 2, seed: int = 0) -> Path:
    for split, count in (("train", 6), ("val", 5), ("test", 3)):
        names = [f"{split}{number}" for number in range(count)]
        draw_discs(folder, names, seed + count, classes)
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
    if classes > 2:
        (folder / "dataset.yaml").write_text(f"classes: [background, {', '.join('abcdef'[: classes - 1])}]\n")
    return folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep away from the user's cache, and from that of other tests at the same time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("discs"))


@pytest.fixture(scope="session")
def three_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_set(tmp_path_factory.mktemp("three"), classes=3)


@pytest.fixture
def drawn(tmp_path: Path) -> Callable[..., Path]:
    return lambda **settings: draw_set(tmp_path / "own", **settings)


@dataclass
class Outcome:
    code: int
    out: str
    err: str
    run: Run

    @property
    def line(self) -> str:
        """The one plain line on standard error."""
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Nets this small gain nothing by a second thread; one of them may have been given to a test before."""
    torch.set_num_threads(1)


COMMAND = """
import os, sys, torch
from unetseg.cli import main

torch.set_num_threads(1)
os.chdir(folder)
with open(os.devnull, "w") as sys.stdout, open(errors, "w") as sys.stderr:
    code = main(words)
os._exit(code)
"""


@pytest.fixture(scope="session")
def fork_server() -> ForkServerContext:
    """A process that has imported what all take seconds to import, and is forked for each command."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["unetseg.cli", "unetseg.experiment", "unetseg.inference.folder"])
    return context


@pytest.fixture
def started(fork_server: ForkServerContext) -> Iterator[Callable[..., BaseProcess]]:
    """Start ``unetseg`` in a process that can be sent signals: ``started("fit", …, errors="errors.txt")``."""
    processes = []

    def start(*words: str, errors: str = os.devnull) -> BaseProcess:
        given = {"words": words, "folder": os.getcwd(), "errors": errors}
        processes.append(fork_server.Process(target=exec, args=(COMMAND, given)))
        processes[-1].start()
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.join()


@pytest.fixture
def fit(
    discs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Train in a fresh folder, or resume: ``fit("--epochs", "3", out="a")``, ``fit(resume="a")``.

    Without ``curves=True`` it does not draw curves.png, which takes a third of such a training.
    """
    monkeypatch.chdir(tmp_path)

    def run(
        *flags: str, out: str = "run", resume: str | None = None, data: Path = discs, curves: bool = False
    ) -> Outcome:
        words = ["--resume", resume] if resume else ["-o", out, "--data", os.fspath(data)]
        tiny = [] if resume else ["--stages", "2", "--size", "16", "--epochs", "2", "--batch-size", "3"]
        with monkeypatch.context() as patch:
            if not curves:
                patch.setattr("unetseg.experiment.training_curves", lambda rows, path: None)
            code = main(["fit", *words, *tiny, *flags])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err, Run(Path(resume or out)))

    return run


@pytest.fixture(scope="session")
def trained_once(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run of two epochs, and what its training printed."""
    run = Run(tmp_path_factory.mktemp("runs") / "run")
    words = ["fit", "--data", os.fspath(discs), "-o", os.fspath(run.path), "--stages", "2", "--size", "16"]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words, "--epochs", "2", "--batch-size", "3"])
    return Outcome(code, out.getvalue(), err.getvalue(), run)


@pytest.fixture
def trained(trained_once: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """A copy of that run in a fresh folder, to do things to: ``run``."""
    assert trained_once.code == 0, trained_once.err
    monkeypatch.chdir(tmp_path)
    return replace(trained_once, run=Run(Path(shutil.copytree(trained_once.run.path, "run"))))


def equal(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return repr(left) == repr(right)


@pytest.fixture
def assert_same_bits() -> Callable[[Run, Run], None]:
    def check(left: Run, right: Run) -> None:
        for name in ("metrics.csv", "test.json", "test_images.csv"):
            assert (left.path / name).read_bytes() == (right.path / name).read_bytes(), name
        for name, key in (("best.ckpt", "state_dict"), ("last.ckpt", "state_dict")):
            states = [torch.load(run.path / name, weights_only=True)[key] for run in (left, right)]
            assert equal(*states), name

    return check
