"""The channels of a TIFF as stored: the bands of one page, or pages that are the channels of one picture."""

import copy
from functools import cached_property
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
from tifffile import PHOTOMETRIC, TiffPage

from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB, PixelRule
from unetseg.data.images.pixels import Refused, check_pixels, stored_type, to_uint8
from unetseg.data.images.tiff import TiffPicture, bits_of, check_kind

_GDAL_METADATA, _GDAL_NO_DATA = 42112, 42113
_COLOURS = (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR, PHOTOMETRIC.PALETTE, PHOTOMETRIC.SEPARATED)


class StoredTiff(TiffPicture):
    """A TIFF whose regions are the channels that a rule takes, as stored; of every channel without one.

    Pages are channels where the file calls them so (OME and ImageJ do), and where channels are asked for.

    Args:
        file: an open binary file, which stays the caller's to close.
        rule: which channels are taken; None for all.

    Raises:
        Refused: The page is no picture, or its channels do not fit together.
    """

    def __init__(self, file: BinaryIO, rule: PixelRule | None = None) -> None:
        super().__init__(file)
        self._rule = rule

    @cached_property
    def _planes(self) -> list["StoredTiff"]:
        """The pages that are channels; this one alone where its bands are."""
        rule = self._rule
        places = self._places(chosen=rule is not None and rule.channels is not None)
        if len(places) < 2:
            return [self]
        planes = [self._on(place) for place in places]
        if len({(each.page.shape, each.page.dtype) for each in planes}) > 1 or self._bands > 1:
            raise Refused(f"has {len(places)} pages that do not fit together; save its channels as one TIFF")
        return planes

    def _check(self) -> None:
        """Take a page of any number of bands."""
        if self.page.shaped[1] > 1:
            raise Refused(
                f"is a volume of {self.page.shaped[1]} slices; save each slice as its own 2-D image"
            )

    def _on(self, place: int) -> "StoredTiff":
        page = self._tiff.pages.get(place)
        assert isinstance(page, TiffPage)
        other = copy.copy(self)
        for known in ("_segments", "segment_shape", "_raw_rows"):  # of this page
            other.__dict__.pop(known, None)
        other.page = page
        return other

    def _places(self, chosen: bool) -> list[int]:
        """Return which pages are the channels, one where it is the bands of a single page."""
        if len(self._tiff.pages) < 2 or self.page is not self._tiff.pages.first:
            return []
        series = self._tiff.series[0]
        leading = series.axes[: series.axes.index("Y")]
        lengths = dict(zip(leading, series.shape, strict=False))
        more = {axis: length for axis, length in lengths.items() if length > 1}
        axis = "C" if more.get("C") else next(iter(more), "") if chosen and len(more) == 1 else ""
        pages = [getattr(page, "index", None) for page in series.pages]
        if not axis:
            return []
        if len(pages) != np.prod([*lengths.values()]) or not all(isinstance(each, int) for each in pages):
            raise Refused("has channels that are no pages of this file; save it as one TIFF with all of them")
        first = tuple(slice(None) if each == axis else 0 for each in leading)
        return [int(each) for each in np.array(pages).reshape([*lengths.values()])[first]]

    @property
    def values(self) -> str:
        """The type of what is read: ``uint8``, ``uint16`` or ``float32``."""
        if self.page.photometric in (PHOTOMETRIC.PALETTE, PHOTOMETRIC.SEPARATED):
            return "uint8"
        return self._stored_type(np.zeros((1, 1, 1), self._dtype)).dtype.name

    @property
    def channels(self) -> int:
        """How many channels the file holds."""
        if len(self._planes) > 1:
            return len(self._planes)
        return 3 if self.page.photometric == PHOTOMETRIC.PALETTE else self._bands

    @cached_property
    def picture(self) -> bool:
        """Whether it is grey or RGB, with or without alpha."""
        try:
            check_kind(self.page)
        except Refused:
            return False
        return len(self._planes) == 1

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the file calls its channels, as far as it does."""
        if self.page.photometric in _COLOURS and self.picture:
            return ("red", "green", "blue", "alpha")
        described = self.page.tags.valueof(_GDAL_METADATA)
        if described:
            items = [each for each in _items(described) if each.get("role") == "description"]
            found = {each.get("sample", ""): each.text or "" for each in items}
            return tuple(found.get(str(band), f"band {band + 1}") for band in range(self.channels))
        channels = [each for each in _items(self._tiff.ome_metadata or "") if each.tag.endswith("}Channel")]
        if not any(each.get("Name") for each in channels):
            return ()
        return tuple(each.get("Name", f"channel {i + 1}") for i, each in enumerate(channels))[: self.channels]

    @property
    def names_no_data(self) -> bool:
        """Whether it names a value that stands for no data, so that pixels without any are expected."""
        return _GDAL_NO_DATA in self.page.tags

    @property
    def losses(self) -> list[str]:
        """What is left out, each a text to follow the file's name; some may be empty."""
        pages, bands, *others = super().losses
        if len(self._planes) > 1:
            total = len(self._tiff.pages)
            left = f"has {total} pages; {len(self._planes)} of them are its channels, the others are left out"
            pages = left if total > len(self._planes) else ""
        named = self._rule is not None and self._rule.channels is not None
        return [pages, "" if named else bands, *others]

    def read_rgb(self, max_pixels: int | None = None) -> np.ndarray:
        """Return the channels of the whole image, H×W×C, as stored (not turned upright).

        Raises:
            Refused: It is cut off, over the pixel limit (``check_pixels``), or lacks a channel.
        """
        check_pixels(self.height, self.width, max_pixels)
        return self._picked([each._rgb(each._whole()) for each in self._planes])

    def read_segment(self, row: int, column: int) -> np.ndarray:
        """Return the channels of one tile or strip, clipped to the page, h×w×C."""
        return self._picked([TiffPicture.read_segment(each, row, column) for each in self._planes])

    def check_complete(self) -> None:
        """Refuse pages whose directories contradict themselves, or the file, before anything is decoded."""
        for each in self._planes:
            TiffPicture.check_complete(each)

    def _picked(self, planes: list[np.ndarray]) -> np.ndarray:
        samples = planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)
        return samples if self._rule is None else self._rule.pick(samples, self.names, self.picture)

    def _rgb(self, samples: np.ndarray) -> np.ndarray:
        """Return all bands of the page; palettes and CMYK as RGB."""
        photometric = self.page.photometric
        if photometric in (PHOTOMETRIC.PALETTE, PHOTOMETRIC.SEPARATED):
            return super()._rgb(samples)
        stored = self._stored_type(samples)
        if photometric == PHOTOMETRIC.MINISWHITE and stored.dtype.kind == "u":
            bits = bits_of(self.page)
            stored = (255 if stored.dtype == np.uint8 else 2**bits - 1) - stored
        return stored

    def _stored_type(self, samples: np.ndarray) -> np.ndarray:
        bits = bits_of(self.page)
        if samples.dtype == np.uint8 and bits < 8:
            return to_uint8(samples, 2**bits - 1)
        return stored_type(samples)


def _items(text: str) -> list[ElementTree.Element]:
    try:
        return [*ElementTree.fromstring(text).iter()] if text else []
    except ElementTree.ParseError:
        return []


def open_tiff(file: BinaryIO, rule: PixelRule = EIGHT_BIT_RGB) -> TiffPicture:
    """Open a TIFF as 8-bit RGB, or as the channels that another rule takes."""
    return TiffPicture(file) if rule.eight_bit_rgb else StoredTiff(file, rule)
