"""Simultaneous tests and intervals of a family of comparisons, which never contradict each other."""

import numpy as np
from numpy.typing import ArrayLike

from unetseg.studies.analysis.statistics import Comparison, Floats, interval

# What the arms that differ may add to the error of the others' intervals, in parts of the level.
_SHARE_OF_FOUND = 0.4
_SMALLEST = np.nextafter(0.0, 1.0)  # the end of an interval that ends at 0 and excludes it


def holm(p_values: ArrayLike) -> Floats:
    """Return Holm's step-down adjusted p-values in the given order (Holm 1979, Scand. J. Statist. 6:65).

    Args:
        p_values: (..., comparison), each between 0 and 1.

    Raises:
        ValueError: A value is not between 0 and 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must lie between 0 and 1")
    order = np.argsort(p, axis=-1, kind="stable")
    steps = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0), axis=-1)
    return adjusted


def simultaneous_intervals(
    comparisons: Comparison, p_values: ArrayLike, level: float = 0.05
) -> tuple[Floats, Floats]:
    """Return intervals that hold together, and exclude 0 exactly where Holm's test finds a difference.

    With K comparisons of which Holm finds r, all have Bonferroni's t interval at ``level / K``. Those that
    were found have it at ``0.4 level / r`` where that is less (unless all K are), and end at 0 where only
    Holm's later steps free them of it; by the confidence region of Holm's test 0 is all that bounds them
    (Strassburger & Bretz 2008, Stat. Med. 27:4914; Guilbaud 2008, Biom. J. 50:678). What was found adds at
    most 0.4 of the level to the error that Holm's test has on the others, so that 95 % intervals hold
    together with 93 % at least, whatever differs.

    Args:
        comparisons: Arrays (..., comparison).
        p_values: Their unadjusted two-sided p-values, of the same shape.
        level: Between 0 and 1.

    Returns:
        Lower and upper ends. An end at 0 is the smallest number beyond it: 0 itself is excluded.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    family = p_values.shape[-1]
    found = holm(p_values) < level
    count = found.sum(axis=-1, keepdims=True)
    bonferroni = level / family
    of_found = np.where(count == family, bonferroni, _SHARE_OF_FOUND * level / np.maximum(count, 1))
    low, high = interval(comparisons, np.where(found, np.minimum(of_found, bonferroni), bonferroni))
    above, below = found & (comparisons.mean > 0), found & (comparisons.mean < 0)
    low, high = (
        np.where(above, np.maximum(low, _SMALLEST), low),
        np.where(below, np.minimum(high, -_SMALLEST), high),
    )
    return np.where(found, low, np.minimum(low, 0.0)), np.where(found, high, np.maximum(high, 0.0))


def excludes_zero_there(end: float) -> str:
    """Return "above 0" or "below 0" for an end at 0 that excludes it, and nothing for any other end."""
    if abs(end) != _SMALLEST:
        return ""
    return "above 0" if end > 0 else "below 0"
