"""Maps of class indices: each foreground class against the rest, and the mean over classes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from math import isnan, nan
from statistics import fmean
from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from unetseg.metrics import registry
from unetseg.metrics.checks import as_labels, as_mask, check_class_values, check_classes, check_metrics
from unetseg.metrics.pair import MaskPair, mask_pair
from unetseg.metrics.registry import EmptyMasks, Metric
from unetseg.metrics.score import pair_scores, scored_keys


class ScoreOptions(TypedDict, total=False):
    """The options that :func:`multiclass_scores` shares with ``binary_scores``, which explains them."""

    tolerance: float
    boundary_width: int | None
    edge_radius: float | None
    trimap_width: float


def multiclass_scores(
    prediction: ArrayLike,
    ground_truth: ArrayLike,
    *,
    classes: Sequence[str],
    ignore_index: int | None = None,
    valid: ArrayLike | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    ground_truth_instances: ArrayLike | None = None,
    prediction_instances: ArrayLike | None = None,
    metrics: Collection[str] | None = None,
    **options: Unpack[ScoreOptions],
) -> dict[str, dict[str, float]]:
    """Score a map of class indices: each foreground class against the rest, then their mean.

    Args:
        prediction: (H, W) integers, indices into ``classes``.
        ground_truth: (H, W) integers, indices into ``classes``, or ``ignore_index``.
        classes: names; index 0 is the background.
        ignore_index: the ground truth's value for pixels that do not count. They are of no class, so an
            ignored band along the outlines would move the edges: metrics that need the outline are left out.
            Where the ignored pixels touch no outline, write them as background and use ``valid``.
        valid: (H, W) bool, the pixels to count; all of them if None.
        spacing: size of a pixel, (row, column).
        ground_truth_instances: (H, W) integers, positive wherever a foreground class is.
        prediction_instances: the same of the prediction.
        metrics: the keys of those to compute; all that the labels allow if None.
        **options: as of :func:`~unetseg.metrics.score.binary_scores`.

    Returns:
        The binary scores of every foreground class under its name, and under ``"mean"`` the
        :func:`mean_over_classes`. Of several classes, one that the ground truth does not have scores NaN.

    Raises:
        ValueError: for a wrong shape, dtype or value, or a score of the outline with ``ignore_index``; says
            which.

    Examples:
        >>> truth = np.array([[0, 1], [2, 2]])
        >>> guess = np.array([[0, 1], [1, 2]])
        >>> scores = multiclass_scores(guess, truth, classes=["ground", "leaf", "stem"], metrics=["iou"])
        >>> scores["leaf"], scores["stem"], scores["mean"]
        ({'iou': 0.5}, {'iou': 0.5}, {'iou': 0.5})
    """
    wanted = _allowed_metrics(metrics, ignore_index)
    scores, present, absent = {}, [], []
    for name, pair in class_pairs(
        prediction,
        ground_truth,
        classes=classes,
        ignore_index=ignore_index,
        valid=valid,
        spacing=spacing,
        ground_truth_instances=ground_truth_instances,
        prediction_instances=prediction_instances,
    ):
        scores[name] = pair_scores(pair, metrics=wanted, **options)
        if any(pair.counts):
            present.append(name)
        if not pair.has_ground_truth:
            absent.append(name)
    mean = mean_over_classes(scores, present)
    metrics_of = [registry.METRICS[key] for key in wanted]
    undefined = {name: without_reference(scores[name], metrics_of, len(scores)) for name in absent}
    return {**scores, **undefined, "mean": mean}


def class_pairs(
    prediction: ArrayLike,
    ground_truth: ArrayLike,
    *,
    classes: Sequence[str],
    ignore_index: int | None = None,
    valid: ArrayLike | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    ground_truth_instances: ArrayLike | None = None,
    prediction_instances: ArrayLike | None = None,
) -> Iterator[tuple[str, MaskPair]]:
    """Yield each foreground class's name, and its masks against the rest.

    Arguments and errors are those of :func:`multiclass_scores`.

    Examples:
        >>> truth = np.array([[0, 1], [2, 2]])
        >>> guess = np.array([[0, 1], [1, 2]])
        >>> pairs = class_pairs(guess, truth, classes=["ground", "leaf", "stem"])
        >>> [(name, pair.counts) for name, pair in pairs]
        [('leaf', (1, 1, 0)), ('stem', (1, 0, 1))]
    """
    check_classes(classes)
    target = as_labels("ground_truth", ground_truth)
    guess = as_labels("prediction", prediction, target.shape)
    check_class_values("prediction", guess, classes)
    counted = None if valid is None else as_mask("valid", valid, target.shape)
    labelled = np.ones(target.shape, np.bool_) if ignore_index is None else target != ignore_index
    check_class_values("ground_truth", target[labelled], classes)
    if not labelled.all():
        counted = labelled if counted is None else counted & labelled
    targets = _optional_labels("ground_truth_instances", ground_truth_instances, target.shape)
    guesses = _optional_labels("prediction_instances", prediction_instances, target.shape)

    for index, name in enumerate(classes[1:], start=1):
        is_guess, is_target = guess == index, (target == index) & labelled
        pair = mask_pair(
            is_guess,
            is_target,
            valid=counted,
            spacing=spacing,
            prediction_instances=None if guesses is None else np.where(is_guess, guesses, 0),
            ground_truth_instances=None if targets is None else np.where(is_target, targets, 0),
        )
        yield name, pair


def mean_over_classes(
    scores: Mapping[str, Mapping[str, float]], present: Collection[str]
) -> dict[str, float]:
    """Average each score (not tp, fp, fn) of one image over the classes that either mask has.

    Where no class occurs, both masks are empty of all of them, and so is their mean: overlap 1, distance 0.
    One class that was missed makes the mean distance infinite. A score that is defined for no class is NaN.

    Args:
        scores: of each class, with the same keys, as if it were the only one.
        present: the classes that occur in either mask's counted pixels.

    Examples:
        >>> mean_over_classes({"leaf": {"iou": 0.5}, "stem": {"iou": 1.0}}, present=["leaf", "stem"])
        {'iou': 0.75}
    """
    averaged = [scores[name] for name in present or scores]
    found = {}
    for key in averaged[0]:
        if key not in registry.counts():
            defined = [each[key] for each in averaged if not isnan(each[key])]
            found[key] = fmean(defined) if defined else nan
    return found


def without_reference(
    scores: Mapping[str, float], metrics: Collection[Metric], classes: int
) -> dict[str, float]:
    """Return the scores of a class that an image's ground truth does not have: what is not defined is NaN.

    Of several classes none is defined there, so that each is averaged over the images that have it. Of one
    class only that which asks for parts of the ground truth is not: nothing found is right.

    Args:
        scores: of the class, and counts, which stay.
        metrics: the records of the scores.
        classes: how many foreground classes there are.

    Examples:
        >>> from unetseg.metrics import registry
        >>> records = [registry.METRICS["iou"], registry.METRICS["cldice"]]
        >>> without_reference({"iou": 0.0, "cldice": 0.0}, records, classes=1)
        {'iou': 0.0, 'cldice': nan}
    """
    undefined = {
        each.key
        for each in metrics
        if each.group != "counts" and (classes > 1 or each.empty is EmptyMasks.REFERENCE)
    }
    return {key: nan if key in undefined else value for key, value in scores.items()}


def _allowed_metrics(metrics: Collection[str] | None, ignore_index: int | None) -> tuple[str, ...]:
    wanted = check_metrics(metrics, scored_keys())
    allowed = {each.key for each in registry.allowed(ignore_index is not None)}
    refused = [key for key in wanted if key not in allowed]
    if metrics is not None and refused:
        raise ValueError(
            f"metrics holds '{refused[0]}', but a score of the outline means nothing where labels ignore "
            "pixels"
        )
    return tuple(key for key in wanted if key not in refused)


def _optional_labels(name: str, array: ArrayLike | None, shape: tuple[int, ...]) -> np.ndarray | None:
    return None if array is None else as_labels(name, array, shape)
