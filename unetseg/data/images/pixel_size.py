"""How large a pixel is where a TIFF says it: OME, ImageJ, a georeference in lengths, or its resolution."""

import math
import os
from dataclasses import dataclass
from xml.etree import ElementTree

import tifffile

from unetseg.data.images.decode import opened
from unetseg.data.images.pixels import turns
from unetseg.utilities.current_file import tell
from unetseg.utilities.text import printable

_NO_LENGTH = ("", "pixel", "pixels", "none", "reference frame")
_SCREENS = (1, 72, 96)  # dots an inch: what programs write that know none
_MILLIMETRES = {2: 25.4, 3: 10.0}  # in the inch and the centimetre of ResolutionUnit
_PROJECTED = 1  # GTModelTypeGeoKey: degrees are no lengths
_MAP_UNITS = {9001: "m", 9002: "foot", 9003: "US survey foot"}  # ProjLinearUnitsGeoKey
_MICROMETRE = {"micron", "microns", "um", "\\u00b5m", "\u03bcm", "µm"}


@dataclass(frozen=True)
class PixelSize:
    """The sides of a pixel of the upright image, and the unit that they are in."""

    height: float
    width: float
    unit: str


def read_pixel_size(path: str | os.PathLike[str]) -> PixelSize | None:
    """Return how large the pixels of an image are; None where its file does not say it.

    Resolutions of 72 and 96 dots an inch are those of screens and say nothing of what is shown; degrees of a
    map are no lengths.

    Raises:
        ImageError: The file cannot be opened.
    """
    with opened(path) as (file, kind):
        if kind != "TIFF":
            return None
        try:
            with tifffile.TiffFile(file) as tiff:
                found, orientation = _of_tiff(tiff)
        except Exception:  # whatever stands in its text: the pixels are read all the same
            tell(f"{printable(path)}: does not say plainly how large a pixel is; lengths are in pixels")
            return None
    if found is None or not (0 < found.height < math.inf and 0 < found.width < math.inf):
        return None
    return PixelSize(found.width, found.height, found.unit) if turns(orientation)[0] else found


def _of_tiff(tiff: tifffile.TiffFile) -> tuple[PixelSize | None, object]:
    page = tiff.pages.first
    assert isinstance(page, tifffile.TiffPage)
    found = _of_ome(tiff) or _of_imagej(tiff, page) or _of_map(page) or _of_resolution(page)
    return found, page.tags.valueof("Orientation", 1)


def _of_ome(tiff: tifffile.TiffFile) -> PixelSize | None:
    if not tiff.ome_metadata:
        return None
    pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        return None
    width = float(pixels.attrib["PhysicalSizeX"])
    unit = pixels.get("PhysicalSizeXUnit", "µm")
    height = float(pixels.get("PhysicalSizeY", width))
    same = pixels.get("PhysicalSizeYUnit", "µm") == unit
    return PixelSize(height, width, unit) if same and unit not in _NO_LENGTH else None


def _of_imagej(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> PixelSize | None:
    unit = str((tiff.imagej_metadata or {}).get("unit", ""))
    across, down = _per_unit(page)
    if unit in _NO_LENGTH or not across or not down:
        return None
    return PixelSize(1 / down, 1 / across, "µm" if unit.lower() in _MICROMETRE else unit)


def _of_map(page: tifffile.TiffPage) -> PixelSize | None:
    keys = page.geotiff_tags or {}
    scale = keys.get("ModelPixelScale")
    if scale is None or int(keys.get("GTModelTypeGeoKey", 0)) != _PROJECTED:
        return None
    unit = int(keys.get("ProjLinearUnitsGeoKey", 0))
    return PixelSize(float(scale[1]), float(scale[0]), _MAP_UNITS.get(unit, "map unit"))


def _of_resolution(page: tifffile.TiffPage) -> PixelSize | None:
    length = _MILLIMETRES.get(int(page.tags.valueof("ResolutionUnit", 1)))
    across, down = _per_unit(page)
    if length is None or not across or not down or round(across * 25.4 / length) in _SCREENS:
        return None
    return PixelSize(length / down, length / across, "mm")


def _per_unit(page: tifffile.TiffPage) -> tuple[float, float]:
    """Return the pixels in a unit of length, across and down; 0 where the file does not say it."""
    found = []
    for tag in ("XResolution", "YResolution"):
        count, units = page.tags.valueof(tag, (0, 1))
        found.append(count / units if units else 0.0)
    return found[0], found[1]
