"""YOLO's segmentation labels: a text file an image, a line an object; ``data.yaml`` has names and folders.

A line is a class number and the vertices of one polygon, as fractions of the image's width and height.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from unetseg.data.annotations.label_files import ABSENT, BadShape, LabelFiles, Size, outline, sound_shapes
from unetseg.data.annotations.objects import LabelledImage, LabelledObject, LabelSet
from unetseg.data.annotations.vectorise import mask_objects
from unetseg.data.images.read import image_size
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, printable
from unetseg.utilities.yaml_files import read_yaml

NAMES = "data.yaml"
_SPLITS = ("train", "val", "test")
_BOXES = "box(es) without an outline"
_LABELS = "labels"  # the folder beside ``images``
_NOT_THERE = "image(s) in lists that are not there"
_OTHER_TEXTS = ("classes.txt", "labels.txt", "obj.names", "notes.txt", "readme.txt")


def find(files: LabelFiles) -> list[Path]:
    """Return the file of names: YAML with ``names`` (and folders), or ``classes.txt`` beside ``labels/``."""
    yamls = [path for path in files.ending(".yaml", ".yml") if len(files.relative(path).split("/")) <= 2]
    found = [path for path in yamls if _is_one(path)]
    if found:
        return found
    lists = [path for path in files.ending(".txt") if path.name.lower() == "classes.txt"]
    return [path for path in lists if (path.parent / "labels").is_dir()]


def _is_one(path: Path) -> bool:
    try:
        content = read_yaml(path)
    except UsageError:
        return False
    return isinstance(content, dict) and isinstance(content.get("names"), dict | list)


def read(files: LabelFiles, found: Sequence[Path]) -> LabelSet:
    """Read YOLO's files; of overlapping objects the smaller is on top, as YOLO's own training has them."""
    labels = LabelSet()
    if len(found) > 1:
        both = " and ".join(printable(path) for path in found[:2])
        raise UsageError(f"{both}: both name classes; name one of them instead of the folder")
    settings = _settings(found[0])
    names = dict(_numbered(settings["names"]))
    labels.names = [names[number] for number in sorted(names)]
    if not files.images:
        for path in files.ending(".txt"):
            if path.name.lower() not in _OTHER_TEXTS:
                *parents, last = Path(files.relative(path)).with_suffix("").parts
                name = "/".join([*(part for part in parents if part.lower() != _LABELS), last])
                _add(labels, files, names, name, None, path, None)
        return labels
    taken = set()
    for image, split in _images(files, found[0].parent, settings, labels):
        path = _labels_of(image, files.root)
        taken.add(path)
        if path.is_file():
            _add(labels, files, names, files.name(image), image, path, split)
    taken |= {_labels_of(image, files.root) for image in files.images}  # of no split, and counted as such
    below = [path for path in files.ending(".txt") if _LABELS in _folders(files.relative(path))]
    labels.leave_out(ABSENT, sum(path not in taken for path in below))
    return labels


def _folders(relative: str) -> list[str]:
    return [part.lower() for part in relative.split("/")[:-1]]


def _settings(path: Path) -> Mapping[str, Any]:
    if path.suffix.lower() == ".txt":
        return {"names": [line for line in decode_text(read_file(path)).splitlines() if line.strip()]}
    content: Mapping[str, Any] = read_yaml(path)
    return content


def _numbered(names: Any) -> Iterator[tuple[int, str]]:
    for number, name in names.items() if isinstance(names, dict) else enumerate(names):
        yield int(number), str(name).strip()


def _images(
    files: LabelFiles, base: Path, settings: Mapping[str, Any], labels: LabelSet
) -> Iterator[tuple[Path, str | None]]:
    """Yield each image and its split: of the folders and lists that ``data.yaml`` names, or else all."""
    given = {split: settings[split] for split in _SPLITS if settings.get(split)}
    if "val" not in given and settings.get("valid"):
        given["val"] = settings["valid"]
    if not given:
        yield from ((image, None) for image in files.images)
        return
    owner: dict[Path, str] = {}
    for split, places in given.items():
        for place in places if isinstance(places, list) else [places]:
            for image in _of_place(files, base, str(settings.get("path") or ""), str(place), labels):
                if owner.setdefault(image, split) != split:
                    raise UsageError(f"{printable(image)}: is in {owner[image]} and in {split} of {NAMES}")
                yield image, split


def _of_place(files: LabelFiles, base: Path, path: str, place: str, labels: LabelSet) -> Iterator[Path]:
    """Yield the images of a folder or list.

    Folders are written from where the training was started, from the file itself or from another machine:
    the longest end of the path that is a folder here counts.
    """
    parts = [part for part in f"{path}/{place}".replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for start in range(len(parts)):
        for top in dict.fromkeys((base, files.root)):
            found = top.joinpath(*parts[start:])
            if found.is_dir():
                yield from (image for image in files.images if found in image.parents)
                return
            if found.is_file():
                lines = decode_text(read_file(found)).splitlines()
                named = [files.find_image(line.strip(), found) for line in lines if line.strip()]
                labels.leave_out(_NOT_THERE, named.count(None))
                yield from (image for image in named if image is not None)
                return
    raise UnetsegError(f"{printable(base)}: has no folder '{place}', which its YAML file names")


def _labels_of(image: Path, root: Path) -> Path:
    """Return an image's file of labels: below ``labels/`` where it lies below ``images/``, else beside it."""
    parts = [*image.relative_to(root).with_suffix(".txt").parts]
    for index in range(len(parts) - 2, -1, -1):
        if parts[index].lower() == "images":
            parts[index] = _LABELS
            return root.joinpath(*parts)
    return image.with_suffix(".txt")


