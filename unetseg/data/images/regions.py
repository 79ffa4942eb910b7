"""Images too large to hold: TIFFs read by region and written by tile rows."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tifffile import TiffWriter

from unetseg.data.images.decode import naming, open_image_file, warn_of_losses
from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB, PixelRule
from unetseg.data.images.pixels import check_pixels, turns, upright, upright_size
from unetseg.data.images.read import read_image
from unetseg.data.images.tiff import TiffPicture
from unetseg.data.images.tiff_as_stored import open_tiff
from unetseg.data.images.write import Colour, check_colours
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import atomic_path, plain_write_errors
from unetseg.utilities.text import printable

_CACHE_BYTES = 128 << 20
_TILE = 512
_CLASSIC_TIFF_BYTES = 4_000_000_000  # offsets have 32 bits


class RegionReader(Protocol):
    """Reads parts of one upright image. For one thread at a time."""

    height: int
    width: int

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return a region that lies within the image, height×width×3 uint8 RGB, or by another rule.

        Raises:
            ImageError: The region's part of the file is damaged or cut off.
            ValueError: The region is empty or reaches out of the image.
        """
        ...


@contextmanager
def open_region_reader(
    path: str | os.PathLike[str], *, max_pixels: int | None = None, rule: PixelRule = EIGHT_BIT_RGB
) -> Iterator[RegionReader]:
    """Open an image to be read by regions, the same pixels as ``read_image`` would give.

    Of a TIFF, only the strips or tiles that a region needs are decoded, and 128 MB of them kept; it may
    be of any size. Any other format, and a TIFF that is one compressed strip, is decoded whole, under
    the limit on pixels of ``read_image``.

    Raises:
        ImageError: The file cannot be read, or is no such image.
    """
    with ExitStack() as open_files:
        reader: RegionReader | None = None
        with naming(path):  # ends before the caller's block, whose errors are its own
            file, kind = open_image_file(path)
            open_files.enter_context(file)
            if kind == "TIFF":
                tiff = open_tiff(file, rule)
                warn_of_losses(path, tiff.losses)
                reader = TiffReader(path, tiff, max_pixels, tiff.read_segment)
        yield reader or ArrayReader(read_image(path, max_pixels=max_pixels, rule=rule))
        if kind == "TIFF":
            warn_of_losses(path, [tiff.lost_levels])  # known only now


def write_tiled_tiff(
    path: str | os.PathLike[str],
    bands: Iterable[np.ndarray],
    height: int,
    width: int,
    *,
    dtype: type[np.uint8] | type[np.uint16] = np.uint8,
    colours: Sequence[Colour] | None = None,
    extratags: Sequence[tuple[int, int, int, Any, bool]] = (),
) -> None:
    """Write labels (or 16-bit grey) as a tiled TIFF from bands of rows, holding one row of tiles at a time.

    Args:
        path: ends in .tif or .tiff; appears only when it is complete.
        bands: arrays of any number of rows × ``width``, from top to bottom.
        height: rows of all bands together.
        width: columns.
        dtype: of the bands.
        colours: RGB of each label for a palette; grey values without.
        extratags: further tags of the file, as tifffile takes them.

    Raises:
        UnetsegError: A band does not fit, a label has no colour, or the file cannot be written.
    """
    if Path(path).suffix.lower() not in (".tif", ".tiff"):
        raise UsageError(f"{printable(path)}: cannot be written as that; end its name in .tif or .tiff")
    checked = _checked(path, bands, (height, width), np.dtype(dtype), colours)
    colour_map = None if colours is None else _colour_map(colours)
    with plain_write_errors(path), atomic_path(path) as part:
        # BigTIFF by the uncompressed size: the compressed one is known too late
        big = height * width * np.dtype(dtype).itemsize > _CLASSIC_TIFF_BYTES
        with open(part, "wb") as file, TiffWriter(file, bigtiff=big) as tiff:
            tiff.write(
                _tiles(checked, height, width, np.dtype(dtype)),
                shape=(height, width),
                dtype=dtype,
                tile=(_TILE, _TILE),
                compression="zlib",
                photometric="minisblack" if colours is None else "palette",
                metadata=None,
                colormap=colour_map,
                extratags=extratags,
            )


