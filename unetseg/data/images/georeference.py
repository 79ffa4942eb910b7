"""Where a TIFF's picture lies on the map, and which of its pixels hold no data: the tags of GeoTIFF and GDAL.

The tags are copied as they are, so that nothing of a coordinate system is lost on the way and no package is
needed for it.
"""

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from tifffile import TiffPage

from unetseg.data.images.decode import naming, open_image_file
from unetseg.data.images.pixels import turns
from unetseg.data.images.regions import TiffReader
from unetseg.data.images.tiff import TiffPicture
from unetseg.data.images.tiff_as_stored import StoredTiff
from unetseg.utilities.current_file import tell
from unetseg.utilities.text import printable

Path = str | os.PathLike[str]
Tag: TypeAlias = tuple[int, int, int, Any, bool]

_PLACE = (33550, 33922, 34264)  # GeoTIFF 1.1: pixel scale, tie points, matrix
_SYSTEM = (34735, 34736, 34737)  # the keys of the coordinate system, their numbers and texts
_NO_DATA = 42113  # GDAL's, as text
_ASCII = 2


@dataclass(frozen=True)
class Place:
    """What a TIFF says beside its pixels.

    Attributes:
        tags: Of GeoTIFF, as tifffile writes them; empty where it has no georeference.
        no_data: Whether it names a value that stands for no data.
    """

    tags: tuple[Tag, ...] = ()
    no_data: bool = False

    def tags_of_mask(self, no_data: int) -> list[Tag]:
        """Return the tags of a mask of this picture, in which ``no_data`` stands for no data."""
        own = [(_NO_DATA, _ASCII, 0, str(no_data), True)] if self.no_data else []
        return [*self.tags, *own]


def read_place(path: Path) -> Place | None:
    """Return where an image lies on the map and whether it names a value for no data; None if neither.

    A picture that its orientation turns has no place: the tags speak of its pixels as they are stored.

    Raises:
        ImageError: The file cannot be read.
    """
    with naming(path):
        file, kind = open_image_file(path)
        with file:
            picture = StoredTiff(file) if kind == "TIFF" else None
            if picture is None:
                return None
            tags, no_data = _tags(picture.page), _NO_DATA in picture.page.tags
            if tags and any(turns(picture.orientation)):
                tell(f"{printable(path)}: its orientation turns it, so its georeference is not kept")
                tags = ()
    return Place(tags, no_data) if tags or no_data else None


def _tags(page: TiffPage) -> tuple[Tag, ...]:
    if not any(code in page.tags for code in _PLACE):
        return ()
    found = (page.tags.get(code) for code in (*_PLACE, *_SYSTEM))
    return tuple(
        (tag.code, int(tag.dtype), 0 if tag.dtype == _ASCII else tag.count, tag.value, True)
        for tag in found
        if tag is not None
    )


class NoData:
    """Tells which pixels of one upright TIFF hold no data. For one thread at a time."""

    def __init__(self, path: Path, picture: TiffPicture, value: float, max_pixels: int | None) -> None:
        self._value = value
        self._colours = sum(kind not in (1, 2) for kind in picture.page.extrasamples)
        self._colours += picture.page.shaped[0] * picture.page.shaped[4] - len(picture.page.extrasamples)
        self._reader = TiffReader(path, picture, max_pixels, self._of_segment)
        self._picture = picture
        self.height, self.width = self._reader.height, self._reader.width

    def read(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return a region that lies within the image, height×width bool: True where no band holds data."""
        return self._reader.read(top, left, height, width)

    def _of_segment(self, row: int, column: int) -> np.ndarray:
        samples = self._picture.read_samples(row, column)[:, :, : self._colours]
        if np.isnan(self._value):
            missing = np.isnan(samples) if samples.dtype.kind == "f" else np.zeros(samples.shape, bool)
        elif samples.dtype.kind == "f":
            missing = samples == samples.dtype.type(self._value)
        else:
            missing = samples == self._value
        return np.asarray(missing.all(axis=2))


@contextmanager
def open_no_data(
    path: Path, max_pixels: int | None = None, unless: Collection[int] = ()
) -> Iterator[NoData | None]:
    """Open an image to be asked, region by region, where it holds no data: GDAL's value in all bands.

    Args:
        path: The file.
        max_pixels: The largest strip or tile that is decoded.
        unless: Values that mean something else, as those of a mask's classes.

    Yields:
        None where the file names no value for no data.

    Raises:
        ImageError: The file cannot be read.
    """
    with ExitStack() as open_files:
        with naming(path):
            file, kind = open_image_file(path)
            open_files.enter_context(file)
            found = _no_data(path, file, max_pixels, unless) if kind == "TIFF" else None
        yield found


def _no_data(path: Path, file: BinaryIO, max_pixels: int | None, unless: Collection[int]) -> NoData | None:
    picture = StoredTiff(file)
    if _NO_DATA not in picture.page.tags:
        return None
    text = str(picture.page.tags[_NO_DATA].value).strip("\0 ")
    try:
        value = float(text)
    except ValueError:
        tell(f"{printable(path)}: its value for no data, '{printable(text)[:40]}', is no number")
        return None
    return None if value in unless else NoData(path, picture, value, max_pixels)


def read_no_data(path: Path, unless: Collection[int] = ()) -> np.ndarray | None:
    """Return where an image holds no data, H×W bool of the upright image; None where all of it is data.

    Args:
        path: The file.
        unless: Values that mean something else.

    Raises:
        ImageError: The file cannot be read.
    """
    with open_no_data(path, unless=unless) as found:
        missing = None if found is None else found.read(0, 0, found.height, found.width)
    return missing if missing is not None and missing.any() else None
