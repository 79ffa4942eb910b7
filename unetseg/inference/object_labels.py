"""Objects that touch told apart: a watershed that rises from the objects' middles."""

from dataclasses import dataclass

import cv2
import numpy as np

from unetseg.data.object_distance import inner_distance

# Pixels by which the way between two middles must narrow. On the true masks of DSB2018's training images,
# objects run together, 1 pixel found the most of them again (of 0.5 to 3).
DEFAULT_DEPTH = 1.0
MOST_OBJECTS = 65535  # in 16 bits
_LEVELS = 255  # of a pixel, or of the learned distance: whole numbers compare exactly


@dataclass(frozen=True)
class ObjectRule:
    """How touching objects are told apart.

    Attributes:
        depth: by how much the way between two middles must narrow: pixels, or of a learned distance the share
            of its range.
        learned: whether by the distance that the run learned, not that of its mask.
    """

    depth: float = DEFAULT_DEPTH
    learned: bool = False

    def __str__(self) -> str:
        if self.learned:
            return f"the distance that was learned, depth {self.depth:g}"
        return f"the mask's own distance, depth {self.depth:g} px"


MASK_RULE = ObjectRule()  # of a run that chose none


def label_objects(mask: np.ndarray, depth: float, distance: np.ndarray | None = None) -> np.ndarray:
    """Return the number of each pixel's object, H×W int32, from 1 on, 0 in the background.

    An object is connected by its pixels' sides and of one class. A region is cut between two middles where
    the distance to its outline falls by ``depth`` between them, from the lower of the two; each pixel goes to
    the middle that a rising flood reaches it from (the watershed of Meyer 1994; middles by the h-maxima of
    Soille 2003).

    Args:
        mask: H×W uint8 class indices, 0 the background.
        depth: pixels; of a learned distance, the part of its range.
        distance: H×W uint8, a learned distance to the outline in place of the mask's own, 255 in the middle
            of an object.
    """
    labels = np.zeros(mask.shape, np.int32)
    count = 0
    for index in range(1, int(mask.max(initial=0)) + 1):
        inside = (mask == index).view(np.uint8)
        _, regions, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
        for region, (left, top, width, height, _) in enumerate(statistics[1:].tolist(), start=1):
            box = np.s_[top : top + height, left : left + width]
            own = regions[box] == region
            levels = distance[box] if distance is not None else inner_distance(own) * _LEVELS
            parts, found = _parts(own, levels, round(depth * _LEVELS))
            labels[box][own] = parts[own] + count
            count += found
    return labels


def drop_small_objects(labels: np.ndarray, least: int) -> np.ndarray:
    """Return labels without objects of fewer than ``least`` pixels, numbered anew from 1 on."""
    areas = np.bincount(labels.ravel())
    kept = areas >= max(1, least)
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    dropped: np.ndarray = numbers[labels]
    return dropped


def _parts(inside: np.ndarray, levels: np.ndarray, depth: int) -> tuple[np.ndarray, int]:
    """Return the numbers of a region's parts, from 1 on, and how many there are.

    Args:
        inside: h×w bool, the region.
        levels: h×w, high in the middle of objects.
        depth: in levels.
    """
    whole = np.where(inside, np.rint(levels), 0).astype(np.int32)
    if int(whole.max()) - int(whole[inside].min()) <= depth:
        return inside.astype(np.int32), 1
    from skimage.measure import label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    middles = label(h_maxima(whole, max(1, depth)), connectivity=2)
    if middles.max() < 2:
        return inside.astype(np.int32), 1
    parts = label(watershed(-whole, middles, mask=inside, connectivity=1), connectivity=1)
    return parts, int(parts.max())
