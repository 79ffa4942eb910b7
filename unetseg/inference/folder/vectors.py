"""Masks without pixels: outlines as GeoJSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unetseg.data.annotations.vectorise import mask_regions
from unetseg.utilities.text import printable

_PIXELS = (
    "Coordinates are pixels, not degrees: x to the right from the image's left edge, y down from its top "
    "edge; outlines follow the pixels' edges, and the pixel of row r and column c is the square from "
    "(c, r) to (c + 1, r + 1)."
)


def to_geojson(
    mask: np.ndarray, classes: Sequence[str], name: str, numbers: np.ndarray | None = None
) -> dict[str, Any]:
    """Return a FeatureCollection (RFC 7946): one Polygon with holes for each region of a foreground class.

    A region is connected by its pixels' sides; a Feature's properties are ``class``, the name, and
    ``index``. The collection says in ``description`` that coordinates are pixels.

    Args:
        mask: H×W uint8 class indices.
        classes: class names by index.
        name: of the image.
        numbers: H×W, the objects, as of ``mask_regions``; each is a Feature then.
    """
    features = [
        {
            "type": "Feature",
            "properties": {"class": classes[index], "index": index},
            "geometry": {"type": "Polygon", "coordinates": polygon},
        }
        for index, polygon in mask_regions(mask, len(classes), numbers)
    ]
    height, width = mask.shape
    return {
        "type": "FeatureCollection",
        "description": _PIXELS,
        "image": printable(name),
        "width": width,
        "height": height,
        "features": features,
    }
