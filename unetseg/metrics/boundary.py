"""How well two masks agree at their outlines.

Overlap near the outline (``boundary_iou``, ``trimap_iou``), matched edges (``boundary_f``, ``nsd``) and
distances between borders (``hd``, ``hd95``, ``assd``). With ``valid``, the borders are those of the whole
masks: a border pixel counts where it is valid, and is matched against the other mask's whole border.
"""

from collections.abc import Callable, Mapping
from math import ceil, hypot, inf

import numpy as np
from numpy.typing import NDArray

from unetseg.metrics.geometry import RADIUS_SLACK, BoolArray, edge_map, inner_band, near
from unetseg.metrics.pair import MaskPair
from unetseg.metrics.registry import EmptyMasks, Metric, Place, registered

BOUNDARY_WIDTH_RATIO = 0.02
EDGE_RADIUS_RATIO = 0.008
# How far apart two outlines, or lines, may lie to be the same, in spacing units.
TOLERANCE = 2.0


def _distance_metric(key: str, label: str, shown: Mapping[Place, int]) -> Metric:
    return Metric(
        key,
        label,
        "boundary",
        unit="px",
        higher_is_better=False,
        highest=inf,
        needs=("outline",),
        empty=EmptyMasks.DISTANCE,
        shown=shown,
    )


@registered(
    Metric(
        "boundary_iou",
        "Boundary IoU",
        "boundary",
        empty=EmptyMasks.OVERLAP,
        needs=("outline",),
        option="boundary_width",
        contrast_with="iou",
        shown={
            "table": 4,
            "study": 5,
            "line": 3,
            "study figures": 3,
            "study images": 2,
            "study terminal": 2,
            "run findings": 3,
            "run images": 2,
            "lesions": 2,
            "lesion table": 2,
        },
    )
)
def boundary_iou(pair: MaskPair, width: int | None = None) -> float:
    """Boundary IoU: IoU of the two masks' inner bands, ``width`` erosions by a 3×3 square deep.

    Outside the image is background, so an object at the image's border has a band there.
    Source: Cheng et al. 2021, "Boundary IoU", and their ``mask_to_boundary``.

    Args:
        pair: the masks.
        width: pixels; max(1, round(0.02 · image diagonal)) if None.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(boundary_iou(shifted, width=1), 3)
        0.333
    """
    if width is None:
        width = max(1, round(BOUNDARY_WIDTH_RATIO * hypot(*pair.shape)))
    predicted, present = inner_band(pair.prediction, width), inner_band(pair.ground_truth, width)
    return pair.share(pair.count(predicted & present), pair.count(predicted | present))


@registered(
    Metric(
        "boundary_f",
        "boundary F",
        "boundary",
        empty=EmptyMasks.OVERLAP,
        needs=("outline",),
        option="edge_radius",
        shown={"table": 5, "study": 6},
    )
)
def boundary_f(pair: MaskPair, radius: float | None = None) -> float:
    """Boundary F: harmonic mean of the shares of each mask's edge pixels near the other's edge.

    Edges are one pixel wide and absent at the image's border; near is within a disk of ``radius``. A side
    without edge pixels has nothing wrong (share 1), as in DAVIS.
    Source: Perazzi et al. 2016 (DAVIS), after Martin et al. 2004.

    Args:
        pair: the masks.
        radius: pixels, whatever the spacing; ceil(0.008 · image diagonal) if None.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> boundary_f(shifted, radius=0), boundary_f(shifted, radius=1)
        (0.5, 1.0)
    """
    if radius is None:
        radius = ceil(EDGE_RADIUS_RATIO * hypot(*pair.shape))
    predicted, present = edge_map(pair.prediction), edge_map(pair.ground_truth)
    found, wanted = pair.counted(predicted), pair.counted(present)
    if not found.any() and not wanted.any():
        return float(pair.agree)
    precision = _share_within(found, present, radius)
    recall = _share_within(wanted, predicted, radius)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@registered(
    Metric(
        "trimap_iou",
        "trimap IoU",
        "boundary",
        empty=EmptyMasks.REFERENCE,
        needs=("outline",),
        option="trimap_width",
        shown={"table": 3, "study": 7},
    )
)
def trimap_iou(pair: MaskPair, width: float = 3.0) -> float:
    """IoU counted only near the ground truth's edge.

    Near are the pixels whose nearest pixel of the other kind (object or background, in the ground truth) is
    within ``width``: a band equally wide on both sides. The image's border is no edge. Where the band holds
    no pixel of either mask, as where the ground truth fills the image, the score is 1 if the masks agree and
    0 if not. Not defined (NaN) without ground truth; an empty prediction scores 0.
    Source: Kohli et al. 2009 and Chen et al. 2018 (DeepLab), who evaluate in such a band.

    Args:
        pair: the masks.
        width: spacing units, on each side of the edge.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(trimap_iou(shifted, width=1), 3)
        0.5
    """
    outer = near(pair.ground_truth, width, pair.spacing) & ~pair.ground_truth
    inner = near(~pair.ground_truth, width, pair.spacing) & pair.ground_truth
    band = inner | outer
    both = pair.count(band & pair.prediction & pair.ground_truth)
    return pair.share(both, pair.count(band & (pair.prediction | pair.ground_truth)))


