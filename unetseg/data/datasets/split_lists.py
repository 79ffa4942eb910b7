"""The split that a user gives: lists of names in any usual spelling, or folders called train, val, test."""

import re
import unicodedata
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from unetseg.data.datasets.samples import SPLITS
from unetseg.data.datasets.split_json import is_split_json, read_split_json
from unetseg.data.images.find import SUFFIXES, suffix_of
from unetseg.errors import UsageError, did_you_mean
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, first_few, printable

_SPELLINGS = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_SUFFIXES = (".txt", ".lst", ".csv")
_FOLDERS = ("imagesets", "imagesets/segmentation", "splits", "split", "lists")


def split_called(word: str) -> str | None:
    """Return the split that a name means: train for ``Training``, val for ``valid_list``; else None."""
    letters = re.sub(r"[^a-z]+", "", word.lower())
    for text in (letters, re.sub(r"(set|list|split|ids|names|images|files)$", "", letters)):
        if text in _SPELLINGS:
            return _SPELLINGS[text]
    return None


@dataclass(frozen=True)
class Names:
    """The names that a list may hold.

    Attributes:
        images: Image names: paths below the images' folder, with ``/`` and without suffix.
        pairs: Mask name → name of its image.
        folders: What the images' and the masks' folders are called.
    """

    images: Collection[str]
    pairs: Mapping[str, str] = field(default_factory=dict)
    folders: tuple[str, ...] = ("images", "masks")

    def find(self, entry: str) -> str | None:
        r"""Return the image that a line of a list means, or None.

        Tried in this order: the name as it stands; without suffix; with ``/`` for ``\``, without quotes and
        without what leads to the images' or the masks' folder; in another Unicode form or case, where that
        fits one name alone; by the last part alone, where that fits one name alone; and so the first of
        several columns.
        """
        name = self._one(entry)
        if name is not None:
            return name
        for pattern in (r"\t|,|;", r"\s+"):
            columns = [self._one(column) for column in re.split(pattern, entry)]
            others = {column for column in columns[1:] if column is not None}
            if columns[0] is not None:
                if others - {columns[0]}:
                    raise UsageError(f"'{printable(entry)}' names two images; list one image a line")
                return columns[0]
        return None

    def _one(self, entry: str) -> str | None:
        text = entry.strip().strip("\"'")
        slashed = text.replace("\\", "/").removeprefix("./")
        parts = slashed.split("/")
        folders = {folder.casefold() for folder in self.folders}
        below = [index for index, part in enumerate(parts[:-1]) if part.casefold() in folders]
        tail = "/".join(parts[below[0] + 1 :]) if below else slashed
        for candidate in dict.fromkeys((entry, text, slashed, tail)):
            for bare in (candidate, _without_suffix(candidate)):
                if bare in self.images:
                    return bare
        masked = self.pairs.get(_without_suffix(tail))
        if masked is not None:
            return masked
        for start in range(len(parts) - 1):  # paths of another machine
            end = _without_suffix("/".join(parts[start:]))
            if end in self.pairs or end in self.images:
                return self.pairs.get(end, end)
        for bare in (tail, _without_suffix(tail)):
            for alike in (self._alike, self._last_parts):
                found = alike.get(_folded(bare), [])
                if len(found) == 1:
                    return found[0]
        return None

    @cached_property
    def _alike(self) -> dict[str, list[str]]:
        return _grouped((_folded(name), name) for name in self.images)

    @cached_property
    def _last_parts(self) -> dict[str, list[str]]:
        return _grouped((_folded(PurePosixPath(name).name), name) for name in self.images)


def find_lists(folder: Path) -> dict[str, Path]:
    """Return the split lists of a dataset's folder by split; what looks like one and is not read is told.

    Lists lie in the folder itself, or else in ``ImageSets/Segmentation``, ``splits`` and the like. One file
    such as ``splits.json`` may be the lists of all parts.

    Raises:
        UsageError: Such a file is no split.
    """
    below = {path.relative_to(folder).as_posix().lower(): path for path in _folders(folder)}
    places = [folder, *(below[name] for name in reversed(_FOLDERS) if name in below)]
    for place in places:
        lists = _lists_in(place)
        if lists:
            return lists
    return {}


