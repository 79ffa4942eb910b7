"""Pixels of an image that hold no data: nothing is counted, drawn or outlined there."""

from collections.abc import Sequence

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.images.georeference import NoData
from unetseg.inference.tiles import PIECE

NO_PROBABILITY = 65535  # stands for no data in 16-bit probabilities, where certainty is 65534 then


class Gaps:
    """Takes the pixels without data out of what is written of an image, band by band from top to bottom.

    Attributes:
        total: how many there were in the bands until now.

    Args:
        reader: tells where they are; None where there are none.
        marks: whether the mask's format has a value for them, 255; in others they are background.
        later: whether they are marked by ``mark`` at the end rather than in each band.
    """

    def __init__(self, reader: NoData | None, *, marks: bool, later: bool) -> None:
        self.total = 0
        self._reader = reader
        self._at_once = marks and not later
        self._kept: list[np.ndarray] | None = [] if marks and later else None
        self._rows = 0

    def count(
        self,
        mask: np.ndarray,
        sure: np.ndarray,
        planes: Sequence[np.ndarray],
        classes: int,
        maps: Sequence[np.ndarray] = (),
    ) -> np.ndarray:
        """Return the pixels of each class in the next rows, in which those without data are replaced.

        Args:
            mask: rows×width uint8 class indices.
            sure: rows×width confidences, which become 0.
            planes: rows×width uint16 probabilities.
            classes: how many there are.
            maps: rows×width uint8 of anything else, which become 255.
        """
        if self._reader is None:
            return count(mask, classes)
        gap = self._reader.read(self._rows, 0, *mask.shape)
        self._rows += len(mask)
        number = int(np.count_nonzero(gap))
        self.total += number
        mask[gap], sure[gap] = 0, 0
        for plane in planes:
            np.minimum(plane, NO_PROBABILITY - 1, out=plane)
            plane[gap] = NO_PROBABILITY
        for each in maps:
            each[gap] = IGNORED
        counts = count(mask, classes)
        counts[0] -= number
        if self._at_once:
            mask[gap] = IGNORED
        elif self._kept is not None:
            self._kept.append(gap)
        return counts

    def mark(self, mask: np.ndarray) -> None:
        """Mark the pixels without data of all bands in the whole mask, where that is to be done."""
        if self._kept:
            mask[np.concatenate(self._kept)] = IGNORED


def count(mask: np.ndarray, classes: int) -> np.ndarray:
    """Return the pixels of each class, in pieces because ``bincount`` takes eight bytes a pixel."""
    pieces = (mask[top : top + PIECE].ravel() for top in range(0, len(mask), PIECE))
    counts: np.ndarray = np.sum([np.bincount(piece, minlength=classes) for piece in pieces], axis=0)
    return counts
