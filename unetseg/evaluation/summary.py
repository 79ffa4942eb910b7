"""Scores of many images into averages by class, and where the detail was won or lost."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf, isinf, nan
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from unetseg.errors import UnetsegError
from unetseg.evaluation.rows import MEAN, Row, elsewhere, in_reference, occurs, plain_row, row_groups
from unetseg.evaluation.scoring import ImageScores
from unetseg.metrics import (
    ImageAverage,
    average_scores,
    class_mean_values,
    image_average,
    registry,
    scored_keys,
)
from unetseg.metrics.averages import LEAST_GROUPS
from unetseg.metrics.strata import (
    SIZE_STRATA,
    ObjectScore,
    SizeStratum,
    size_strata,
)
from unetseg.metrics.thickness import THICKNESS_BINS, WidthCounts, have_widths, thickness_column
from unetseg.utilities.text import first_few, printable

NO_OUTLINE = "scores of the outline are left out: the labels ignore pixels"


@dataclass(frozen=True)
class Evaluation:
    """Scores of one set of images.

    Attributes:
        classes: the foreground classes.
        rows: one an image and class (and one an image for their mean where there are several classes).
        sizes: the objects of each class by terciles of their area over the whole set.
        split: which split; None for masks that were given as files.
        fingerprint: a hash of the images' names and ground truth: equal for equal test sets.
        notes: what a reader must know.
        calibration: whether a run's probabilities mean what they say: ``temperature``, and the expected
            calibration error without it (``ece_before``) and with it (``ece``); None of masks alone.
    """

    classes: tuple[str, ...]
    rows: list[Row]
    sizes: dict[str, dict[str, SizeStratum]]
    split: str | None
    fingerprint: str
    notes: tuple[str, ...] = ()
    calibration: dict[str, float] | None = None

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON: dataset and image averages of each class and of their mean."""
        by_class = {name: self._class(name) for name in self.classes}
        mean = by_class[self.classes[0]] if len(self.classes) == 1 else self._mean(by_class)
        return {
            "split": self.split,
            "images": len({row["image"] for row in self.rows}),
            "fingerprint": self.fingerprint,
            "classes": by_class,
            "mean": mean,
            "notes": list(self.notes),
        } | ({} if self.calibration is None else {"calibration": self.calibration})

    def as_dict(self) -> dict[str, Any]:
        """Return the summary and all rows, as plain values for JSON."""
        rows = [
            plain_row(row) | {key: printable(row[key]) for key in ("image", "group") if key in row}
            for row in self.rows
        ]
        return self.summary() | {"rows": rows}

    def _class(self, name: str) -> dict[str, Any]:
        """Average one class over the images that define it, and count where it is.

        The ground truth has it in ``reference_in`` images; it was predicted in ``predicted_elsewhere`` of the
        others; both masks, or one, have it in ``occurs_in``.
        """
        rows = self._rows(name)
        diagonals = [row["diagonal"] for row in rows]
        averages = average_scores([_scores(row) for row in rows], diagonals, row_groups(rows))
        counts = {key: sum(int(row[key]) for row in rows) for key in registry.counts()}
        has_reference = sum(map(in_reference, rows))
        # Of several classes, one that no ground truth has is no row, whatever was predicted: its dataset
        # average would be part of the mean of those models alone that predict it.
        lacks = len(self.classes) > 1 and not has_reference
        dataset = dict.fromkeys(averages.dataset, nan) if lacks else averages.dataset
        return {
            "reference_in": has_reference,
            "predicted_elsewhere": sum(map(elsewhere, rows)),
            "occurs_in": sum(map(occurs, rows)),
            "dataset": plain_row(dataset | counts),
            "image": {key: _plain_average(average) for key, average in averages.image.items()},
            "thickness": _thickness(rows),
            "size": {stratum: asdict(values) for stratum, values in self.sizes[name].items()},
        }

    def _mean(self, by_class: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Average the classes' rows that there are: those of the classes that the ground truth has."""
        dataset = {
            key: _mean([each["dataset"][key] for each in by_class.values()])
            for key in registry.dataset_ratios()
        }
        table = [self._rows(name) for name in self.classes]
        keys = [key for key in _scores(table[0][0]) if key not in registry.counts()]
        return {"dataset": dataset, "image": {key: self._mean_of(key, by_class, table) for key in keys}}

    def _mean_of(
        self, key: str, by_class: Mapping[str, dict[str, Any]], table: Sequence[Sequence[Row]]
    ) -> dict[str, Any]:
        """Average one score's rows; its interval counts what each image adds to each of them.

        An image is missed if any of its classes is.
        """
        finite = [[row["diagonal"] if isinf(row[key]) else row[key] for row in rows] for rows in table]
        values = class_mean_values(finite).tolist()
        average = image_average(values, values, registry.METRICS[key].highest, row_groups(table[0]))
        medians = _mean([each["image"][key]["median"] for each in by_class.values()])
        infinite = np.isinf([[row[key] for row in rows] for rows in table])
        missed = int(infinite.any(axis=0).sum())
        return _plain_average(replace(average, missed=missed)) | {"median": medians}

    def _rows(self, name: str) -> list[Row]:
        return [row for row in self.rows if row["class"] == name]


def summarise(
    images: Sequence[ImageScores],
    classes: Sequence[str],
    split: str | None,
    fingerprint: str,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Put the scores of images together.

    Images of which no pixel counts are no evidence: they are left out, and a note says which. Outline scores
    are left out of all images where one image's ground truth ignores pixels. Every row of a class gains
    ``size_small_found`` and ``size_small_objects``, and so on, by the terciles of the whole set.

    Args:
        images: at least one, all scored by the same keys.
        classes: names; index 0 is the background.
        split: which split, or None.
        fingerprint: of the ground truth.
        notes: what a reader must know.

    Raises:
        UnetsegError: if no pixel counts in any image.
    """
    foreground = tuple(classes[1:])
    images, void = [each for each in images if each.counts], [each for each in images if not each.counts]
    if void:
        notes = (*notes, _without_evidence(void, split, none_left=not images))
    sizes = {
        name: size_strata([each for image in images for each in image.objects[name]]) for name in foreground
    }
    allowed = {each.key for each in registry.allowed(any(image.ignores for image in images))}
    left_out = {*scored_keys()} - allowed
    rows = [
        {key: value for key, value in row.items() if key not in left_out}
        | (_size_columns(image.objects[row["class"]], sizes[row["class"]]) if row["class"] in sizes else {})
        for image in images
        for row in image.rows
    ]
    outline = [each.key for each in registry.scored() if "outline" in each.needs]
    if not any(key in rows[0] for key in outline):
        notes = (*notes, NO_OUTLINE)
    groups = row_groups(rows)
    if groups is not None:
        notes = (*notes, _about_groups(len(set(groups))))
    return Evaluation(foreground, rows, sizes, split, fingerprint, tuple(notes))


def _without_evidence(void: Sequence[ImageScores], split: str | None, *, none_left: bool) -> str:
    """Return the note on images of which no pixel counts.

    Raises:
        UnetsegError: if there are no others.
    """
    if none_left:
        where = f"the {split} split" if split else "the references"
        raise UnetsegError(f"no pixel of {where} counts: all are ignored, or outside the field of view")
    names = first_few(str(each.rows[0]["image"]) for each in void)
    which = "1 image is" if len(void) == 1 else f"{len(void)} images are"
    return f"{which} left out of all scores, as no pixel counts there: {names}"


def _about_groups(count: int) -> str:
    """Return the note on images that belong together."""
    if count < LEAST_GROUPS:
        return f"the images come in {count} groups, and an interval needs {LEAST_GROUPS}: none is given"
    return f"the images come in {count} groups, which intervals take as their unit"


def _scores(row: Row) -> dict[str, float]:
    return {key: row[key] for key in scored_keys() if key in row}


def _plain_average(average: ImageAverage) -> dict[str, Any]:
    return plain_row(asdict(average))


def _mean(values: Sequence[float | str | None]) -> float | str | None:
    """Average plain values, as ``plain_row`` makes them; None for none."""
    defined = [inf if value == "inf" else float(value) for value in values if value is not None]
    mean = fmean(defined) if defined else nan
    cell: float | str | None = plain_row({"mean": mean})["mean"]
    return cell


def _thickness(rows: Sequence[Row]) -> dict[str, dict[str, float | None]]:
    """Pool the skeleton pixels of each bin; one that no mask has is left out, and all are for blobs."""
    found = {}
    for name in THICKNESS_BINS if have_widths(rows) else ():
        counts = {
            what: sum(row[thickness_column(name, what)] for row in rows) for what in WidthCounts._fields
        }
        if counts["pixels"] or counts["predicted"]:
            ratios = {
                "recall": _ratio(counts["hits"], counts["pixels"]),
                "recall_within": _ratio(counts["near"], counts["pixels"]),
                "precision": _ratio(counts["right"], counts["predicted"]),
            }
            found[name] = counts | ratios
    return found


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _size_columns(objects: Sequence[ObjectScore], strata: Mapping[str, SizeStratum]) -> dict[str, int]:
    columns = {}
    for name in SIZE_STRATA:
        stratum = strata.get(name)
        members = [each for each in objects if stratum and stratum.smallest <= each.area <= stratum.largest]
        columns[f"size_{name}_found"] = sum(each.best_iou > 0.5 for each in members)
        columns[f"size_{name}_objects"] = len(members)
    return columns


def row_fingerprint(rows: Iterable[Row]) -> str:
    """Return a hash of the images' names and of how many pixels each class has in their ground truth."""
    digest = hashlib.sha256()
    for row in sorted((row for row in rows if row["class"] != MEAN), key=_place):
        text = f"{row['image']}\0{row['class']}\0{int(row['tp'] + row['fn'])}\0"
        digest.update(text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _place(row: Row) -> tuple[str, str]:
    return str(row["image"]), str(row["class"])


def fingerprint(ground_truth: Iterable[tuple[str, Path | None]]) -> str:
    """Return a hash of the images' names and ground-truth files: equal exactly for the same ground truth."""
    digest = hashlib.sha256()
    for name, path in sorted(ground_truth, key=lambda each: each[0]):
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        if path is not None:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
