"""What a study's numbers say beyond the seeds and images that happened to be drawn.

Every metric of an arm is a matrix ``values[seed, image]``. Its rows and its columns are samples: other seeds
give other nets, other images other scores. The model of arm a, seed s and image i is ::

    y[a, s, i] = mean[a] + seed[a, s] + image[i] + arm_image[a, i] + rest[a, s, i]

Two arms are tested on the same images, so images are paired; a seed means nothing across arms (the same
number draws other weights in another net), so seeds are not. With the mean squares of one arm, ::

    MS_seed = I * variance over seeds of the arm's mean of a seed           S - 1 degrees of freedom
    MS_rest = sum of (y - its seed's mean - its image's mean + the mean)² / ((S - 1) (I - 1))
    v       = S * variance over images of the arms' seed-averaged difference    I - 1

the variance of the difference of two arms' means is ``V / (S I)`` with ::

    V = max(MS_seed[arm] - MS_rest[arm] + MS_seed[baseline] - MS_rest[baseline], 0) + v

where MS_rest is taken off because v already holds it. The degrees of freedom are Satterthwaite's (1946,
Biometrics Bulletin 2:110; without images they are Welch's), ``V² / (MS_seed[arm]² / (S - 1) +
MS_seed[baseline]² / (S - 1) + v² / (I - 1))``. Being estimated from few seeds, they are kept between
``S - 1`` and ``6 (S - 1)``: where MS_seed is small by luck the formula grants up to I - 1, and with three
seeds and fifteen arms one study in twelve would call a difference that is none.

Where images come in groups (patients, slides), groups are the unit: the variance over images becomes I times
the cluster-robust variance of the mean (CR3, the jackknife over groups: Cameron & Miller 2015, J. Hum.
Resour. 50:317), the number of groups stands for I in the degrees of freedom, and MS_rest is taken by groups.

``benchmarks/statistics_calibration.py`` measures how often all this is right.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from unetseg.metrics.averages import variance_of_mean

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Fewer seeds do not tell how much seeds differ: what is said then is about the images, for these nets only.
LEAST_SEEDS = 3
# How far images may raise the degrees of freedom above those of the seeds.
MOST_FREEDOM = 6


class Comparison(NamedTuple):
    """Means, or differences of means, and their uncertainty: float64 arrays of the leading axes' shape."""

    mean: Floats
    standard_error: Floats
    degrees_of_freedom: Floats


class _Seeds(NamedTuple):
    """What seeds add to the variance of an arm's mean, and how much of it is the images' rest."""

    seed: Floats
    rest: Floats
    freedom: int


