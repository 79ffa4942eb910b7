"""What a study's numbers say beyond the seeds and images that happened to be drawn.

Every metric of a study is a matrix ``values[seed, image]``. Both its rows and its columns are samples: other
seeds give other nets, other images other scores. The analysis is the crossed two-way random-effects model
without replication, ``y[s, i] = mean + seed[s] + image[i] + rest[s, i]`` (Searle, Casella & McCulloch 1992,
*Variance Components*, chapter 4), on the differences between an arm and the reference paired by seed and
image. ``benchmarks/statistics_calibration.py`` measures how often its intervals and tests are right.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


class CrossedMean(NamedTuple):
    """Means of crossed samples and their standard errors: float64 arrays of the leading axes' shape."""

    mean: Floats
    standard_error: Floats
    degrees_of_freedom: Floats


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds and images with its confidence interval, in the metric's own unit.

    ``seed_variance_known`` is false with one seed: the interval then counts the chance in images only and
    speaks of that one net. ``image_variance_known`` is false with one image. With one of each nothing is
    known of the chance, and the interval is infinite.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    confidence: float
    seeds: int
    images: int
    images_dropped: int

    @property
    def seed_variance_known(self) -> bool:
        """Whether there were seeds enough (two) to see how much they differ."""
        return self.seeds > 1

    @property
    def image_variance_known(self) -> bool:
        """Whether there were images enough (two) to see how much they differ."""
        return self.images > 1

    def as_dict(self) -> dict[str, float | int | bool | None]:
        """Return the plain numbers for JSON: without the matrix, and None where one is infinite."""
        fields = {key: value for key, value in asdict(self).items() if not isinstance(value, np.ndarray)}
        flags = {
            "seed_variance_known": self.seed_variance_known,
            "image_variance_known": self.image_variance_known,
        }
        return {key: value if np.isfinite(value) else None for key, value in fields.items()} | flags


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """An arm minus its reference, paired by seed and image; ``p`` is two-sided and unadjusted.

    ``paired`` is the float64 [seed, image] matrix behind it, NaN where an image is not defined.
    """

    p: float
    paired: Floats = field(repr=False, compare=False)


def crossed_mean(values: ArrayLike) -> CrossedMean:
    """Return the mean of crossed samples and its uncertainty under two-way random effects.

    The variance of the mean is ``max(MS_seed + MS_image - MS_rest, MS_seed, MS_image) / (seeds * images)``:
    the unbiased combination, never less than either factor alone asks for. Its degrees of freedom are
    Satterthwaite's (1946, Biometrics Bulletin 2:110), at least ``min(seeds, images) - 1``, since the
    subtraction can push them below what the smaller sample alone gives.

    Args:
        values: Finite float array (..., seed, image). With one seed only the variance between images counts,
            with one image only that between seeds.

    Returns:
        Arrays of the leading shape. The standard error is infinite for a single number that is not zero.
    """
    values = np.asarray(values, dtype=np.float64)
    seeds, images = values.shape[-2:]
    mean = values.mean(axis=(-2, -1), keepdims=True)
    by_seed = values.mean(axis=-1, keepdims=True) - mean
    by_image = values.mean(axis=-2, keepdims=True) - mean
    rest = values - mean - by_seed - by_image

    df_seed, df_image = max(seeds - 1, 1), max(images - 1, 1)
    ms_seed = images * np.square(by_seed).sum(axis=(-2, -1)) / df_seed
    ms_image = seeds * np.square(by_image).sum(axis=(-2, -1)) / df_image
    ms_rest = np.square(rest).sum(axis=(-2, -1)) / (df_seed * df_image)
    mean_square = np.maximum(ms_seed + ms_image - ms_rest, np.maximum(ms_seed, ms_image))

    # Ratios to the whole: squares of tiny mean squares would underflow and leave 0 / 0.
    whole = np.where(mean_square > 0, mean_square, 1.0)
    spread = (ms_seed / whole) ** 2 / df_seed + (ms_image / whole) ** 2 / df_image
    spread = spread + (ms_rest / whole) ** 2 / (df_seed * df_image)
    floor = float(max(min(seeds, images) - 1, 1))
    freedom = np.maximum(1 / np.where(mean_square > 0, spread, 1.0), floor)

    mean = mean[..., 0, 0]
    standard_error = np.sqrt(mean_square / (seeds * images))
    if seeds == images == 1:
        standard_error = np.where(mean == 0, 0.0, np.inf)
    return CrossedMean(mean, standard_error, freedom)


def interval(crossed: CrossedMean, confidence: float) -> tuple[Floats, Floats]:
    """Return the lower and upper ends of the t interval of the given confidence (0 to 1)."""
    half = stats.t.ppf((1 + confidence) / 2, crossed.degrees_of_freedom) * crossed.standard_error
    return crossed.mean - half, crossed.mean + half


