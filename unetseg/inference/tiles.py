"""Large images in overlapping tiles, whose logits are blended from one tile into the next.

What a network says near a tile's edge depends on the cut. So logits within three eighths of the overlap from
the edge are not used, and over the two eighths in the middle one tile fades into the other. Tiles start at
multiples of the network's stride, where pooling in the tile falls on the same pixels as in the whole image.
So with an overlap that covers what a convolutional network sees, the result is that of the whole image.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from unetseg.data.images.regions import RegionReader
from unetseg.errors import UsageError
from unetseg.utilities.threads import ahead

PIECE = 256  # rows that are handed on together
VISIBLE = 0.03  # a change of probability by less is not searched for beyond the tiles' edges


@dataclass(frozen=True)
class Axis:
    """Tiles along one side of an image.

    Attributes:
        length: of the side, pixels.
        tile: length of a tile; the last one may reach beyond the side's end, by less than a stride.
        starts: of the tiles.
    """

    length: int
    tile: int
    starts: tuple[int, ...]

    @property
    def seams(self) -> list[tuple[int, int]]:
        """Between neighbours, the pixels over which one fades into the other."""
        return [
            (second + 3 * (first + self.tile - second) // 8, second + 5 * (first + self.tile - second) // 8)
            for first, second in pairwise(self.starts)
        ]

    def span(self, index: int) -> tuple[int, int]:
        """Return the first pixel and the end of what is read for a tile."""
        return self.starts[index], min(self.length, self.starts[index] + self.tile)

    def used(self, index: int) -> tuple[int, int]:
        """Return the first pixel and the end of what a tile has a part in."""
        seams = self.seams
        begin = seams[index - 1][0] if index else 0
        return begin, seams[index][1] if index < len(seams) else self.length

    def weights(self, index: int) -> np.ndarray:
        """Return a tile's share in each pixel that it has a part in, float32; all tiles' add up to 1."""
        begin, end = self.used(index)
        weights = np.ones(end - begin, np.float32)
        seams = self.seams
        if index:
            weights[: seams[index - 1][1] - begin] = _rise(*seams[index - 1])
        if index < len(seams):
            weights[seams[index][0] - begin :] = 1 - _rise(*seams[index])
        return weights


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into tiles, by its rows and its columns."""

    rows: Axis
    columns: Axis


def cut(height: int, width: int, tile: int, overlap: int, stride: int) -> Tiling:
    """Cut an image into the fewest tiles, of one size and as small as that number allows.

    Args:
        height: of the image.
        width: of the image.
        tile: longest side of a tile, a multiple of the stride.
        overlap: of neighbours at least, a multiple of the stride.
        stride: of the network.

    Raises:
        UsageError: if the overlap is more than half a tile.
    """
    if 2 * overlap > tile:
        raise UsageError(
            f"--overlap {overlap}: is more than half a tile of {tile}; give less, or a larger --tile"
        )
    return Tiling(_axis(height, tile, overlap, stride), _axis(width, tile, overlap, stride))


def blended_bands(
    reader: RegionReader,
    tiling: Tiling,
    prepare: Callable[[np.ndarray], Any],
    run: Callable[[Any, int, int], np.ndarray],
) -> Generator[np.ndarray, None, None]:
    """Yield the logits of an image from top to bottom, holding one row of tiles.

    Args:
        reader: of the image.
        tiling: of the image.
        prepare: makes of a region, h×w×C as read, what ``run`` takes; called in a thread of its own, one tile
            ahead.
        run: maps that, and the region's h and w, to its logits, outputs×h×w.

    Yields:
        outputs×rows×width float32, each of at most ``PIECE`` rows.
    """
    rows, columns = tiling.rows, tiling.columns

    def regions() -> Iterator[tuple[int, int, Any, int, int]]:
        for row in range(len(rows.starts)):
            for column in range(len(columns.starts)):
                (top, bottom), (left, right) = rows.span(row), columns.span(column)
                region = reader.read(top, left, bottom - top, right - left)
                yield row, column, prepare(region), *region.shape[:2]

    band = carried = None
    with ahead(regions()) as prepared:
        for row, column, inputs, height, width in prepared:
            (top, bottom), (left, right) = rows.used(row), columns.used(column)
            logits = run(inputs, height, width)
            if column == 0:
                band = np.zeros((logits.shape[0], bottom - top, columns.length), np.float32)
                if carried is not None:
                    band[:, : carried.shape[1]] = carried
            assert band is not None
            y, x = top - rows.starts[row], left - columns.starts[column]
            used = logits[:, y : y + bottom - top, x : x + right - left]
            band[:, :, left:right] += used * rows.weights(row)[:, None] * columns.weights(column)
            if column == len(columns.starts) - 1:
                done = (rows.used(row + 1)[0] if row + 1 < len(rows.starts) else bottom) - top
                for start in range(0, done, PIECE):
                    yield band[:, start : min(done, start + PIECE)]
                carried = band[:, done:].copy()


def measure_reach(probabilities: Callable[[np.ndarray], np.ndarray], limit: int, channels: int = 3) -> int:
    """Return how far from a cut the probabilities of a network change visibly, pixels, at most ``limit``.

    An image of coarse noise is predicted whole and with its left part cut off. On noise the change was
    seen to reach as far as on photographs, or further; a network with attention or pooling over the whole
    image changes everywhere.

    Args:
        probabilities: maps an image, H×W×channels uint8, to C×H×W.
        limit: a multiple of the network's stride.
        channels: of the image.
    """
    coarse = np.random.default_rng(0).integers(0, 256, (64, limit // 2, channels), dtype=np.uint8)
    image = cv2.resize(coarse, (2 * limit, 256), interpolation=cv2.INTER_CUBIC).reshape(256, -1, channels)
    whole = probabilities(image)[:, :, limit:]
    cut_off = probabilities(np.ascontiguousarray(image[:, limit:]))
    change = np.abs(whole - cut_off).max(axis=(0, 1))
    return int(np.flatnonzero(change > VISIBLE).max(initial=-1)) + 1


def _axis(length: int, tile: int, overlap: int, stride: int) -> Axis:
    if length <= tile:
        return Axis(length, tile, (0,))
    count = -(-(length - overlap) // (tile - overlap))
    tile = _multiple((length + (count - 1) * overlap) / count, stride)
    last = _multiple(length - tile, stride)
    starts = (index * last // (count - 1) // stride * stride for index in range(count))
    return Axis(length, tile, tuple(starts))


def _multiple(length: float, stride: int) -> int:
    return int(-(-length // stride)) * stride


def _rise(begin: int, end: int) -> np.ndarray:
    """Return weights that rise smoothly from 0 to 1 over the pixels of a seam."""
    x = (np.arange(end - begin, dtype=np.float32) + 0.5) / max(1, end - begin)
    return x * x * (3 - 2 * x)
