"""How well two outlines agree, measured along their length and not in pixels."""

from math import hypot

import numpy as np
from numpy.typing import NDArray

from unetseg.metrics.boundary import TOLERANCE
from unetseg.metrics.geometry import RADIUS_SLACK, BoolArray, mutual_distances
from unetseg.metrics.pair import MaskPair
from unetseg.metrics.registry import EmptyMasks, Metric, registered


@registered(
    Metric(
        "nsd_length",
        "NSD by contour length",
        "boundary",
        empty=EmptyMasks.OVERLAP,
        needs=("outline",),
        option="tolerance",
        shown={"table": 6, "study": 8},
    )
)
def nsd_length(pair: MaskPair, tolerance: float = TOLERANCE) -> float:
    """Normalised surface distance: share of both contours' length within ``tolerance`` of the other contour.

    A contour runs where four neighbouring pixels are not all alike, as in marching squares: half a diagonal
    round a single pixel of either kind, a side between two and two, two half diagonals where they lie across.
    Outside the image is background. A piece is counted where a counted pixel of its mask touches it. Two
    empty masks score 1, one empty mask 0.
    Source: Nikolov et al. 2018, whose ``surface-distance`` measures so; :func:`~unetseg.metrics.boundary.nsd`
    counts border pixels instead.

    Args:
        pair: the masks.
        tolerance: spacing units.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(nsd_length(shifted, tolerance=0), 3), nsd_length(shifted, tolerance=1)
        (0.5, 1.0)
    """
    lengths = [_contour(mask, pair.spacing) for mask in (pair.prediction, pair.ground_truth)]
    pieces = [length > 0 for length in lengths]
    distances = mutual_distances(pieces[0], pieces[1], pair.spacing)
    close = whole = 0.0
    for mask, length, piece, distance in zip(
        (pair.prediction, pair.ground_truth), lengths, pieces, distances, strict=True
    ):
        counted = length[piece] * (_windows(pair.counted(mask))[piece] > 0)
        close += float(counted[distance <= tolerance + RADIUS_SLACK].sum())
        whole += float(counted.sum())
    return close / whole if whole else float(pair.agree)


def _windows(mask: BoolArray) -> NDArray[np.uint8]:
    """(h + 1, w + 1) which of the 2×2 pixels round each corner are in the mask, as the bits of a number."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return 8 * padded[:-1, :-1] + 4 * padded[:-1, 1:] + 2 * padded[1:, :-1] + padded[1:, 1:]


def _contour(mask: BoolArray, spacing: tuple[float, float]) -> NDArray[np.float64]:
    """(h + 1, w + 1) length of the contour round each corner of pixels, in spacing units."""
    down, across = spacing
    diagonal = hypot(down, across)
    table = np.zeros(16)
    table[[0b0001, 0b0010, 0b0100, 0b1000, 0b0111, 0b1011, 0b1101, 0b1110]] = diagonal / 2
    table[[0b0110, 0b1001]] = diagonal
    table[[0b0011, 0b1100]] = across
    table[[0b0101, 0b1010]] = down
    return table[_windows(mask)]
