"""CVAT for images 1.1: an XML file of many images, with polygons, boxes, ellipses and masks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from unetseg.data.annotations.label_files import (
    BadShape,
    LabelFiles,
    check_area,
    joined,
    outline,
    sound_shapes,
    vertices,
)
from unetseg.data.annotations.objects import LabelledImage, LabelledObject, LabelSet, Shape
from unetseg.data.annotations.rasterise import ellipse, rectangle, region, runs_of
from unetseg.data.annotations.vectorise import mask_objects
from unetseg.errors import UnetsegError, in_one_line
from unetseg.utilities.text import printable

_WITHOUT_AREA = ("polyline", "points", "cuboid", "skeleton", "tag")
Attributes = Mapping[str, str]


def find(files: LabelFiles) -> list[Path]:
    """Return the files of this format: XML whose root is ``annotations``."""
    roots = {path: files.xml(path) for path in files.ending(".xml")}
    return [path for path, root in roots.items() if root is not None and root.tag == "annotations"]


def read(files: LabelFiles, found: Sequence[Path]) -> LabelSet:
    """Read CVAT's files; on top is what has the higher ``z_order``, then what comes later.

    Raises:
        UnetsegError: One is of a video.
    """
    labels = LabelSet()
    names: list[str] = []
    for path in found:
        root = files.xml(path)
        assert root is not None
        if root.find("track") is not None:
            raise UnetsegError(f"{printable(path)}: is 'CVAT for video'; export it as 'CVAT for images 1.1'")
        names += [element.text or "" for element in root.findall("meta//labels/label/name")]
        images = root.findall("image")
        for element in images:
            with labels.sound_only():
                labels.images.append(_image(element, files, path, len(images) == 1, labels))
    labels.names = names
    return labels


def _image(
    element: ElementTree.Element, files: LabelFiles, path: Path, alone: bool, labels: LabelSet
) -> LabelledImage:
    where, text = printable(path), element.get("name", "")
    try:
        size = int(element.attrib["height"]), int(element.attrib["width"])
    except (KeyError, ValueError) as error:
        raise UnetsegError(f"{where}: image '{text}' has no name, width or height") from error
    name, image = files.place(files.find_image(text, path), text, path, alone=alone)
    objects = _objects(element, f"{where}: image '{printable(text)}'", labels)
    return LabelledImage(name, image, size, objects, path, element.get("subset"), shared=True)


def _objects(image: ElementTree.Element, where: str, labels: LabelSet) -> tuple[LabelledObject, ...]:
    found = []
    for element in image:
        if element.tag in _WITHOUT_AREA:
            labels.leave_out(f"shape(s) without an area ({element.tag})")
            continue
        with sound_shapes(labels, f"{where}: {element.tag}"):
            found.append((*_object(element), element.get("group_id")))
    found.sort(key=lambda entry: entry[0])
    return joined((one, group) for _, one, group in found)


def _object(element: ElementTree.Element) -> tuple[int, LabelledObject]:
    """Return the height at which an object lies, and the object."""
    if element.tag not in _SHAPES:
        raise BadShape("is of an unknown type")
    try:
        shape = _SHAPES[element.tag](element.attrib)
        return int(element.get("z_order", "0")), LabelledObject(element.attrib["label"], (shape,))
    except BadShape:
        raise
    except (KeyError, ValueError) as error:
        raise BadShape(f"is damaged ({in_one_line(str(error))})") from error


def _polygon(attributes: Attributes) -> Shape:
    pairs = [pair.split(",") for pair in attributes["points"].split(";") if pair]
    return outline([[float(number) for number in pair] for pair in pairs])


def _box(attributes: Attributes) -> Shape:
    left, top, right, bottom = (float(attributes[side]) for side in ("xtl", "ytl", "xbr", "ybr"))
    vertices([(left, top), (right, bottom)], least=2)
    return rectangle(left, top, right, bottom, float(attributes.get("rotation", 0)))


def _ellipse(attributes: Attributes) -> Shape:
    x, y, across, down = (float(attributes[key]) for key in ("cx", "cy", "rx", "ry"))
    vertices([(x, y), (across, down)], least=2)
    return ellipse((x, y), (across, down), float(attributes.get("rotation", 0)))


def _mask(attributes: Attributes) -> Shape:
    """Return run lengths along the rows of a rectangle, of pixels outside and inside in turn."""
    left, top, width, height = (int(float(attributes[key])) for key in ("left", "top", "width", "height"))
    check_area(height, width)
    counts = [int(number) for number in attributes["rle"].split(",")]
    if min(counts) < 0 or sum(counts) != width * height:
        raise BadShape(f"has run lengths that do not fill {width}×{height} pixels")
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(height, width)
    return runs_of(inside, top, left)


_SHAPES: dict[str, Callable[[Attributes], Shape]] = {
    "polygon": _polygon,
    "box": _box,
    "ellipse": _ellipse,
    "mask": _mask,
}


def encode(
    mask: np.ndarray,
    classes: Sequence[str],
    colours: Sequence[Any],
    name: str,
    numbers: np.ndarray | None = None,
) -> bytes:
    """Return a mask as a CVAT file of one image: a polygon a region, one with holes as a mask.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: Class names by index.
        colours: RGB of each class.
        name: Of the image.
        numbers: H×W, the objects, as of :func:`mask_regions`.
    """
    height, width = mask.shape
    root = _document(classes, colours)
    attributes = {"id": "0", "name": printable(name), "width": str(width), "height": str(height)}
    image = ElementTree.SubElement(root, "image", attributes)
    for each in mask_objects(mask, classes, numbers):
        _append(image, each, height, width)
    return _text(root)


def gather(files: Mapping[str, Path], classes: Sequence[str], colours: Sequence[Any]) -> bytes:
    """Return files of one image each, by the images' names, as one: CVAT takes one for all of a task."""
    root = _document(classes, colours)
    for number, (name, path) in enumerate(files.items()):
        for image in ElementTree.parse(path).getroot().findall("image"):
            image.set("id", str(number))
            image.set("name", printable(name))
            root.append(image)
    return _text(root)


