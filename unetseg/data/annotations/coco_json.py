"""COCO: a JSON file of many images, with polygons and run lengths."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from unetseg.data.annotations.label_files import (
    TOO_FEW,
    BadShape,
    LabelFiles,
    check_area,
    outline,
    written_size,
)
from unetseg.data.annotations.objects import LabelledImage, LabelledObject, LabelSet, Runs, Shape
from unetseg.data.annotations.rasterise import runs_of_image
from unetseg.data.annotations.vectorise import mask_objects
from unetseg.errors import UnetsegError
from unetseg.utilities.text import printable

_NO_OUTLINE = "object(s) with a box and no outline"


def find(files: LabelFiles) -> list[Path]:
    """Return the files of this format: JSON with ``images``, ``categories``, ``annotations`` of regions."""
    return [path for path in files.ending(".json") if _is_one(files.json(path))]


def _is_one(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    if not all(isinstance(document.get(key), list) for key in ("images", "annotations", "categories")):
        return False
    annotations = document["annotations"]
    return not annotations or any(isinstance(each, dict) and "segmentation" in each for each in annotations)


def read(files: LabelFiles, found: Sequence[Path]) -> LabelSet:
    """Read COCO's files; of overlapping objects the later in the file is on top."""
    labels = LabelSet()
    names: dict[int, str] = {}
    for path in found:
        document, where = files.json(path), printable(path)
        categories = _categories(document, where, labels)
        names |= categories
        objects, faulty = _objects(document, categories, where, labels)
        alone = len(document["images"]) == 1
        for entry in document["images"]:
            with labels.sound_only():
                one = _image(entry, objects, files, path, alone)
                if entry["id"] not in faulty:
                    labels.images.append(one)
    labels.names = [name for _, name in sorted(names.items())]
    return labels


def _image(
    entry: Any, objects: Mapping[Any, list[LabelledObject]], files: LabelFiles, path: Path, alone: bool
) -> LabelledImage:
    if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str) or "id" not in entry:
        raise UnetsegError(f"{printable(path)}: an image has no file_name or no id")
    text = entry["file_name"]
    name, image = files.place(files.find_image(text, path), text, path, alone=alone)
    size = written_size(entry)
    return LabelledImage(name, image, size, tuple(objects.get(entry["id"], ())), path, shared=True)


def _categories(document: Mapping[str, Any], where: str, labels: LabelSet) -> dict[int, str]:
    """Return names by id, but for the unused one under which Roboflow gathers the others."""
    entries = [each for each in document["categories"] if isinstance(each, dict)]
    parents = {each.get("supercategory") for each in entries}
    used = {each.get("category_id") for each in document["annotations"] if isinstance(each, dict)}
    found = {}
    for each in entries:
        if not isinstance(each.get("id"), int) or "name" not in each:
            labels.problems.append(f"{where}: a category has no id or no name")
        elif each["id"] in used or each["name"] not in parents:
            found[each["id"]] = str(each["name"])
    return found


def _objects(
    document: Mapping[str, Any], categories: Mapping[int, str], where: str, labels: LabelSet
) -> tuple[dict[Any, list[LabelledObject]], set[Any]]:
    """Return the objects of each image by its id, and the ids of images with an object that is none."""
    images = {each.get("id"): each for each in document["images"] if isinstance(each, dict)}
    found: dict[Any, list[LabelledObject]] = {}
    faulty = set()
    for number, each in enumerate(document["annotations"], start=1):
        entry = each if isinstance(each, dict) else {}
        try:
            image = images.get(entry.get("image_id"))
            if image is None:
                raise BadShape("belongs to no image")
            if entry.get("category_id") not in categories:
                raise BadShape(f"is of no category ({entry.get('category_id')})")
            shapes, short = _shapes(entry.get("segmentation"), image)
        except BadShape as error:
            labels.problems.append(f"{where}: annotation {entry.get('id', number)} {error}")
            faulty.add(entry.get("image_id"))
            continue
        labels.leave_out(TOO_FEW, short)
        if shapes:
            one = LabelledObject(categories[entry["category_id"]], shapes)
            found.setdefault(entry["image_id"], []).append(one)
        elif not short:
            labels.leave_out(_NO_OUTLINE)
    return found, faulty


