"""From objects to pixels: the one place where outlines are drawn.

pycocotools draws each ring; of a ring along the pixels' edges it fills exactly the pixels inside.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from pycocotools import mask as coco

from unetseg.data.annotations.objects import LabelledObject, Outline, Runs, Shape
from unetseg.errors import UnetsegError

_FLATNESS = 0.01  # of a curve's polygon: the most that it may lie beside the curve, pixels
_MOST_OBJECTS = 65535  # in one image, in 16 bits
_NOT_COUNTED = 255
_MOST_VERTICES = 10_000  # of it, which are enough for a radius of 200,000 pixels


def paint(
    objects: Sequence[LabelledObject], height: int, width: int, numbers: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the class and the object of each pixel. Where objects overlap, the later one counts.

    Args:
        objects: From the bottom to the top.
        height: Of the image.
        width: Of the image.
        numbers: Each label's class index: 0 for the background, 255 for what does not count.

    Returns:
        Class indices, H×W uint8, 0 where no object lies; and the objects' numbers, H×W uint16, from 1 on,
        0 where no class of the foreground is.

    Raises:
        UnetsegError: There are more than 65,535 objects.
    """
    if len(objects) > _MOST_OBJECTS:
        raise UnetsegError(f"{len(objects)} objects in one image; at most {_MOST_OBJECTS} can be numbered")
    labels = np.zeros((height, width), np.uint16)
    for number, each in enumerate(objects, start=1):
        for shape in each.shapes:
            top, left, inside = region(shape, height, width)
            rows, columns = inside.shape
            labels[top : top + rows, left : left + columns][inside] = number
    table = np.array([0, *(numbers[each.label] for each in objects)], np.uint8)
    counted = (table > 0) & (table < _NOT_COUNTED)
    return table[labels], np.where(counted, np.arange(len(table)), 0).astype(np.uint16)[labels]


def region(shape: Shape, height: int, width: int) -> tuple[int, int, np.ndarray]:
    """Return a shape's pixels in an image of that size: top, left, and a rectangle of bool from there.

    An outline's rings are joined by the even-odd rule, so that a ring within another is a hole.
    """
    if isinstance(shape, Runs):
        inside = coco.decode({"size": [shape.height, shape.width], "counts": shape.counts}).astype(bool)
        top, left = max(shape.top, 0), max(shape.left, 0)
        bottom, right = max(height - shape.top, 0), max(width - shape.left, 0)
        return top, left, inside[top - shape.top : bottom, left - shape.left : right]
    corners = np.concatenate(shape.rings)
    low = np.floor(corners.min(axis=0)).clip(0, (width, height)).astype(int)
    high = np.ceil(corners.max(axis=0)).clip(0, (width, height)).astype(int)
    columns, rows = (high - low).clip(0).tolist()
    inside = np.zeros((rows, columns), bool)
    if inside.size:
        for ring in shape.rings:
            drawn = coco.frPyObjects([(ring - low).ravel().tolist()], rows, columns)
            inside ^= coco.decode(drawn)[..., 0].astype(bool)
    return int(low[1]), int(low[0]), inside


def runs_of(inside: np.ndarray, top: int = 0, left: int = 0) -> Runs:
    """Return H×W bool, whose first pixel is at (top, left) of the image, as run lengths."""
    encoded = coco.encode(np.asfortranarray(inside, dtype=np.uint8))
    return Runs(encoded["counts"], inside.shape[0], inside.shape[1], top, left)


def runs_of_image(shape: Shape, height: int, width: int) -> Runs:
    """Return a shape as run lengths over the whole image, without an array of the image's size."""
    top, left, inside = region(shape, height, width)
    padded = np.pad(inside, ((1, 1), (0, 0))).astype(np.int8)
    column, row = np.nonzero(np.diff(padded, axis=0).T)
    bounds = (left + column) * height + top + row  # starts and ends of runs in turn, down the columns
    kept = np.append(np.diff(bounds) > 0, True) & np.insert(np.diff(bounds) > 0, 0, True)
    ends = bounds[kept].tolist()
    edges = [0, *ends, *([height * width] if ends[-1:] != [height * width] else [])]
    counts = [after - before for before, after in pairwise(edges)]
    encoded = coco.frPyObjects({"counts": counts, "size": [height, width]}, height, width)
    return Runs(encoded["counts"], height, width)


def ellipse(centre: tuple[float, float], radii: tuple[float, float], degrees: float = 0.0) -> Outline:
    """Return an ellipse as a polygon that lies within 0.01 pixels of it.

    Args:
        centre: (x, y).
        radii: Along x and along y before it is turned.
        degrees: It is turned by, clockwise on the screen.
    """
    flatness = min(1.0, _FLATNESS / max(*radii, _FLATNESS))
    count = max(16, min(int(np.ceil(np.pi / np.arccos(1 - flatness))), _MOST_VERTICES))
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    ring = np.stack([radii[0] * np.cos(angles), radii[1] * np.sin(angles)], axis=1)
    return Outline((turned(ring, degrees) + centre,))


def rectangle(left: float, top: float, right: float, bottom: float, degrees: float = 0.0) -> Outline:
    """Return a rectangle, turned about its middle by ``degrees``, clockwise on the screen."""
    middle = np.array([left + right, top + bottom]) / 2
    ring = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)
    return Outline((turned(ring - middle, degrees) + middle,))


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    """Turn N×2 points about (0, 0), clockwise on the screen, whose y leads down."""
    if not degrees:
        return points
    angle = np.deg2rad(degrees)
    cosine, sine = np.cos(angle), np.sin(angle)
    rotated: np.ndarray = points @ np.array([(cosine, sine), (-sine, cosine)])
    return rotated
