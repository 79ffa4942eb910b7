"""A folder of the user's own: ``images/`` and ``masks/``, paired by stem."""

import os
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

from unetseg.data.datasets.class_entries import Classes, ignored_values, parse_classes
from unetseg.data.datasets.class_guess import guess_classes
from unetseg.data.datasets.folder_settings import read_settings
from unetseg.data.datasets.groups import find_groups, warn_of_cut_groups
from unetseg.data.datasets.samples import SPLITS, Sample, SegmentationSet, split_names
from unetseg.data.datasets.split_lists import Names, find_lists, folders_of_splits, read_list, split_by_folder
from unetseg.data.images.find import SUFFIXES, UNREAD, UNREAD_SUFFIXES, list_files
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.text import first_few, printable

SHARES = {"val": 0.15, "test": 0.15}


class MissingFolder(UsageError):
    """A folder that was to be a dataset has no ``images/`` or no ``masks/``."""

    def __init__(self, folder: Path, name: str) -> None:
        splits = folders_of_splits(folder)
        self.by_split = bool(splits)
        advice = "name those that it has with --images DIR --masks DIR"
        if splits:
            moves = " && ".join(
                f"mv {split}/{each} {part}/{split}"
                for split, parts in splits.items()
                for part, each in zip(("images", "masks"), parts, strict=True)
            )
            advice = (
                f"it has {', '.join(f'{split}/{parts[0]}' for split, parts in splits.items())}: turned round "
                f"they are read as the split: mkdir images masks && {moves}"
            )
        super().__init__(f"{folder}: has no folder '{name}' (a dataset is images/ and masks/); {advice}")


def open_folder(
    folder: Path,
    *,
    split_seed: int = 0,
    missing: list[str] | None = None,
    images: str = "images",
    masks: str = "masks",
    defaults: Mapping[str, Any] | None = None,
    class_lists: Collection[str] = (),
) -> SegmentationSet:
    """Open a folder with ``images/``, ``masks/`` and, optionally, ``dataset.yaml`` and split lists.

    An image and its mask have the same path below ``images/`` and ``masks/`` but for the extension and
    an optional suffix of the mask's stem (``mask_suffix`` in ``dataset.yaml``, or found where all masks
    share one). ``train.txt``, ``val.txt`` and ``test.txt`` name images, one a line; without lists, folders
    such as ``images/train`` and ``images/val`` are the split. A part that is missing is drawn by
    ``split_seed`` from the training images, or from all images that no list names: 15 % each. Once there
    are training images, those in no list are left out. Classes come from ``dataset.yaml``, or else from
    the masks' values. Images that belong together (``group`` in ``dataset.yaml``) are drawn together.
    ``instances`` in ``dataset.yaml`` names a folder of masks that number the objects (``masks`` itself, too).

    Args:
        folder: It holds ``images/`` and ``masks/``.
        split_seed: Draws the splits that are not listed.
        missing: Takes one line for each image without a mask, mask without an image, picture of a type that
            is not read, and listed name without an image, which are then left out; without, they are an
            error.
        images: The images' folder: below ``folder``, or a path of its own.
        masks: The masks' folder, likewise.
        defaults: What counts where ``dataset.yaml`` does not say.
        class_lists: Files of class names that ``defaults`` come from.

    Raises:
        UsageError: ``dataset.yaml`` or a list is wrong.
        UnetsegError: Files are missing, unpaired or in conflict; the message names them.
    """
    settings = {**(defaults or {}), **read_settings(folder, known=class_lists)}
    found = _by_name(_place(folder, images, "--images"), "image")
    targets = _by_name(_place(folder, masks, "--masks"), "mask")
    pairs = _pair(found.paths, targets.paths, settings.get("mask_suffix"))
    lists = _split(
        folder, Names(found.paths, _images_of(targets, pairs), (found.top.name, targets.top.name)), missing
    )
    trained = "train" in lists
    needed = {name for members in lists.values() for name in members} if trained else {*found.paths}
    unpaired = needed - pairs.keys()
    unread = set() if trained else {*found.unread.values(), *targets.unread.values()}
    orphans = set() if trained else {*targets.paths.values()} - {*pairs.values()}
    orphans -= {path for name, path in targets.paths.items() if name in found.unread}
    if missing is None or not pairs:
        unusable = {path for name, path in found.unread.items() if not trained and name in targets.paths}
        _refuse_unpaired(
            folder, [found.paths[name] for name in unpaired], orphans, unusable, none_pair=not pairs
        )
        for path in sorted(unread):
            warnings.warn(f"{printable(path)}: {UNREAD}", stacklevel=2)
    else:
        missing += [f"{printable(path)}: {UNREAD}" for path in sorted(unread)]
        missing += [f"{printable(found.paths[name])}: has no mask" for name in sorted(unpaired)]
        missing += [f"{printable(path)}: has no image" for path in sorted(orphans)]
        needed -= unpaired
        lists = {split: tuple(needed.intersection(members)) for split, members in lists.items()}
    if trained and find_lists(folder):  # of folders, split_by_folder tells
        _tell_unlisted(folder, sorted(pairs.keys() - needed - unpaired), lists)
    groups = _groups(folder, settings, needed)
    instances = _instances(folder, settings, targets, pairs)
    chosen = {
        name: Sample(
            name, found.paths[name], pairs[name], instances=instances.get(name), group=groups.get(name)
        )
        for name in sorted(needed)
    }
    if len(chosen) < 3:
        raise UnetsegError(f"{folder}: {len(chosen)} image(s) with a mask; training needs at least 3")
    split = split_names(chosen, lists, SHARES, split_seed, lambda name: groups.get(name, name))
    if groups:
        warn_of_cut_groups(split, groups, printable(folder))
    classes = _classes(folder, settings, chosen.values())
    return SegmentationSet(
        str(settings.get("name", folder.resolve().name)),
        classes.names,
        classes.colours,
        classes.ignore_index,
        {part: tuple(chosen[name] for name in members) for part, members in split.items()},
        classes.labels,
    )


