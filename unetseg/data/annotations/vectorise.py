"""From pixels to objects: each region of a class is one, its outline along the pixels' edges."""

from collections.abc import Iterator, Sequence

import numpy as np

from unetseg.data.annotations.objects import LabelledObject, Outline
from unetseg.data.annotations.polygons import mask_polygons


def mask_objects(mask: np.ndarray, classes: Sequence[str]) -> Iterator[LabelledObject]:
    """Yield the regions of a mask's foreground classes: connected by pixels' sides, with their holes.

    Drawn as pixels they are the mask again. The first ring of an outline is the outer one.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: Class names by index.
    """
    for index in range(1, len(classes)):
        inside = mask == index
        if not inside.any():
            continue
        for polygon in mask_polygons(inside):
            rings = tuple(np.array(ring[:-1], np.float64) for ring in polygon)
            yield LabelledObject(classes[index], (Outline(rings),))
