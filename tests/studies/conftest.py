"""A study of fractions of a second a run, trained once, and copies of it to do things to."""

import contextlib
import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.runs import Run
from unetseg.utilities.files import write_json, write_rows, write_text

BASE = {"stages": 2, "size": 16, "epochs": 3, "batch_size": 3, "precision": "float32"}
ARMS: dict[str, Any] = {
    "on": {"skips": True, "label": "With every long skip"},
    "off": {"skips": False, "label": "Without long skips"},
    "twin": {"skips": True, "control": "zero"},
    "rates": {"skips": False, "control": "self", "lr": ["1e-6", "1e-2"]},
}


@dataclass
class Ablation:
    """What one ``unetseg ablate`` did and left."""

    code: int
    out: str
    err: str
    folder: Path
    file: Path

    @property
    def summary(self) -> dict[str, Any]:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def results(self) -> bytes:
        return (self.folder / "results.csv").read_bytes()

    def rows(self, metric: str, arm: str) -> list[list[float]]:
        """The values [seed][image] of a metric as they stand in results.csv."""
        by_seed: dict[str, list[float]] = {}
        for row in csv.DictReader(io.StringIO(self.results.decode())):
            if row["arm"] == arm and row[metric]:
                by_seed.setdefault(row["seed"], []).append(float(row[metric]))
        return list(by_seed.values())

    def metric(self, key: str) -> dict[str, Any]:
        return next(metric for metric in self.summary["metrics"] if metric["key"] == key)

    def arm(self, name: str) -> dict[str, Any]:
        return next(arm for arm in self.summary["arms"] if arm["name"] == name)


def run_ablate(
    folder: Path, data: Path, arms: dict[str, Any], *flags: str, seeds: int = 2, study: Any = None
) -> Ablation:
    file = folder.with_suffix(".yaml")
    values = {"base": BASE, "arms": arms, "seeds": seeds, **(study or {})}
    file.write_text(yaml.safe_dump(values, sort_keys=False))
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("unetseg.experiment.training_curves", lambda rows, path: None)
        code = main(["ablate", str(file), "-o", str(folder), "--data", os.fspath(data), *flags])
    return Ablation(code, out.getvalue(), err.getvalue(), folder, file)


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave report.html out of what tests do to studies: drawing takes longer than all else."""
    monkeypatch.setattr("unetseg.report.outputs.write_study_page", lambda *arguments, **options: None)


@pytest.fixture
def arms() -> dict[str, Any]:
    return dict(ARMS)


@pytest.fixture
def two() -> dict[str, Any]:
    return {name: ARMS[name] for name in ("on", "off")}


@pytest.fixture(scope="session")
def two_arms_in_folds() -> Callable[[Path, Path], Ablation]:
    """Return a function of folder and data that trains ``on`` and ``off`` in two folds."""
    pair = {name: ARMS[name] for name in ("on", "off")}
    return lambda folder, data: run_ablate(folder, data, pair, "--folds", "2")


@pytest.fixture(scope="session")
def study(discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Ablation:
    """The study of ``ARMS``, trained once; tests must leave it as it is."""
    return run_ablate(tmp_path_factory.mktemp("studies") / "tiny", discs, ARMS)


@pytest.fixture(scope="session")
def three(study: Ablation, discs: Path, tmp_path_factory: pytest.TempPathFactory) -> Ablation:
    """The same study with a third seed: enough for numbers that speak of other trainings."""
    folder = tmp_path_factory.mktemp("studies") / "three"
    shutil.copytree(study.folder, folder)
    return run_ablate(folder, discs, ARMS, seeds=3)


@pytest.fixture
def ablate(discs: Path, tmp_path: Path) -> Callable[..., Ablation]:
    """Run a study in a folder of the test: ``ablate({"on": {}, "off": {…}}, "--seeds", "1")``."""

    def run(arms: dict[str, Any], *flags: str, name: str = "mine", **settings: Any) -> Ablation:
        return run_ablate(tmp_path / name, discs, arms, *flags, **settings)

    return run


@pytest.fixture
def copied(study: Ablation, tmp_path: Path) -> Path:
    """A copy of the study, as if it had been trained there."""
    return Path(shutil.copytree(study.folder, tmp_path / "mine"))


# Studies of which nothing is trained

SHIFTS = {0.1: -0.3, 0.2: 0.004}  # of the scores that are drawn, by learning rate


def drawn_scores(generator: np.random.Generator, shift: float, images: int = 20) -> list[dict[str, Any]]:
    rows = []
    for index in range(images):
        iou = float(np.clip(0.6 + shift + 0.03 * generator.standard_normal(), 0, 1))
        counts = {"tp": 50, "fp": 20, "fn": 30}
        rows.append({"image": f"test{index}", "class": "disc", "diagonal": 9.0, "iou": iou, **counts})
    return rows


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Draw the scores of each run instead of training it: as its configuration says, and always the same."""
    names: list[str] = []

    def attempt(config: RunConfig, run: Run, report: Any) -> None:
        names.append(run.path.name)
        generator = np.random.default_rng([config.seed, round(1e4 * config.lr)])
        write_text(run.config_file, config.to_yaml())
        write_rows(run.test_images, drawn_scores(generator, SHIFTS.get(config.lr, 0.0)))
        write_rows(run.train_images, [{"image": "train0", "train_loss": 0.5}])
        write_rows(run.metrics, [{"epoch": 1, "train_loss": 1.0, "val_iou": 0.5}])
        write_text(run.best, "weights")
        scores = {"classes": ["disc"], "split": "test", "fingerprint": "f"}
        write_json(run.test, scores | {"mean": {"dataset": {"iou": 0.5}}})

    monkeypatch.setattr("unetseg.studies.trials.attempt", attempt)
    return names