def _tell_unlisted(folder: Path, unlisted: Sequence[str], lists: Collection[str]) -> None:
    """Warn of what lists of the user's leave out, and of the parts that they do not give."""
    if not unlisted:
        return
    drawn = [part for part in SPLITS if part not in lists]
    are = "are" if len(drawn) > 1 else "is"
    rest = f"; {' and '.join(drawn)} {are} drawn from the training images" if drawn else ""
    warnings.warn(
        f"{printable(folder)}: {len(unlisted)} image(s) are in no list and are left out: "
        f"{first_few(unlisted)}{rest}",
        stacklevel=3,
    )


@dataclass(frozen=True)
class _Files:
    """The picture files below ``top`` by name, and those of types that are not read."""

    top: Path
    paths: dict[str, Path]
    unread: dict[str, Path]


def _place(folder: Path, name: str, flag: str) -> Path:
    below = folder / name
    if below.is_dir():
        return below
    if Path(name).is_dir() and name not in ("images", "masks"):
        return Path(name)
    if name in ("images", "masks"):
        raise MissingFolder(folder, name)
    raise UsageError(f"{flag} {name}: no such folder, neither here nor in {folder}")


def _by_name(folder: Path, kind: str) -> _Files:
    found: dict[str, Path] = {}
    unread: dict[str, Path] = {}
    others = set()
    for relative, path in list_files(folder):
        name = str(PurePosixPath(relative).with_suffix(""))
        if path.suffix.lower() not in SUFFIXES:
            others.add("".join(path.suffixes[-2:]) or path.name)
            if path.name.lower().endswith(UNREAD_SUFFIXES):
                unread[name] = path
            continue
        if name in found:
            raise UnetsegError(
                f"{folder}: two {kind}s are called '{name}': {found[name].name} and {path.name}"
            )
        found[name] = path
    if not found:
        hint = f", only files of type {first_few(others)}: convert them to PNG or TIFF" if others else ""
        raise UnetsegError(f"{folder}: holds no {kind} that can be read{hint}")
    return _Files(folder, found, {name: path for name, path in unread.items() if name not in found})


def _split(folder: Path, names: Names, missing: list[str] | None) -> dict[str, tuple[str, ...]]:
    """Return the images of each split that the user gives, by lists or by folders."""
    paths = find_lists(folder)
    if not paths:
        return split_by_folder(names.images)
    read = {split: read_list(path, names, missing) for split, path in paths.items()}
    lists = {split: members for split, members in read.items() if members}
    _refuse_overlap(folder, {paths[split].name: members for split, members in lists.items()})
    return lists


