"""A folder of the user's own: ``images/`` and ``masks/``, paired by stem."""

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from unetseg.data.datasets.class_entries import Classes, ignored_values, parse_classes
from unetseg.data.datasets.class_guess import guess_classes
from unetseg.data.datasets.folder_files import Files, by_name, find_files, place
from unetseg.data.datasets.folder_settings import read_settings
from unetseg.data.datasets.groups import find_groups, warn_of_cut_groups
from unetseg.data.datasets.mask_pairs import images_of, pair, refuse_unpaired
from unetseg.data.datasets.pixel_choice import range_of
from unetseg.data.datasets.samples import SPLITS, Sample, SegmentationSet, split_names
from unetseg.data.datasets.split_lists import (
    Names,
    find_lists,
    list_name,
    read_list,
    split_by_folder,
    split_called,
)
from unetseg.data.images.find import UNREAD
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.text import first_few, printable

SHARES = {"val": 0.15, "test": 0.15}


def open_folder(
    folder: Path,
    *,
    split_seed: int = 0,
    missing: list[str] | None = None,
    images: str = "images",
    masks: str = "masks",
    defaults: Mapping[str, Any] | None = None,
    class_lists: Collection[str] = (),
    title: str | None = None,
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
        images: The images' folder: below ``folder``, or a path of its own; ``{split}/images``
            is one each part.
        masks: The masks' folder, likewise.
        defaults: What counts where ``dataset.yaml`` does not say.
        class_lists: Files of class names that ``defaults`` come from.
        title: As what the folder was recognised; None where it is not to be said.

    Raises:
        UsageError: ``dataset.yaml`` or a list is wrong.
        UnetsegError: Files are missing, unpaired or in conflict; the message names them.
    """
    settings = {**(defaults or {}), **read_settings(folder, known=class_lists)}
    found, targets = find_files(folder, images, masks, settings.get("mask_suffix"))
    pairs = pair(found.paths, targets.paths, settings.get("mask_suffix"))
    files = find_lists(folder)
    lists = _split(folder, files, _listable(folder, found, targets, pairs), missing)
    if title is None and lists and not files:
        title = f"a split of folders ({images} + {masks})"
    bare = {} if files else _without_masks(lists, targets)
    lists = {split: members for split, members in lists.items() if split not in bare}
    trained = "train" in lists
    needed = {name for members in lists.values() for name in members} if trained else {*found.paths}
    unpaired = needed - pairs.keys()
    unread = set() if trained else {*found.unread.values(), *targets.unread.values()}
    orphans = set() if trained else {*targets.paths.values()} - {*pairs.values()}
    orphans -= {path for name, path in targets.paths.items() if name in found.unread}
    if missing is None or not pairs:
        unusable = {path for name, path in found.unread.items() if not trained and name in targets.paths}
        refuse_unpaired(
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
    if trained and files:  # of folders, split_by_folder tells
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
    notes = [f"{title}: {len(chosen)} image(s), {_given(split, lists)}"] if title else []
    notes += [f"{name}: {len(members)} image(s) without masks, left out" for name, members in bare.items()]
    return SegmentationSet(
        str(settings.get("name", folder.resolve().name)),
        classes.names,
        classes.colours,
        classes.ignore_index,
        {part: tuple(chosen[name] for name in members) for part, members in split.items()},
        classes.labels,
        notes=("; ".join(notes),) if notes else (),
        drawn=tuple(part for part in SPLITS[1:] if part not in lists),
        pixels=range_of(settings.get("range"), str(folder / "dataset.yaml")),
    )


def _given(split: Mapping[str, Sequence[str]], lists: Collection[str]) -> str:
    """Return which parts of a split were given and which were drawn."""
    given, drawn = (
        ", ".join(f"{len(split[part])} {part}" for part in SPLITS if (part in lists) is wanted)
        for wanted in (True, False)
    )
    origin = " from the training images" if "train" in lists else ""
    return ", ".join([f"given split of {given}"] * bool(given) + [f"{drawn} drawn{origin}"] * bool(drawn))


def _listable(folder: Path, images: Files, masks: Files, pairs: dict[str, Path]) -> Names:
    """Return what a list may call the images: by their own names, their masks', or paths below the folder."""
    known = images_of(masks.paths, pairs)
    if len(images.tops) > 1:
        owners = {path: name for name, path in pairs.items()}
        for files, owner in ((images, {path: name for name, path in images.paths.items()}), (masks, owners)):
            for path in files.paths.values():
                if path in owner:
                    known.setdefault(path.relative_to(folder).with_suffix("").as_posix(), owner[path])
    return Names(images.paths, known, (*images.folders, *masks.folders))


def _without_masks(lists: Mapping[str, Sequence[str]], masks: Files) -> dict[str, Sequence[str]]:
    """Return the parts but the training part for which there is no mask at all."""
    there = {split_called(name.partition("/")[0]) for name in (*masks.paths, *masks.unread)}
    return {
        split: members
        for split, members in lists.items()
        if "train" in there and "train" in lists and split not in there
    }


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


def _split(
    folder: Path, paths: Mapping[str, Path], names: Names, missing: list[str] | None
) -> dict[str, tuple[str, ...]]:
    """Return the images of each split that the user gives, by lists or by folders."""
    if not paths:
        return split_by_folder(names.images)
    read = {split: read_list(path, names, missing, split) for split, path in paths.items()}
    lists = {split: members for split, members in read.items() if members}
    _refuse_overlap(folder, {list_name(paths[split], split): members for split, members in lists.items()})
    return lists


def _groups(folder: Path, settings: dict[str, Any], names: Iterable[str]) -> dict[str, str]:
    if settings.get("group") is None:
        return {}
    return find_groups(settings["group"], folder, sorted(names), str(folder / "dataset.yaml"))


def _instances(
    folder: Path, settings: dict[str, Any], masks: Files, pairs: dict[str, Path]
) -> dict[str, Path]:
    """Return each image's file of numbered objects: of the folder that ``instances`` names."""
    if settings.get("instances") is None:
        return {}
    top = place(folder, str(settings["instances"]), f"{folder / 'dataset.yaml'}: instances")
    if top.resolve() in [each.resolve() for each in masks.tops]:
        return pairs
    numbered = by_name(top, "mask of instances").paths
    absent = sorted(pairs.keys() - numbered.keys())
    if absent:
        raise UnetsegError(f"{printable(top)}: has no file for {len(absent)} image(s): {first_few(absent)}")
    return numbered


def _refuse_overlap(folder: Path, lists: dict[str, tuple[str, ...]]) -> None:
    owner: dict[str, str] = {}
    for file, members in lists.items():
        for name in members:
            if name in owner:
                both = f"{owner[name]} and {file}" if owner[name] != file else f"{file} twice"
                raise UsageError(f"{folder}: '{name}' is listed in {both}")
            owner[name] = file


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
