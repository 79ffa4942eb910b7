"""The images that two arms are compared on, and whether they are enough for an interval."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from unetseg.studies.analysis.statistics import Floats, Integers, units

# Groups of images, or images that a ratio counts in, that an interval needs.
LEAST_UNITS = 10


class Sample:
    """The images that every seed of every arm defines, in groups if they have any.

    Attributes:
        values: of each arm, [seed, image] of these images.
        images: their number.
        dropped: how many are not defined everywhere.
        seeds: of the arm that has fewest.
        groups: of each image a number from 0 on, or None.
        shortage: why there can be no interval; empty where there can.
    """

    def __init__(
        self,
        arms: tuple[Floats, ...],
        labels: Sequence[Hashable] | None = None,
        pooled: bool = False,
        shortage: str = "",
    ) -> None:
        """Find the images.

        Args:
            arms: of `matrix`, with the same images.
            labels: of each image, the group that it belongs to.
            pooled: whether values are influence values of a ratio.
            shortage: why there can be no interval, where that is known already.

        Raises:
            ValueError: No image is left, or labels are missing.
        """
        defined = ~np.any([np.isnan(arm).any(axis=0) for arm in arms], axis=0)
        if not defined.any():
            raise ValueError("no image has a value in every seed: there is nothing to average")
        self.values = tuple(arm[:, defined] for arm in arms)
        self.images = int(defined.sum())
        self.dropped = len(defined) - self.images
        self.seeds = min(len(arm) for arm in arms)
        self.groups: Integers | None = None
        if labels is not None:
            if len(labels) != len(defined):
                raise ValueError(f"{len(labels)} groups are named for {len(defined)} images")
            kept = [label for label, keep in zip(labels, defined, strict=True) if keep]
            numbers = {label: number for number, label in enumerate(dict.fromkeys(kept))}
            self.groups = np.array([numbers[label] for label in kept])
        known = _shortage(units(self.images, self.groups), labels is not None, pooled)
        self.shortage = shortage or known


def matrix(values: ArrayLike) -> Floats:
    """Return values as float64 [seed, image].

    Raises:
        ValueError: They are no matrix, or a value is infinite.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"expected a matrix [seed, image], not an array of shape {values.shape}")
    if np.isinf(values).any():
        raise ValueError("infinite value: replace infinite distances by the image's diagonal first")
    return values


def _shortage(count: int, grouped: bool, pooled: bool) -> str:
    """Say why there can be no interval, if so."""
    if count >= LEAST_UNITS or not (grouped or pooled):
        return ""
    what = "group" if grouped else "image"
    rest = "" if grouped else " that hold any of it" if count != 1 else " that holds any of it"
    return f"{count} {what}{'s' * (count != 1)}{rest}, and an interval needs {LEAST_UNITS}"
