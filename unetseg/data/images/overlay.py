"""Masks drawn over their images, to look at."""

from collections.abc import Sequence

import cv2
import numpy as np

LONGEST_OVERLAY = 8192  # pixels; larger images are reduced by a whole factor


def reduction(height: int, width: int) -> int:
    """Return the factor by which an image is reduced for its overlay."""
    return -(-max(height, width) // LONGEST_OVERLAY)


def draw_overlay(image: np.ndarray, mask: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Return the image with each foreground class tinted and outlined in its colour.

    Args:
        image: H×W×3 uint8.
        mask: H×W uint8 class indices.
        colours: RGB, one a class.
    """
    out = image.copy()
    for index in range(1, len(colours)):
        inside = mask == index
        if not inside.any():
            continue
        colour = np.array(colours[index], dtype=np.float32)
        out[inside] = (0.65 * out[inside] + 0.35 * colour).astype(np.uint8)
        contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        width = max(1, round(max(mask.shape) / 600))
        cv2.drawContours(out, contours, -1, tuple(int(c) for c in colours[index]), width)
    return out


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Return width and height brought to ``side`` on the longer side, each at least 1."""
    scale = side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))
