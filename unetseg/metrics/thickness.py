"""Where detail is won or lost: recall and precision by the width of a structure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetseg.metrics.boundary import TOLERANCE
from unetseg.metrics.geometry import BoolArray, distance_map, near
from unetseg.metrics.pair import MaskPair, mask_pair
from unetseg.metrics.registry import Metric, Place, register

# Widest structure of each bin, in pixels.
THICKNESS_BINS = {"1-2": 2.0, "3-4": 4.0, "5-8": 8.0, ">8": np.inf}
# Structures that are so many times as long as wide, on average, have widths; blobs have none.
LEAST_ELONGATION = 8.0


class WidthCounts(NamedTuple):
    """Skeleton pixels of one bin of widths.

    Attributes:
        hits: of the ground truth's skeleton, inside the prediction.
        near: of the ground truth's skeleton, within ``TOLERANCE`` pixels of the prediction.
        pixels: of the ground truth's skeleton, by the ground truth's width there.
        right: of the prediction's skeleton, within ``TOLERANCE`` pixels of the ground truth.
        predicted: of the prediction's skeleton, by the prediction's width there.
    """

    hits: int
    near: int
    pixels: int
    right: int
    predicted: int


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
    return {name: (found.hits, found.pixels) for name, found in pair_widths(pair).items()}


def pair_widths(pair: MaskPair) -> dict[str, WidthCounts]:
    """Count skeleton pixels by the width of the structure there, as :func:`thickness_recall` has it.

    Whether a skeleton pixel lies inside the other mask measures registration where structures are a pixel or
    two wide: shifted by one pixel, half of a vessel tree is lost. Within a tolerance it asks whether the
    structure was found; and the same of the prediction's own skeleton, by its own width, how much of what
    was found is there.

    Returns:
        For each bin the counts; the tolerance is in pixels, whatever the spacing.
    """
    truth, guess = pair.counted(pair.ground_truth_skeleton), pair.counted(pair.prediction_skeleton)
    of_truth, of_guess = _bins(pair.ground_truth, truth), _bins(pair.prediction, guess)
    hits = pair.prediction[truth]
    close = near(pair.prediction, TOLERANCE)[truth]
    right = near(pair.ground_truth, TOLERANCE)[guess]
    return {
        name: WidthCounts(
            hits=int(np.count_nonzero(hits & (of_truth == index))),
            near=int(np.count_nonzero(close & (of_truth == index))),
            pixels=int(np.count_nonzero(of_truth == index)),
            right=int(np.count_nonzero(right & (of_guess == index))),
            predicted=int(np.count_nonzero(of_guess == index)),
        )
        for index, name in enumerate(THICKNESS_BINS)
    }


def pool_thickness(images: Iterable[dict[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    """Sum :func:`thickness_recall` over images: per bin, skeleton pixels covered and skeleton pixels."""
    pooled = dict.fromkeys(THICKNESS_BINS, (0, 0))
    for image in images:
        for name, (covered, total) in image.items():
            pooled[name] = pooled[name][0] + covered, pooled[name][1] + total
    return pooled


def thickness_columns(masks: MaskPair) -> dict[str, int]:
    """Return the counts of each bin of widths as columns of an image's row."""
    return {
        thickness_column(name, what): count
        for name, found in pair_widths(masks).items()
        for what, count in found._asdict().items()
    }


def thickness_column(name: str, what: str) -> str:
    """Return the column of a bin of thickness: ``"1-2"`` and ``"hits"`` give ``thickness_1_2_hits``."""
    return f"thickness_{name.replace('-', '_').replace('>', 'over_')}_{what}"


def have_widths(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether widths mean anything for a class: whether it has lines, and not blobs alone.

    It has if its objects are lines on average, or have branches that are. A line of length L and width w
    covers L · w pixels, L of them its skeleton, so that an object is (skeleton pixels)² / pixels times as
    long as wide: a disc, whose skeleton is a dot, less than once, a solid square about 4 times. A branch has
    many more skeleton pixels in its bin than the bin is wide; the corners of a blob have a few in each.

    Args:
        rows: of a class, of all images; where they do not count objects or widths, nothing is held against
            widths.
    """
    if not any(_counts_objects(key) for key in rows[0]) or _PIXELS[0] not in rows[0]:
        return True
    objects = sum(value for row in rows for key, value in row.items() if _counts_objects(key))
    area = sum(row["tp"] + row["fn"] for row in rows)
    bins = [sum(row[column] for row in rows) for column in _PIXELS]
    widest = THICKNESS_BINS.values()
    branches = any(
        pixels >= LEAST_ELONGATION * width * max(objects, 1)
        for pixels, width in zip(bins, widest, strict=True)
    )
    return branches or bool(sum(bins) ** 2 >= LEAST_ELONGATION * area * objects > 0)


_PIXELS = tuple(thickness_column(name, "pixels") for name in THICKNESS_BINS)


def _counts_objects(column: str) -> bool:
    return column.startswith("size_") and column.endswith("_objects")


def _bins(mask: BoolArray, skeleton: BoolArray) -> NDArray[np.intp]:
    """Return the number of the bin of each pixel of a mask's skeleton."""
    edges = [widest + 0.5 for widest in THICKNESS_BINS.values()]
    return np.asarray(np.digitize(_local_widths(mask)[skeleton], edges[:-1], right=True))


def _local_widths(mask: BoolArray) -> NDArray[Any]:
    """(h, w) width of the structure round each pixel, in pixels; infinite where the mask is all there is."""
    to_background = distance_map(~mask)
    largest = cv2.dilate(to_background.values, np.ones((3, 3), np.uint8))
    return 2 * largest - 0.5


def _register_widths() -> None:
    """Register what studies compare: recall and precision by the structures' width."""
    kinds = {
        "recall": ("skeleton recall in structures {} px wide", "hits", "pixels"),
        "recall_within": (
            f"skeleton recall within {TOLERANCE:g} px in structures {{}} px wide",
            "near",
            "pixels",
        ),
        "precision": (
            f"skeleton precision within {TOLERANCE:g} px in structures {{}} px wide",
            "right",
            "predicted",
        ),
    }
    for first, (kind, (label, part, whole)) in enumerate(kinds.items()):
        for position, name in enumerate(THICKNESS_BINS):
            shown: dict[Place, int] = {"study": 101 + len(THICKNESS_BINS) * first + position}
            if kind == "recall" and position == 0:
                shown["study terminal"] = 3  # the thinnest
            column = thickness_column(name, part)
            register(
                Metric(
                    column.replace("thickness", kind).removesuffix(f"_{part}"),
                    label.format(name),
                    "thickness",
                    numerator=(column,),
                    denominator=(thickness_column(name, whole),),
                    counted="skeleton pixels",
                    shown=shown,
                )
            )


_register_widths()
