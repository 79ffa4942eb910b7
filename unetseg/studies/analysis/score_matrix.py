"""The scores of runs as matrices over seeds and images, which the analysis starts from."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unetseg.errors import UnetsegError
from unetseg.evaluation.rows import MEAN, TEXTS, Row, finite_score, in_reference, only_defined, row_groups
from unetseg.evaluation.summary import Evaluation
from unetseg.metrics import class_mean_values, registry
from unetseg.metrics.registry import Metric
from unetseg.runs import Run
from unetseg.studies.analysis.ratios import influence_values
from unetseg.studies.analysis.statistics import Floats
from unetseg.utilities.text import from_cell


@dataclass(frozen=True)
class RunScores:
    """What one run, or one folder of masks, scored.

    Attributes:
        name: of the run or folder, for error lines.
        split: that was scored; None for masks.
        fingerprint: of the images' names and ground truth.
        classes: foreground classes.
        rows: one an image and class, in the order of ``test_images.csv``.
        training: one a training image, with its ``train_loss``; empty where it was not measured.
        groups: of each test image, in order; None where each is its own.
    """

    name: str
    split: str | None
    fingerprint: str
    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    training: tuple[Row, ...] = ()
    groups: tuple[str, ...] | None = None

    @cached_property
    def table(self) -> dict[str, dict[str, Row]]:
        """The rows by class (or ``mean``) and image."""
        table: dict[str, dict[str, Row]] = {}
        for row in self.rows:
            table.setdefault(row["class"], {})[row["image"]] = row
        return table

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the test images, in order."""
        return tuple(dict.fromkeys(row["image"] for row in self.rows))


def read_scores(run: Run) -> RunScores:
    """Read what a finished run scored.

    Raises:
        UnetsegError: if a file is missing or damaged.
    """
    summary = run.test_scores()
    try:
        classes = tuple(summary["classes"])
        rows = tuple(only_defined(row, len(classes)) for row in _read_rows(run.test_images))
        training = tuple(_read_rows(run.train_images)) if run.train_images.is_file() else ()
        about = (str(run.path), summary["split"], summary["fingerprint"])
        return RunScores(*about, classes, rows, training, row_groups(rows))
    except (OSError, ValueError, KeyError) as error:
        raise UnetsegError(
            f"{run.path}: its scores cannot be read ({error}); 'unetseg fit --resume' makes them anew once "
            f"{run.test} is removed"
        ) from error


def scores_of(evaluation: Evaluation, name: str) -> RunScores:
    """Return an evaluation that was just computed as the scores of a run."""
    rows = tuple(evaluation.rows)
    about = (name, evaluation.split, evaluation.fingerprint)
    return RunScores(*about, evaluation.classes, rows, groups=row_groups(rows))


def share_groups(runs: Sequence[RunScores]) -> tuple[RunScores, ...]:
    """Return runs of one test with the groups of its images, which earlier versions did not write.

    Args:
        runs: scored on the same images.
    """
    groups = next((run.groups for run in runs if run.groups is not None), None)
    return tuple(replace(run, groups=groups) for run in runs)


def score_matrix(runs: Sequence[RunScores], key: str, class_name: str) -> Floats | None:
    """Return one metric of one class as float64 [seed, image], or None if the runs do not have it.

    An infinite distance counts as its image's diagonal. Of several classes, each has NaN in the images whose
    ground truth lacks it. Of ``mean`` it is the mean over the classes' own averages, and comes
    as what each image adds to it; so does a metric that is a ratio of sums. Their mean over images is that
    average. Classes that no image's ground truth has are no part of it.

    Args:
        runs: of one arm, one a seed, of one set of test images.
        key: of the metric.
        class_name: a foreground class, or ``mean``.
    """
    metric = registry.METRICS[key]
    if metric.group == "training":
        return _training(runs, metric.key)
    classes = _classes(runs[0], class_name)
    if not classes or (class_name == MEAN and metric.counted):
        return None  # objects and widths of several classes are not one population
    if metric.pooled:
        return _ratio(runs, metric, classes)
    by_class = [image_scores(runs, key, name) for name in classes]
    known = [matrix for matrix in by_class if matrix is not None]
    if len(known) < len(by_class):
        return None
    return class_mean_values(np.stack(known, axis=1)) if class_name == MEAN else known[0]