def _groups(folder: Path, settings: dict[str, Any], names: Iterable[str]) -> dict[str, str]:
    if settings.get("group") is None:
        return {}
    return find_groups(settings["group"], folder, sorted(names), str(folder / "dataset.yaml"))


def _instances(
    folder: Path, settings: dict[str, Any], masks: _Files, pairs: dict[str, Path]
) -> dict[str, Path]:
    """Return each image's file of numbered objects: of the folder that ``instances`` names."""
    if settings.get("instances") is None:
        return {}
    top = _place(folder, str(settings["instances"]), f"{folder / 'dataset.yaml'}: instances")
    if top.resolve() == masks.top.resolve():
        return pairs
    numbered = _by_name(top, "mask of instances").paths
    absent = sorted(pairs.keys() - numbered.keys())
    if absent:
        raise UnetsegError(f"{printable(top)}: has no file for {len(absent)} image(s): {first_few(absent)}")
    return numbered


def _images_of(masks: _Files, pairs: dict[str, Path]) -> dict[str, str]:
    """Return the name of each mask's image by the mask's own name."""
    names = {path: name for name, path in masks.paths.items()}
    return {names[path]: image for image, path in pairs.items()}


def _refuse_overlap(folder: Path, lists: dict[str, tuple[str, ...]]) -> None:
    owner: dict[str, str] = {}
    for file, members in lists.items():
        for name in members:
            if name in owner:
                both = f"{owner[name]} and {file}" if owner[name] != file else f"{file} twice"
                raise UsageError(f"{folder}: '{name}' is listed in {both}")
            owner[name] = file


def _pair(images: dict[str, Path], masks: dict[str, Path], suffix: str | None) -> dict[str, Path]:
    """Return the mask of each image; names may be written in different Unicode forms (NFC, NFD)."""
    composed = {normalize("NFC", name): path for name, path in masks.items()}
    names = {normalize("NFC", name): path for name, path in images.items()}
    ending = _common_suffix(names, composed) if suffix is None else normalize("NFC", str(suffix))
    found = {}
    for name in images:
        path = masks.get(name + ending) or composed.get(normalize("NFC", name) + ending)
        if path is not None:
            found[name] = path
    return found


def _common_suffix(images: dict[str, Path], masks: dict[str, Path]) -> str:
    """Return the suffix that all masks share and that pairs the most of them, or ``""``."""
    if any(name in images for name in masks):
        return ""
    endings = {
        mask[len(name) :] for mask in (min(masks), max(masks)) for name in images if mask.startswith(name)
    }
    shared = [ending for ending in endings if all(mask.endswith(ending) for mask in masks)]
    return max(
        sorted(shared), key=lambda end: sum(mask.removesuffix(end) in images for mask in masks), default=""
    )


def _refuse_unpaired(
    folder: Path, images: Iterable[Path], masks: Iterable[Path], unread: Iterable[Path], *, none_pair: bool
) -> None:
    kinds = {"without a mask": images, "of a type that is not read": unread}
    found = [
        f"{len(names)} image(s) {what}: {first_few(names)}"
        for what, paths in kinds.items()
        if (names := [os.path.relpath(path, folder) for path in paths])
    ]
    orphans = [os.path.relpath(path, folder) for path in masks]
    found += [f"{len(orphans)} mask(s) without an image: {first_few(orphans)}"] if orphans else []
    if found:
        hint = " (set mask_suffix in dataset.yaml if the masks' names end alike)" if none_pair else ""
        raise UnetsegError(f"{folder}: {'; '.join(found)}{hint}")


def _classes(folder: Path, settings: dict[str, Any], samples: Iterable[Sample]) -> Classes:
    where = str(folder / "dataset.yaml")
    ignore = settings.get("ignore")
    names, threshold = settings.get("classes"), settings.get("threshold")
    if names is None and threshold is not None:
        names = ["background", "foreground"]
    elif names is None:
        ignored = set() if ignore is None else ignored_values(ignore, where)
        pairs = {sample.mask: sample.image for sample in samples if sample.mask is not None}
        names = guess_classes(folder, pairs, ignored)
    return parse_classes(names, ignore, where, threshold)
