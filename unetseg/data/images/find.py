"""Finding image files: folders, globs, lists."""

import glob
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import TypeVar

from unetseg.errors import UsageError
from unetseg.utilities.text import first_few, printable

_Path = TypeVar("_Path", bound=PurePath)

_PLAIN = (".jpg", ".jpeg", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif")
_ARRAY = ".npy"
SUFFIXES = (*_PLAIN, ".heic", ".heif", ".avif", ".nii", ".nii.gz", ".dcm", _ARRAY)

# Pictures too, but of types that are not read: found beside others, they are named and not passed over.
UNREAD_SUFFIXES = (
    *(".jp2", ".j2k", ".jpx", ".jpf", ".jxl", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".tga", ".dds", ".ico", ".psd", ".xcf", ".exr", ".hdr", ".svg", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
    *(".mha", ".mhd", ".nrrd", ".mrc", ".czi", ".nd2", ".lif", ".vsi", ".svs"),
)
_BESIDE_MASKS = re.compile(r"\.(overlay\.jpg|probability(-\d+)?\.(png|tif)|(objects|skips)\.(png|tif))$")
UNREAD = "is of a type that is not read; save it as PNG or TIFF"


@dataclass(frozen=True)
class FoundImage:
    """An image file and where its output belongs.

    Attributes:
        path: The file, as it was named or found.
        relative: Its path below the output folder, with its own suffix; sub-folders are kept.
    """

    path: Path
    relative: Path

    def output(self, suffix: str) -> Path:
        """Return the path of its output below the output folder, ``suffix`` as in ``".png"``."""
        return self.relative.with_name(without_suffix(self.relative).name + suffix)


@dataclass(frozen=True)
class RefusedImage:
    """A file among the inputs that is not taken, and why, in one line that names it."""

    image: FoundImage
    reason: str


def find_images(
    inputs: Sequence[str | Path],
    *,
    stdin: Iterable[str | bytes] | None = None,
    unread: list[RefusedImage] | None = None,
) -> list[FoundImage]:
    """Find the image files that ``inputs`` name, each real file once, sorted.

    A folder is searched with its sub-folders for files with an image's suffix; hidden files and folders
    are left out. A glob (``**`` included) finds such files too. A file that is named is kept whatever
    its suffix. Outputs keep the sub-folders below their input, and where inputs lie in different
    folders, those below the folder they share.

    Args:
        inputs: Files, folders, globs; ``"-"`` for a list, one name a line.
        stdin: The lines that ``"-"`` stands for; ``sys.stdin`` if None.
        unread: Takes the pictures in folders whose type is not read, but for those beside an image of the
            same name.

    Raises:
        UsageError: An input does not exist, or holds no image.
    """
    names = list(_expand_list(inputs, stdin))
    rooted = [pair for text in names for pair in _files_of(text)]
    if not rooted:
        raise UsageError("no input images: name files, folders or a glob")
    roots = {root for root, _ in rooted}
    shared = Path(os.path.commonpath(roots)) if len(roots) > 1 else next(iter(roots))
    found = _sorted(_real_once(path for _, path in rooted), shared)
    if unread is not None:
        others = _real_once(path for text in names for path in _unread_of(text))
        taken = {without_suffix(image.relative) for image in found}
        unread += [
            RefusedImage(image, f"{printable(image.path)}: {UNREAD}")
            for image in _sorted(others, shared)
            if without_suffix(image.relative) not in taken
        ]
    return found


def is_beside_masks(path: Path) -> bool:
    """Tell by its name whether a file is one that ``unetseg predict`` writes beside masks."""
    return bool(_BESIDE_MASKS.search(path.name))


def _unread_of(text: str) -> list[Path]:
    """Return the pictures of a type that is not read in a folder, or that a glob finds."""
    if os.path.isdir(text):
        return _in_folder(Path(text), UNREAD_SUFFIXES)
    if os.path.lexists(text):
        return []
    return [file for _, file in _in_glob(text, UNREAD_SUFFIXES)]


def without_suffix(path: _Path) -> _Path:
    """Return the path without its suffix, which has two parts in ``.nii.gz``."""
    return path.with_name(path.name[:-7] or path.name) if _is_packed(path) else path.with_suffix("")


def suffix_of(path: PurePath) -> str:
    """Return the suffix in small letters, which has two parts in ``.nii.gz``."""
    return ".nii.gz" if _is_packed(path) else path.suffix.lower()


def _is_packed(path: PurePath) -> bool:
    return path.name.lower().endswith(".nii.gz")


def images_among(paths: Iterable[Path]) -> list[Path]:
    """Return the paths with an image's suffix.

    Of two of one name, such as a photograph and its conversion, an ordinary format stands for the others;
    arrays are images only where nothing else is one.
    """
    images = [path for path in paths if suffix_of(path) in SUFFIXES]
    plain = {without_suffix(path) for path in images if suffix_of(path) in _PLAIN}
    chosen = [path for path in images if suffix_of(path) in _PLAIN or without_suffix(path) not in plain]
    others = [path for path in chosen if suffix_of(path) != _ARRAY]
    return others or chosen


def _sorted(paths: Iterable[Path], shared: Path) -> list[FoundImage]:
    found = [FoundImage(path, _absolute(path).relative_to(shared)) for path in paths]
    return sorted(found, key=lambda image: image.relative.parts)


def _expand_list(inputs: Sequence[str | Path], stdin: Iterable[str | bytes] | None) -> Iterator[str]:
    for text in inputs:
        if str(text) != "-":
            yield os.fspath(text)
            continue
        for line in sys.stdin.buffer if stdin is None else stdin:
            name = os.fsdecode(line).rstrip("\r\n")
            if name:
                yield name


def _files_of(text: str) -> list[tuple[Path, Path]]:
    """Return (root, file) pairs of one input; the root is what output paths are relative to."""
    if os.path.isdir(text):
        files = _in_folder(Path(text))
        if not files:
            looked_for = f"looked for {' '.join(SUFFIXES)}{_not_read(_unread_of(text))}"
            raise UsageError(f"{printable(text)}: no images in this folder ({looked_for})")
        return [(_absolute(Path(text)), file) for file in files]
    if os.path.lexists(text):
        return [(_absolute(Path(text)).parent, Path(text))]
    if glob.has_magic(text):
        return _in_glob(text)
    raise UsageError(f"{printable(text)}: no such file or folder; check the path")


def _not_read(unread: Sequence[Path]) -> str:
    return f"; of a type that is not read: {first_few(path.name for path in unread)}" if unread else ""


def _in_glob(pattern: str, suffixes: tuple[str, ...] = SUFFIXES) -> list[tuple[Path, Path]]:
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    top = Path(*parts[:fixed])
    if "**" in parts:  # glob.glob would go round links between folders, more often than can be waited for
        inside = _in_folder(top, suffixes)
        files = [file for file in inside if _matches(file.relative_to(top).parts, parts[fixed:])]
    else:
        files = []
        for match in map(Path, glob.glob(pattern)):
            if match.name.lower().endswith(suffixes):
                files += _in_folder(match, suffixes) if match.is_dir() else [match]
        if suffixes == SUFFIXES:
            files = images_among(files)
    if not files and suffixes == SUFFIXES:
        raise UsageError(
            f"{printable(pattern)}: no image matches{_not_read(_unread_of(pattern))}; check the pattern, or "
            "quote it for the shell"
        )
    return [(_absolute(top), file) for file in sorted(files)]


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Tell whether a relative path matches; ``**`` stands for any number of parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _in_folder(top: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Return the files below ``top`` with one of ``suffixes``.

    Each real folder is entered once, links after real ones.
    """
    entered: set[tuple[int, int]] = set()
    files: list[Path] = []
    pending, linked = [top], list[Path]()
    while pending or linked:
        folder = pending.pop() if pending else linked.pop(0)
        real = folder_identity(folder)
        if real in entered:
            continue
        entered.add(real)
        for entry in visible_entries(folder):
            if os.path.isdir(entry):
                (linked if entry.is_symlink() else pending).append(Path(entry))
            elif entry.name.lower().endswith(suffixes):
                files.append(Path(entry))
    return images_among(files) if suffixes == SUFFIXES else files


def folder_identity(folder: str | Path) -> tuple[int, int]:
    """Return what two paths share that lead to one folder; resolving them would look at each part of each.

    Raises:
        OSError: There is no such folder.
    """
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    """Return what lies in a folder, less what is hidden, by name; one that cannot be opened is warned of."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        warnings.warn(f"{printable(folder)}: left out, {error.strerror}", stacklevel=2)
        return []
    return sorted(visible, key=lambda entry: entry.name)


def list_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (path below ``folder`` with ``/``, path) of every visible file, in a fixed order.

    Links to folders are followed, but no real folder is entered twice.
    """
    seen: set[tuple[int, int]] = set()
    pending = [folder]
    while pending:
        parent = pending.pop()
        real = folder_identity(parent)
        if real in seen:
            continue
        seen.add(real)
        entries = [(os.path.isdir(entry), Path(entry)) for entry in visible_entries(parent)]
        pending += [path for is_folder, path in reversed(entries) if is_folder]
        for is_folder, path in entries:
            if not is_folder:
                yield path.relative_to(folder).as_posix(), path


def _real_once(paths: Iterable[Path]) -> list[Path]:
    """Keep one path a real file: the one that is no link, else the first."""
    kept: dict[object, Path] = {}
    folders: dict[Path, object] = {}
    for path in paths:
        real = Path(os.path.realpath(path)) if path.is_symlink() else path
        if real.parent not in folders:
            with suppress(OSError):  # of a link that leads nowhere, which the reader will name
                folders[real.parent] = folder_identity(real.parent)
        place = (folders.get(real.parent, real.parent), real.name)
        if place not in kept or (kept[place].is_symlink() and not path.is_symlink()):
            kept[place] = path
    return list(kept.values())


def _absolute(path: Path) -> Path:
    """Return the path from the root, without ``..``, links not followed."""
    return Path(os.path.abspath(path))
