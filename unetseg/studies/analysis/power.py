"""What a plan can show before it starts, and what would decide what is undecided.

Everything follows from three standard deviations (`Spread`) and the test of the module ``statistics``: the
difference of two arms' means over S seeds and I images has the variance ``2 seed² / S + image² / I +
2 rest² / (S I)``. Where images come in groups, these stand for the images throughout.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unetseg.metrics.averages import variance_of_mean
from unetseg.studies.analysis.cautions import LEAST_FOR_EQUIVALENCE
from unetseg.studies.analysis.looks import ALPHA
from unetseg.studies.analysis.means import Difference
from unetseg.studies.analysis.statistics import (
    LEAST_SEEDS,
    MOST_FREEDOM,
    Floats,
    seed_variances,
)
from unetseg.studies.analysis.verdicts import Judgement

POWER = 0.8
_DRAWS = 4_000
# How far a search for what would decide goes: beyond it, "no number" is the honest answer.
_MOST_SEEDS = 200
_MOST_TIMES_IMAGES = 100


@dataclass(frozen=True)
class Spread:
    """How much scores vary, in the metric's unit.

    Attributes:
        seed: standard deviation of an arm's mean score between seeds.
        image: of two arms' paired difference between images (or groups), apart from chance in training.
        rest: of one net's score in one image, beyond what its arm, its seed and the image explain.
    """

    seed: float
    image: float
    rest: float

    @classmethod
    def of(cls, differences: Iterable[Difference]) -> "Spread":
        """Estimate the spread from arms that were trained, as the root of their mean variances.

        Args:
            differences: of one metric, with two seeds or more.

        Raises:
            ValueError: Every arm has one seed: how much seeds differ is unknown.
        """
        seeds, images, rests = [], [], []
        for difference in differences:
            defined = ~np.isnan(np.concatenate([difference.arm, difference.baseline])).any(axis=0)
            arms = [values[:, defined] for values in (difference.arm, difference.baseline)]
            if min(len(values) for values in arms) < 2 or difference.identical:
                continue
            count, groups = difference.units, difference.members
            parts = [seed_variances(values, groups) for values in arms]
            by_image = arms[0].mean(axis=0) - arms[1].mean(axis=0)
            chance = sum(count * rest / len(values) for (_, rest), values in zip(parts, arms, strict=True))
            seeds += [seed - rest for seed, rest in parts]
            rests += [count * rest for _, rest in parts]
            images.append(count * variance_of_mean(by_image, groups) - chance)
        if not seeds:
            raise ValueError("two seeds or more are needed to see how much seeds differ")
        return cls(*(float(np.sqrt(max(float(np.mean(each)), 0.0))) for each in (seeds, images, rests)))

    def variances(self, seeds: int | Floats, images: int | Floats) -> tuple[Floats, Floats]:
        """Return what one arm's seeds, and what the images, add to the variance of the difference."""
        rest = self.rest**2 / (np.asarray(seeds) * images)
        return self.seed**2 / np.asarray(seeds) + rest, self.image**2 / np.asarray(images) + 2 * rest


# Assumed for scores where nothing has been trained yet, and in the calibration: seeds of an arm differ by
# 0.01, and two nets that differ in the seed alone by 0.05 in an image.
DEFAULT_SPREAD = Spread(seed=0.01, image=0.021, rest=0.034)


@dataclass(frozen=True)
class Needed:
    """What would decide an undecided comparison with power 0.8, if the difference is as measured.

    Attributes:
        seeds: more of each arm, with the same images; None where no number that can be thought of would do.
        images: more, with the same seeds; None as with seeds.
        unit: what ``images`` counts: images, or groups where they belong together.
    """

    seeds: int | None
    images: int | None
    unit: str = "image"

    def __str__(self) -> str:
        counts = ((self.seeds, "seed"), (self.images, self.unit))
        ways = " or ".join(f"{count:,} more {what}{'s' * (count != 1)}" for count, what in counts if count)
        if not ways:
            return f"neither more seeds nor more {self.unit}s alone would decide it"
        return f"about {ways} would decide it"


