"""Pascal VOC's layout of a user's own: ``JPEGImages``, ``SegmentationClass`` and lists in ``ImageSets``."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from unetseg.data.datasets.image_folder import open_folder
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.errors import UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, first_few, printable

_VOID_COLOUR = [224, 224, 192]
IMAGES, MASKS, INSTANCES = "JPEGImages", "SegmentationClass", "SegmentationObject"


def voc_folder(folder: Path) -> Path | None:
    """Return the folder itself or the one in it that has VOC's layout (``VOCdevkit/VOC2012``), None if none.

    Raises:
        UsageError: Several have it.
    """
    places = [folder, *sorted(folder.glob("VOC*")), *sorted(folder.glob("VOCdevkit/VOC*"))]
    found = [place for place in places if (place / IMAGES).is_dir() and (place / MASKS).is_dir()]
    if len(found) > 1:
        names = first_few(place.relative_to(folder).as_posix() for place in found)
        raise UsageError(f"{printable(folder)}: {names} are each laid out as Pascal VOC; name one of them")
    return found[0] if found else None


def open_voc(folder: Path, split_seed: int, missing: list[str] | None) -> SegmentationSet:
    """Open a folder in VOC's layout; what ``dataset.yaml`` says there comes first.

    Classes are those of ``labelmap.txt`` (``name:r,g,b``, as CVAT writes it) or of ``class_names.txt`` (one a
    line), or else the masks' values; 255 and VOC's colour for it do not count; ``SegmentationObject`` numbers
    the objects.

    Raises:
        UsageError: A list or ``labelmap.txt`` is wrong.
        UnetsegError: Files are missing or do not fit together.
    """
    defaults: dict[str, Any] = {"ignore": IGNORED}
    labelmap, names = folder / "labelmap.txt", folder / "class_names.txt"
    source = "values of the masks"
    if labelmap.is_file():
        defaults = {"classes": _labelmap(labelmap), "ignore": [_VOID_COLOUR]}
        source = labelmap.name
    elif names.is_file():
        lines = [line.strip() for line in decode_text(read_file(names)).splitlines() if line.strip()]
        defaults["classes"] = [line for line in lines if line != "__ignore__"]
        source = names.name
    if (folder / INSTANCES).is_dir():
        defaults["instances"] = INSTANCES
    dataset = open_folder(
        folder,
        split_seed=split_seed,
        missing=missing,
        images=IMAGES,
        masks=MASKS,
        defaults=defaults,
        class_lists=(labelmap.name, names.name),
    )
    if (folder / "dataset.yaml").is_file():
        source = "dataset.yaml"
    count = sum(map(len, dataset.splits.values()))
    numbered = f", objects numbered in {INSTANCES}" if INSTANCES in defaults.values() else ""
    said = (
        f"Pascal VOC: {count} image(s), {len(dataset.classes) - 1} class(es) after the {source}; "
        f"{IGNORED} does not count{numbered}"
    )
    return replace(dataset, notes=(said, *dataset.notes))


def _labelmap(path: Path) -> dict[str, list[int]]:
    """Return class names with their colours from lines ``name:r,g,b:parts:actions``."""
    classes: dict[str, list[int]] = {}
    for number, line in enumerate(decode_text(read_file(path)).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, rest = line.partition(":")
        try:
            red, green, blue = (int(value) for value in rest.split(":")[0].split(","))
        except ValueError as error:
            raise UsageError(f"{printable(path)}: line {number} is not 'name:r,g,b:...'") from error
        if [red, green, blue] != _VOID_COLOUR:
            classes[name.strip()] = [red, green, blue]
    return classes
