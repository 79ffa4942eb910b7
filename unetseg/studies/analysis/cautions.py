"""What in the data says that a mean does not tell the whole: seeds apart from the others, skewed images.

Both bar "equivalent": one run that collapsed, or a few images that fail, make a difference that a mean over
few of them does not hold. What did not happen cannot be seen: `undetected_rate` says how often it still may.
"""

import numpy as np
from numpy.typing import NDArray

from unetseg.studies.analysis.statistics import Floats, Integers

# Seeds from which on "equivalent" can be said: with fewer, a rate of collapses up to 53 % is not excluded.
LEAST_FOR_EQUIVALENCE = 5
# By the number of seeds: the largest deviation from the median in robust standard deviations that one arm
# in a hundred exceeds where seeds are normal (99 % points of 200,000 drawn arms; more seeds take the last).
_APART = {
    3: 110.0, 4: 16.0, 5: 19.0, 6: 10.0, 7: 10.8, 8: 8.0, 9: 8.2, 10: 6.9, 12: 6.3, 15: 6.0, 20: 5.2, 30: 4.8
}  # fmt: skip
_MAD_OF_NORMAL = 0.6745  # median absolute deviation of a normal sample with standard deviation 1
_ROUNDING = 1e-9
# Edgeworth: a one-sided 5 % t test of n values errs by about 0.11 × skewness / √n (Hall 1992, *The Bootstrap
# and Edgeworth Expansion*, section 2.6). From 0.2 on 5 % become 7 % or more.
_HEAVY = 0.2
_LONG_TAILS = 10.0
_SURE = 2.576  # standard errors of the skewness itself: one sample in a hundred of a normal law


def outlying_seeds(by_seed: Floats) -> NDArray[np.bool_]:
    """Return which seeds of an arm lie apart from the others, by the median absolute deviation.

    The limit is such that one arm in a hundred is flagged whose seeds are normal; of fewer than three seeds
    none is.

    Args:
        by_seed: An arm's mean of each seed, (..., seed).
    """
    seeds = by_seed.shape[-1]
    if seeds < min(_APART):
        return np.zeros(by_seed.shape, dtype=np.bool_)
    limit = _APART[max(count for count in _APART if count <= seeds)]
    deviations = np.abs(by_seed - np.median(by_seed, axis=-1, keepdims=True))
    scale = np.median(deviations, axis=-1, keepdims=True) / _MAD_OF_NORMAL
    return (deviations > limit * scale) & (deviations > _ROUNDING)


def skewness_of_mean(by_image: Floats, groups: Integers | None = None) -> Floats:
    """Return the skewness of the mean over images: that of images, or of groups' sums, over the root of n.

    Args:
        by_image: Seed-averaged differences of two arms, (..., image).
        groups: Of each image, a number from 0 on; without them each image is its own.
    """
    scaled = _scaled(by_image, groups)
    of_mean: Floats = (scaled**3).mean(axis=-1) / np.sqrt(scaled.shape[-1])
    return of_mean


def heavily_skewed(by_image: Floats, groups: Integers | None = None) -> NDArray[np.bool_]:
    """Return whether a few images differ so much from the others that a mean over these images is no guide.

    Either images are skewed so that a t test over them errs, 7 % or more where 5 % are promised: the skewness
    of the mean exceeds 0.2, and that of the images 2.6 of its own standard errors, so that few normal images
    are called so. Or they fail in both arms, which cancels in the skewness: their kurtosis exceeds 10 (3 is
    normal). One image in 60 that fails while the others hardly differ has a skewness of the mean near 1.

    Args:
        by_image: As of `skewness_of_mean`.
        groups: As of `skewness_of_mean`.
    """
    scaled = _scaled(by_image, groups)
    count = scaled.shape[-1]
    skewness = np.abs((scaled**3).mean(axis=-1))
    if count < 4:
        return np.zeros(skewness.shape, dtype=np.bool_)
    error = np.sqrt(6 * count * (count - 1) / ((count - 2) * (count + 1) * (count + 3)))
    skewed = (skewness / np.sqrt(count) > _HEAVY) & (skewness > _SURE * error)
    uneven: NDArray[np.bool_] = skewed | ((scaled**4).mean(axis=-1) > _LONG_TAILS)
    return uneven


def undetected_rate(count: int) -> float:
    """Return the rate of failures that ``count`` runs (or images) without one do not exclude, at 95 %.

    With a rate c none fails with probability ``(1 - c)^count``, which is 5 % at ``c = 1 - 0.05^(1 / count)``.
    """
    return float(1 - 0.05 ** (1 / count))


def _scaled(by_image: Floats, groups: Integers | None) -> Floats:
    """Return deviations of images, or of groups' sums, in standard deviations; 0 where they do not differ."""
    deviations = by_image - by_image.mean(axis=-1, keepdims=True)
    if groups is not None:
        members = groups[:, None] == np.arange(int(groups.max()) + 1)
        deviations = deviations @ members.astype(np.float64)
    spread = np.sqrt(np.square(deviations).mean(axis=-1, keepdims=True))
    scaled: Floats = np.divide(deviations, spread, out=np.zeros_like(deviations), where=spread > _ROUNDING)
    return scaled
