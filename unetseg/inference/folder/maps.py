"""Outlines in the coordinates of a map: GeoJSON in degrees, and GeoPackage in the map's own system."""

import io
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from unetseg.data.annotations.vectorise import mask_regions
from unetseg.data.images.georeference import Place
from unetseg.errors import UsageError
from unetseg.utilities.text import printable

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from rasterio.transform import Affine

_DEGREES = "EPSG:4326"  # of WGS 84, whose order in GeoJSON is longitude, latitude
_GPKG = "1.2"  # which programs of any age read
_OFF = 0.1  # pixels that the middle of an edge may lie beside where it belongs
_DECIMALS = 9  # of degrees: a tenth of a millimetre
_GRID = (
    "Longitude and latitude in degrees (WGS 84); outlines follow the edges of the pixels of an image in {}, "
    "and lie where its georeference puts them."
)


def require_map(path: str | os.PathLike[str], place: Place | None) -> None:
    """Refuse an image whose outlines have no place on the map.

    Raises:
        UsageError: It has no georeference, or one without a coordinate system or without a position.
    """
    name = printable(path)
    if place is None or not place.tags:
        raise UsageError(
            f"{name}: has no georeference, which --format gpkg needs; --format geojson writes pixels then"
        )
    crs, transform = _system(place)
    if crs is None:
        raise UsageError(
            f"{name}: its georeference names no coordinate system; give it one, as with gdal_edit.py -a_srs, "
            "or write --format tiff"
        )
    if transform.is_identity:
        raise UsageError(
            f"{name}: its georeference is of single points, not of all pixels; warp it, as with gdalwarp"
        )


def map_geojson(
    mask: np.ndarray, classes: Sequence[str], name: str, place: Place, numbers: np.ndarray | None = None
) -> dict[str, Any]:
    """Return a FeatureCollection (RFC 7946) in longitude and latitude: one Feature a region of a class.

    A region is connected by its pixels' sides; what crosses the antimeridian is cut there.

    Args:
        mask: H×W uint8 class indices.
        classes: class names by index.
        name: of the image.
        place: of the image, as ``require_map`` lets it pass.
        numbers: H×W, the objects, as of ``mask_regions``; each is a Feature then.
    """
    from rasterio.warp import transform_geom

    crs, transform = _system(place)
    assert crs is not None
    indices, shapes = [], []
    longest = _longest_edge(crs, transform, *mask.shape)
    for index, rings in _polygons(mask, classes, transform, numbers, longest):
        indices.append(index)
        shapes.append({"type": "Polygon", "coordinates": [ring.tolist() for ring in rings]})
    placed = transform_geom(crs, _DEGREES, shapes, precision=_DECIMALS) if shapes else []
    features = [
        {
            "type": "Feature",
            "properties": {"class": classes[index], "index": index},
            "geometry": {"type": shape["type"], "coordinates": shape["coordinates"]},
        }
        for index, shape in zip(indices, placed, strict=True)
    ]
    return {
        "type": "FeatureCollection",
        "description": _GRID.format(crs.to_string()),
        "image": printable(name),
        "features": features,
    }


def geopackage(
    mask: np.ndarray, classes: Sequence[str], place: Place, numbers: np.ndarray | None = None
) -> bytes:
    """Return a GeoPackage with one layer, ``mask``: a polygon a region, with ``class`` and ``index``.

    Args:
        mask: H×W uint8 class indices.
        classes: class names by index.
        place: of the image, as ``require_map`` lets it pass.
        numbers: H×W, the objects, as of ``mask_regions``; each is a polygon then.
    """
    from pyogrio.raw import write

    crs, transform = _system(place)
    assert crs is not None
    found = list(_polygons(mask, classes, transform, numbers))
    geometry = np.empty(len(found), object)
    geometry[:] = [_wkb(rings) for _, rings in found]
    indices = np.array([index for index, _ in found], np.int32)
    names = np.array([classes[index] for index, _ in found], object)
    packed = io.BytesIO()
    write(
        packed,
        geometry,
        [names, indices],
        ["class", "index"],
        layer="mask",
        driver="GPKG",
        geometry_type="Polygon",
        crs=crs.to_wkt(),
        dataset_options={"VERSION": _GPKG},
    )
    return packed.getvalue()