def image_scores(runs: Sequence[RunScores], key: str, class_name: str) -> Floats | None:
    """Return what single images scored, as float64 [seed, image], or None if the runs do not have it.

    Of ``mean`` it is each image's own mean over the classes that it has, which is no metric of a set.

    Args:
        runs: as of ``score_matrix``.
        key: of a metric of single images.
        class_name: a foreground class, or ``mean``.
    """
    if not all(key in row for run in runs for row in run.table[class_name].values()):
        return None
    return np.array([[_finite(run, class_name, image, key) for image in runs[0].images] for run in runs])


def count_infinite(runs: Sequence[RunScores], key: str, class_name: str) -> int:
    """Return in how many (seed, image) pairs a distance is infinite: one mask is empty, the other not.

    Of ``mean`` each class of an image counts.
    """
    classes = _classes(runs[0], class_name)
    return sum(math.isinf(row[key]) for run in runs for name in classes for row in run.table[name].values())


def images_with(run: RunScores) -> dict[str, int]:
    """Return how many images' ground truth has each class."""
    return {name: sum(map(in_reference, run.table[name].values())) for name in run.classes}


def _classes(run: RunScores, class_name: str) -> list[str]:
    """Return the classes that a name stands for; of several those that any image's ground truth has."""
    names = run.classes if class_name == MEAN else (class_name,)
    if len(run.classes) == 1:
        return [*names]
    found = images_with(run)
    return [name for name in names if found[name]]


def counted(run: RunScores, metric: Metric, class_name: str) -> list[float]:
    """Return what a ratio's denominator is in each image: skeleton pixels, objects."""
    rows = run.table[class_name].values()
    return [sum(row[column] for column in metric.denominator) for row in rows]


def counted_images(runs: Sequence[RunScores], metric: Metric, class_name: str) -> NDArray[np.bool_]:
    """Return in which images any run has a denominator of a ratio; of ``mean``, in any class.

    Args:
        runs: of all arms that are compared.
        metric: a ratio of sums.
        class_name: a foreground class, or ``mean``.
    """
    classes = runs[0].classes if class_name == MEAN else (class_name,)
    every = [_column(runs, name, column) for name in classes for column in metric.denominator]
    occurring: NDArray[np.bool_] = np.any(np.array(every) > 0, axis=(0, 1))
    return occurring


def _ratio(runs: Sequence[RunScores], metric: Metric, classes: Sequence[str]) -> Floats | None:
    """Return influence values, averaged over the classes that have any of what is counted."""
    columns = {*metric.numerator, *metric.denominator}
    if not all(columns <= row.keys() for run in runs for name in classes for row in run.table[name].values()):
        return None
    parts = []
    for name in classes:
        counts = {column: _column(runs, name, column) for column in columns}
        numerator = sum(counts[column] for column in metric.numerator)
        denominator = sum(counts[column] for column in metric.denominator)
        parts.append(influence_values(numerator, denominator))
    stacked = np.array(parts)
    occurs = ~np.isnan(stacked).all(axis=(1, 2))
    if not occurs.any():
        return None
    counted = ~np.isnan(stacked)
    total = np.where(counted, stacked, 0.0).sum(axis=0)
    return np.where(counted.any(axis=0), total / np.maximum(counted.sum(axis=0), 1), np.nan)


def _column(runs: Sequence[RunScores], class_name: str, column: str) -> Floats:
    return np.array(
        [[float(run.table[class_name][image][column]) for image in runs[0].images] for run in runs]
    )


def _training(runs: Sequence[RunScores], column: str) -> Floats | None:
    if not all(run.training for run in runs):
        return None
    tables = [{row["image"]: row[column] for row in run.training} for run in runs]
    if any(table.keys() != tables[0].keys() for table in tables):
        return None
    return np.array([[table[image] for image in tables[0]] for table in tables])


def _finite(run: RunScores, class_name: str, image: str, key: str) -> float:
    classes = (run.table[name][image] for name in run.classes)
    return finite_score(run.table[class_name][image], classes, key)


def _read_rows(path: Path) -> list[Row]:
    """Read a table of numbers; cells of images and classes stay text, empty ones are left out."""
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        return [
            {
                name: from_cell(value) if name in TEXTS else float(value)
                for name, value in row.items()
                if value != ""
            }
            for row in csv.DictReader(file)
        ]
