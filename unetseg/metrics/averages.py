"""Scores of many images into one number each, and how far that number can be trusted."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot, inf, isinf, isnan, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from unetseg.metrics import registry


@dataclass(frozen=True)
class ImageAverage:
    """One score over the images in which it is defined; none of those is left out.

    Attributes:
        images: how many.
        mean: with each infinite distance replaced by what stands in for it: the image's diagonal, which no
            finite one exceeds; NaN without images.
        low: lower end of the 95 % interval of ``mean`` over images; None for a single image.
        high: its upper end; None for a single image.
        median: of the values as they are: infinite where half the images were missed; NaN without images.
        missed: how many values were infinite.
    """

    images: int
    mean: float
    low: float | None
    high: float | None
    median: float
    missed: int


# Groups of images that an interval needs.
LEAST_GROUPS = 10


@dataclass(frozen=True)
class Averages:
    """The two ways to average over a data set, never to be mixed.

    Attributes:
        dataset: ``iou`` and ``dice`` of the counts summed over all images; empty where there are no counts.
        image: for every score but the counts, its average over images.
    """

    dataset: dict[str, float]
    image: dict[str, ImageAverage]


def image_diagonal(shape: Sequence[int], spacing: tuple[float, float] = (1.0, 1.0)) -> float:
    """Length of an image's diagonal in spacing units; ``shape`` is (H, W) in pixels.

    Examples:
        >>> image_diagonal((3, 4)), image_diagonal((3, 4), spacing=(0.5, 0.5))
        (5.0, 2.5)
    """
    return hypot(shape[0] * spacing[0], shape[1] * spacing[1])


def average_scores(
    scores: Sequence[Mapping[str, float]],
    diagonals: Sequence[float],
    groups: Sequence[Hashable] | None = None,
) -> Averages:
    """Average the :func:`~unetseg.metrics.score.binary_scores` of many images.

    Args:
        scores: one mapping an image, all with the same keys.
        diagonals: each image's diagonal, in the unit of the distances (:func:`image_diagonal`).
        groups: of each image, what it shares with those that belong to it.

    Raises:
        ValueError: for no images, differing keys, or a number of diagonals that does not match.

    Examples:
        >>> images = [{"iou": 1.0, "tp": 9, "fp": 0, "fn": 0}, {"iou": 0.0, "tp": 0, "fp": 0, "fn": 1}]
        >>> found = average_scores(images, [12.0, 12.0])
        >>> found.dataset["iou"] if "iou" in found.dataset else found.dataset, found.image["iou"].mean
        (0.9, 0.5)
    """
    if not scores:
        raise ValueError("scores must hold at least one image")
    keys = list(scores[0])
    for number, image in enumerate(scores):
        if set(image) != set(keys):
            raise ValueError(f"scores of image {number} have the keys {sorted(image)}, not {sorted(keys)}")
    return Averages(
        dataset=dataset_scores(scores),
        image={
            key: image_average(
                [image[key] for image in scores], diagonals, registry.METRICS[key].highest, groups
            )
            for key in keys
            if key not in registry.counts()
        },
    )


def dataset_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the metrics that have a ratio of counts summed over all images; NaN where there is nothing.

    Args:
        scores: one mapping an image; ratios of counts that it does not hold are left out.
    """
    found = {}
    for key, ratio in registry.dataset_ratios().items():
        if scores[0].keys() >= {*ratio.numerator, *ratio.denominator}:
            part, whole = (
                sum(int(image[column]) for image in scores for column in columns)
                for columns in (ratio.numerator, ratio.denominator)
            )
            found[key] = part / whole if whole else nan
    return found