def smallest_difference(
    spread: Spread, looks: Sequence[int], images: int, comparisons: int, power: float = POWER
) -> float:
    """Return the smallest true difference that a plan shows with a power, if no other arm differs.

    It is the quantile of what each of 4,000 drawn studies would have needed. The seeds of an arm grow from
    look to look; the images stay.

    Args:
        spread: of the metric.
        looks: numbers of seeds; one for a study of a fixed number.
        images: of the test set, independent of each other; groups where images belong together.
        comparisons: arms without the baseline.
        power: between 0 and 1.

    Returns:
        In the metric's unit; infinite where no look has three seeds.
    """
    usable = [look for look in looks if look >= LEAST_SEEDS]
    if not usable:
        return float("inf")
    generator = np.random.default_rng(0)
    deviation = np.sqrt(spread.seed**2 + spread.rest**2 / images)
    by_seed = deviation * generator.standard_normal((_DRAWS, 2, max(usable)))
    by_image = spread.image / np.sqrt(images) * generator.standard_normal(_DRAWS)
    freedom = max(images - 1, 1)
    luck = generator.chisquare(freedom, _DRAWS) / freedom
    needed = np.full(_DRAWS, np.inf)
    for seeds in usable:
        means = by_seed[..., :seeds].mean(axis=-1)
        parts = by_seed[..., :seeds].var(axis=-1, ddof=1) / seeds
        _, of_images = spread.variances(seeds, images)
        error, degrees = _combined(parts, of_images * luck, spread.rest**2 / (seeds * images), seeds, images)
        critical = stats.t.isf(ALPHA / len(looks) / comparisons / 2, degrees)
        needed = np.minimum(needed, critical * error - (means[:, 0] - means[:, 1] + by_image))
    return float(np.quantile(needed, power))


def needed_to_decide(difference: Difference, judgement: Judgement, spread: Spread) -> Needed:
    """Return about how many more seeds, or images, would decide an undecided comparison.

    Either the difference would be shown (at Holm's first step) or, within the margin and from five seeds on,
    equivalence, unless a seed lies apart or images are skewed: that bars it.

    Args:
        difference: As measured; taken for the truth.
        judgement: On it, with margin, level and the number of comparisons.
        spread: Of the metric: `Spread.of` the study's differences.
    """
    seeds = np.arange(difference.seeds, _MOST_SEEDS + 1, dtype=np.float64)
    own = difference.units
    images = np.unique(np.geomspace(own, _MOST_TIMES_IMAGES * own, 400).round())
    more_seeds = seeds[_decides(difference, judgement, spread, seeds, own)]
    more_images = images[_decides(difference, judgement, spread, difference.seeds, images)]
    return Needed(
        seeds=max(int(more_seeds[0]) - difference.seeds, 1) if len(more_seeds) else None,
        images=max(int(more_images[0]) - own, 1) if len(more_images) else None,
        unit="image" if difference.groups is None else "group",
    )


def _decides(
    difference: Difference, judgement: Judgement, spread: Spread, seeds: int | Floats, images: int | Floats
) -> NDArray[np.bool_]:
    """Return for which numbers of seeds or images the comparison would be decided with power 0.8."""
    mean = difference.mean
    of_arm, of_images = spread.variances(seeds, images)
    rest = spread.rest**2 / (np.asarray(seeds) * images)
    both = np.stack([of_arm, of_arm], axis=-1)
    error, degrees = _combined(both, of_images, rest, np.asarray(seeds), np.asarray(images))
    spare = stats.t.isf(1 - POWER, degrees)
    shown = (stats.t.isf(judgement.level / judgement.comparisons / 2, degrees) + spare) * error < abs(mean)
    if judgement.margin is not None and not (any(difference.outlying) or difference.skewed):
        within = (stats.t.isf(judgement.level, degrees) + spare) * error < judgement.margin - abs(mean)
        shown |= within & (np.asarray(seeds) >= LEAST_FOR_EQUIVALENCE)
    decided: NDArray[np.bool_] = shown & (np.asarray(seeds) >= LEAST_SEEDS)
    return decided


def _combined(
    parts: Floats, of_images: Floats, rest: float | Floats, seeds: int | Floats, images: int | Floats
) -> tuple[Floats, Floats]:
    """Return standard error and degrees of freedom, as ``statistics`` combines them.

    Args:
        parts: ``MS_seed / (S I)`` of both arms, (..., 2).
        of_images: ``v / (S I)``.
        rest: ``MS_rest / (S I)``, of each arm.
        seeds: S.
        images: I.
    """
    variance = np.maximum(parts.sum(axis=-1) - 2 * rest, 0.0) + of_images
    least = np.maximum(np.asarray(seeds) - 1, 1)
    spread = np.square(parts).sum(axis=-1) / least + of_images**2 / np.maximum(np.asarray(images) - 1, 1)
    freedom = np.divide(variance**2, spread, out=np.ones_like(variance), where=spread > 0)
    return np.sqrt(variance), np.clip(freedom, least, MOST_FREEDOM * least)
