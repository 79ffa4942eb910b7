"""Ratios of sums over images as values of single images, so that the study's analysis takes them in."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetseg.studies.analysis.statistics import Floats

# Under so many effective images a few large ones decide a ratio, and its interval is too narrow.
LEAST_EFFECTIVE = 3


def influence_values(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Return per-image values whose mean is the ratio of the sums, ``sum(numerator) / sum(denominator)``.

    A dataset's IoU is such a ratio (numerator TP, denominator TP + FP + FN), so are its Dice (2 TP over 2 TP
    + FP + FN) and pooled recall. The values are the ratio's jackknife pseudo-values (Miller 1974, Biometrika
    61:1): with r the ratio of one seed and w[i] an image's share of the denominator, image i gets r plus
    ``(numerator[i] - r * denominator[i]) / mean(denominator) / (1 - w[i]) * (1 - 1 / images)``, centred so
    that the mean stays r. Without the weight 1 / (1 - w[i]), as in the linearised ratio estimator (Cochran
    1977, *Sampling Techniques*, chapter 6), a few large images hide how uncertain they leave the ratio. An
    image with denominator zero gets r and does not count among the images. These values enter the comparisons
    of arms like any metric.

    Args:
        numerator: Finite counts (..., image), not negative; usually [seed, image].
        denominator: The same shape.

    Returns:
        A float64 array of that shape; NaN in a seed whose denominators are all zero.

    Raises:
        ValueError: The shapes differ, or a count is negative or not finite.
    """
    numerator = np.asarray(numerator, dtype=np.float64)
    denominator = np.asarray(denominator, dtype=np.float64)
    if numerator.shape != denominator.shape:
        raise ValueError(f"numerator and denominator differ in shape: {numerator.shape}, {denominator.shape}")
    for counts in (numerator, denominator):
        if not (np.isfinite(counts) & (counts >= 0)).all():
            raise ValueError("counts must be finite and not negative")
    size = denominator.mean(axis=-1, keepdims=True)
    size = np.where(size > 0, size, np.nan)
    ratio = numerator.mean(axis=-1, keepdims=True) / size
    holds = denominator > 0
    count = np.maximum(holds.sum(axis=-1, keepdims=True), 1)
    others = 1 - denominator / (size * denominator.shape[-1])
    pull = (numerator - ratio * denominator) / size * (1 - 1 / count)
    # An image that holds everything has no others to be left out of: its ratio is the whole's.
    pull = np.divide(pull, others, out=np.zeros_like(pull), where=others > 0)
    values: Floats = ratio + np.where(holds, pull - pull.sum(axis=-1, keepdims=True) / count, 0.0)
    return values


def effective_images(sizes: ArrayLike) -> Floats:
    """Return how many images of one size would leave a ratio as uncertain: ``(sum size)² / sum size²``.

    Kish's effective sample size (1965, *Survey Sampling*, section 8.2).

    Args:
        sizes: What a ratio divides by in each image, (..., image), not all zero.
    """
    sizes = np.asarray(sizes, dtype=np.float64)
    shares = sizes / sizes.sum(axis=-1, keepdims=True)
    effective: Floats = 1 / np.square(shares).sum(axis=-1)
    return effective


def on_counted(values: Floats, counted: NDArray[np.bool_]) -> Floats:
    """Leave out the images that hold nothing of what a ratio counts: they tell nothing of its uncertainty.

    The others' deviations from the ratio shrink by their share of the images: they are then what
    `influence_values` of these images alone would be.

    Args:
        values: of `influence_values`, [seed, image].
        counted: [image], whether any arm or seed has a denominator there.

    Returns:
        The values with NaN in the images that are left out.
    """
    ratio = values.mean(axis=-1, keepdims=True)
    result = np.full_like(values, np.nan)
    result[..., counted] = ratio + (values[..., counted] - ratio) * counted.mean()
    return result
