"""Pascal VOC's layout of a user's own: ``JPEGImages``, ``SegmentationClass`` and lists in ``ImageSets``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unetseg.data.annotations.objects import BACKGROUND
from unetseg.data.datasets.class_entries import default_colour, parse_classes
from unetseg.data.datasets.image_folder import open_folder
from unetseg.data.datasets.labels import IGNORED, Colour, LabelMap
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.data.images.find import SUFFIXES, list_files
from unetseg.data.images.read import read_mask
from unetseg.data.images.write import write_labels
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, first_few, printable

_VOID_COLOUR = [224, 224, 192]
LABELMAP, NAMES = "labelmap.txt", "class_names.txt"
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
    defaults, source = _settings(folder)
    if (folder / INSTANCES).is_dir():
        defaults["instances"] = INSTANCES
    dataset = open_folder(
        folder,
        split_seed=split_seed,
        missing=missing,
        images=IMAGES,
        masks=MASKS,
        defaults=defaults,
        class_lists=(LABELMAP, NAMES),
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


def _settings(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the entries of ``dataset.yaml`` that the folder's list of classes stands for, and where from."""
    labelmap, names = folder / LABELMAP, folder / NAMES
    if labelmap.is_file():
        return {"classes": _labelmap(labelmap), "ignore": [_VOID_COLOUR]}, LABELMAP
    if names.is_file():
        lines = [line.strip() for line in decode_text(read_file(names)).splitlines() if line.strip()]
        return {"classes": [line for line in lines if line != "__ignore__"], "ignore": IGNORED}, NAMES
    return {"ignore": IGNORED}, "values of the masks"


@dataclass(frozen=True)
class VocMasks:
    """The masks of a folder in VOC's layout, its images there or not.

    Attributes:
        folder: That holds ``SegmentationClass``.
        classes: The classes' names, where a list names them; the first is the background, whatever it says.
        labels: What the masks' values or colours mean; None without such a list.
    """

    folder: Path
    classes: tuple[str, ...] = ()
    labels: LabelMap | None = None

    @property
    def masks(self) -> Path:
        """Where the masks lie."""
        return self.folder / MASKS

    @property
    def objects(self) -> Path:
        """Where the masks lie that number the objects."""
        return self.folder / INSTANCES

    @property
    def ignores(self) -> bool:
        """Whether pixels may not count."""
        return True

    @property
    def said(self) -> str:
        """One line: what it was recognised as."""
        return f"Pascal VOC: {len(self.classes) - 1} class(es); {IGNORED} does not count"

    def write(self, folder: Path, names: Sequence[str], colours: Sequence[Colour], void: int) -> list[str]:
        """Write the masks as indices of ``names``, and return a line for each that cannot be read.

        Args:
            folder: Where they go.
            names: Of all classes, by index.
            colours: Of all indices.
            void: The index of pixels that do not count.
        """
        assert self.labels is not None
        table = np.full(IGNORED + 1, void, np.uint8)
        table[0] = 0
        for index, name in enumerate(self.classes[1:], start=1):
            table[index] = names.index(name)
        problems = []
        for relative, path in list_files(self.masks):
            if path.suffix.lower() in SUFFIXES:
                try:
                    mask = table[self.labels.to_classes(read_mask(path), path)]
                    write_labels((folder / relative).with_suffix(".png"), mask, colours)
                except UnetsegError as error:
                    problems.append(str(error))
        return problems


def voc_masks(folder: Path) -> VocMasks | None:
    """Return the masks of a folder in VOC's layout, with the classes of its list; None if it is none."""
    found = voc_folder(folder) or (folder if (folder / MASKS).is_dir() else None)
    if found is None:
        return None
    settings, source = _settings(found)
    if "classes" not in settings:
        return VocMasks(found)
    classes = parse_classes(settings["classes"], settings["ignore"], str(found / source))
    return VocMasks(found, (BACKGROUND, *classes.names[1:]), classes.labels)


def _labelmap(path: Path) -> dict[str, list[int]]:
    """Return class names with their colours from lines ``name:r,g,b:parts:actions``.

    Where no line has a colour, as datumaro may write them, they are VOC's own in the order of the names.
    """
    classes: dict[str, list[int]] = {}
    lines = enumerate(decode_text(read_file(path)).splitlines(), start=1)
    entries = [(number, line.strip()) for number, line in lines if line.strip() and not line.startswith("#")]
    if all(line.partition(":")[2].startswith(":") for _, line in entries):
        return {line.partition(":")[0]: [*default_colour(index)] for index, (_, line) in enumerate(entries)}
    for number, line in entries:
        name, _, rest = line.partition(":")
        try:
            red, green, blue = (int(value) for value in rest.split(":")[0].split(","))
        except ValueError as error:
            raise UsageError(f"{printable(path)}: line {number} is not 'name:r,g,b:...'") from error
        if [red, green, blue] != _VOID_COLOUR:
            classes[name.strip()] = [red, green, blue]
    return classes
