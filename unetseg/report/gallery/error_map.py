"""What is right and wrong in a mask, pixel by pixel, and where its outline is worst."""

import cv2
import numpy as np
from numpy.typing import NDArray

from unetseg.data.datasets.labels import IGNORED
from unetseg.metrics.geometry import near

Mask = NDArray[np.uint8]
Box = tuple[int, int, int, int]

# The kinds of pixel, ordered by how much they matter.
NOTHING, UNCOUNTED, RIGHT, CONFUSED, EXTRA, MISSED = range(6)

# Pixels this near the ground truth's outline are the boundary; the trimap score's own default.
BOUNDARY_WIDTH = 3.0


def error_kinds(prediction: Mask, ground_truth: Mask, valid: NDArray[np.bool_] | None = None) -> Mask:
    """Return what each pixel is: one of the kinds above.

    Args:
        prediction: H×W class indices, 0 the background.
        ground_truth: H×W class indices, 255 where not counted.
        valid: H×W, the field of view; the whole image if None.

    Returns:
        H×W uint8.
    """
    found, wanted = prediction > 0, ground_truth > 0
    kinds = np.full(ground_truth.shape, NOTHING, np.uint8)
    kinds[found & wanted] = CONFUSED
    kinds[found & (prediction == ground_truth)] = RIGHT
    kinds[found & ~wanted] = EXTRA
    kinds[~found & wanted] = MISSED
    counted = ground_truth != IGNORED
    kinds[~(counted if valid is None else counted & valid)] = UNCOUNTED
    return kinds


def is_error(kinds: Mask) -> NDArray[np.bool_]:
    """Return where the prediction is wrong."""
    return kinds >= CONFUSED


def boundary_of(ground_truth: Mask) -> NDArray[np.bool_]:
    """Return the pixels within ``BOUNDARY_WIDTH`` of an outline of any class, on both sides."""
    found = np.zeros(ground_truth.shape, bool)
    for value in np.unique(ground_truth):
        inside = ground_truth == value
        if value not in (0, IGNORED) and not inside.all():
            found |= (near(inside, BOUNDARY_WIDTH) & ~inside) | (near(~inside, BOUNDARY_WIDTH) & inside)
    return found


def worst_window(errors: NDArray[np.bool_], side: int) -> Box:
    """Return the square window that holds the most true pixels, with these in its middle.

    Args:
        errors: H×W.
        side: of the window in pixels; it is cut to the image's size.

    Returns:
        Left, top, width and height.
    """
    height, width = errors.shape
    rows, columns = min(side, height), min(side, width)
    sums = cv2.integral(errors.astype(np.uint8))
    counts = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    top, left = (int(index) for index in np.unravel_index(np.argmax(counts), counts.shape))
    found = np.argwhere(errors[top : top + rows, left : left + columns])
    if found.size:
        middle = (found.min(axis=0) + found.max(axis=0) + 1) // 2
        top = int(np.clip(top + middle[0] - rows // 2, 0, height - rows))
        left = int(np.clip(left + middle[1] - columns // 2, 0, width - columns))
    return left, top, columns, rows
