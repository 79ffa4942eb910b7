"""Scores of many images into averages by class, and where the detail was won or lost."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unetseg.evaluation.scoring import ImageScores, Row, thickness_column
from unetseg.evaluation.strata import SIZE_STRATA, THICKNESS_BINS, ObjectScore, SizeStratum, size_strata
from unetseg.metrics import COUNT_KEYS, KEYS, OUTLINE_KEYS, average_scores

NO_OUTLINE = "scores of the outline are left out: the labels ignore pixels"


@dataclass(frozen=True)
class Evaluation:
    """Scores of one set of images.

    Attributes:
        classes: the foreground classes.
        rows: one an image and class (and one an image for their mean where there are several classes).
        sizes: the objects of each class by terciles of their area over the whole set.
        split: which split; None for masks that were given as files.
        fingerprint: a hash of the images' names and references: equal for equal test sets.
        notes: what a reader must know.
    """

    classes: tuple[str, ...]
    rows: list[Row]
    sizes: dict[str, dict[str, SizeStratum]]
    split: str | None
    fingerprint: str
    notes: tuple[str, ...] = ()

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
        }

    def _class(self, name: str) -> dict[str, Any]:
        rows = [row for row in self.rows if row["class"] == name]
        averages = _averages(rows)
        averages["dataset"] |= {key: sum(int(row[key]) for row in rows) for key in COUNT_KEYS}
        sizes = {stratum: asdict(values) for stratum, values in self.sizes[name].items()}
        return {**averages, "thickness": _thickness(rows), "size": sizes}

    def _mean(self, by_class: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
        """Average over the foreground classes; an image's mean leaves out classes absent from both masks."""
        datasets = [each["dataset"] for each in by_class.values()]
        present = [counts for counts in datasets if sum(counts[key] for key in COUNT_KEYS) > 0]
        dataset = {
            key: math.fsum(counts[key] for counts in present) / max(1, len(present))
            for key in ("iou", "dice")
        }
        rows = [row for row in self.rows if row["class"] == "mean" and "iou" in row]
        return {"dataset": dataset, "image": _averages(rows)["image"] if rows else {}}


def summarise(
    images: Sequence[ImageScores],
    classes: Sequence[str],
    split: str | None,
    fingerprint: str,
    notes: Sequence[str] = (),
) -> Evaluation:
    """Put the scores of images together.

    Outline scores are left out of all images where one image's reference ignores pixels. Every row of a class
    gains ``size_small_found`` and ``size_small_objects``, and so on: the terciles are those of the whole set.

    Args:
        images: at least one, all scored by the same keys.
        classes: names; index 0 is the background.
        split: which split, or None.
        fingerprint: of the references.
        notes: what a reader must know.
    """
    foreground = tuple(classes[1:])
    sizes = {
        name: size_strata([each for image in images for each in image.objects[name]]) for name in foreground
    }
    left_out = OUTLINE_KEYS if any(image.ignores for image in images) else ()
    rows = [
        {key: value for key, value in row.items() if key not in left_out}
        | (_size_columns(image.objects[row["class"]], sizes[row["class"]]) if row["class"] in sizes else {})
        for image in images
        for row in image.rows
    ]
    if "boundary_iou" not in rows[0]:
        notes = (*notes, NO_OUTLINE)
    return Evaluation(foreground, rows, sizes, split, fingerprint, tuple(notes))


def plain_row(row: Row) -> Row:
    """Return ``row`` with infinities as the text "inf", which JSON has no number for."""
    return {
        key: "inf" if isinstance(value, float) and math.isinf(value) else value for key, value in row.items()
    }


def _averages(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    scores = [{key: row[key] for key in KEYS if key in row} for row in rows]
    averages = average_scores(scores, [row["diagonal"] for row in rows])
    image = {key: plain_row(asdict(value)) for key, value in averages.image.items()}
    return {"dataset": averages.dataset, "image": image}


def _thickness(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Pool the skeleton pixels of each bin; one that no image has is left out."""
    found = {}
    for name in THICKNESS_BINS:
        hits, pixels = (sum(row[thickness_column(name, what)] for row in rows) for what in ("hits", "pixels"))
        if pixels:
            found[name] = {"hits": hits, "pixels": pixels, "recall": hits / pixels}
    return found


def _size_columns(objects: Sequence[ObjectScore], strata: Mapping[str, SizeStratum]) -> dict[str, int]:
    columns = {}
    for name in SIZE_STRATA:
        stratum = strata.get(name)
        members = [each for each in objects if stratum and stratum.smallest <= each.area <= stratum.largest]
        columns[f"size_{name}_found"] = sum(each.best_iou > 0.5 for each in members)
        columns[f"size_{name}_objects"] = len(members)
    return columns
