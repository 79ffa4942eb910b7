"""Outlines of a mask as polygons with holes, along the pixels' edges.

A region's outline is its corners, joined: on every row and in every column of the pixel grid's vertices,
the first corner is joined to the second, the third to the fourth, and so on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Point = tuple[int, int]
Ring = list[Point]
_BAND = 1024


@dataclass(frozen=True)
class _Corners:
    """Corners in reading order; where two pixels meet diagonally there are two, one of each pixel.

    Attributes:
        x: column of the vertex, 0 to width.
        y: row of the vertex, 0 to height.
        up: whether the corner's vertical edge leads up; else it leads down.
        below: whether the pixel below and to the right of the vertex is inside.
        double: whether there are two corners at the vertex.
    """

    x: np.ndarray
    y: np.ndarray
    up: np.ndarray
    below: np.ndarray
    double: np.ndarray


def mask_polygons(mask: np.ndarray) -> list[list[Ring]]:
    """Return one polygon for each region that is connected by pixels' sides (4-connected).

    A polygon's area is its number of pixels, and polygons that touch at a corner stay valid
    ("simple features", OGC 06-103r4).

    Args:
        mask: H×W, non-zero inside.

    Returns:
        For each polygon its rings, the outer one first, then its holes: closed lists of (x, y), x from
        the left and y from the top edge of the image. In these coordinates outer rings run
        counter-clockwise and holes clockwise, as RFC 7946 asks.
    """
    corners = _find_corners(mask)
    if not len(corners.x):
        return []
    along = _vertical_partners(corners)
    points = list(zip(corners.x.tolist(), corners.y.tolist(), strict=True))
    rings: list[Ring] = []
    owner = np.empty(len(points), np.int64)  # of the edge that starts at a corner: its ring
    for cycle in _cycles(corners, along):
        for starts in _split_where_it_touches(cycle, points, corners.double):
            owner[starts] = len(rings)
            rings.append([points[start] for start in starts])
    return _with_holes(rings, _LeftOf(corners, along, owner))


def _find_corners(mask: np.ndarray) -> _Corners:
    parts = [_corners_of_rows(mask, top) for top in range(0, mask.shape[0] + 1, _BAND)]
    return _Corners(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _corners_of_rows(mask: np.ndarray, top: int) -> tuple[np.ndarray, ...]:
    """Return the fields of ``_Corners`` for the vertices of rows ``top`` to ``top + _BAND``."""
    above = max(0, top - 1)
    pixels = mask[above : top + _BAND] > 0
    last = top + _BAND > mask.shape[0]
    padded = np.pad(pixels, [(int(top == 0), int(last)), (1, 1)])
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    diagonal = (a == d) & (b == c) & (a != b)
    y, x = np.nonzero((a ^ b ^ c ^ d) | diagonal)
    double = diagonal[y, x]
    up = np.where(double, a[y, x], a[y, x] != b[y, x])  # of the one, or of the one that leads left
    again = np.repeat(np.arange(len(x)), 1 + double)
    second = np.zeros(len(again), bool)
    second[1:] = again[1:] == again[:-1]
    return x[again], y[again] + top, up[again] ^ second, d[y, x][again], double[again]


def _vertical_partners(corners: _Corners) -> np.ndarray:
    """Return for each corner the one at the other end of its vertical edge."""
    order = np.lexsort((~corners.up, corners.y, corners.x))
    along = np.empty_like(order)
    along[order[0::2]], along[order[1::2]] = order[1::2], order[0::2]
    return along


def _sources(corners: _Corners) -> np.ndarray:
    """Return the corner that each horizontal edge is walked from: with the inside below, the left one."""
    edges: np.ndarray = np.arange(0, len(corners.x), 2) + ~corners.below[0::2]
    return edges


def _cycles(corners: _Corners, along: np.ndarray) -> Iterator[list[int]]:
    """Yield the corners of each outline in order, the inside to the right as seen on the screen.

    Corners 2k and 2k + 1 are the ends of one horizontal edge.
    """
    following = along.tolist()
    visited = bytearray(len(along))
    for first in _sources(corners).tolist():
        if visited[first]:
            continue
        cycle, corner = [], first
        while not visited[corner]:
            visited[corner] = 1
            cycle += [corner, corner ^ 1]
            corner = following[corner ^ 1]
        yield cycle


def _split_where_it_touches(cycle: list[int], points: list[Point], double: np.ndarray) -> list[list[int]]:
    """Cut an outline that passes a vertex twice into rings that pass each vertex once."""
    if not double[cycle].any():
        return [cycle]
    rings: list[list[int]] = []
    path: list[int] = []
    position: dict[Point, int] = {}
    for corner in cycle:
        point = points[corner]
        if point in position:
            ring = path[position[point] :]
            del path[position[point] :]
            for each in ring:
                del position[points[each]]
            rings.append(ring)
        position[point] = len(path)
        path.append(corner)
    return [*rings, path]


def _doubled_area(ring: Ring) -> int:
    """Return twice the signed area, positive for outer rings."""
    following = [*ring[1:], ring[0]]
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, following, strict=True))


def _with_holes(rings: list[Ring], left_of: "_LeftOf") -> list[list[Ring]]:
    """Give each hole to the outer ring of its region, found from ring to ring towards the left."""
    first = [min((y, x) for x, y in ring) for ring in rings]
    polygons: dict[int, list[Ring]] = {}
    outer: dict[int, int] = {}
    for index in sorted(range(len(rings)), key=first.__getitem__):
        ring = rings[index]
        is_outer = _doubled_area(ring) > 0
        if is_outer:
            outer[index] = index
        else:
            outer[index] = outer[left_of(*first[index])]
        polygons.setdefault(outer[index], []).append([*ring, ring[0]])
    return list(polygons.values())


class _LeftOf:
    """Finds the ring of the nearest vertical edge to the left of a vertex, in the pixel row below it."""

    def __init__(self, corners: _Corners, along: np.ndarray, owner: np.ndarray) -> None:
        starts = _sources(corners) ^ 1
        ends = along[starts]
        upper = np.minimum(corners.y[starts], corners.y[ends])
        length = np.abs(corners.y[starts] - corners.y[ends])
        self._width = int(corners.x.max()) + 1
        rows = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        keys = (np.repeat(upper, length) + rows) * self._width + np.repeat(corners.x[starts], length)
        order = np.argsort(keys)
        self._keys = keys[order]
        self._owners = np.repeat(owner[starts], length)[order]

    def __call__(self, y: int, x: int) -> int:
        return int(self._owners[np.searchsorted(self._keys, y * self._width + x) - 1])
