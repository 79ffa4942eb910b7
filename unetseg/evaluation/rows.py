"""The rows of scores that an evaluation makes, one an image and class, and what is read out of one."""

import math
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from unetseg.metrics import registry

Row = dict[str, Any]
LABELS = ("image", "class", "diagonal")  # of a row; everything else is a score
MEAN = "mean"  # the class of the rows that average over classes


def occurs(row: Mapping[str, float]) -> bool:
    """Tell whether any counted pixel of either mask is of the row's class."""
    return any(row[key] for key in registry.counts())


def finite_score(row: Row, classes: Iterable[Row], metric: str) -> float:
    """Return a score, or what stands for an infinite one: the image's diagonal, which no distance exceeds.

    In a mean over classes each infinite one counts as the diagonal, so that what was found of the others
    still shows.

    Args:
        row: of the image, for a class or the mean over classes.
        classes: the image's rows for the single classes.
        metric: the key of the score.
    """
    if not math.isinf(row[metric]):
        return float(row[metric])
    if row["class"] != MEAN:
        return float(row["diagonal"])
    return fmean(min(each[metric], each["diagonal"]) for each in classes if occurs(each))


def plain_row(row: Row) -> Row:
    """Return ``row`` with infinities as the text "inf", which JSON has no number for."""
    return {
        key: "inf" if isinstance(value, float) and math.isinf(value) else value for key, value in row.items()
    }
