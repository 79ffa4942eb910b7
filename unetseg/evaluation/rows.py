"""The rows of scores that an evaluation makes, one an image and class, and what is read out of one."""

import math
from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from unetseg.metrics import registry, without_reference

Row = dict[str, Any]
LABELS = ("image", "class", "group", "diagonal")  # of a row; everything else is a score
TEXTS = LABELS[:3]
MEAN = "mean"  # the class of the rows that average over classes


def occurs(row: Mapping[str, float]) -> bool:
    """Tell whether any counted pixel of either mask is of the row's class."""
    return any(row[key] for key in registry.counts())


def in_reference(row: Mapping[str, float]) -> bool:
    """Tell whether any counted pixel of the ground truth is of the row's class."""
    return bool(row["tp"] + row["fn"])


def elsewhere(row: Mapping[str, float]) -> bool:
    """Tell whether the class was predicted where the ground truth does not have it."""
    return bool(row["fp"]) and not in_reference(row)


def row_groups(rows: Iterable[Row]) -> tuple[str, ...] | None:
    """Return the group of each image, in the order of the rows; None where each is its own."""
    found = {row["image"]: row.get("group") for row in rows}
    known = tuple(group for group in found.values() if group is not None)
    return known if found and len(known) == len(found) else None


def only_defined(row: Row, classes: int) -> Row:
    """Return a class's row with NaN for what is not defined; earlier versions wrote 0 or 1 there.

    Args:
        row: for a class or the mean over classes.
        classes: how many foreground classes there are.
    """
    if row["class"] == MEAN or in_reference(row):
        return row
    return without_reference(row, registry.scored(), classes)


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
    # A class that was predicted where it is not has no distance of its own row, and is as far as one missed.
    return fmean(
        each[metric] if math.isfinite(each[metric]) else each["diagonal"] for each in classes if occurs(each)
    )


def plain_row(row: Row) -> Row:
    """Return ``row`` for JSON: infinities as the text "inf", and None for NaN."""
    return {key: _plain(value) if isinstance(value, float) else value for key, value in row.items()}


def _plain(value: float) -> float | str | None:
    return "inf" if math.isinf(value) else None if math.isnan(value) else value