@registered(_distance_metric("hd", "HD", {"table": 7, "study": 9}))
def hd(pair: MaskPair) -> float:
    """Hausdorff distance: the larger of the two directed maxima of nearest-border distances.

    In spacing units. Border pixels are those in the mask that a 4-neighbour erosion removes; outside the
    image is background. Two empty masks are 0 apart, one empty mask infinitely far.
    Source: Huttenlocher et al. 1993.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(hd(shifted), 3)
        1.0
    """
    return _distance(pair, lambda first, second: max(_peak(first), _peak(second)))


@registered(_distance_metric("hd95", "HD95", {"table": 8, "study": 10, "line": 5, "study figures": 5}))
def hd95(pair: MaskPair) -> float:
    """The larger of the two directed 95th percentiles of nearest-border distances, in spacing units.

    Borders and empty masks as in :func:`hd`; percentiles interpolate linearly. The directions are not
    pooled. Source: Huttenlocher et al. 1993; Maier-Hein et al. 2024 (Metrics Reloaded).

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(hd95(shifted), 3)
        1.0
    """
    return _distance(pair, lambda first, second: max(_percentile_95(first), _percentile_95(second)))


@registered(_distance_metric("assd", "ASSD", {"table": 9, "study": 11}))
def assd(pair: MaskPair) -> float:
    """Average symmetric surface distance: mean of both directions' nearest-border distances, pooled.

    In spacing units; borders and empty masks as in :func:`hd`. Source: Heimann et al. 2009 (SLIVER07).

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(assd(shifted), 3)
        0.5
    """
    return _distance(pair, lambda first, second: float(np.concatenate([first, second]).mean()))


@registered(
    Metric(
        "nsd",
        "NSD by border pixels",
        "boundary",
        empty=EmptyMasks.OVERLAP,
        needs=("outline",),
        option="tolerance",
        shown={"table": 6, "study": 8, "line": 4, "study figures": 4, "run images": 3},
    )
)
def nsd(pair: MaskPair, tolerance: float = TOLERANCE) -> float:
    """Normalised surface distance: share of both borders' pixels within ``tolerance`` of the other border.

    Counted in border pixels; :func:`~unetseg.metrics.contour.nsd_length` measures the contour. Two empty
    masks score 1, one empty mask 0. Source: Nikolov et al. 2018.

    Args:
        pair: the masks.
        tolerance: spacing units.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> nsd(shifted, tolerance=0), nsd(shifted, tolerance=1)
        (0.5, 1.0)
    """
    first, second = pair.border_distances
    close = sum(int(np.count_nonzero(side <= tolerance + RADIUS_SLACK)) for side in (first, second))
    return pair.share(close, first.size + second.size)


def _distance(
    pair: MaskPair, summarise: Callable[[NDArray[np.float64], NDArray[np.float64]], float]
) -> float:
    """``summarise(distances from the prediction, from the ground truth)`` of two masks that are not empty."""
    first, second = pair.border_distances
    if not first.size and not second.size:  # ``valid`` left no border pixel to measure
        return 0.0 if pair.agree else inf
    return summarise(first, second)


def _peak(distances: NDArray[np.float64]) -> float:
    return float(distances.max(initial=0.0))


def _percentile_95(distances: NDArray[np.float64]) -> float:
    return float(np.percentile(distances, 95)) if distances.size else 0.0


def _share_within(edge: BoolArray, other: BoolArray, radius: float) -> float:
    total = np.count_nonzero(edge)
    if not total:
        return 1.0
    return float(np.count_nonzero(edge & near(other, radius)) / total)
