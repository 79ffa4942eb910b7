"""QuPath's GeoJSON: a file an image, polygons with holes in pixels; and the GeoJSON that predict writes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unetseg.data.annotations.label_files import (
    BadShape,
    LabelFiles,
    sound_shapes,
    vertices,
    written_size,
)
from unetseg.data.annotations.objects import LabelledImage, LabelledObject, LabelSet, Outline
from unetseg.data.annotations.vectorise import mask_objects
from unetseg.utilities.text import printable

_OURS = "Coordinates are pixels"  # begins the description in what predict writes
_MARKS = {"objectType", "classification", "isLocked"}  # of QuPath's features, old and new
_OF_QUPATH = ("annotation", "detection", "cell")
_OF_ANY_OTHER_CLASS = "object"
_PARTS = {"Polygon": lambda coordinates: [coordinates], "MultiPolygon": list}


def find(files: LabelFiles) -> list[Path]:
    """Return the files of this format: features of QuPath, or in pixels; those of maps are in degrees."""
    return [path for path in files.ending(".geojson", ".json") if _is_one(files.json(path))]


def _is_one(document: Any) -> bool:
    if isinstance(document, dict) and str(document.get("description")).startswith(_OURS):
        return True
    features = _features(document)
    return bool(features) and all(
        isinstance(each, dict) and each.get("type") == "Feature" and bool(_properties(each).keys() & _MARKS)
        for each in features
    )


def _features(document: Any) -> list[Any]:
    features = document.get("features") if isinstance(document, dict) else document
    return features if isinstance(features, list) else []


def _properties(feature: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = feature.get("properties")
    return properties if isinstance(properties, dict) else {}


def read(files: LabelFiles, found: Sequence[Path]) -> LabelSet:
    """Read GeoJSON files, each of the image of its name; of two that overlap the later is on top."""
    labels = LabelSet()
    for path in found:
        document = files.json(path)
        with labels.sound_only():
            name, image = files.place(files.namesake(path), path.name, path, alone=True)
            objects = _objects(_features(document), printable(path), labels)
            size = written_size(document) or (None if image else files.size_of(name))
            labels.images.append(LabelledImage(name, image, size, objects, path))
    return labels


def _objects(features: Sequence[Any], where: str, labels: LabelSet) -> tuple[LabelledObject, ...]:
    found = []
    for number, each in enumerate(features, start=1):
        properties, geometry = _properties(each), each.get("geometry") or {}
        kind = properties.get("objectType", _OF_QUPATH[0])
        if kind not in _OF_QUPATH:
            labels.leave_out(f"{kind}(s)")
            continue
        if geometry.get("type") not in _PARTS:
            labels.leave_out(f"shape(s) without an area ({geometry.get('type')})")
            continue
        with sound_shapes(labels, f"{where}: feature {number}"):
            found.append(LabelledObject(_class(properties), _shapes(geometry)))
    return tuple(found)


def _shapes(geometry: Mapping[str, Any]) -> tuple[Outline, ...]:
    polygons = _PARTS[geometry["type"]](geometry.get("coordinates"))
    try:
        return tuple(Outline(tuple(vertices(ring) for ring in rings)) for rings in polygons)
    except TypeError as error:
        raise BadShape(str(error)) from error


def _class(properties: Mapping[str, Any]) -> str:
    classification = properties.get("classification")
    if isinstance(classification, dict):
        names = classification.get("names")
        return ": ".join(names) if isinstance(names, list) else str(classification.get("name"))
    return str(properties.get("class", _OF_ANY_OTHER_CLASS))


def encode(
    mask: np.ndarray,
    classes: Sequence[str],
    colours: Sequence[Any],
    name: str,
    numbers: np.ndarray | None = None,
) -> bytes:
    """Return a mask as QuPath's GeoJSON: an annotation a region, with its holes.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: Class names by index.
        colours: RGB of each class.
        name: Not written; QuPath reads a file into the image that is open.
        numbers: H×W, the objects, as of :func:`mask_regions`.
    """
    shown = dict(zip(classes, colours, strict=True))
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [_closed(ring) for ring in each.rings]},
            "properties": {
                "objectType": "annotation",
                "classification": {"name": each.label, "color": [*shown[each.label]]},
            },
        }
        for each in mask_objects(mask, classes, numbers)
    ]
    height, width = mask.shape
    head = {"type": "FeatureCollection", "description": f"{_OURS}.", "width": width, "height": height}
    document = head | {"features": features}
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return (text + "\n").encode("utf-8", "surrogateescape")


def _closed(ring: np.ndarray) -> list[list[int]]:
    return [*ring.astype(int).tolist(), ring[0].astype(int).tolist()]
