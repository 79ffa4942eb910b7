"""From pixels to objects: each region of a class is one, or each number; outlines run along pixels' edges."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import find_objects

from unetseg.data.annotations.objects import LabelledObject, Outline
from unetseg.data.annotations.polygons import Ring, mask_polygons


def mask_objects(
    mask: np.ndarray, classes: Sequence[str], numbers: np.ndarray | None = None
) -> Iterator[LabelledObject]:
    """Yield the regions of a mask's foreground classes: connected by pixels' sides, with their holes.

    Drawn as pixels they are the mask again. The first ring of an outline is the outer one.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: Class names by index.
        numbers: As of :func:`mask_regions`.
    """
    for index, polygon in mask_regions(mask, len(classes), numbers):
        rings = tuple(np.array(ring[:-1], np.float64) for ring in polygon)
        yield LabelledObject(classes[index], (Outline(rings),))


def mask_regions(
    mask: np.ndarray, classes: int, numbers: np.ndarray | None = None
) -> Iterator[tuple[int, list[Ring]]]:
    """Yield the class index and the polygon of each region of a mask's foreground classes.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: With the background.
        numbers: H×W integers, each number above 0 the region of one object, connected by pixels' sides; they
            are yielded in this order. Without, all pixels of a class that are connected are a region.
    """
    if numbers is not None:
        yield from _numbered(mask, numbers)
        return
    for index in range(1, classes):
        inside = mask == index
        if inside.any():
            yield from ((index, polygon) for polygon in mask_polygons(inside))


def _numbered(mask: np.ndarray, numbers: np.ndarray) -> Iterator[tuple[int, list[Ring]]]:
    for number, box in enumerate(find_objects(numbers), start=1):
        if box is None:
            continue
        inside = numbers[box] == number
        left, top = box[1].start, box[0].start
        for polygon in mask_polygons(inside):
            yield int(mask[box][inside][0]), [[(x + left, y + top) for x, y in ring] for ring in polygon]