def _shapes(segmentation: Any, image: Mapping[str, Any]) -> tuple[tuple[Shape, ...], int]:
    """Return the shapes of an annotation, and how many were too short to be one."""
    if isinstance(segmentation, dict):
        return (_runs(segmentation, image),), 0
    shapes = []
    short = 0
    for polygon in segmentation or ():
        if not isinstance(polygon, list) or len(polygon) % 2:
            raise BadShape("has a polygon that is no list of x, y, x, y, ...")
        try:
            shapes.append(outline([*zip(polygon[0::2], polygon[1::2], strict=True)]))
        except BadShape as error:
            if str(error) != TOO_FEW:
                raise
            short += 1
    return tuple(shapes), short


def _runs(entry: Mapping[str, Any], image: Mapping[str, Any]) -> Runs:
    """Return run lengths, compressed or not; those that do not fill their rectangle are refused."""
    try:
        height, width = (int(side) for side in entry["size"])
        if (height, width) != (image.get("height"), image.get("width")):
            raise BadShape(f"has run lengths of {width}×{height} pixels, its image another size")
        check_area(height, width)
        counts = entry["counts"]
        if isinstance(counts, list):
            packed = b""
        else:
            packed = counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
            counts = _unpacked(packed)
        if min(counts, default=0) < 0 or sum(counts) != height * width:
            raise BadShape(f"has run lengths that do not fill {width}×{height} pixels")
        if not packed:
            packed = coco.frPyObjects({"size": [height, width], "counts": counts}, height, width)["counts"]
    except BadShape:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadShape("has run lengths that cannot be read") from error
    return Runs(packed, height, width)


def _unpacked(packed: bytes) -> list[int]:
    """Return compressed run lengths as numbers, to be checked: wrong ones lead pycocotools astray.

    A number is written in groups of five bits, the lowest first; 32 marks that more follow, and 16 in the
    last one a negative number. From the fourth on, what is written is the difference to the number two
    places before (``rleFrString`` of COCO's API).
    """
    counts: list[int] = []
    position = 0
    while position < len(packed):
        value = shift = 0
        more = True
        while more:
            group = packed[position] - 48
            value |= (group & 31) << shift
            more, shift, position = bool(group & 32), shift + 5, position + 1
            if shift > 60:
                raise ValueError("a number of more than 60 bits")
        if group & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts


def encode(
    mask: np.ndarray,
    classes: Sequence[str],
    colours: Sequence[Any],
    name: str,
    numbers: np.ndarray | None = None,
) -> bytes:
    """Return a mask as a COCO file of one image; see :func:`to_coco`."""
    text = json.dumps(to_coco(mask, classes, name, numbers), ensure_ascii=False, separators=(",", ":"))
    return (text + "\n").encode("utf-8", "surrogateescape")


def to_coco(
    mask: np.ndarray, classes: Sequence[str], name: str, numbers: np.ndarray | None = None
) -> dict[str, Any]:
    """Return a COCO dataset of one image: one annotation a region of a class, as compressed run lengths.

    COCO's polygons have no holes; run lengths keep them. A region is connected by its pixels' sides.
    Category ids are the class indices; the background is no category.

    Args:
        mask: H×W uint8 class indices.
        classes: Class names by index.
        name: Of the image.
        numbers: H×W, the objects, as of :func:`mask_regions`; each is an annotation then.
    """
    height, width = mask.shape
    indices = {label: index for index, label in enumerate(classes)}
    return {
        "info": {"description": "Masks by unetseg: one annotation for each connected region of a class."},
        "licenses": [],
        "images": [{"id": 1, "file_name": printable(name), "width": width, "height": height}],
        "annotations": [
            _annotation(number, indices[each.label], runs_of_image(each.shapes[0], height, width))
            for number, each in enumerate(mask_objects(mask, classes, numbers), start=1)
        ],
        "categories": [
            {"id": index, "name": classes[index], "supercategory": "foreground"}
            for index in range(1, len(classes))
        ],
    }


def _annotation(number: int, category: int, runs: Runs) -> dict[str, Any]:
    size = [runs.height, runs.width]
    packed = {"size": size, "counts": runs.counts}
    return {
        "id": number,
        "image_id": 1,
        "category_id": category,
        "segmentation": {"size": size, "counts": runs.counts.decode("ascii")},
        "area": int(coco.area(packed)),
        "bbox": coco.toBbox(packed).tolist(),
        "iscrowd": 0,
    }