def read_list(path: Path, names: Names, missing: list[str] | None, split: str) -> tuple[str, ...]:
    """Return the images that a list names, one a line.

    A line that begins with # is a comment, unless an image is called so. UTF-8, UTF-16 and any line ends.

    Args:
        path: The list.
        names: What it may name.
        missing: Takes one line for each name without an image; without, such a name is an error.
        split: The part that is wanted of a file for all parts.

    Raises:
        UsageError: It names what is no image, or nothing.
    """
    found: list[str] = []
    unknown = []
    for number, line in enumerate(_lines(path, split)):
        entry = line.strip()
        try:
            name = names.find(entry) if entry else None
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
        if name is not None:
            found.append(name)
        elif entry and not entry.startswith("#") and not (number == 0 and path.suffix.lower() == ".csv"):
            unknown.append(entry)
    how = f"write names below {names.folders[0]}/, one a line"
    if unknown and not found and path.suffix.lower() == ".csv":  # perhaps a table of something else
        warnings.warn(f"{printable(path)}: is not read, it names no image", stacklevel=2)
        return ()
    if unknown and not found:
        raise UsageError(
            f"{path}: none of its {len(unknown)} name(s) has an image: {first_few(unknown)}; {how}"
        )
    if missing is not None:
        missing += [f"{path}: names '{printable(entry)}', which has no image" for entry in unknown]
    elif unknown:
        hint = did_you_mean(unknown[0], names.images) if len(names.images) <= 5000 else ""
        raise UsageError(f"{path}: {len(unknown)} name(s) with no image: {first_few(unknown)}{hint}")
    if not found:
        raise UsageError(f"{path}: names no image; delete it, or list one image a line")
    return tuple(found)


def list_name(path: Path, split: str) -> str:
    """Return what the list of a part is called: the file, and the part where the file is for all parts."""
    return f"{path.name} ({split})" if is_split_json(path) else path.name


def _lines(path: Path, split: str) -> list[str]:
    if not is_split_json(path):
        return decode_text(read_file(path)).splitlines()
    return [
        name for key, names in read_split_json(path).items() if split_called(key) == split for name in names
    ]


def split_by_folder(names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the split that folders such as ``train/`` and ``val/`` make of image names, empty if none.

    Two such folders are a split; images outside of them are left out, with a warning.
    """
    split: dict[str, list[str]] = {}
    outside = []
    for name in names:
        top, _, rest = name.partition("/")
        called = split_called(top) if rest else None
        if called is None:
            outside.append(name)
        else:
            split.setdefault(called, []).append(name)
    if len(split) < 2:
        return {}
    if outside and "train" in split:
        warnings.warn(
            f"{len(outside)} image(s) lie outside of the folders {', '.join(split)} and are left out: "
            f"{first_few(outside)}",
            stacklevel=2,
        )
    return {called: tuple(members) for called, members in split.items()}


def _folders(folder: Path) -> Iterator[Path]:
    below: list[Path] = [folder]
    for _ in range(2):  # no folder is looked into that may hold all images
        below = [
            path for parent in below for path in sorted(parent.iterdir()) if _may_hold_lists(path, folder)
        ]
        yield from below


def _may_hold_lists(path: Path, folder: Path) -> bool:
    return path.relative_to(folder).as_posix().lower() in _FOLDERS and path.is_dir()


def _lists_in(folder: Path) -> dict[str, Path]:
    lists: dict[str, Path] = {}
    both = None
    in_one = []
    for path in sorted(folder.iterdir(), key=lambda path: (path.stem not in SPLITS, path.name)):
        if is_split_json(path) and path.is_file():
            in_one.append(path)
        if path.suffix.lower() not in _SUFFIXES or not path.is_file():
            continue
        split = split_called(path.stem)
        if split in lists:
            warnings.warn(f"{printable(path)}: is not read beside {lists[split].name}", stacklevel=3)
        elif split is not None:
            lists[split] = path
        elif re.sub(r"[^a-z]+", "", path.stem.lower()) == "trainval":
            both = path
    if both is not None and "train" not in lists:
        lists["train"] = both
    for path in in_one:
        if lists:
            first = lists[min(lists, key=SPLITS.index)]
            warnings.warn(f"{printable(path)}: is not read beside {first.name}", stacklevel=3)
        else:
            lists = _parts_in(path)
    return {split: lists[split] for split in SPLITS if split in lists}


def _parts_in(path: Path) -> dict[str, Path]:
    held = read_split_json(path)
    parts = {split: path for key, names in held.items() if names and (split := split_called(key))}
    other = [key for key in held if split_called(key) is None]
    if other or not parts:
        raise UsageError(
            f"{printable(path)}: its lists are called {first_few(other) or 'nothing'}; call them train, val "
            "and test, or rename the file"
        )
    return parts


def _without_suffix(name: str) -> str:
    suffix = suffix_of(PurePosixPath(name))
    return name[: -len(suffix)] if suffix in SUFFIXES else name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _grouped(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, name in pairs:
        groups.setdefault(key, []).append(name)
    return groups
