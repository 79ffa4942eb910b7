"""Runs of earlier versions predict, go on, and are listed, scored, compared and exported as they were."""

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main
from unetseg.runs import Run

VERSIONS = sorted(path.parent for path in Path(__file__).parent.glob("*/small.yaml"))
ROUNDING = 0.001  # share of the pixels: other processors round otherwise
FINISHED = ("on-seed0", "off-seed0")


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy what a version left, and work in the copy."""
    copy = shutil.copytree(request.param, tmp_path / "old")
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave report.html out: drawing takes longer than all else."""
    monkeypatch.setattr("unetseg.report.outputs.write_study_page", lambda *arguments, **options: None)


@pytest.fixture
def unetseg(old: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Run one command, which must succeed, and return what it printed."""

    def run(words: str) -> str:
        code = main(words.split())
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run


def share_that_differs(left: Path, right: Path) -> Iterator[tuple[str, float]]:
    for path in sorted(left.glob("*.png")):
        with Image.open(path) as one, Image.open(right / path.name) as other:
            assert one.mode == other.mode and one.getpalette() == other.getpalette()
            yield path.name, float((np.asarray(one) != np.asarray(other)).mean())


def test_there_are_old_runs():
    assert VERSIONS


@pytest.mark.parametrize("run", ["small/on-seed0", "net.onnx"])
def test_an_old_run_predicts_the_masks_of_its_time(unetseg, run):
    unetseg(f"predict new/images -o today --run {run} --device cpu")
    differing = dict(share_that_differs(Path("masks"), Path("today")))
    assert len(differing) == 3 and max(differing.values()) <= ROUNDING, differing


def test_an_interrupted_run_goes_on_to_its_end_as_it_did_then(unetseg):
    run = Run(Path("small/on-seed1"))
    first = run.epochs()
    assert len(first) == 1 and not run.finished
    assert "resume    after epoch 1" in unetseg(f"fit --resume {run.path}")
    then = Run(Path("resumed"))
    assert run.finished and run.epochs()[0] == first[0]
    for now, before in zip(run.epochs(), then.epochs(), strict=True):
        assert now["lr"] == pytest.approx(before["lr"])
        assert now["train_loss"] == pytest.approx(before["train_loss"], rel=0.01)
    assert mean_iou(run.test_scores()) == pytest.approx(mean_iou(then.test_scores()), abs=0.02)


def mean_iou(scores: dict) -> float:
    return scores["mean"]["image"]["iou"]["mean"]


def test_an_interrupted_study_goes_on_and_trains_only_what_is_missing(unetseg):
    kept = {file: file.read_bytes() for name in FINISHED for file in Path("small", name).iterdir()}
    out = unetseg("ablate small.yaml -o small --data discs --device cpu")
    assert all(file.read_bytes() == content for file, content in kept.items())
    assert all(Run(Path("small", f"{arm}-seed{seed}")).finished for arm in ("on", "off") for seed in (0, 1))
    assert "With every long skip" in out
    with open("small/results.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["iou"]]
    assert {(row["arm"], row["seed"]) for row in rows} == {(a, s) for a in ("on", "off") for s in "01"}
    assert "With every long skip" in unetseg("compare small")


def test_old_runs_are_listed_with_their_scores(unetseg):
    shutil.copytree("small", "checkpoints")
    lines = unetseg("runs").splitlines()
    for name in FINISHED:
        line = next(line for line in lines if name in line)
        score = Run(Path("checkpoints", name)).test_scores()["mean"]["dataset"]["iou"]
        assert f"{score:.3f}" in line and "discs" in line
    assert any("on-seed1" in line for line in lines)


def test_an_old_run_is_scored_as_it_was(unetseg):
    before = {name: Run(Path("small", name)).test_scores() for name in FINISHED}
    for name, scores in before.items():
        unetseg(f"evaluate small/{name} --device cpu")
        now = Run(Path("small", name)).test_scores()
        assert now.keys() >= scores.keys()
        assert mean_iou(now) == pytest.approx(mean_iou(scores), abs=0.005)


def test_old_runs_are_compared(unetseg):
    out = unetseg("compare small/on-seed0 small/off-seed0 -o report")
    iou = [mean_iou(Run(Path("small", name)).test_scores()) for name in FINISHED]
    assert all(f"{value:.3f}" in out for value in iou)
    assert Path("report/results.csv").is_file()


def test_a_skip_of_an_old_run_is_switched_off(unetseg):
    out = unetseg("lesion small/on-seed0 --device cpu")
    intact = mean_iou(Run(Path("small/on-seed0")).test_scores())
    assert f"{intact:.3f}" in out and "without 0" in out
    assert Path("small/on-seed0/lesion-zero/lesions.csv").is_file()


def test_an_old_run_is_exported(unetseg):
    unetseg("export small/on-seed0 --format safetensors -o net.safetensors")
    unetseg("predict new/images -o today --run net.safetensors --device cpu")
    assert max(dict(share_that_differs(Path("masks"), Path("today"))).values()) <= ROUNDING
