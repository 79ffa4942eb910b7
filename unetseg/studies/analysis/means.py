"""Means of arms and their differences as plain numbers, each with its interval and sample."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from unetseg.studies.analysis.cautions import heavily_skewed, outlying_seeds
from unetseg.studies.analysis.intervals import simultaneous_intervals
from unetseg.studies.analysis.paired_sample import Sample, matrix
from unetseg.studies.analysis.statistics import (
    LEAST_SEEDS,
    Comparison,
    Floats,
    Integers,
    average,
    compare_means,
    interval,
    two_sided_p,
    units,
)

Key = TypeVar("Key", bound=Hashable)
Range = tuple[float, float]

ANYTHING: Range = (-np.inf, np.inf)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds and images with its confidence interval, in the metric's own unit.

    Attributes:
        mean: over all seeds and images that are defined.
        low: end of the interval, never beyond what the metric can be; infinite where there is none.
        high: see ``low``.
        standard_error: infinite where nothing is known of the chance.
        degrees_of_freedom: of the t distribution.
        confidence: 0.95 for a 95 % interval.
        seeds: with fewer than three the interval counts the chance in images only and speaks of these nets.
        images: that are defined in every seed.
        images_dropped: that are not.
        groups: of images that belong together; None where each image is its own.
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
    groups: int | None = None

    @property
    def seed_variance_known(self) -> bool:
        """Whether there were seeds enough (three) to see how much they differ."""
        return self.seeds >= LEAST_SEEDS

    @property
    def image_variance_known(self) -> bool:
        """Whether there were images enough (two) to see how much they differ."""
        return self.images > 1

    @property
    def units(self) -> int:
        """How many independent images there are: groups where images belong together."""
        return self.images if self.groups is None else self.groups

    @property
    def comparison(self) -> Comparison:
        """The numbers that tests and intervals are made from."""
        numbers = (self.mean, self.standard_error, self.degrees_of_freedom)
        return Comparison(*(np.asarray(number) for number in numbers))

    def as_dict(self) -> dict[str, float | int | bool | None]:
        """Return the plain numbers for JSON: without matrices, and None where one is infinite or missing."""
        plain = {key: value for key, value in asdict(self).items() if isinstance(value, (int, float))}
        flags = {
            "seed_variance_known": self.seed_variance_known,
            "image_variance_known": self.image_variance_known,
        }
        return {key: value if np.isfinite(value) else None for key, value in plain.items()} | flags


@dataclass(frozen=True, kw_only=True)
class Difference(Estimate):
    """An arm minus its baseline, images paired and seeds not.

    Attributes:
        p: two-sided and unadjusted; 1 where there is no interval.
        seeds: of the arm that has fewer.
        arm: float64 [seed, image]; NaN where an image is not defined.
        baseline: the same images; the number of seeds may differ.
        members: of each image that is defined, a number for its group; None where each image is its own.
        identical: whether both have the same value in every seed and image that is defined.
        all_zero: whether that value is 0 everywhere: nothing was found, or nothing learned.
        outlying: positions of the seeds that lie apart from the others, of the arm and of the baseline.
        skewed: whether a few images differ far more than the others.
        without_interval: why there is no interval and no verdict; empty where there is.
    """

    p: float
    arm: Floats = field(repr=False, compare=False)
    baseline: Floats = field(repr=False, compare=False)
    members: Integers | None = field(repr=False, compare=False)
    identical: bool
    all_zero: bool
    outlying: tuple[tuple[int, ...], tuple[int, ...]]
    skewed: bool
    without_interval: str


def difference_of_means(
    arm: ArrayLike,
    baseline: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    pooled: bool = False,
    shortage: str = "",
    limits: Range = ANYTHING,
    confidence: float = 0.95,
) -> Difference:
    """Return the mean of ``arm`` minus that of ``baseline`` with its interval and p-value.

    The interval is of this comparison alone; `simultaneous` makes those of a family. Arms that are equal in
    every seed and image are the same nets: their difference is 0, its interval [0, 0] and p 1.

    Args:
        arm: Float array [seed, image]. NaN says that the metric is not defined there: that image is left out
            of every seed of both arms, and counted. Infinite distances must have been replaced (by the
            image's diagonal) before.
        baseline: The same images in the same order; the number of seeds may differ.
        groups: Of each image, the label of the group that it belongs to. Under ten groups there is no
            interval.
        pooled: Whether the values are influence values of a ratio. Under ten images there is no interval.
        shortage: Why there can be no interval, where that is known already.
        limits: Smallest and largest value that one arm's mean can have.
        confidence: Of the interval, between 0 and 1.

    Raises:
        ValueError: The images differ, a value is infinite, or no image is left.
    """
    whole = matrix(arm), matrix(baseline)
    if whole[0].shape[1] != whole[1].shape[1]:
        raise ValueError(f"arm and baseline differ in images: {whole[0].shape[1]} and {whole[1].shape[1]}")
    sample = Sample(whole, groups, pooled, shortage)
    comparison = compare_means(sample.values[0], sample.values[1], sample.groups)
    if np.array_equal(sample.values[0], sample.values[1]):
        comparison = comparison._replace(standard_error=np.asarray(0.0))
    return _difference(whole, sample, comparison, limits, confidence)


def difference_within_nets(
    values: ArrayLike,
    intact: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    limits: Range = ANYTHING,
) -> Difference:
    """Return what something done to nets changes: here seeds are paired, since they are the same nets.

    Args:
        values: As ``arm`` of `difference_of_means`.
        intact: The same nets and images.
        groups: As of `difference_of_means`.
        limits: As of `difference_of_means`.

    Raises:
        ValueError: The shapes differ, a value is infinite, or no image is left.
    """
    whole = matrix(values), matrix(intact)
    if whole[0].shape != whole[1].shape:
        raise ValueError(f"the nets or images differ: {whole[0].shape} and {whole[1].shape} (seed, image)")
    sample = Sample(whole, groups)
    change = average(sample.values[0] - sample.values[1], sample.groups)
    return _difference(whole, sample, change, limits, 0.95)


def no_difference(difference: Difference) -> Difference:
    """Return the difference of an arm from its own runs: 0 for certain, however few seeds and images."""
    return replace(difference, low=0.0, high=0.0, standard_error=0.0, p=1.0, without_interval="")


def contrast(first: Difference, second: Difference, **options: Any) -> Difference:
    """Return ``first - second``, say Δ boundary IoU minus Δ IoU, each net's two scores paired.

    Args:
        first: An arm minus its baseline in one metric, over images that are all defined.
        second: The same nets and images in another metric.
        **options: ``groups`` and ``confidence`` of `difference_of_means`.

    Raises:
        ValueError: The two are not over the same seeds and images.
    """
    shapes = [(each.arm.shape, each.baseline.shape) for each in (first, second)]
    if shapes[0] != shapes[1]:
        raise ValueError("a contrast needs two differences over the same seeds and images")
    return difference_of_means(first.arm - second.arm, first.baseline - second.baseline, **options)


def mean_interval(
    values: ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    pooled: bool = False,
    shortage: str = "",
    limits: Range = ANYTHING,
    confidence: float = 0.95,
) -> Estimate:
    """Return an arm's own mean over seeds and images with its interval.

    Args:
        values: As ``arm`` of `difference_of_means`.
        groups: As of `difference_of_means`.
        pooled: As of `difference_of_means`.
        shortage: As of `difference_of_means`.
        limits: Smallest and largest value that the mean can have: the interval ends there.
        confidence: Of the interval, between 0 and 1.

    Raises:
        ValueError: A value is infinite, or no image is left.
    """
    sample = Sample((matrix(values),), groups, pooled, shortage)
    return Estimate(**_numbers(sample, average(sample.values[0], sample.groups), limits, confidence))


def simultaneous(
    differences: Mapping[Key, Difference], limits: Range = ANYTHING, level: float = 0.05
) -> dict[Key, Difference]:
    """Return the differences of a family with intervals that hold together and agree with Holm's test.

    Args:
        differences: In one metric; the family that `judge` adjusts for.
        limits: As of `difference_of_means`.
        level: Of each look: 0.05 over the number of looks.
    """
    if not differences:
        return {}
    columns = zip(*(each.comparison for each in differences.values()), strict=True)
    comparisons = Comparison(*(np.array(column) for column in columns))
    ends = simultaneous_intervals(comparisons, [each.p for each in differences.values()], level)
    width = limits[1] - limits[0]
    return {
        key: each
        if np.isinf(each.standard_error)
        else replace(each, low=max(float(low), -width), high=min(float(high), width))
        for (key, each), low, high in zip(differences.items(), *ends, strict=True)
    }


def _difference(
    whole: tuple[Floats, Floats], sample: Sample, comparison: Comparison, limits: Range, confidence: float
) -> Difference:
    arm, baseline = sample.values
    apart = [tuple(np.flatnonzero(outlying_seeds(each.mean(axis=1))).tolist()) for each in sample.values]
    width = limits[1] - limits[0]
    identical = np.array_equal(arm, baseline)
    return Difference(
        **_numbers(sample, comparison, (-width, width), confidence),
        p=1.0 if sample.shortage else float(two_sided_p(comparison)),
        arm=whole[0],
        baseline=whole[1],
        members=sample.groups,
        identical=identical,
        all_zero=identical and not arm.any(),
        outlying=(apart[0], apart[1]),
        skewed=bool(heavily_skewed(arm.mean(axis=0) - baseline.mean(axis=0), sample.groups)),
        without_interval=sample.shortage,
    )


def _numbers(sample: Sample, comparison: Comparison, limits: Range, confidence: float) -> dict[str, Any]:
    """Return the fields of an `Estimate`."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    if sample.shortage:
        comparison = comparison._replace(standard_error=np.asarray(np.inf))
    low, high = (float(end) for end in interval(comparison, 1 - confidence))
    if np.isfinite(comparison.standard_error):
        low, high = max(low, limits[0]), min(high, limits[1])
    return {
        "mean": float(comparison.mean),
        "low": low,
        "high": high,
        "standard_error": float(comparison.standard_error),
        "degrees_of_freedom": float(comparison.degrees_of_freedom),
        "confidence": confidence,
        "seeds": sample.seeds,
        "images": sample.images,
        "images_dropped": sample.dropped,
        "groups": None if sample.groups is None else units(sample.images, sample.groups),
    }
