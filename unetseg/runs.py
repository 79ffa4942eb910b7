"""The run folder: what lies where, how a run is named, found and read."""

import csv
import json
import math
import os
import shlex
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unetseg.config import RunConfig, from_mapping
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import require_absent
from unetseg.utilities.text import slug
from unetseg.utilities.yaml_files import load_yaml

CHECKPOINTS = Path("checkpoints")
STUDY_FILE = "study.yaml"  # in a study's folder: what was last asked for, complete
_DEPTH = 3  # of the folders in which runs and studies are looked for


@dataclass(frozen=True)
class Run:
    """One trained model's folder."""

    path: Path

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | Path):
            raise UsageError(f"Run({self.path!r}): give the path of the run's folder")
        object.__setattr__(self, "path", Path(self.path))

    def __repr__(self) -> str:
        """Return the folder, the data, the net and the score, as far as they are known."""
        try:
            known = ", ".join(self._facts())
        except Exception as error:  # whatever a damaged folder holds, a debugger must be able to show it
            known = f"cannot be read ({type(error).__name__})"
        return f"Run('{self.path}': {known})"

    def _facts(self) -> Iterator[str]:
        config = self.config()
        yield config.data
        yield config.net_text
        yield f"test IoU {self.test_iou:.3f}" if self.finished else "unfinished"

    @property
    def test_iou(self) -> float:
        """The dataset IoU on the test split, of several classes their mean; NaN where none is defined."""
        iou = self.test_scores()["mean"]["dataset"]["iou"]
        return math.nan if iou is None else float(iou)

    @property
    def config_file(self) -> Path:
        """The complete configuration."""
        return self.path / "config.yaml"

    @property
    def best(self) -> Path:
        """Weights of the epoch with the best validation IoU, and all that inference needs."""
        return self.path / "best.ckpt"

    @property
    def last(self) -> Path:
        """Full state after the last whole epoch, to resume from."""
        return self.path / "last.ckpt"

    @property
    def metrics(self) -> Path:
        """One row an epoch."""
        return self.path / "metrics.csv"

    @property
    def curves(self) -> Path:
        """Picture of ``metrics``."""
        return self.path / "curves.png"

    @property
    def gradients(self) -> Path:
        """How the gradient flowed before training and after every epoch; only if that was asked for."""
        return self.path / "gradients.csv"

    @property
    def gradients_plot(self) -> Path:
        """Picture of ``gradients``."""
        return self.path / "gradients.png"

    @property
    def split(self) -> Path:
        """The names of the images in each split; ``fingerprints.json`` has the hash of each one's files."""
        return self.path / "split.json"

    @property
    def environment(self) -> Path:
        """Versions, device, threads and seconds."""
        return self.path / "environment.json"

    @property
    def test(self) -> Path:
        """Scores on the test split; its presence marks a finished run."""
        return self.path / "test.json"

    @property
    def test_images(self) -> Path:
        """Scores on the test split, one row an image."""
        return self.path / "test_images.csv"

    @property
    def train_images(self) -> Path:
        """Loss on the training split after training, one row an image; only runs of a study have it."""
        return self.path / "train_images.csv"

    def exported(self, format: str) -> Path:
        """Where ``best`` is exported to, in the export format of a name."""
        return self.path / f"model.{format}"

    def fold(self, number: int) -> "Run":
        """Return the run of one fold, where a run consists of folds."""
        return Run(self.path / f"fold{number}")

    @property
    def finished(self) -> bool:
        """Whether the run was trained to its end and tested."""
        return self.test.is_file() and (self.best.is_file() or self.fold(0).finished)

    @property
    def standing(self) -> str:
        """One line on how far an unfinished run is, and how to go on; empty for a finished one."""
        if self.finished:
            return ""
        rows, planned = self.epochs(), self.config().epochs
        done = f"epoch {rows[-1]['epoch']:.0f} of {planned}" if rows else "no whole epoch"
        if rows and rows[-1]["epoch"] >= planned:
            done += ", not tested"
        return (
            f"{self.path} is not finished ({done}): these are its best weights so far; "
            f"go on with 'unetseg fit --resume {shlex.quote(str(self.path))}'"
        )

    def remove_parts(self) -> None:
        """Remove the half-written files that a killed process left behind."""
        for part in self.path.glob(".part-*"):
            part.unlink(missing_ok=True)

    def config(self) -> RunConfig:
        """Read the configuration."""
        return from_mapping(load_yaml(self.config_file), str(self.config_file))

    def test_scores(self) -> dict[str, Any]:
        """Read the scores on the test split."""
        try:
            scores: dict[str, Any] = json.loads(self.test.read_text())
            _ = scores.get("classes") or scores["mean"]  # any file of scores has one of them
            return scores
        except (OSError, ValueError) as error:
            why = f"cannot be read ({error})"
        except (LookupError, TypeError, AttributeError):
            why = "holds no scores"
        raise UnetsegError(f"{self.test}: {why}; run 'unetseg evaluate {self.path}'")

    def epochs(self) -> list[dict[str, float]]:
        """Read the rows of ``metrics``, one an epoch."""
        if not self.metrics.is_file():
            return []
        with self.metrics.open(newline="") as file:
            return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def new_run(config: RunConfig, path: str | Path | None = None) -> Run:
    """Make the folder of a new run: ``path``, or a name under ``checkpoints/`` that says what it is.

    Raises:
        UsageError: if ``path`` already holds a run, or a file that a run would overwrite, or cannot be made.
    """
    if path is not None:
        run = Run(Path(path))
        if run.config_file.exists():
            raise UsageError(
                f"{path}: already holds a run; give another -o, or continue it with --resume {path}"
            )
        written = (run.best, run.last, run.metrics, run.curves, run.split, run.environment, run.test)
        require_absent(written, "is there already and would be overwritten; give another -o")
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path}: cannot be made ({error.strerror}); give another -o") from None
        return run
    label = slug(f"{Path(config.data).name}-{config.skips}")
    control = "" if config.skips == "on" else f"-{config.control}"
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{label}{control}-seed{config.seed}"
    for attempt in range(1000):
        path = CHECKPOINTS / (stem if attempt == 0 else f"{stem}-{attempt}")
        try:
            path.mkdir(parents=True)
            return Run(path)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"{CHECKPOINTS}: cannot be made ({error.strerror}); give -o") from None
    raise UnetsegError(f"{CHECKPOINTS}: no free name for a run")