def compare_means(arm: ArrayLike, baseline: ArrayLike, groups: Integers | None = None) -> Comparison:
    """Compare two arms by the module's model: seeds unpaired, images paired.

    With fewer than three seeds in an arm only the variance between images counts, with one image (or group)
    only that between seeds, and with both nothing is known: the standard error is infinite.

    Args:
        arm: Finite float array (..., seed, image).
        baseline: The same images in the same order; leading axes broadcast, the number of seeds may differ.
        groups: Of each image, a number from 0 to (groups - 1); without them each image is its own.

    Returns:
        The arm's mean minus the baseline's, in the metric's unit.
    """
    arm, baseline = np.asarray(arm, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    by_image = arm.mean(axis=-2) - baseline.mean(axis=-2)
    return _combine(by_image, (arm, baseline), groups)


def average(values: ArrayLike, groups: Integers | None = None) -> Comparison:
    """Return an arm's own mean by the same model: the difference from a number that is known.

    Args:
        values: Finite float array (..., seed, image).
        groups: As of `compare_means`.
    """
    values = np.asarray(values, dtype=np.float64)
    return _combine(values.mean(axis=-2), (values,), groups)


def seed_variances(values: Floats, groups: Integers | None = None) -> tuple[Floats, Floats]:
    """Return ``MS_seed / I`` and ``MS_rest / I`` of an arm: how much the mean of one seed varies, and why.

    Args:
        values: Float array (..., seed, image), of two seeds or more.
        groups: As of `compare_means`.
    """
    seeds = values.shape[-2]
    by_seed = values.mean(axis=-1)
    residual = values - by_seed[..., None] - values.mean(axis=-2, keepdims=True)
    rest = variance_of_mean(residual, groups).sum(axis=-1) / (seeds - 1)
    return by_seed.var(axis=-1, ddof=1), rest


def units(images: int, groups: Integers | None) -> int:
    """Return how many independent images there are, or groups of them."""
    return images if groups is None else int(groups.max()) + 1


def interval(comparison: Comparison, level: float | Floats) -> tuple[Floats, Floats]:
    """Return the ends of the t interval that misses the truth with probability ``level`` (0 to 1)."""
    half = stats.t.isf(np.asarray(level) / 2, comparison.degrees_of_freedom) * comparison.standard_error
    return comparison.mean - half, comparison.mean + half


def two_sided_p(comparison: Comparison) -> Floats:
    """Return the p-value of "the mean is zero" from the interval's own t; 1 where all values are zero."""
    return 2 * _upper_tail(np.abs(comparison.mean), comparison)


def equivalence_p(comparison: Comparison, margin: float) -> Floats:
    """Return the p-value of "the mean lies at or beyond ±margin" from two one-sided t tests.

    The larger of the two counts (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15:657). A value under 0.05
    says that the 90 % interval lies within the margin.

    Raises:
        ValueError: The margin is not a positive number.
    """
    if not (np.isfinite(margin) and margin > 0):
        raise ValueError(f"the equivalence margin must be a positive number, not {margin}")
    return _upper_tail(margin - np.abs(comparison.mean), comparison)


def _combine(by_image: Floats, arms: tuple[Floats, ...], groups: Integers | None) -> Comparison:
    """Return the mean over images with the variance that the arms' seeds and the images give it."""
    mean = by_image.mean(axis=-1)
    of_images = variance_of_mean(by_image, groups)
    image_freedom = max(units(by_image.shape[-1], groups) - 1, 1)
    known_images = units(by_image.shape[-1], groups) > 1
    if min(arm.shape[-2] for arm in arms) < LEAST_SEEDS:
        error = np.sqrt(of_images) if known_images else np.where(mean == 0, 0.0, np.inf)
        return Comparison(mean, error, np.full_like(mean, image_freedom))

    of_seeds = [_seeds(arm, groups) for arm in arms]
    between = np.maximum(sum(each.seed - each.rest for each in of_seeds), 0.0)
    variance = between + of_images
    # Ratios to the whole: squares of tiny variances would underflow and leave 0 / 0.
    whole = np.where(variance > 0, variance, 1.0)
    spread = (of_images / whole) ** 2 / image_freedom
    spread = spread + sum((each.seed / whole) ** 2 / each.freedom for each in of_seeds)
    freedom = 1 / np.where(variance > 0, spread, 1.0)
    least = min(each.freedom for each in of_seeds)
    floor = min(least, image_freedom) if known_images else least
    return Comparison(mean, np.sqrt(variance), np.clip(freedom, floor, MOST_FREEDOM * least))


def _seeds(arm: Floats, groups: Integers | None) -> _Seeds:
    seed, rest = seed_variances(arm, groups)
    count = arm.shape[-2]
    return _Seeds(seed / count, rest / count, count - 1)


def _upper_tail(distance: Floats, comparison: Comparison) -> Floats:
    """Return P(T > distance / standard error); without any spread a step: 0.5 where the distance is zero."""
    certain = comparison.standard_error == 0
    with np.errstate(over="ignore"):
        t = distance / np.where(certain, 1.0, comparison.standard_error)
    t = np.where(certain, np.where(distance == 0, 0.0, np.copysign(np.inf, distance)), t)
    tail: Floats = stats.t.sf(t, comparison.degrees_of_freedom)
    return tail
