"""TIFF through tifffile: the first full-size page, whole or one strip or tile at a time."""

import logging
from functools import cached_property
from typing import BinaryIO

import numpy as np
from PIL import Image
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage

from unetseg.data.images.pixels import (
    ORIENTATION_TAG,
    Refused,
    check_pixels,
    lost_levels,
    three_channels,
    to_uint8,
)
from unetseg.data.images.stored_mask import StoredMask, refuse_shape_in_alpha
from unetseg.data.images.tiff_directory import Segments, check_directory, check_lzw
from unetseg.utilities.current_file import DoubtOfLines

logging.getLogger("tifffile").addHandler(DoubtOfLines())  # it reports damage to its logger, without a name

_JPEG = (COMPRESSION.OJPEG, COMPRESSION.JPEG, COMPRESSION.JPEG_LOSSY)
_LOSSY = (*_JPEG, COMPRESSION.WEBP)
_RAW_STRIP_BYTES = 1 << 20


class TiffPicture:
    """The first full-size page of a TIFF: its size, and its pixels as RGB or as labels.

    Args:
        file: an open binary file, which stays the caller's to close.

    Raises:
        Refused: The page is no picture of up to three channels and alpha.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._tiff = TiffFile(file)
        self.page = _first_full_page(self._tiff)
        self.height, self.width = self.page.imagelength, self.page.imagewidth
        self.orientation = self.page.tags.valueof(ORIENTATION_TAG, 1)
        if self.height < 1 or self.width < 1:
            raise Refused("has no pixels; leave it out")
        self._check()
        if self.page.dtype is None:
            raise Refused("has a sample type of its own; save it with 8 or 16 bits a channel")
        self._dtype = np.dtype(self.page.dtype)
        self._levels = np.zeros(65536, bool)  # 16-bit values that were read

    def _check(self) -> None:
        check_kind(self.page)

    @property
    def pages(self) -> int:
        """Pages of the first one's size: more than one where the file is a stack, not a pyramid."""
        pages = self._tiff.pages
        if self.page is not pages.first or len(pages) < 2:
            return 1
        second = pages[1]
        same = isinstance(second, TiffPage) and second.shape == self.page.shape and not second.is_reduced
        return len(pages) if same else 1

    @property
    def losses(self) -> list[str]:
        """What reading it as RGB leaves out, each a text to follow the file's name; some may be empty.

        The grey levels are those of what was read until now.
        """
        pages = f"has {self.pages} pages; the first is used" if self.pages > 1 else ""
        unnamed = self.page.photometric == PHOTOMETRIC.RGB and 0 in self.page.extrasamples
        bands = f"has {self._bands} bands; the first three are used" if unnamed else ""
        return [pages, bands, self.lost_levels]

    @property
    def lost_levels(self) -> str:
        """How many grey levels of what was read until now are left; empty where nothing is lost."""
        return lost_levels(np.flatnonzero(self._levels).astype(np.uint16))

    @property
    def _bands(self) -> int:
        return self.page.shaped[0] * self.page.shaped[4]

    def read_rgb(self, max_pixels: int | None = None) -> np.ndarray:
        """Return the whole page, H×W×3 uint8 RGB, as stored (not turned upright).

        Raises:
            Refused: It is cut off, over the pixel limit (``check_pixels``), or of an unknown kind.
        """
        check_pixels(self.height, self.width, max_pixels)
        return self._rgb(self._whole())

    def read_mask(self, max_pixels: int | None = None) -> StoredMask:
        """Return a mask as stored (not turned upright), with its palette and depth.

        Raises:
            Refused: As ``read_rgb``, the values are no labels, or the shape is in the alpha channel.
        """
        check_pixels(self.height, self.width, max_pixels)
        page = self.page
        if page.compression in _LOSSY:
            raise Refused("is a lossy TIFF, whose values are not those saved; save masks as PNG")
        mask, alpha = self._mask_and_alpha(self._whole())
        if alpha is not None:
            refuse_shape_in_alpha(mask, alpha)
        return mask

    def _mask_and_alpha(self, stored: np.ndarray) -> tuple[StoredMask, np.ndarray | None]:
        page = self.page
        alpha = stored[:, :, -1] if stored.shape[2] in (2, 4) else None
        if page.photometric == PHOTOMETRIC.RGB or stored.shape[2] > 2:
            if stored.dtype != np.uint8:
                raise Refused(
                    "is a colour mask of more than 8 bits; save it as 8-bit RGB or with label values"
                )
            return StoredMask(stored[:, :, :3]), alpha
        values = stored[:, :, 0]
        white_is_zero = page.photometric == PHOTOMETRIC.MINISWHITE
        if values.dtype == np.bool_:  # white counts as 1, whichever way round it is stored
            return StoredMask((values != white_is_zero).astype(np.uint8), 1), alpha
        if page.photometric == PHOTOMETRIC.PALETTE and page.colormap is not None:
            return StoredMask(_small_unsigned(values), palette=_eight_bit_colours(page.colormap)), alpha
        labels = _small_unsigned(values)
        bits = page.bitspersample if isinstance(page.bitspersample, int) else 8
        return StoredMask(labels, 2 ** min(bits, 16) - 1, inverted=white_is_zero), alpha

    def _whole(self) -> np.ndarray:
        self.check_complete()
        page = self.page
        if self._segments.sparse:
            return _interleave(np.full(page.shaped, page.nodata, self._dtype))
        return _interleave(page.asarray().reshape(page.shaped))

    def check_complete(self) -> None:
        """Refuse a page whose directory contradicts itself, or the file, before anything is decoded.

        tifffile would fill what is missing with zeros, and decode what a damaged size asks for.
        """
        if self.page.compression == COMPRESSION.LZW:
            check_lzw(self.page, self._segments, self._stored)
        else:
            _ = self._segments

    @cached_property
    def _segments(self) -> Segments:
        """The strips or tiles, once their directory was held against itself and the file."""
        return check_directory(self._tiff, self.page)

    def _stored(self, index: int) -> bytes:
        """Return the bytes of a strip or tile as they stand in the file."""
        file = self._tiff.filehandle
        file.seek(self.page.dataoffsets[index])
        return file.read(self.page.databytecounts[index])

    @cached_property
    def segment_shape(self) -> tuple[int, int]:
        """Height and width of a tile, or of a strip (rows stored raw are cut into strips of a megabyte)."""
        if self.page.is_tiled:
            return self.page.tilelength, self.page.tilewidth
        if self._raw_rows:
            return max(1, min(self.height, _RAW_STRIP_BYTES // self._row_bytes)), self.width
        return min(self.page.rowsperstrip, self.height), self.width

    def read_segment(self, row: int, column: int) -> np.ndarray:
        """Return one tile or strip, clipped to the page, as h×w×3 uint8 RGB."""
        return self._rgb(self.read_samples(row, column))

    def read_samples(self, row: int, column: int) -> np.ndarray:
        """Return one tile or strip, clipped to the page, as h×w×C samples of the file's own type."""
        height, width = self.segment_shape
        top, left = row * height, column * width
        if self._raw_rows:
            return self._read_rows(top, min(height, self.height - top))
        down, across = -(-self.height // height), -(-self.width // width)
        planes = self.page.shaped[0]
        indices = [(plane * down + row) * across + column for plane in range(planes)]
        stored = np.stack([self._decode(index) for index in indices])
        block: np.ndarray = _interleave(stored)
        return block[: self.height - top, : self.width - left]

    @cached_property
    def _raw_rows(self) -> bool:
        raw = self.page.is_final and not self.page.is_tiled and self.page.shaped[0] == 1
        return raw and not self._segments.sparse

    @property
    def _row_bytes(self) -> int:
        return self.width * self.page.shaped[4] * self._dtype.itemsize

    def _read_rows(self, top: int, count: int) -> np.ndarray:
        file = self._tiff.filehandle
        file.seek(self.page.dataoffsets[0] + top * self._row_bytes)
        dtype = self._dtype.newbyteorder(self._tiff.byteorder)
        rows = np.frombuffer(file.read(count * self._row_bytes), dtype)
        return rows.reshape(count, self.width, -1).astype(self._dtype, copy=False)

    def _decode(self, index: int) -> np.ndarray:
        page = self.page
        tables = {}
        if page.compression in _JPEG:
            tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
        data = self._stored(index) if page.databytecounts[index] else None
        block, _, shape = page.decode(data, index, **tables)
        return np.full(shape, page.nodata, self._dtype) if block is None else block

    def _rgb(self, samples: np.ndarray) -> np.ndarray:
        page = self.page
        if page.photometric == PHOTOMETRIC.PALETTE:
            if page.colormap is None:
                raise Refused("has a palette image without palette; save it as RGB")
            indices = np.minimum(samples[:, :, 0], page.colormap.shape[1] - 1)
            rgb: np.ndarray = to_uint8(page.colormap.T, 65535)[indices]
            return rgb
        if samples.dtype == np.uint16 and bits_of(page) == 16:
            self._levels[samples] = True
        maximum = 1 if samples.dtype == np.bool_ else 2 ** bits_of(page) - 1
        eight_bits = to_uint8(samples, maximum)
        if page.photometric == PHOTOMETRIC.MINISWHITE:
            eight_bits = 255 - eight_bits
        if page.photometric == PHOTOMETRIC.SEPARATED:
            return _from_cmyk(eight_bits)
        return three_channels(eight_bits)


def _first_full_page(tiff: TiffFile) -> TiffPage:
    """Return the first page that is no thumbnail or lower level of a pyramid."""
    first = tiff.pages.first
    if not first.is_reduced:
        return first
    for page in tiff.pages[1:16]:
        if isinstance(page, TiffPage) and not page.is_reduced:
            return page
    return first


def check_kind(page: TiffPage) -> None:
    """Refuse a page that is not grey or RGB, with or without alpha."""
    planes, depth, _, _, samples = page.shaped
    channels = planes * samples
    if depth > 1:
        raise Refused(f"is a volume of {depth} slices; save each slice as its own 2-D image")
    named_alpha = any(kind in (1, 2) for kind in page.extrasamples)
    grey = page.photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE)
    if channels > 4 or (grey and channels in (2, 4) and not named_alpha):
        raise Refused(
            f"has {channels} channels (multispectral); save the three to use as an 8- or 16-bit RGB TIFF"
        )
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression in _JPEG:
        return  # tifffile returns RGB
    known = (PHOTOMETRIC.RGB, PHOTOMETRIC.PALETTE)
    if not grey and page.photometric not in known and not (_is_cmyk(page) and channels == 4):
        name = getattr(page.photometric, "name", "UNKNOWN")
        raise Refused(f"has the colour space {name}; save it as RGB or grey")
    if page.photometric == PHOTOMETRIC.RGB and channels < 3:
        raise Refused(f"is an RGB TIFF of {channels} channels; save it as RGB or grey")


def _is_cmyk(page: TiffPage) -> bool:
    return page.photometric == PHOTOMETRIC.SEPARATED


def bits_of(page: TiffPage) -> int:
    """Return the bits a sample, which all channels must have alike."""
    bits = page.bitspersample
    if not isinstance(bits, int):
        raise Refused("has channels of different bit depths; save it with 8 or 16 bits a channel")
    return bits


def _interleave(shaped: np.ndarray) -> np.ndarray:
    """Map tifffile's (planes, depth 1, H, W, samples) to H×W×C."""
    flat = shaped[:, 0]
    return flat[0] if flat.shape[0] == 1 else np.moveaxis(flat[..., 0], 0, -1)


def _from_cmyk(samples: np.ndarray) -> np.ndarray:
    height, width, _ = samples.shape
    return np.asarray(Image.frombytes("CMYK", (width, height), samples.tobytes()).convert("RGB"))


def _eight_bit_colours(colour_map: np.ndarray) -> np.ndarray:
    """Return a TIFF's colour map, 3×K uint16, as K×3 uint8; writers scale by 257, by 256, or not at all."""
    return (colour_map >> 8 if colour_map.max() > 255 else colour_map).T.astype(np.uint8)


def _small_unsigned(values: np.ndarray) -> np.ndarray:
    if values.dtype in (np.uint8, np.uint16):
        return values
    if values.dtype.kind not in "iu":
        raise Refused("holds floating-point values, not labels; save whole numbers as 8 or 16 bits")
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise Refused("holds labels outside 0 to 65535; save them as 8 or 16 bits, unsigned")
    return values.astype(np.uint16)
