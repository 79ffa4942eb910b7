"""Where detail is won or lost: scores by the thickness of a structure and by the size of an object."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetseg.metrics.geometry import distance_map
from unetseg.metrics.pair import MaskPair, mask_pair
from unetseg.metrics.registry import Metric, Place, register

# Widest structure of each bin, in pixels.
THICKNESS_BINS = {"1-2": 2.0, "3-4": 4.0, "5-8": 8.0, ">8": np.inf}
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


def thickness_recall(
    prediction: ArrayLike, ground_truth: ArrayLike, *, valid: ArrayLike | None = None
) -> dict[str, tuple[int, int]]:
    """How much of the ground truth's skeleton the prediction covers, by the width of the structure there.

    The local width at a skeleton pixel is 2·d − ½ pixels, with d the largest distance to the background in
    the 3×3 pixels round it. A straight line n pixels wide has d = (n + 1)/2 for odd n and n/2 for even n, so
    its width comes out half a pixel too large or too small and falls into its bin when the bins end at 2.5,
    4.5 and 8.5; the 3×3 neighbourhood is there because a skeleton may run one pixel beside the middle. The
    image's border is not background: a structure that leaves the image does not get thinner there.

    Args:
        prediction: (H, W) bool, or integers 0 and 1.
        ground_truth: (H, W) bool, or integers 0 and 1.
        valid: (H, W) bool, the pixels to count; all of them if None.

    Returns:
        For each of ``"1-2"``, ``"3-4"``, ``"5-8"`` and ``">8"`` pixels: the skeleton pixels inside the
        prediction, and all skeleton pixels.

    Raises:
        ValueError: for a wrong shape, dtype or value; says which.
    """
    return pair_thickness_recall(mask_pair(prediction, ground_truth, valid=valid))


def pair_thickness_recall(pair: MaskPair) -> dict[str, tuple[int, int]]:
    """:func:`thickness_recall` of a pair whose skeleton other scores have perhaps already made."""
    skeleton = pair.counted(pair.ground_truth_skeleton)
    widths = _local_widths(pair)[skeleton]
    covered = pair.prediction[skeleton]
    edges = [widest + 0.5 for widest in THICKNESS_BINS.values()]
    bins = np.digitize(widths, edges[:-1], right=True)
    return {
        name: (int(np.count_nonzero(covered & (bins == index))), int(np.count_nonzero(bins == index)))
        for index, name in enumerate(THICKNESS_BINS)
    }


def pool_thickness(images: Iterable[dict[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    """Sum :func:`thickness_recall` over images: per bin, skeleton pixels covered and skeleton pixels."""
    pooled = dict.fromkeys(THICKNESS_BINS, (0, 0))
    for image in images:
        for name, (covered, total) in image.items():
            pooled[name] = pooled[name][0] + covered, pooled[name][1] + total
    return pooled


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


def _local_widths(pair: MaskPair) -> NDArray[Any]:
    """(h, w) width of the true structure round each of its pixels, in pixels; infinite where it is all."""
    to_background = distance_map(~pair.ground_truth)
    largest = cv2.dilate(to_background.values, np.ones((3, 3), np.uint8))
    return 2 * largest - 0.5


def thickness_columns(masks: MaskPair) -> dict[str, int]:
    """Return, for each bin of thickness, the skeleton's pixels and how many of them the prediction hits."""
    columns = {}
    for name, (hits, pixels) in pair_thickness_recall(masks).items():
        columns[thickness_column(name, "hits")] = hits
        columns[thickness_column(name, "pixels")] = pixels
    return columns


def thickness_column(name: str, what: str) -> str:
    """Return the column of a bin of thickness: ``"1-2"`` and ``"hits"`` give ``thickness_1_2_hits``."""
    return f"thickness_{name.replace('-', '_').replace('>', 'over_')}_{what}"


def _register_strata() -> None:
    """Register what studies compare: recall by the structures' width, objects found by their size."""
    for position, name in enumerate(THICKNESS_BINS):
        shown: dict[Place, int] = {"study": 101 + position}
        if position == 0:
            shown["study terminal"] = 3  # the thinnest
        hits, pixels = thickness_column(name, "hits"), thickness_column(name, "pixels")
        register(
            Metric(
                hits.replace("thickness", "recall").removesuffix("_hits"),
                f"skeleton recall in structures {name} px wide",
                "thickness",
                numerator=(hits,),
                denominator=(pixels,),
                counted="skeleton pixels",
                shown=shown,
            )
        )
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


_register_strata()
