"""All scores of one image: a prediction against its ground truth."""

from collections.abc import Collection, Mapping

from numpy.typing import ArrayLike

from unetseg.metrics import registry
from unetseg.metrics.checks import check_boundary_width, check_metrics, check_number
from unetseg.metrics.pair import MaskPair, mask_pair
from unetseg.metrics.registry import Metric

Option = int | float | None


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
    and distance 0; where one alone is empty, overlap is 0 and distance infinite. What asks for parts of the
    ground truth (recalls, the band round its edge, skeletons, objects) is NaN where that is empty.

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
        metrics: the keys of those to compute, out of those registered; all of them if None.

    Returns:
        A float for each key, in the order of :func:`unetseg.metrics.registry.scored`.

    Raises:
        ValueError: for a wrong shape, dtype or value; says which.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> binary_scores(np.roll(square, 1, axis=1), square, metrics=["iou", "hd"])
        {'iou': 0.6, 'hd': 1.0}
    """
    wanted = check_metrics(metrics, scored_keys())
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

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> pair_scores(shifted, metrics=["iou", "hd"])
        {'iou': 0.6, 'hd': 1.0}
    """
    wanted = check_metrics(metrics, scored_keys())
    check_number("tolerance", tolerance, positive=False)
    check_number("trimap_width", trimap_width, positive=True)
    check_boundary_width(boundary_width)
    if edge_radius is not None:
        check_number("edge_radius", edge_radius, positive=False)
    options: dict[str, Option] = {
        "tolerance": tolerance,
        "boundary_width": boundary_width,
        "edge_radius": edge_radius,
        "trimap_width": trimap_width,
    }
    return metric_scores(pair, [registry.METRICS[key] for key in wanted], options)


def metric_scores(
    pair: MaskPair, metrics: Collection[Metric], options: Mapping[str, Option] | None = None
) -> dict[str, float]:
    """Return what a pair scores in each of these metrics, which need not be registered in this process.

    Args:
        pair: of masks.
        metrics: of single images.
        options: those of :func:`pair_scores`, which has checked them; each metric's own where one is missing.
    """
    options = options or {}
    found = {}
    for each in metrics:
        assert each.function is not None, f"{each.key} is no metric of single images"
        given = [options[each.option]] if each.option in options else []
        found[each.key] = float(each.function(pair, *given))
    return found


def scored_keys() -> tuple[str, ...]:
    """Return the keys of all that is computed of an image, in the order of the columns.

    Examples:
        >>> "boundary_iou" in scored_keys()
        True
    """
    return tuple(each.key for each in registry.scored())
