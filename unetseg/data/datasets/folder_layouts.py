"""Where images and masks lie in folders that people have: one record a layout.

A place is a path below the folder in which ``{split}`` stands for ``train``, ``val``, ``test`` in any usual
spelling, ``{tr}`` for nnU-Net's ``Tr`` and ``Ts``, and ``a|b`` for either; letters' case does not count.
``.`` is the folder itself: images and masks lie side by side.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unetseg.data.datasets.folder_settings import read_settings
from unetseg.data.datasets.mask_pairs import mask_endings
from unetseg.data.datasets.nnunet_json import nnunet_settings
from unetseg.data.datasets.split_lists import split_called
from unetseg.data.images.find import SUFFIXES, UNREAD_SUFFIXES, images_among, list_files, without_suffix
from unetseg.errors import UsageError
from unetseg.utilities.text import printable

_SPLIT_WORDS: Mapping[str, Callable[[str], str | None]] = {
    "{split}": split_called,
    "{tr}": lambda word: {"tr": "train", "ts": "test"}.get(word.lower()),
}
_IMAGES = "images|image|imgs|img"
_LABELS = "labels|label|annotations|annotation|gt|groundtruth|ground_truth"
_MASKS = f"masks|mask|{_LABELS}"


@dataclass(frozen=True)
class FolderLayout:
    """A layout: what it is called, and where images and masks lie.

    Attributes:
        title: What people call it.
        images: The images' place.
        masks: The masks' place.
        settings: Reads what a file of the layout says in the words of ``dataset.yaml``.
        files: Such files.
    """

    title: str
    images: str
    masks: str
    settings: Callable[[Path], dict[str, Any]] | None = None
    files: tuple[str, ...] = ()


LAYOUTS = (
    FolderLayout("a split of folders", f"{{split}}/{_IMAGES}", f"{{split}}/{_MASKS}"),
    FolderLayout("CamVid", "{split}", "{split}annot"),
    FolderLayout("Carvana", "imgs", "masks"),
    FolderLayout("Carvana", "{split}", "{split}_masks"),
    FolderLayout("mmsegmentation", "img_dir", "ann_dir"),
    FolderLayout("nnU-Net", "images{tr}", "labels{tr}", nnunet_settings, ("dataset.json",)),
    FolderLayout("images and labels", "images", _LABELS),
    FolderLayout("pairs in one folder", ".", "."),
)


@dataclass(frozen=True)
class Reading:
    """A layout as a folder has it, with the places as they are spelled there."""

    layout: FolderLayout
    images: str
    masks: str

    @property
    def said(self) -> str:
        """The layout and its places."""
        beside = f"{self.images} + {self.masks}" if self.images != "." else "NAME + NAME and an ending"
        return f"{self.layout.title} ({beside})"

    def words(self, folder: Path) -> str:
        """Return what to type for this reading."""
        return f"--data {printable(folder)} --images '{self.images}' --masks '{self.masks}'"

    def pairs(self, folder: Path, image: Path, mask: Path) -> bool:
        """Tell whether an image and a mask lie at the same place below the layout's folders."""
        masks = {part: path for each in _spelled(folder, self.masks).values() for part, path in each.items()}
        for each in _spelled(folder, self.images).values():
            for part, top in each.items():
                if part in masks and top in image.parents and masks[part] in mask.parents:
                    return image.parent.relative_to(top) == mask.parent.relative_to(masks[part])
        return False


def readings(folder: Path) -> list[Reading]:
    """Return every layout of the table that a folder has.

    Raises:
        UsageError: Files side by side have two endings that may mark masks.
    """
    found = []
    for layout in LAYOUTS:
        if layout.images == ".":
            found += [Reading(layout, ".", ".")] if _pairs_side_by_side(folder) else []
            continue
        images = _spelled(folder, layout.images)
        masks = _spelled(folder, layout.masks)
        found += [
            Reading(layout, image, mask)
            for image, images_of in images.items()
            for mask, masks_of in masks.items()
            if images_of.keys() & masks_of.keys()
            and any(map(_holds_pictures, images_of.values()))
            and any(map(_holds_pictures, masks_of.values()))
        ]
    return found


def is_split_place(place: str) -> bool:
    """Tell whether a place names one folder for each part of a split."""
    return any(token in place for token in _SPLIT_WORDS)


def parts_of(folder: Path, images: str, masks: str) -> dict[str, tuple[Path, Path | None]]:
    """Return the images' and the masks' folder of each part of a split, None where a part has no masks.

    Args:
        folder: Of the dataset.
        images: The images' place.
        masks: The masks' place.

    Raises:
        UsageError: A place is not there, or no training part has masks.
    """
    spelled = [_spelled(folder, place) for place in (images, masks)]
    for place, found in zip((images, masks), spelled, strict=True):
        if not found:
            raise UsageError(f"{printable(folder)}: has no folder '{place}'")
    pictures, targets = (
        {**dict(pair for each in found.values() for pair in each.items())} for found in spelled
    )
    parts = {part: (path, targets.get(part)) for part, path in pictures.items()}
    if not any(split_called(part) == "train" and mask for part, (_, mask) in parts.items()):
        held = ", ".join(parts)
        raise UsageError(f"{printable(folder)}: has no training images with masks, only the part(s) {held}")
    return parts


def _spelled(folder: Path, place: str) -> dict[str, dict[str, Path]]:
    """Return the spellings of a place that are there, and the folder of each part (``""`` without split)."""
    found: dict[str, tuple[str, dict[str, Path]]] = {}
    for part, spelling, path in _walk(folder, place.split("/")):
        found.setdefault(spelling.casefold(), (spelling, {}))[1].setdefault(part, path)
    return dict(found.values())


def _walk(folder: Path, place: list[str]) -> Iterator[tuple[str, str, Path]]:
    """Yield (part, spelling, folder) of each folder that a place names."""
    if not place or place == ["."]:
        yield "", "", folder
        return
    token = next((token for token in _SPLIT_WORDS if token in place[0]), None)
    alternatives = re.escape(place[0]).replace(r"\|", "|")
    pattern = re.compile(
        alternatives if token is None else alternatives.replace(re.escape(token), "(?P<split>.+)"),
        re.IGNORECASE,
    )
    for path in sorted(folder.iterdir()):
        match = pattern.fullmatch(path.name)
        if match is None or not path.is_dir():
            continue
        part, spelling = "", path.name
        if token is not None:
            word = match["split"]
            split = _SPLIT_WORDS[token](word)
            if split is None:
                continue
            part = word.lower() if split_called(word) else split
            spelling = path.name[: match.start("split")] + token + path.name[match.end("split") :]
        for below, rest, found in _walk(path, place[1:]):
            yield part or below, f"{spelling}/{rest}".rstrip("/"), found


def _holds_pictures(folder: Path) -> bool:
    return any(path.name.lower().endswith((*SUFFIXES, *UNREAD_SUFFIXES)) for _, path in list_files(folder))


def _pairs_side_by_side(folder: Path) -> bool:
    names = {str(without_suffix(path)) for path in images_among(path for _, path in list_files(folder))}
    endings = mask_endings(names)
    masks = sum(name.casefold().endswith(tuple(endings)) for name in names)
    if not endings or 2 * masks < len(names) - masks:  # a few such names among many are no layout
        return False
    if len(endings) > 1 and "mask_suffix" not in read_settings(folder):
        which = " or ".join(f"'mask_suffix: {ending}'" for ending in endings)
        raise UsageError(
            f"{printable(folder)}: files whose names end in {' and in '.join(endings)} lie beside the "
            f"images; write {which} into dataset.yaml for those that are the masks"
        )
    return True
