"""How deep inside its object a pixel lies: what tells objects that touch apart."""

import cv2
import numpy as np


def inner_distance(inside: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the nearest one outside, H×W float32, pixels; 0 outside.

    What lies beyond the array's edges is outside.

    Args:
        inside: H×W bool.
    """
    padded = np.pad(inside, 1).view(np.uint8)
    distance: np.ndarray = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance[1:-1, 1:-1]
