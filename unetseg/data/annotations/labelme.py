"""LabelMe: a JSON file an image, with polygons, rectangles, circles and masks."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unetseg.data.annotations.label_files import (
    BadShape,
    LabelFiles,
    joined,
    outline,
    sound_shapes,
    vertices,
    written_size,
)
from unetseg.data.annotations.objects import LabelledImage, LabelledObject, LabelSet, Shape
from unetseg.data.annotations.rasterise import ellipse, rectangle, region, runs_of
from unetseg.data.annotations.vectorise import mask_objects
from unetseg.data.images.bitmap import decode_bitmap, encode_bitmap
from unetseg.utilities.text import printable

_WITHOUT_AREA = ("line", "linestrip", "point", "points")
_VERSION = "5.5.0"  # of the program whose files these are like


def find(files: LabelFiles) -> list[Path]:
    """Return the files of this format: JSON with ``shapes`` and ``imagePath``."""
    return [path for path in files.ending(".json") if _is_one(files.json(path))]


def _is_one(document: Any) -> bool:
    return isinstance(document, dict) and isinstance(document.get("shapes"), list) and "imagePath" in document


def read(files: LabelFiles, found: Sequence[Path]) -> LabelSet:
    """Read LabelMe's files; of overlapping shapes the later in the file is on top, as LabelMe draws them."""
    labels = LabelSet()
    for path in found:
        document = files.json(path)
        text = str(document["imagePath"] or path.with_suffix(".jpg").name)
        with labels.sound_only():
            renamed = files.find_image(text, path) or files.namesake(path)
            name, image = files.place(renamed, path.name, path, alone=True)
            size = written_size(document, "imageHeight", "imageWidth")
            objects = _objects(document["shapes"], printable(path), labels)
            labels.images.append(LabelledImage(name, image, size, objects, path))
    return labels


def _objects(shapes: Sequence[Any], where: str, labels: LabelSet) -> tuple[LabelledObject, ...]:
    found = []
    for number, each in enumerate(shapes, start=1):
        kind = each.get("shape_type") or "polygon" if isinstance(each, dict) else None
        if kind in _WITHOUT_AREA:
            labels.leave_out(f"shape(s) without an area ({kind})")
            continue
        with sound_shapes(labels, f"{where}: shape {number}"):
            if kind is None or not isinstance(each.get("label"), str):
                raise BadShape("has no label")
            found.append((LabelledObject(each["label"], (_shape(kind, each),)), each.get("group_id")))
    return joined(found)


def _shape(kind: str, entry: Mapping[str, Any]) -> Shape:
    points = entry.get("points")
    if kind == "rectangle":
        corners = vertices(points, least=2)  # two that are opposite, or all four
        return rectangle(*corners.min(axis=0), *corners.max(axis=0))
    if kind == "circle":
        centre, rim = vertices(points, least=2)[:2]
        radius = float(np.hypot(*(rim - centre)))
        return ellipse(tuple(centre), (radius, radius))
    if kind == "mask":
        left, top = vertices(points, least=1)[0].tolist()
        return runs_of(_bitmap(entry.get("mask")), round(top), round(left))
    if kind in ("polygon", "oriented_rectangle"):
        return outline(points)
    raise BadShape(f"is of the unknown type '{kind}'")


def _bitmap(text: Any) -> np.ndarray:
    try:
        return decode_bitmap(base64.b64decode(text))
    except Exception as error:  # decoders raise every type there is on damaged data
        raise BadShape("is a mask whose pixels cannot be read") from error


def encode(
    mask: np.ndarray,
    classes: Sequence[str],
    colours: Sequence[Any],
    name: str,
    numbers: np.ndarray | None = None,
) -> bytes:
    """Return a mask as a LabelMe file: a polygon for each region; one with holes as a mask, which keeps them.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: Class names by index.
        colours: Not written.
        name: Of the image.
        numbers: H×W, the objects, as of :func:`mask_regions`.
    """
    height, width = mask.shape
    document = {
        "version": _VERSION,
        "flags": {},
        "shapes": [_entry(each, height, width) for each in mask_objects(mask, classes, numbers)],
        "imagePath": printable(name),
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "surrogateescape")


def _entry(each: LabelledObject, height: int, width: int) -> dict[str, Any]:
    entry: dict[str, Any] = {"label": each.label, "group_id": None, "description": "", "flags": {}}
    if len(each.rings) == 1:
        return entry | {"shape_type": "polygon", "points": each.rings[0].tolist(), "mask": None}
    top, left, inside = region(each.shapes[0], height, width)
    bottom, right = top + inside.shape[0] - 1, left + inside.shape[1] - 1
    text = base64.b64encode(encode_bitmap(inside)).decode("ascii")
    return entry | {"shape_type": "mask", "points": [[left, top], [right, bottom]], "mask": text}
