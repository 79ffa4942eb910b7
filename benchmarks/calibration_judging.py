"""Simulated studies judged by the package's functions, by the thousand, for ``statistics_calibration.py``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from calibration_studies import RatioStudy, Study
from numpy.typing import NDArray

from unetseg.studies.analysis.cautions import LEAST_FOR_EQUIVALENCE, heavily_skewed, outlying_seeds
from unetseg.studies.analysis.intervals import holm, simultaneous_intervals
from unetseg.studies.analysis.looks import ALPHA, follow
from unetseg.studies.analysis.means import difference_of_means
from unetseg.studies.analysis.statistics import (
    LEAST_SEEDS,
    Comparison,
    Floats,
    Integers,
    compare_means,
    equivalence_p,
    two_sided_p,
)

CHUNK = 250
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """What the package says of drawn studies, [study, arm], the baseline left out."""

    comparison: Comparison
    may_be_equivalent: Bools

    def different(self, level: float = ALPHA) -> Bools:
        """Return which arms are called better or worse."""
        return holm(two_sided_p(self.comparison)) < level

    def held(self, shift: Floats | float = 0.0) -> Bools:
        """Return in which studies all intervals hold the truth, of arms that are shifted by so much."""
        mean = self.comparison.mean + shift
        shifted = self.comparison._replace(mean=mean)
        low, high = simultaneous_intervals(shifted, two_sided_p(shifted))
        return ((low <= shift) & (shift <= high)).all(axis=-1)

    def equivalent(self, margin: float, shift: Floats | float = 0.0, *, all_arms: bool = False) -> Bools:
        """Return which arms are called equivalent; with ``all_arms`` by Holm's adjustment."""
        shifted = self.comparison._replace(mean=self.comparison.mean + shift)
        p = equivalence_p(shifted, margin)
        return ((holm(p) if all_arms else p) < ALPHA) & self.may_be_equivalent


def judge_scores(scores: Floats, groups: Integers | None = None) -> Judged:
    """Judge studies [study, arm, seed, image] by the package's functions."""
    arms, baseline = scores[:, 1:], scores[:, :1]
    comparison = compare_means(arms, baseline, groups)
    apart = outlying_seeds(scores.mean(axis=-1)).any(axis=-1)
    skewed = heavily_skewed(arms.mean(axis=-2) - baseline.mean(axis=-2), groups)
    enough = scores.shape[2] >= LEAST_FOR_EQUIVALENCE
    return Judged(comparison, enough & ~(apart[:, 1:] | apart[:, :1] | skewed))


def draw_chunks(study: Study | RatioStudy, studies: int, seed: int) -> Iterator[Floats]:
    """Yield the studies of a cell, so many at a time as fit into memory."""
    generator = np.random.default_rng(seed)
    for start in range(0, studies, CHUNK):
        yield study.draw(generator, min(CHUNK, studies - start))


def judge_cell(study: Study | RatioStudy, studies: int, seed: int) -> Judged:
    """Draw and judge the studies of a cell."""
    groups = study.labels() if isinstance(study, Study) else None
    parts = [judge_scores(chunk, groups) for chunk in draw_chunks(study, studies, seed)]
    columns = zip(*(part.comparison for part in parts), strict=True)
    return Judged(
        Comparison(*(np.concatenate(column) for column in columns)),
        np.concatenate([part.may_be_equivalent for part in parts]),
    )


@dataclass(frozen=True)
class Followed:
    """What sequential studies found, [study, arm].

    Attributes:
        different: called better or worse at its last look.
        equivalent: called equivalent at its last look.
        seeds: of the last look.
    """

    different: Bools
    equivalent: Bools
    seeds: Integers


def follow_studies(
    scores: Floats, looks: Sequence[int], margin: float | None = None, shift: Floats | float = 0.0
) -> Followed:
    """Follow studies look by look, as `unetseg.studies.analysis.looks.follow` does one.

    Args:
        scores: [study, arm, seed, image] of as many seeds as the last look.
        looks: of the plan.
        margin: of equivalence; None where only differences are looked for.
        shift: true difference of each arm.
    """
    level = ALPHA / len(looks)
    shape = (len(scores), scores.shape[1] - 1)
    last, seeds = np.ones(shape), np.zeros(shape, dtype=np.int64)
    different, equivalent = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_)
    for look in looks:
        going = ~(different | equivalent)
        judged = judge_scores(scores[:, :, :look])
        comparison = judged.comparison._replace(mean=judged.comparison.mean + shift)
        last = np.where(going, two_sided_p(comparison), last)
        seeds = np.where(going, look, seeds)
        if margin is not None:
            equivalent |= going & judged.may_be_equivalent & (equivalence_p(comparison, margin) < level)
        different |= going & ~equivalent & (holm(last) < level) & (look >= LEAST_SEEDS)
    return Followed(different, equivalent, seeds)


def agrees_with_the_package(looks: Sequence[int], margin: float, studies: int = 30) -> bool:
    """Return whether following studies by the thousand gives what the package says of each one."""
    shift = np.array([0.03, -0.015, 0.0, 0.0])
    drawn = Study(arms=4, seeds=looks[-1]).draw(np.random.default_rng(0), studies)
    many = follow_studies(drawn, looks, margin, shift)
    for index, scores in enumerate(drawn):

        def at_look(seeds: int, arms: Sequence[int], scores: Floats = scores) -> dict:
            return {
                arm: difference_of_means(scores[arm + 1, :seeds] + shift[arm], scores[0, :seeds])
                for arm in arms
            }

        for arm, decision in follow(looks, ALPHA / len(looks), at_look, range(4), margin).items():
            verdict = decision.judgement.verdict
            same = (
                decision.seeds == many.seeds[index, arm],
                (verdict in ("better", "worse")) == many.different[index, arm],
                (verdict == "equivalent") == many.equivalent[index, arm],
            )
            if not all(same):
                return False
    return True