def _document(classes: Sequence[str], colours: Sequence[Any]) -> ElementTree.Element:
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    task = ElementTree.SubElement(ElementTree.SubElement(root, "meta"), "task")
    labels = ElementTree.SubElement(task, "labels")
    for label, (red, green, blue) in list(zip(classes, colours, strict=True))[1:]:
        entry = ElementTree.SubElement(labels, "label")
        ElementTree.SubElement(entry, "name").text = label
        ElementTree.SubElement(entry, "color").text = f"#{red:02x}{green:02x}{blue:02x}"
    return root


def _append(image: ElementTree.Element, each: LabelledObject, height: int, width: int) -> None:
    common = {"label": each.label, "source": "auto", "occluded": "0", "z_order": "0"}
    if len(each.rings) == 1:
        points = ";".join(f"{x:.9g},{y:.9g}" for x, y in each.rings[0].tolist())
        ElementTree.SubElement(image, "polygon", common | {"points": points})
        return
    top, left, inside = region(each.shapes[0], height, width)
    place = {"left": left, "top": top, "width": inside.shape[1], "height": inside.shape[0]}
    counts = {"rle": ", ".join(map(str, _row_runs(inside)))}
    ElementTree.SubElement(image, "mask", common | counts | {key: str(value) for key, value in place.items()})


def _row_runs(inside: np.ndarray) -> list[int]:
    """Return run lengths along the rows, the first of pixels outside."""
    flat = inside.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts: list[int] = np.diff([0, *changes.tolist(), flat.size]).tolist()
    return [0, *counts] if flat[0] else counts


def _text(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    encoded: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return encoded + b"\n"