def _add(
    labels: LabelSet,
    files: LabelFiles,
    names: Mapping[int, str],
    name: str,
    image: Path | None,
    path: Path,
    split: str | None,
) -> None:
    with labels.sound_only():
        size = files.size_of(name) if image is None else image_size(image)
        if size is None:
            raise UnetsegError(
                f"{printable(path)}: its image is not there, and YOLO does not say its size; put it beside"
            )
        objects = _objects(path, names, size, labels)
        labels.images.append(LabelledImage(name, image, size, objects, path, split))


def _objects(
    path: Path, names: Mapping[int, str], size: Size, labels: LabelSet
) -> tuple[LabelledObject, ...]:
    found = []
    for number, line in enumerate(decode_text(read_file(path)).splitlines(), start=1):
        if not line.strip():
            continue
        with sound_shapes(labels, f"{printable(path)}: line {number}"):
            one = _object(line.split(), names, size)
            if one is None:
                labels.leave_out(_BOXES)
            else:
                found.append(one)
    found.sort(key=_area, reverse=True)
    return tuple(found)


def _object(words: Sequence[str], names: Mapping[int, str], size: Size) -> LabelledObject | None:
    try:
        number, *values = (float(word) for word in words)
    except ValueError as error:
        raise BadShape("holds what is no number") from error
    if number not in names:
        raise BadShape(f"is of class {words[0]}, which has no name")
    if len(values) == 4:
        return None
    if len(values) % 2:
        raise BadShape("has an x without a y")
    if not all(-1 <= value <= 2 for value in values):
        raise BadShape("holds vertices that are no fractions of the image's size")
    height, width = size
    pairs = zip(values[0::2], values[1::2], strict=True)
    return LabelledObject(names[int(number)], (outline([(x * width, y * height) for x, y in pairs]),))


def _area(each: LabelledObject) -> float:
    """Return the area within an outline (the shoelace formula), pixels."""
    x, y = each.rings[0].T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def encode(
    mask: np.ndarray,
    classes: Sequence[str],
    colours: Sequence[Any],
    name: str,
    numbers: np.ndarray | None = None,
) -> bytes:
    """Return a mask as YOLO's text, a line a region; its polygons have no holes, which is warned of.

    Class numbers begin at 0 with the first class after the background.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: Class names by index.
        colours: Not written.
        name: Of the image, named in the warning.
        numbers: H×W, the objects, as of :func:`mask_regions`.
    """
    height, width = mask.shape
    holes = 0
    indices = {label: index - 1 for index, label in enumerate(classes)}
    lines = []
    for each in mask_objects(mask, classes, numbers):
        outer, *inner = each.rings
        holes += len(inner)
        values = (outer / (width, height)).ravel()
        lines.append(" ".join([str(indices[each.label]), *(f"{value:.9g}" for value in values)]))
    if holes:
        warnings.warn(
            f"{printable(name)}: {holes} hole(s) are filled, which YOLO's polygons cannot have; "
            "other formats keep them",
            stacklevel=2,
        )
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def gather(files: Mapping[str, Path], classes: Sequence[str], colours: Sequence[Any]) -> bytes:
    """Return ``data.yaml``: the classes' names by their numbers."""
    names = {"names": dict(enumerate(classes[1:]))}
    return yaml.safe_dump(names, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogateescape")
