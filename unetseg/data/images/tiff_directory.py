"""A TIFF's directory held against itself and against the file: what it declares must be there, and no more.

TIFF has no checksum. But its directory says some things twice, and all that it speaks of has a place in the
file, so most damage to it contradicts something. What cannot be told: a picture inverted (MinIsBlack and
MinIsWhite differ in one bit) or turned (one orientation for another), a tiled one that ends elsewhere in its
last tiles, and pixels themselves where no codec has a checksum.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TIFF, TiffFile, TiffPage

from unetseg.data.images.pixels import Refused
from unetseg.utilities.current_file import doubt

# TIFF 6.0 p. 16, BigTIFF: bytes of a value of each type
_SIZES = {1: (1, 2, 6, 7, 129), 2: (3, 8), 4: (4, 9, 11, 13), 8: (5, 10, 12, 16, 17, 18)}
_BYTES = {code: size for size, codes in _SIZES.items() for code in codes}
_ASCII, _INTEGERS = (1, 2, 7, 129), (3, 4, 16)
_TYPES: dict[int, tuple[int, ...]] = dict.fromkeys((256, 257, 273, 278, 279, 322, 323, 324, 325), _INTEGERS)
_TYPES |= dict.fromkeys((254, 255, 258, 259, 262, 266, 274, 277, 284, 296, 317, 338, 339, 530), (3, 4))
_TYPES |= dict.fromkeys((301, 320), (3,)) | dict.fromkeys((282, 283, 318, 319, 532), (5, 11, 12))
_TYPES |= dict.fromkeys((269, 270, 271, 272, 285, 305, 306, 315, 316, 333, 33432), _ASCII)
_ONE_VALUE = (256, 257, 259, 262, 266, 274, 277, 278, 284, 317, 322, 323)
_CHOICES = {266: (1, 2), 274: tuple(range(1, 9)), 284: (1, 2), 317: (1, 2, 3, 34892, 34893, 34894, 34895)}
_PIXELS = {266, 274, 284, 317, 339}  # tags that change pixels and may be absent
_NEAR = {code ^ 1 << bit: code for code in _PIXELS for bit in range(16) if code ^ 1 << bit not in TIFF.TAGS}
_OFFSETS, _COUNTS = (273, 324), (279, 325)
_LARGEST_SMALL_TILE = 2048  # a side; a larger tile is no larger than its image
# The most that a byte of compressed data can stand for; the other codecs have no such limit
_MOST: dict[int, int] = {COMPRESSION.ADOBE_DEFLATE: 1032, COMPRESSION.DEFLATE: 1032, COMPRESSION.PACKBITS: 64}
_MOST |= {COMPRESSION.LZW: 2600, COMPRESSION.JPEG: 1100, COMPRESSION.OJPEG: 1100}
_BEYOND = b"\xff\xff\xff"  # adds pixels to LZW that lacks its end
_MANY_HOLES = 3  # joints that say how the strips or tiles are stored
_SLACK = 64  # bytes that a segment may stand for besides


class _Entry(NamedTuple):
    code: int
    type: int
    values: int
    start: int  # where the values are; they are in the entry itself where both are 0
    end: int


@dataclass(frozen=True)
class Segments:
    """The strips or tiles of a page, int64 each: as the file has them, and how large its size makes them.

    Attributes:
        offsets: Where they are; 0 where none was written.
        counts: How many bytes they have; 0 where none was written.
        expected: How many bytes they have when decoded.
    """

    offsets: np.ndarray
    counts: np.ndarray
    expected: np.ndarray

    @property
    def sparse(self) -> bool:
        """Whether none was ever written: the file stands for zeros (or its nodata value)."""
        return not self.counts.any()


def check_directory(tiff: TiffFile, page: TiffPage) -> Segments:
    """Refuse a page whose directory contradicts itself or the file, before anything is decoded.

    Args:
        tiff: the open file.
        page: the page to be read.

    Raises:
        Refused: It is damaged, cut off, or larger than its file can hold.
    """
    size = tiff.filehandle.size
    entries, end = _entries(tiff, page.offset)
    _check_entries(entries, page, size)
    _check_tiles(page)
    segments = _segments(page)
    taken = [(0, 8), (page.offset, end), *((each.start, each.end) for each in entries if each.end)]
    _check_places(segments, taken, size)
    _check_counts(page, segments)
    return segments


def check_lzw(page: TiffPage, segments: Segments, stored: Callable[[int], bytes]) -> None:
    """Refuse LZW, which has no checksum and which decoders cut in silence, where it does not fit its place.

    Where the last strip or tile ends as it should, so do the others.

    Args:
        page: the page.
        segments: its strips or tiles.
        stored: returns the bytes of one.

    Raises:
        Refused: One holds more pixels than its place, or the last one lacks the code for its end that the
            first one has.
    """
    if page.fillorder != 1 or segments.sparse:
        return
    counts, expected = segments.counts, segments.expected
    first, last = np.flatnonzero(counts)[[0, -1]].tolist()

    def length(index: int, beyond: bytes = b"") -> int:
        """Return how many bytes one stands for, if a few more than expected then not how many more."""
        most = int(expected[index]) + 64
        return len(TIFF.DECOMPRESSORS[COMPRESSION.LZW](stored(index) + beyond, out=most))

    if length(last, _BEYOND) <= expected[last]:
        return
    if first != last and length(first, _BEYOND) <= expected[first]:
        raise _damaged("its last strip or tile is not whole")
    shortest = int(np.argmin(np.where(counts > 0, counts, np.iinfo(np.int64).max)))
    if length(shortest) > expected[shortest]:
        raise _damaged(f"strip or tile {shortest} holds more pixels than its place in the image")


def _damaged(reason: str) -> Refused:
    return Refused(f"is damaged or cut off ({reason}); save or copy it again")


def _entries(tiff: TiffFile, offset: int) -> tuple[list[_Entry], int]:
    """Return the entries of the directory at ``offset``, as they stand in the file, and where it ends."""
    layout, file = tiff.tiff, tiff.filehandle
    file.seek(offset)
    (number,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    start = offset + layout.tagnosize
    table = file.read(number * layout.tagsize)
    end = start + len(table) + layout.offsetsize
    if number == 0 or len(table) < number * layout.tagsize or end > file.size:
        raise _damaged("its directory is not whole")
    entries = []
    for code, kind, count, at in struct.iter_unpack(
        f"{tiff.byteorder}HH{2 * layout.offsetformat[1:]}", table
    ):
        length = count * _BYTES.get(kind, 1)
        place = (at, at + length) if length > layout.offsetsize else (0, 0)
        entries.append(_Entry(code, kind, count, *place))
    following = struct.unpack(layout.offsetformat, file.read(layout.offsetsize))[0]
    if following >= file.size:
        raise _damaged("the place of its next directory lies outside the file")
    return entries, end


def _check_entries(entries: list[_Entry], page: TiffPage, size: int) -> None:
    previous = -1
    for code, kind, count, start, end in entries:
        if code <= previous:
            raise _damaged(f"its directory lists tag {code} after tag {previous}")
        previous = code
        if kind not in _BYTES:
            raise _damaged(f"tag {code} has the unknown type {kind}")
        if code in _TYPES and kind not in _TYPES[code]:
            raise _damaged(f"tag {code} has the type {kind}")
        if count == 0 or (count != 1 and code in _ONE_VALUE) or (code == 301 and count == 1):
            raise _damaged(f"tag {code} has {count} values")
        if end and not 8 <= start < end <= size:
            raise _damaged(f"the values of tag {code} lie outside the file")
        if code in _CHOICES and page.tags.valueof(code) not in _CHOICES[code]:
            raise _damaged(f"tag {code} has the value {page.tags.valueof(code)}")
    present = {entry.code for entry in entries}
    for code in sorted(present & _NEAR.keys()):
        if any(code ^ 1 << bit in _PIXELS - present for bit in range(16)):
            doubt(f"has the unknown tag {code}, which may be a damaged one; compare it with its original")
    _check_samples({entry.code: entry.values for entry in entries}, page)


def _check_samples(counts: dict[int, int], page: TiffPage) -> None:
    """Hold what a directory says of its samples against their number and the colours that they make."""
    samples = page.samplesperpixel
    if 262 not in counts:
        raise _damaged("it does not say which colours its samples are")
    if samples > 1 and counts.get(258) not in (1, samples):  # some software writes one for all
        raise _damaged(f"it has {samples} samples a pixel and {counts.get(258, 0)} bit depths")
    if counts.get(339, 1) not in (1, samples):
        raise _damaged(f"it has {samples} samples a pixel and {counts[339]} sample formats")
    if counts.get(338, 0) >= samples and 338 in counts:
        raise _damaged(f"it has {samples} samples a pixel, {counts[338]} of them extra")
    palette = page.photometric == PHOTOMETRIC.PALETTE
    bits = page.bitspersample if isinstance(page.bitspersample, int) else 16
    if palette and counts.get(320) != 3 * 2**bits:
        raise _damaged("its palette is not whole")
    if 320 in counts and not palette and counts[320] == 3 * 2**bits and samples == 1:
        raise _damaged("it has a palette, and samples that are no indices of one")
    plain: dict[int, int] = {PHOTOMETRIC.MINISBLACK: 1, PHOTOMETRIC.MINISWHITE: 1, PHOTOMETRIC.PALETTE: 1}
    colours = plain.get(int(page.photometric))
    if colours and samples - counts.get(338, 0) != colours:
        raise _damaged(f"it has {samples} samples a pixel, {counts.get(338, 0)} of them extra, and is grey")


def _check_tiles(page: TiffPage) -> None:
    if not page.is_tiled or 273 in page.tags:  # of a striped JPEG, tifffile makes tiles
        return
    for side, whole in ((page.tilelength, page.imagelength), (page.tilewidth, page.imagewidth)):
        if side < 1 or side > max(_LARGEST_SMALL_TILE, -(-whole // 16) * 16):
            raise _damaged(f"its tiles are {side} pixels a side, the image {whole}")


def _segments(page: TiffPage) -> Segments:
    """Return the strips or tiles of a page."""
    values = [
        next((page.tags[code].value for code in codes if code in page.tags), ())
        for codes in (_OFFSETS, _COUNTS)
    ]
    offsets, counts = (np.atleast_1d(np.asarray(value, np.int64)) for value in values)
    expected = _decoded_bytes(page)
    if not counts.size and page.compression == COMPRESSION.NONE and offsets.size == 1:
        counts = expected[:1]  # old writers leave it out
    if offsets.size != counts.size:
        raise _damaged(f"it has {offsets.size} strips or tiles and {counts.size} byte counts")
    return Segments(offsets, counts, expected)


def _check_places(segments: Segments, taken: list[tuple[int, int]], size: int) -> None:
    """Refuse strips or tiles that reach out of the file, into each other, or into the directory."""
    offsets, counts = segments.offsets, segments.counts
    written = counts > 0
    if ((offsets > 0) != written).any():
        raise _damaged("some of its strips or tiles have a place and no length, or a length and no place")
    starts, ends = offsets[written], (offsets + counts)[written]
    if not len(starts):
        return
    first, last = int(starts.min()), int(ends.max())
    if last > size:
        raise Refused("is cut off; save or copy it again")
    if len(starts) > 1:
        _check_order(starts, ends)
    for start, end in taken:
        if start < last and end > first and ((starts < end) & (ends > start)).any():
            raise _damaged("its pixels would lie in its directory")


def _check_order(starts: np.ndarray, ends: np.ndarray) -> None:
    order = np.lexsort((ends, starts))
    starts, ends = starts[order], ends[order]
    holes = starts[1:] - ends[:-1]
    # software that finds two tiles alike may store them once
    alike = (starts[1:] == starts[:-1]) & (ends[1:] == ends[:-1])
    if ((holes < 0) & ~alike).any():
        raise _damaged("some of its strips or tiles overlap")
    _doubt_hole(holes)


def _doubt_hole(holes: np.ndarray) -> None:
    """Doubt a page whose strips or tiles all join but two: editing leaves a hole, and so does damage."""
    if len(holes) >= _MANY_HOLES and np.count_nonzero(holes) == 1:
        doubt("has a hole between two strips or tiles: if it was not edited, it is damaged; look at it")


def _check_counts(page: TiffPage, segments: Segments) -> None:
    """Hold the number and the bytes of strips or tiles against the size of the image."""
    counts, expected = segments.counts, segments.expected
    if len(expected) != len(counts):
        raise _damaged(f"it has {len(counts)} strips or tiles, its size asks for {len(expected)}")
    written = counts > 0
    if page.compression == COMPRESSION.NONE and not page.is_subsampled:
        wrong = written & (counts != expected) & (counts != expected[0])  # the last strip may be filled up
        if wrong.any():
            index = int(np.argmax(wrong))
            raise _damaged(f"strip or tile {index} has {counts[index]} bytes instead of {expected[index]}")
    most = _MOST.get(int(page.compression))
    if most and (written & (expected > counts * most + _SLACK)).any():
        raise _damaged("its size is more than its compressed bytes can stand for")


def _decoded_bytes(page: TiffPage) -> np.ndarray:
    """Return how many bytes each strip or tile has when decoded, int64, in the order of the file."""
    planes, _, _, _, samples = page.shaped
    bits = page.bitspersample if isinstance(page.bitspersample, int) else sum(page.bitspersample)
    if not isinstance(page.bitspersample, int):
        samples = 1
    depth = max(1, page.imagedepth)
    if page.is_tiled and 273 not in page.tags:
        rows, columns = page.tilelength, page.tilewidth
        number = planes * depth * -(-page.imagelength // rows) * -(-page.imagewidth // columns)
        return np.full(number, rows * -(-columns * samples * bits // 8), np.int64)
    rows = min(page.rowsperstrip or page.imagelength, page.imagelength)
    down = -(-page.imagelength // rows)
    heights = np.full(planes * depth * down, rows, np.int64)
    heights[down - 1 :: down] = page.imagelength - rows * (down - 1)
    return heights * -(-page.imagewidth * samples * bits // 8)
