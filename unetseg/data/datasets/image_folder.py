"""A folder of the user's own: ``images/`` and ``masks/``, paired by stem."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from unetseg.data.datasets.class_entries import Classes, ignored_values, parse_classes
from unetseg.data.datasets.class_guess import guess_classes
from unetseg.data.datasets.samples import SPLITS, Sample, SegmentationSet, split_names
from unetseg.data.images.find import SUFFIXES
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.utilities.text import first_few, printable
from unetseg.utilities.yaml_files import read_yaml, require_keys

KEYS = ("name", "classes", "ignore", "threshold", "mask_suffix", "generator")
SHARES = {"val": 0.15, "test": 0.15}


def open_folder(folder: Path, *, split_seed: int = 0, missing: list[str] | None = None) -> SegmentationSet:
    """Open a folder with ``images/``, ``masks/`` and, optionally, ``dataset.yaml`` and split lists.

    An image and its mask have the same path below ``images/`` and ``masks/`` but for the extension and
    an optional suffix of the mask's stem (``mask_suffix`` in ``dataset.yaml``, or found where all masks
    share one). ``train.txt``, ``val.txt`` and ``test.txt`` name images, one a line. A list that is
    missing is drawn by ``split_seed`` from ``train.txt``, or from all images that no list names: 15 %
    each. Once there is a ``train.txt``, images in no list are left out. Classes come from
    ``dataset.yaml``, or else from the masks' values.

    Args:
        folder: It holds ``images/`` and ``masks/``.
        split_seed: Draws the splits that are not listed.
        missing: Takes one line for each image without a mask, mask without an image and listed name without
            an image, which are then left out; without, they are an error.

    Raises:
        UsageError: ``dataset.yaml`` or a list is wrong.
        UnetsegError: Files are missing, unpaired or in conflict; the message names them.
    """
    settings = _settings(folder)
    images = _by_name(folder / "images", "image")
    masks = _by_name(folder / "masks", "mask")
    lists = {
        split: _listed(folder / f"{split}.txt", images, missing)
        for split in SPLITS
        if _has_list(folder, split)
    }
    _refuse_overlap(folder, lists)
    pairs = _pair(images, masks, settings.get("mask_suffix"))
    needed = {name for members in lists.values() for name in members} if "train" in lists else set(images)
    orphans = set() if "train" in lists else set(masks.values()) - set(pairs.values())
    unpaired = needed - pairs.keys()
    if missing is None or not pairs:
        _refuse_unpaired(folder, [images[name] for name in unpaired], orphans, none_pair=not pairs)
    else:
        missing += [f"{printable(images[name])}: has no mask" for name in sorted(unpaired)]
        missing += [f"{printable(path)}: has no image" for path in sorted(orphans)]
        needed -= unpaired
        lists = {split: tuple(needed.intersection(members)) for split, members in lists.items()}
    chosen = {name: Sample(name, images[name], pairs[name]) for name in sorted(needed)}
    if len(chosen) < 3:
        raise UnetsegError(f"{folder}: {len(chosen)} image(s) with a mask; training needs at least 3")
    split = split_names(chosen, lists, SHARES, split_seed)
    classes = _classes(folder, settings, chosen.values())
    return SegmentationSet(
        str(settings.get("name", folder.resolve().name)),
        classes.names,
        classes.colours,
        classes.ignore_index,
        {part: tuple(chosen[name] for name in members) for part, members in split.items()},
        classes.labels,
    )


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (path below ``folder`` with ``/``, path) of every visible file, in a fixed order.

    Links to folders are followed, but no real folder is entered twice.
    """
    seen: set[tuple[int, int]] = set()
    for parent, subfolders, files in os.walk(folder, followlinks=True):
        status = os.stat(parent)
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(parent, name)
                yield path.relative_to(folder).as_posix(), path


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "dataset.yaml"
    if not path.is_file():
        misspelt = [other.name for other in folder.glob("dataset.y*ml")]
        if misspelt:
            raise UsageError(f"{folder / misspelt[0]}: call it dataset.yaml")
        return {}
    return require_keys(read_yaml(path) or {}, KEYS, str(path))


def _by_name(folder: Path, kind: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise UsageError(f"{folder.parent}: has no folder '{folder.name}' (a dataset is images/ and masks/)")
    found: dict[str, Path] = {}
    others = set()
    for relative, path in list_files(folder):
        if path.suffix.lower() not in SUFFIXES:
            others.add("".join(path.suffixes[-2:]) or path.name)
            continue
        name = str(PurePosixPath(relative).with_suffix(""))
        if name in found:
            raise UnetsegError(
                f"{folder}: two {kind}s are called '{name}': {found[name].name} and {path.name}"
            )
        found[name] = path
    if not found:
        hint = f", only files of type {first_few(others)}: convert them to PNG or TIFF" if others else ""
        raise UnetsegError(f"{folder}: holds no {kind} that can be read{hint}")
    return found


def _has_list(folder: Path, split: str) -> bool:
    return (folder / f"{split}.txt").is_file()


def _listed(path: Path, images: dict[str, Path], missing: list[str] | None) -> tuple[str, ...]:
    names: list[str] = []
    unknown = []
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        bare = entry[: -len(Path(entry).suffix)] if Path(entry).suffix.lower() in SUFFIXES else entry
        if entry not in images and bare not in images:
            unknown.append(entry)
            continue
        names.append(entry if entry in images else bare)
    if missing is not None:
        missing += [f"{path}: names '{entry}', which has no image" for entry in unknown]
    elif unknown:
        hint = did_you_mean(unknown[0], images) if len(images) <= 5000 else ""
        raise UsageError(f"{path}: {len(unknown)} name(s) with no image: {first_few(unknown)}{hint}")
    if not names:
        raise UsageError(f"{path}: names no image; delete it, or list one image a line")
    return tuple(names)


def _refuse_overlap(folder: Path, lists: dict[str, tuple[str, ...]]) -> None:
    owner: dict[str, str] = {}
    for split, members in lists.items():
        for name in members:
            if name in owner:
                both = f"{owner[name]}.txt and {split}.txt" if owner[name] != split else f"{split}.txt twice"
                raise UsageError(f"{folder}: '{name}' is listed in {both}")
            owner[name] = split


def _pair(images: dict[str, Path], masks: dict[str, Path], suffix: str | None) -> dict[str, Path]:
    ending = _common_suffix(images, masks) if suffix is None else str(suffix)
    return {name: masks[name + ending] for name in images if name + ending in masks}


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


def _refuse_unpaired(folder: Path, images: Iterable[Path], masks: Iterable[Path], *, none_pair: bool) -> None:
    lonely = [path.relative_to(folder).as_posix() for path in images]
    orphans = [path.relative_to(folder).as_posix() for path in masks]
    found = [f"{len(lonely)} image(s) without a mask: {first_few(lonely)}"] if lonely else []
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
        masks = [sample.mask for sample in samples if sample.mask is not None]
        names = guess_classes(folder, masks, ignored)
    return parse_classes(names, ignore, where, threshold)
