"""All scores of one image: a prediction against its ground truth."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from numpy.typing import ArrayLike

from unetseg.metrics import boundary, overlap, structure
from unetseg.metrics.checks import check_boundary_width, check_metrics, check_number
from unetseg.metrics.pair import MaskPair, mask_pair


@dataclass(frozen=True)
class _Widths:
    tolerance: float
    boundary_width: int | None
    edge_radius: float | None
    trimap_width: float


_METRICS: dict[str, Callable[[MaskPair, _Widths], float]] = {
    "iou": lambda pair, _: overlap.iou(pair),
    "dice": lambda pair, _: overlap.dice(pair),
    "boundary_iou": lambda pair, widths: boundary.boundary_iou(pair, widths.boundary_width),
    "boundary_f": lambda pair, widths: boundary.boundary_f(pair, widths.edge_radius),
    "trimap_iou": lambda pair, widths: boundary.trimap_iou(pair, widths.trimap_width),
    "hd": lambda pair, _: boundary.hd(pair),
    "hd95": lambda pair, _: boundary.hd95(pair),
    "assd": lambda pair, _: boundary.assd(pair),
    "nsd": lambda pair, widths: boundary.nsd(pair, widths.tolerance),
    "cldice": lambda pair, _: structure.cldice(pair),
    "skeleton_recall": lambda pair, _: structure.skeleton_recall(pair),
    "object_recall": lambda pair, _: structure.object_recall(pair),
    "pq": lambda pair, _: structure.pq(pair),
    "tp": lambda pair, _: float(pair.counts[0]),
    "fp": lambda pair, _: float(pair.counts[1]),
    "fn": lambda pair, _: float(pair.counts[2]),
}

KEYS = tuple(_METRICS)
COUNT_KEYS = ("tp", "fp", "fn")
DISTANCE_KEYS = ("hd", "hd95", "assd")
# Meaningless where a data set's labels leave out a band round every outline.
OUTLINE_KEYS = ("boundary_iou", "boundary_f", "trimap_iou", "hd", "hd95", "assd", "nsd")
SKELETON_KEYS = ("cldice", "skeleton_recall")


def binary_scores(
    prediction: ArrayLike,
    ground_truth: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    tolerance: float = 2.0,
    boundary_width: int | None = None,
    edge_radius: float | None = None,
    trimap_width: float = 3.0,
    ground_truth_instances: ArrayLike | None = None,
    prediction_instances: ArrayLike | None = None,
    metrics: Collection[str] | None = None,
) -> dict[str, float]:
    """Score one mask against its ground truth, at the image's original resolution.

    The functions of :mod:`unetseg.metrics.overlap`, :mod:`~unetseg.metrics.boundary` and
    :mod:`~unetseg.metrics.structure` define each key and cite its source. Two empty masks have overlap 1
    and distance 0; where one alone is empty, overlap is 0 and distance infinite.

    Args:
        prediction: (H, W) bool, or integers 0 and 1.
        ground_truth: (H, W) bool, or integers 0 and 1.
        valid: (H, W) bool, the pixels to count (a field of view); all of them if None. Edges, skeletons and
            objects are found before, on the whole masks.
        spacing: size of a pixel, (row, column); the unit of distances, ``tolerance`` and ``trimap_width``.
        tolerance: how far apart borders may lie for ``nsd``, in spacing units.
        boundary_width: depth of the bands of ``boundary_iou`` in pixels; 2 % of the diagonal if None.
        edge_radius: how far apart edges may lie for ``boundary_f``, in pixels; 0.8 % of the diagonal if None.
        trimap_width: width of ``trimap_iou``'s band on each side of the edge, in spacing units.
        ground_truth_instances: (H, W) integers, positive exactly where ``ground_truth`` is true; 8-connected
            components if None.
        prediction_instances: the same of the prediction.
        metrics: the keys of those to compute, out of :data:`KEYS`; all of them if None.

    Returns:
        A float for each key, in the order of :data:`KEYS`.

    Raises:
        ValueError: for a wrong shape, dtype or value; says which.
    """
    wanted = check_metrics(metrics, KEYS)
    pair = mask_pair(
        prediction,
        ground_truth,
        valid=valid,
        spacing=spacing,
        ground_truth_instances=ground_truth_instances,
        prediction_instances=prediction_instances,
    )
    return pair_scores(
        pair,
        tolerance=tolerance,
        boundary_width=boundary_width,
        edge_radius=edge_radius,
        trimap_width=trimap_width,
        metrics=wanted,
    )


def pair_scores(
    pair: MaskPair,
    *,
    tolerance: float = 2.0,
    boundary_width: int | None = None,
    edge_radius: float | None = None,
    trimap_width: float = 3.0,
    metrics: Collection[str] | None = None,
) -> dict[str, float]:
    """:func:`binary_scores` of a :class:`MaskPair`, for callers who measure more on the same pair.

    Skeletons, objects and distances made here are kept in ``pair`` and not made again.

    Raises:
        ValueError: for a wrong width or key; says which.
    """
    wanted = check_metrics(metrics, KEYS)
    check_number("tolerance", tolerance, positive=False)
    check_number("trimap_width", trimap_width, positive=True)
    check_boundary_width(boundary_width)
    if edge_radius is not None:
        check_number("edge_radius", edge_radius, positive=False)
    widths = _Widths(tolerance, boundary_width, edge_radius, trimap_width)
    return {key: float(_METRICS[key](pair, widths)) for key in wanted}
