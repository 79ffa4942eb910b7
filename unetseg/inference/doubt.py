"""How far a mask may be off, by its own probabilities: what to look at first."""

import numpy as np

from unetseg.inference.logits import to_probabilities

_FAINT = 0.05  # probabilities up to this do not count as missed: over a wide background they add up
_SLACK = 1e-3  # of the image's pixels: what the same add up to where nothing is


class Doubt:
    """One minus the IoU that a mask would be expected to have if its probabilities were right.

    Of each class that the mask holds, the pixels that are right and the union with the truth are expected
    values: sums of the class's probability over its pixels, and over all others where it is above 0.05. Both
    are raised by a thousandth of the image's pixels, so that an image of background alone is not in doubt
    for traces. The mean over the mask's foreground classes counts; where it holds none, the most doubtful
    class. Chosen on validation, where it found bad masks better than the mean confidence did
    (docs/predict.md).

    Args:
        classes: how many there are, with the background.
    """

    def __init__(self, classes: int) -> None:
        self._right, self._area, self._elsewhere = (np.zeros(classes - 1) for _ in range(3))
        self._pixels = 0

    def add(self, logits: np.ndarray, mask: np.ndarray, sure: np.ndarray) -> None:
        """Take a part of the image.

        Args:
            logits: outputs×rows×width.
            mask: rows×width class indices.
            sure: rows×width probability of the most probable class; 0 where there is no data.
        """
        there = sure > 0
        self._pixels += int(there.sum())
        several = to_probabilities(logits) if len(logits) > 1 else None
        for index in range(len(self._area)):
            here = there & (mask == index + 1)
            # Of one foreground class, sure is its probability or that of the background
            probability = np.where(logits[0] > 0, sure, 1 - sure) if several is None else several[index + 1]
            missed = there & ~here & (probability > _FAINT)
            self._right[index] += probability.sum(where=here, dtype=np.float64)
            self._area[index] += here.sum()
            self._elsewhere[index] += probability.sum(where=missed, dtype=np.float64)

    @property
    def value(self) -> float:
        """The doubt, 0 to 1; 0 where no pixel holds data."""
        slack = _SLACK * self._pixels
        if not slack:
            return 0.0
        doubts = 1 - (self._right + slack) / (self._area + self._elsewhere + slack)
        held = self._area > 0
        return float(doubts[held].mean() if held.any() else doubts.max())
