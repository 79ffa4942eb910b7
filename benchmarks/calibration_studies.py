"""Simulated studies for ``statistics_calibration.py``: scores [study, arm, seed, image], arm 0 the baseline.

No arm differs from another in truth. What varies is the spread of seeds, what images share, and what fails.
The deviations are those of `unetseg.studies.analysis.power.DEFAULT_SPREAD`: seeds differ by 0.01, two nets
that differ in the seed alone by 0.05 in an image.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from unetseg.studies.analysis.ratios import LEAST_EFFECTIVE, effective_images, influence_values, on_counted
from unetseg.studies.analysis.statistics import Floats, Integers

SPREADS = ("equal", "unequal", "one wide arm", "wide baseline", "correlation +.5", "correlation -.5")
FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Study:
    """How studies are drawn.

    Attributes:
        spread: of ``SPREADS``: unequal is lognormal with sigma 0.8, the wide arm 8 times, the baseline 4
            times as wide; correlations are of a shared seed's effect on all arms.
        arms: without the baseline.
        seeds: of each arm.
        images: of the test set.
        seed: standard deviation between an arm's seeds.
        image: what an arm makes of an image, beyond the others.
        rest: what one net makes of it.
        collapse: share of the runs that fall by 0.3.
        failing: share of the images that an arm fails in, by 0.8.
        groups: number of groups that images come in, of uneven size; 0 for none.
        folds: whether each seed is a cross-validation of its own, one net a fold.
    """

    spread: str = "equal"
    arms: int = 9
    seeds: int = 5
    images: int = 60
    seed: float = 0.01
    image: float = 0.015
    rest: float = 0.034
    collapse: float = 0.0
    failing: float = 0.0
    groups: int = 0
    folds: bool = False

    def labels(self) -> Integers | None:
        """Return the group of each image: sizes fall like 1, 1/2, 1/3, …, every group has one at least."""
        if not self.groups:
            return None
        sizes = 1 / np.arange(1, self.groups + 1)
        extra = np.repeat(np.arange(self.groups), np.round(sizes / sizes.sum() * self.images).astype(int))
        labels = np.concatenate([np.arange(self.groups), extra])
        return np.sort(labels[: self.images])

    def draw(self, generator: np.random.Generator, studies: int) -> Floats:
        """Draw the scores of so many studies."""
        runs = (studies, self.arms + 1, self.seeds)
        labels = self.labels()
        images = self.images if labels is None else len(labels)
        scores = self.rest * generator.standard_normal((*runs, images))
        by_image = self.image * generator.standard_normal((*runs[:2], 1, images))
        if labels is not None:  # half of what an arm, and a net, makes of an image is its group's
            by_group = self.image * generator.standard_normal((*runs[:2], 1, self.groups))
            by_net = self.rest * generator.standard_normal((*runs, self.groups))
            scores = (scores + by_net[..., labels]) / np.sqrt(2)
            by_image = (by_image + by_group[..., labels]) / np.sqrt(2)
        if self.failing:
            by_image -= 0.8 * (generator.random(by_image.shape) < self.failing)
        scores += by_image
        if self.folds:
            return scores + self._fold_effects(generator, runs, images)
        return scores + self._seed_effects(generator, runs)[..., None]

    def _seed_effects(self, generator: np.random.Generator, runs: tuple[int, int, int]) -> Floats:
        deviation = np.full(runs[:2], self.seed)
        if self.spread == "unequal":
            deviation *= np.exp(0.8 * generator.standard_normal(runs[:2]))
        elif self.spread == "one wide arm":
            deviation[:, 1] *= 8
        elif self.spread == "wide baseline":
            deviation[:, 0] *= 4
        effects = generator.standard_normal(runs)
        if self.spread.startswith("correlation"):
            shared = generator.standard_normal((runs[0], 1, runs[2]))
            if self.spread.endswith("-.5"):  # each arm against the baseline; the arms among themselves +.5
                signs = np.where(np.arange(runs[1]) == 0, -1.0, 1.0)[:, None]
                shared = shared * signs
            effects = np.sqrt(0.5) * effects + np.sqrt(0.5) * shared
        collapsed = generator.random(runs) < self.collapse if self.collapse else 0.0
        return deviation[..., None] * effects - 0.3 * collapsed

    def _fold_effects(
        self, generator: np.random.Generator, runs: tuple[int, int, int], images: int
    ) -> Floats:
        of_nets = self.seed * generator.standard_normal((*runs, FOLDS))
        order = generator.random((runs[0], 1, runs[2], images)).argsort(axis=-1) % FOLDS
        return np.take_along_axis(of_nets, np.broadcast_to(order, (*runs, images)), axis=-1)


@dataclass(frozen=True, kw_only=True)
class RatioStudy:
    """Studies of a ratio of sums: dataset IoU, or recall in a stratum that few images hold.

    Attributes:
        holding: images that have a denominator at all.
        sigma: of the lognormal sizes of what they hold.
        arms: without the baseline.
        seeds: of each arm.
        images: of the test set.
    """

    holding: int
    sigma: float
    arms: int = 4
    seeds: int = 5
    images: int = 60

    def draw(self, generator: np.random.Generator, studies: int) -> Floats:
        """Draw influence values of the images that hold any: errors vary with seed, image and size."""
        size = self._sizes(generator, studies)[:, None, None]
        hard = -2 - 0.3 * size + 0.7 * generator.standard_normal(size.shape)
        shape = (studies, self.arms + 1, self.seeds, self.images)
        logit = hard + 0.5 * generator.standard_normal(shape)
        logit += 0.15 * generator.standard_normal((*shape[:3], 1))
        logit += 0.4 * generator.standard_normal((*shape[:2], 1, self.images))
        counted = np.arange(self.images) < self.holding
        areas = np.exp(self.sigma * size) * counted
        values = influence_values(areas * expit(-logit), areas * (1 + 0.1 * np.exp(logit + 2)))
        return on_counted(values, counted)[..., : self.holding]

    def _sizes(self, generator: np.random.Generator, studies: int) -> Floats:
        """Draw what images hold, as normal deviates; anew where one or two hold most: no interval."""
        size = generator.standard_normal((studies, self.images))
        while True:
            held = np.exp(self.sigma * size[:, : self.holding])
            uneven = effective_images(held) < LEAST_EFFECTIVE
            if not uneven.any():
                return size
            size[uneven] = generator.standard_normal((uneven.sum(), self.images))