def two_sided_p(crossed: CrossedMean) -> Floats:
    """Return the p-value of "the mean is zero" from the interval's own t; 1 where all values are zero."""
    return 2 * _upper_tail(np.abs(crossed.mean), crossed)


def equivalence_p(crossed: CrossedMean, margin: float) -> Floats:
    """Return the p-value of "the mean lies at or beyond ±margin" from two one-sided t tests.

    The larger of the two counts (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657). A value under 0.05
    says that the 90 % interval lies within the margin.

    Raises:
        ValueError: The margin is not a positive number.
    """
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"the equivalence margin must be a positive number, not {margin}")
    return _upper_tail(margin - np.abs(crossed.mean), crossed)


def _upper_tail(distance: Floats, crossed: CrossedMean) -> Floats:
    """Return P(T > distance / standard error); without any spread a step: 0.5 where the distance is zero."""
    certain = crossed.standard_error == 0
    with np.errstate(over="ignore"):
        t = distance / np.where(certain, 1.0, crossed.standard_error)
    t = np.where(certain, np.where(distance == 0, 0.0, np.copysign(np.inf, distance)), t)
    return stats.t.sf(t, crossed.degrees_of_freedom)


def paired_difference(arm: ArrayLike, reference: ArrayLike, *, confidence: float = 0.95) -> Difference:
    """Return the mean of ``arm - reference`` with its interval and p-value, by `crossed_mean`.

    An arm that equals its reference has the difference 0, the interval [0, 0] and p 1.

    Args:
        arm: Float array [seed, image]. NaN says that the metric is not defined there: that image is left out
        of
            every seed of both arms, and counted. Infinite distances must have been replaced (by the image's
            diagonal) before.
        reference: The same seeds and images, in the same order.
        confidence: Of the interval, between 0 and 1.

    Raises:
        ValueError: The shapes differ, a value is infinite, or no image is left.
    """
    arm, reference = _matrix(arm), _matrix(reference)
    if arm.shape != reference.shape:
        raise ValueError(
            f"arm and reference differ in shape: {arm.shape} and {reference.shape} (seed, image)"
        )
    return _difference(arm - reference, confidence)


def contrast(first: Difference, second: Difference) -> Difference:
    """Return ``first - second``, say Δboundary IoU minus Δ IoU, by the same analysis of each seed and image.

    Both must come from the same arms, seeds and images. An image that is not defined in one is left out of
    both.

    Raises:
        ValueError: The two differ in shape or confidence.
    """
    if first.paired.shape != second.paired.shape or first.confidence != second.confidence:
        raise ValueError("a contrast needs two differences over the same seeds and images, at one confidence")
    return _difference(first.paired - second.paired, first.confidence)


def mean_interval(values: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Return an arm's own mean over seeds and images with its interval, by `crossed_mean`.

    Args:
        values: As ``arm`` of `paired_difference`.
        confidence: Of the interval, between 0 and 1.

    Raises:
        ValueError: A value is infinite, or no image is left.
    """
    _, numbers = _analyse(_matrix(values), confidence)
    return Estimate(**numbers)


def influence_values(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Return per-image values whose mean is the ratio of the sums, ``sum(numerator) / sum(denominator)``.

    A dataset's IoU is such a ratio (numerator TP, denominator TP + FP + FN), so are its Dice (2 TP over 2 TP
    + FP + FN) and pooled recall. With r the ratio of one seed, image i gets ``r + (numerator[i] - r *
    denominator[i]) / mean(denominator)``, the linearised ratio estimator (Cochran 1977, *Sampling
    Techniques*, chapter 6); an image with denominator zero gets r. These values enter `paired_difference` and
    `mean_interval` like any metric.

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
    return ratio + (numerator - ratio * denominator) / size


def _difference(paired: Floats, confidence: float) -> Difference:
    crossed, numbers = _analyse(paired, confidence)
    return Difference(**numbers, p=float(two_sided_p(crossed)), paired=paired)


def _analyse(values: Floats, confidence: float) -> tuple[CrossedMean, dict[str, Any]]:
    """Return the analysis of the images that every seed defines, and the fields of an `Estimate`."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    defined = values[:, ~np.isnan(values).any(axis=0)]
    if defined.shape[1] == 0:
        raise ValueError("no image has a value in every seed: there is nothing to average")
    crossed = crossed_mean(defined)
    low, high = interval(crossed, confidence)
    return crossed, {
        "mean": float(crossed.mean),
        "low": float(low),
        "high": float(high),
        "standard_error": float(crossed.standard_error),
        "degrees_of_freedom": float(crossed.degrees_of_freedom),
        "confidence": confidence,
        "seeds": defined.shape[0],
        "images": defined.shape[1],
        "images_dropped": values.shape[1] - defined.shape[1],
    }


def _matrix(values: ArrayLike) -> Floats:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"expected a matrix [seed, image], not an array of shape {values.shape}")
    if np.isinf(values).any():
        raise ValueError("infinite value: replace infinite distances by the image's diagonal first")
    return values