def image_average(
    values: Sequence[float],
    stand_ins: Sequence[float],
    highest: float = inf,
    groups: Sequence[Hashable] | None = None,
) -> ImageAverage:
    """Average one score over images.

    The interval is Student's, mean ± t(0.975, n − 1) · s / √n (Student 1908), as far as it lies between 0 and
    ``highest``: no mean lies outside. Where images come in groups, these are the unit: n is their number, and
    the variance of the mean is that of :func:`variance_of_mean`; under ten groups there is no interval.

    Args:
        values: one an image, 0 or more; infinite where a distance is (the object was missed), NaN where the
            score is not defined: such an image is no part of the average.
        stand_ins: what an infinite one counts as, one an image: its diagonal, in the same unit.
        highest: the largest value that the score can take.
        groups: of each image, what it shares with those that belong to it.

    Raises:
        ValueError: for no values, or a number of stand-ins that does not match.

    Examples:
        >>> found = image_average([1.0, 2.0, float("inf")], [12.0, 12.0, 12.0])  # one distance is infinite
        >>> found.mean, found.median, found.missed
        (5.0, 2.0, 1)
    """
    if not values:
        raise ValueError("values must hold at least one image")
    if len(stand_ins) != len(values):
        raise ValueError(f"diagonals must be one an image: {len(values)} images, {len(stand_ins)} diagonals")
    labels = range(len(values)) if groups is None else groups
    each = zip(values, stand_ins, labels, strict=True)
    defined = [image for image in each if not isnan(image[0])]
    if not defined:
        return ImageAverage(images=0, mean=nan, low=None, high=None, median=nan, missed=0)
    finite = np.array([stand_in if isinf(value) else value for value, stand_in, _ in defined])
    mean = float(finite.mean())
    numbers = {label: number for number, label in enumerate(dict.fromkeys(label for *_, label in defined))}
    count = len(numbers)
    low = high = None
    if count >= (2 if groups is None else LEAST_GROUPS):
        members = None if groups is None else np.array([numbers[label] for *_, label in defined])
        half = float(stdtrit(count - 1, 0.975)) * sqrt(variance_of_mean(finite, members))
        low, high = max(mean - half, 0.0), min(mean + half, highest)
    return ImageAverage(
        images=len(defined),
        mean=mean,
        low=low,
        high=high,
        median=float(np.median([value for value, *_ in defined])),
        missed=sum(isinf(value) for value, *_ in defined),
    )


def variance_of_mean(
    values: NDArray[np.float64], groups: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Return the variance of the mean over images that comes from which images were drawn.

    Args:
        values: float array (..., image).
        groups: of each image, a number from 0 to (groups − 1); without them each image is its own. Then it is
            the jackknife over groups (CR3: Cameron & Miller 2015, J. Hum. Resour. 50:317): each group's
            deviations are summed and divided by the other groups' share of the images.

    Returns:
        Array of the leading shape; 0 for one image or group, which tell nothing.
    """
    images = values.shape[-1]
    deviations = values - values.mean(axis=-1, keepdims=True)
    if groups is None:
        variance: NDArray[np.float64] = np.square(deviations).sum(axis=-1) / (images * max(images - 1, 1))
        return variance
    sizes = np.bincount(groups)
    if len(sizes) == 1:
        return np.zeros(values.shape[:-1])
    members = (groups[:, None] == np.arange(len(sizes))).astype(np.float64)
    sums = deviations @ members / (1 - sizes / images)
    jackknife: NDArray[np.float64] = np.square(sums).sum(axis=-1) * (len(sizes) - 1) / len(sizes) / images**2
    return jackknife


def class_mean_values(scores: ArrayLike) -> NDArray[np.float64]:
    """Return what each image adds to the mean of classes: values whose mean over images is that mean.

    The mean of classes is the mean of the classes' own means, each over the images that have the class. With
    N images that have any class and n that have this one, an image that has it moves it by
    (score - its mean) · N / n. These are the jackknife's pseudo-values (Miller 1974, Biometrika 61:1).

    Args:
        scores: (..., class, image), finite; NaN where an image does not have the class. A class that no image
            has is left out.

    Returns:
        (..., image), NaN where an image has no class.

    Examples:
        >>> scores = [[0.5, 0.7], [0.9, float("nan")]]  # two classes; the second image lacks the second
        >>> class_mean_values(scores).round(3).tolist()
        [0.7, 0.8]
    """
    scores = np.asarray(scores, dtype=np.float64)
    has = ~np.isnan(scores)
    images = has.sum(axis=-1, keepdims=True)
    means = np.where(has, scores, 0.0).sum(axis=-1, keepdims=True) / np.maximum(images, 1)
    has_any = has.any(axis=-2)
    weight = has_any.sum(axis=-1)[..., None, None] / np.maximum(images, 1)
    values = np.where(images > 0, means + np.where(has, scores - means, 0.0) * weight, 0.0)
    classes = (images > 0).sum(axis=-2)
    return np.where(has_any, values.sum(axis=-2) / np.maximum(classes, 1), nan)
