"""Whether the outlines of an image lie in it."""

import numpy as np

from unetseg.data.annotations.objects import LabelledImage, Outline
from unetseg.errors import UnetsegError
from unetseg.utilities.text import printable

_SLACK = 1  # pixels that an outline may reach beyond its image and count as within


def check_place(labelled: LabelledImage, size: tuple[int, int]) -> None:
    """Refuse objects far outside of the image, whose (height, width) is ``size``.

    Raises:
        UnetsegError: One lies so.
    """
    for each in labelled.objects:
        for shape in each.shapes:
            if isinstance(shape, Outline) and _lies_far_outside(shape, size):
                raise UnetsegError(
                    f"{printable(labelled.source)}: an object of {printable(each.label)} lies far outside of "
                    f"its image of {size[1]}×{size[0]} pixels; are its labels for another size?"
                )


def count_beyond(labelled: LabelledImage, size: tuple[int, int]) -> int:
    """Return how many outlines reach beyond the image of (height, width) ``size``, where they are cut."""
    sides = np.array(size[::-1])
    outlines = [
        np.concatenate(shape.rings)
        for each in labelled.objects
        for shape in each.shapes
        if isinstance(shape, Outline)
    ]
    return sum(bool((corners < -_SLACK).any() or (corners > sides + _SLACK).any()) for corners in outlines)


def _lies_far_outside(shape: Outline, size: tuple[int, int]) -> bool:
    height, width = size
    corners = np.concatenate(shape.rings)
    sides = np.array([width, height])
    return bool((corners < -sides).any() or (corners > 2 * sides).any())