def _system(place: Place) -> "tuple[CRS | None, Affine]":
    """Return the coordinate system, and what maps (column, row) into it: as GDAL reads the tags.

    They are read from a file of one pixel in memory: beside the image there may be files that say otherwise.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    packed = io.BytesIO()
    tifffile.imwrite(packed, np.zeros((1, 1), np.uint8), extratags=list(place.tags), metadata=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.MemoryFile(packed.getvalue()) as file, file.open() as opened:
            return opened.crs, opened.transform


def _longest_edge(crs: "CRS", transform: "Affine", height: int, width: int) -> int:
    """Return how many pixels long an edge may be that is straight in degrees, too, within a tenth of a pixel.

    It is tried along the rows and the columns at nine places of the image.
    """
    from rasterio.warp import transform as to

    def degrees(points: np.ndarray) -> np.ndarray:
        x, y = _on_map(points, transform).T
        return np.stack(to(crs, _DEGREES, x, y)[:2], axis=1)

    length = max(height, width)
    while length > 1:
        starts = np.array([(x * width / 2, y * height / 2) for x in range(3) for y in range(3)])
        across, down = np.array([1.0, 0.0]), np.array([0.0, 1.0])
        origin = degrees(starts)
        pixel = np.stack([degrees(starts + across) - origin, degrees(starts + down) - origin], axis=2)
        middles = [
            degrees(starts + way * length / 2) - (degrees(starts) + degrees(starts + way * length)) / 2
            for way in (across, down)
        ]
        off = [np.linalg.solve(pixel, middle[..., None]) for middle in middles]
        if np.abs(off).max() <= _OFF:
            break
        length //= 2
    return length


def _with_vertices(ring: np.ndarray, longest: int) -> np.ndarray:
    """Return a closed ring, N×2 pixels, with vertices between, so that no edge is longer than ``longest``."""
    edges = np.diff(ring, axis=0)
    parts = np.maximum(1, np.ceil(np.abs(edges).max(axis=1) / longest)).astype(int)
    first = np.repeat(np.cumsum(parts) - parts, parts)
    along = (np.arange(parts.sum()) - first) / np.repeat(parts, parts)
    starts, steps = (np.repeat(each, parts, axis=0) for each in (ring[:-1], edges))
    return np.append(starts + along[:, None] * steps, ring[-1:], axis=0)


def _polygons(
    mask: np.ndarray,
    classes: Sequence[str],
    transform: "Affine",
    numbers: np.ndarray | None,
    longest: int | None = None,
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield each region's class and its rings, N×2, closed, in the map's coordinates, outer ones to the left.

    On a map y leads up: most georeferences turn the sense of a ring round.
    """
    step = -1 if transform.determinant < 0 else 1
    for index, polygon in mask_regions(mask, len(classes), numbers):
        rings = [np.array(ring, np.float64) for ring in polygon]
        if longest is not None:
            rings = [_with_vertices(ring, longest) for ring in rings]
        yield index, [_on_map(ring, transform)[::step] for ring in rings]


def _on_map(points: np.ndarray, transform: "Affine") -> np.ndarray:
    """Map N×2 (column, row) to N×2 coordinates of the map."""
    turn = np.array([(transform.a, transform.d), (transform.b, transform.e)])
    placed: np.ndarray = points @ turn + (transform.c, transform.f)
    return placed


def _wkb(rings: Sequence[np.ndarray]) -> bytes:
    """Return a polygon as well-known binary (OGC 06-103r4): little-endian, type 3."""
    parts = [struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        parts += [struct.pack("<I", len(ring)), np.ascontiguousarray(ring, "<f8").tobytes()]
    return b"".join(parts)