def discard_empty(run: Run) -> None:
    """Remove a run's folder if nothing was written there; one that holds anything stays."""
    with suppress(OSError):
        run.path.rmdir()


def find_run(path: str | Path | None = None, root: Path | None = None) -> Run:
    """Return the run at ``path``, or the newest finished one directly under ``root``.

    Raises:
        UsageError: if there is none.
    """
    root = root or CHECKPOINTS
    if path is None:
        finished = [run for run in list_runs(root) if run.finished]
        if not finished:
            hint = "train one with 'unetseg fit'"
            if begun := list_runs(root):
                hint = f"go on with one by 'unetseg fit --resume {begun[-1].path}'"
            raise UsageError(f"{root}/: no finished run here; {hint}, or name one with --run")
        return finished[-1]
    if os.fspath(path).startswith(("http://", "https://")):
        raise UsageError(f"{path}: runs are read from local folders only; download it first")
    run = Run(Path(path))
    if not run.path.exists() and (root / path).exists():
        run = Run(root / path)
    if not run.config_file.is_file():
        raise UsageError(f"{path}: no run here (no config.yaml); 'unetseg runs' lists them")
    return run


@dataclass(frozen=True)
class StudyFolder:
    """A study's folder, and the runs in it."""

    path: Path
    runs: tuple[Run, ...]

    @property
    def file(self) -> Path:
        """What was last asked for."""
        return self.path / STUDY_FILE


def list_below(top: Path) -> tuple[list[Run], list[StudyFolder]]:
    """Return the runs and the studies up to three folders below ``top``, each oldest first.

    So those are found that were given a place of their own, too. A study's runs are in its record alone;
    ``checkpoints/`` itself is none. Outside of it a folder is a run if it also holds the names of its images:
    other programs write files called config.yaml as well.
    """
    runs, studies = list[Run](), list[StudyFolder]()
    for folder in _folders_below(top):
        run = Run(folder)
        is_study = folder != top / CHECKPOINTS and (folder / STUDY_FILE).is_file()
        if is_study and (inside := list_runs(folder)):
            studies.append(StudyFolder(folder, tuple(inside)))
        elif run.config_file.is_file() and (folder.parent == top / CHECKPOINTS or run.split.is_file()):
            runs.append(run)
    of_studies = {run.path for study in studies for run in study.runs}
    return (
        sorted((run for run in runs if run.path not in of_studies), key=_age),
        sorted(studies, key=lambda study: (study.file.stat().st_mtime_ns, study.path.name)),
    )


def _folders_below(top: Path) -> Iterator[Path]:
    """Yield the visible folders below ``top``, no real one twice; those of runs are not looked into."""
    entered = set()
    pending = [(top, 0)]
    while pending:
        folder, depth = pending.pop()
        real = os.path.realpath(folder)
        if real in entered:
            continue
        entered.add(real)
        if depth:
            yield folder
        if depth < _DEPTH and not (depth and Run(folder).config_file.is_file()):
            with suppress(OSError), os.scandir(folder) as entries:
                below = sorted(each.name for each in entries if each.is_dir() and each.name[0] != ".")
                pending += [(folder / name, depth + 1) for name in below]


def _age(run: Run) -> tuple[int, str]:
    return run.config_file.stat().st_mtime_ns, run.path.name


def list_runs(root: Path | None = None) -> list[Run]:
    """Return the runs directly under ``root``, oldest first."""
    root = root or CHECKPOINTS
    if not root.is_dir():
        return []
    return sorted((Run(path.parent) for path in root.glob("*/config.yaml")), key=_age)
