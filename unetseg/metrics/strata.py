"""Where detail is won or lost: scores by the size of an object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from unetseg.metrics.pair import MaskPair, mask_pair
from unetseg.metrics.registry import Metric, register

SIZE_STRATA = ("small", "medium", "large")


class ObjectScore(NamedTuple):
    """One ground-truth object: its size and how well it was found.

    Attributes:
        area: counted pixels of the object.
        best_iou: highest IoU with any predicted object.
        pixel_recall: share of its counted pixels that the prediction covers.
    """

    area: int
    best_iou: float
    pixel_recall: float


@dataclass(frozen=True)
class SizeStratum:
    """The objects of one third of the sizes in a data set.

    Attributes:
        objects: how many.
        smallest: area of the smallest, in pixels.
        largest: area of the largest, in pixels.
        found: share with a best IoU above 0.5.
        mean_iou: mean of their best IoU.
        mean_recall: mean of their pixel recall.
    """

    objects: int
    smallest: int
    largest: int
    found: float
    mean_iou: float
    mean_recall: float


def object_areas_and_recall(
    prediction: ArrayLike,
    ground_truth: ArrayLike,
    instances: ArrayLike | None = None,
    valid: ArrayLike | None = None,
    *,
    prediction_instances: ArrayLike | None = None,
) -> list[ObjectScore]:
    """Area, best IoU and pixel recall of every ground-truth object that has a counted pixel.

    Args:
        prediction: (H, W) bool, or integers 0 and 1.
        ground_truth: (H, W) bool, or integers 0 and 1.
        instances: (H, W) integers, positive exactly where ``ground_truth`` is true; 8-connected components if
            None.
        valid: (H, W) bool, the pixels to count; all of them if None.
        prediction_instances: as ``instances``, of the prediction.

    Raises:
        ValueError: for a wrong shape, dtype or value; says which.
    """
    return pair_objects(
        mask_pair(
            prediction,
            ground_truth,
            valid=valid,
            ground_truth_instances=instances,
            prediction_instances=prediction_instances,
        )
    )


def pair_objects(pair: MaskPair) -> list[ObjectScore]:
    """:func:`object_areas_and_recall` of a pair whose objects other scores have perhaps already matched."""
    objects = pair.objects
    areas = objects.ground_truth_areas
    best = np.zeros(areas.size)
    np.maximum.at(best, objects.ground_truth_index, objects.intersection / objects.union)
    covered = np.bincount(objects.ground_truth_index, weights=objects.intersection, minlength=areas.size)
    return [
        ObjectScore(int(area), float(iou), float(inside / area))
        for area, iou, inside in zip(areas, best, covered, strict=True)
    ]


def size_strata(objects: Sequence[ObjectScore]) -> dict[str, SizeStratum]:
    """Split the objects of a data set at the terciles of their areas and average each third.

    Objects of the same area always share a stratum, so the thirds may differ in number; a stratum that stays
    empty is left out.

    Args:
        objects: of all images of the data set, from :func:`object_areas_and_recall`.
    """
    if not objects:
        return {}
    areas = np.array([each.area for each in objects])
    strata = np.digitize(areas, np.quantile(areas, [1 / 3, 2 / 3]), right=True)
    grouped = {
        name: [each for each, stratum in zip(objects, strata, strict=True) if stratum == index]
        for index, name in enumerate(SIZE_STRATA)
    }
    return {name: _stratum(members) for name, members in grouped.items() if members}


def _stratum(members: Sequence[ObjectScore]) -> SizeStratum:
    areas, ious, recalls = (np.array(column) for column in zip(*members, strict=True))
    return SizeStratum(
        objects=len(members),
        smallest=int(areas.min()),
        largest=int(areas.max()),
        found=float(np.mean(ious > 0.5)),
        mean_iou=float(ious.mean()),
        mean_recall=float(recalls.mean()),
    )


def _register_sizes() -> None:
    """Register what studies compare: objects found by their size."""
    for position, name in enumerate(SIZE_STRATA):
        register(
            Metric(
                f"found_{name}",
                f"share of {name} objects found",
                "size",
                numerator=(f"size_{name}_found",),
                denominator=(f"size_{name}_objects",),
                counted="objects",
                shown={"study": 201 + position},
            )
        )


_register_sizes()