class ArrayReader:
    """The regions of an image in memory, H×W×C."""

    def __init__(self, image: np.ndarray) -> None:
        self._image = image
        self.height, self.width = image.shape[:2]

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return a region; see ``RegionReader``."""
        _check_region(self, top, left, height, width)
        return self._image[top : top + height, left : left + width].copy()


class TiffReader:
    """What is made of a TIFF's strips or tiles, by regions of the upright image.

    Args:
        path: Named in errors.
        tiff: Its picture.
        max_pixels: The largest strip or tile that is decoded.
        read_segment: Returns what is made of the strip or tile of a row and a column: h×w or h×w×C.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        tiff: TiffPicture,
        max_pixels: int | None,
        read_segment: Callable[[int, int], np.ndarray],
    ) -> None:
        tiff.check_complete()
        check_pixels(*tiff.segment_shape, max_pixels)
        self._path = path
        self._tiff = tiff
        self._read_segment = read_segment
        self._cache: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._cached_bytes = 0
        self.height, self.width = upright_size(tiff.height, tiff.width, tiff.orientation)

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return a region; see ``RegionReader``."""
        _check_region(self, top, left, height, width)
        transpose, flip_rows, flip_columns = turns(self._tiff.orientation)
        if flip_rows:
            top = self.height - top - height
        if flip_columns:
            left = self.width - left - width
        region = (left, top, width, height) if transpose else (top, left, height, width)
        with naming(self._path):
            return upright(self._read_stored(*region), self._tiff.orientation)

    def _read_stored(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        rows, columns = self._tiff.segment_shape
        out: np.ndarray | None = None
        for row in range(top // rows, (top + height - 1) // rows + 1):
            for column in range(left // columns, (left + width - 1) // columns + 1):
                segment = self._segment(row, column)
                if out is None:
                    out = np.empty((height, width, *segment.shape[2:]), segment.dtype)
                y, x = row * rows - top, column * columns - left  # where the segment starts in out
                part = segment[max(0, -y) : height - y, max(0, -x) : width - x]
                out[max(0, y) : max(0, y) + part.shape[0], max(0, x) : max(0, x) + part.shape[1]] = part
        assert out is not None  # a region has at least one pixel
        return out

    def _segment(self, row: int, column: int) -> np.ndarray:
        key = (row, column)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        segment = self._read_segment(row, column)
        self._cache[key] = segment
        self._cached_bytes += segment.nbytes
        while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
        return segment


def _check_region(reader: RegionReader, top: int, left: int, height: int, width: int) -> None:
    inside = 0 <= top < top + height <= reader.height and 0 <= left < left + width <= reader.width
    if not inside:
        raise ValueError(
            f"region {height}×{width} at ({top}, {left}) is not in the {reader.height}×{reader.width} image"
        )


def _checked(
    path: str | os.PathLike[str],
    bands: Iterable[np.ndarray],
    shape: tuple[int, int],
    dtype: np.dtype,
    colours: Sequence[Colour] | None,
) -> Iterator[np.ndarray]:
    rows = 0
    for band in bands:
        rows += len(band)
        if band.dtype != dtype or band.shape[1:] != shape[1:] or rows > shape[0]:
            raise UnetsegError(
                f"{printable(path)}: a band of shape {band.shape} and type {band.dtype} does not fit "
                f"an image of {shape[0]}×{shape[1]} {dtype}; pass rows of its width, as many as it has"
            )
        if colours is not None and band.size:
            check_colours(path, band, colours)
        yield band
    if rows < shape[0]:
        raise UnetsegError(f"{printable(path)}: {rows} of {shape[0]} rows were given; pass all of them")


def _tiles(bands: Iterable[np.ndarray], height: int, width: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    """Cut bands of any height into tiles, row by row; what lies outside the image is 0."""
    across = -(-width // _TILE)
    strip = np.zeros((_TILE, across * _TILE), dtype)
    filled = done = 0
    for band in bands:
        while len(band):
            count = min(_TILE - filled, len(band))
            strip[filled : filled + count, :width] = band[:count]
            band = band[count:]  # noqa: PLW2901
            filled, done = filled + count, done + count
            if filled == _TILE or done == height:
                strip[filled:] = 0
                for column in range(across):
                    yield strip[:, column * _TILE : (column + 1) * _TILE].copy()
                filled = 0


def _colour_map(colours: Sequence[Colour]) -> np.ndarray:
    table = np.zeros((3, 256), np.uint16)
    table[:, : len(colours)] = np.array(colours, np.uint16).T * 257  # 8 to 16 bits: 255 becomes 65535
    return table
