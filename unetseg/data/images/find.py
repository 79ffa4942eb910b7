"""Finding image files: folders, globs, lists; and what their outputs are called."""

import glob
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from unetseg.errors import UsageError
from unetseg.utilities.text import printable

SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif")

# Pictures too, but of types that are not read: found beside others, they are named and not passed over.
UNREAD_SUFFIXES = (
    *(".heic", ".heif", ".avif", ".jp2", ".j2k", ".jpx", ".jpf", ".jxl", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".tga", ".dds", ".ico", ".psd", ".xcf", ".exr", ".hdr", ".svg", ".dng", ".cr2", ".cr3", ".nef", ".arw"),
    *(".dcm", ".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".mrc", ".czi", ".nd2", ".lif", ".vsi", ".svs"),
)


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
        return self.relative.with_suffix(suffix)


def find_images(
    inputs: Sequence[str | Path], *, stdin: Iterable[str | bytes] | None = None
) -> list[FoundImage]:
    """Find the image files that ``inputs`` name, each real file once, sorted.

    A folder is searched with its sub-folders for files with an image's suffix; hidden files and folders
    are left out. A glob (``**`` included) finds such files too. A file that is named is kept whatever
    its suffix. Outputs keep the sub-folders below their input, and where inputs lie in different
    folders, those below the folder they share.

    Args:
        inputs: Files, folders, globs; ``"-"`` for a list, one name a line.
        stdin: The lines that ``"-"`` stands for; ``sys.stdin`` if None.

    Raises:
        UsageError: An input does not exist, or holds no image.
    """
    rooted = [pair for text in _expand_list(inputs, stdin) for pair in _files_of(text)]
    if not rooted:
        raise UsageError("no input images: name files, folders or a glob")
    roots = {root for root, _ in rooted}
    shared = Path(os.path.commonpath(roots)) if len(roots) > 1 else next(iter(roots))
    found = [
        FoundImage(path, _absolute(path).relative_to(shared)) for path in _real_once(p for _, p in rooted)
    ]
    return sorted(found, key=lambda image: image.relative.parts)


def check_collisions(found: Iterable[FoundImage], suffix: str) -> None:
    """Refuse inputs whose outputs would overwrite each other, before anything is read.

    Raises:
        UsageError: Two inputs have one output, or one's output is the folder of another's.
    """
    owners: dict[Path, Path] = {}
    for image in found:
        output = image.output(suffix)
        if output in owners:
            raise UsageError(
                f"{printable(owners[output])} and {printable(image.path)} would both be written to "
                f"{printable(output)}; rename one, or process them into different folders"
            )
        owners[output] = image.path
    for output, path in owners.items():
        for folder in output.parents:
            if folder in owners:
                raise UsageError(
                    f"{printable(owners[folder])} would be written to {printable(folder)}, "
                    f"which is the folder that {printable(path)} is written to; rename one"
                )


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
            raise UsageError(f"{printable(text)}: no images in this folder (looked for {' '.join(SUFFIXES)})")
        return [(_absolute(Path(text)), file) for file in files]
    if os.path.lexists(text):
        return [(_absolute(Path(text)).parent, Path(text))]
    if glob.has_magic(text):
        return _in_glob(text)
    raise UsageError(f"{printable(text)}: no such file or folder; check the path")


def _in_glob(pattern: str) -> list[tuple[Path, Path]]:
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    top = Path(*parts[:fixed])
    if "**" in parts:  # glob.glob would go round links between folders, more often than can be waited for
        files = [file for file in _in_folder(top) if _matches(file.relative_to(top).parts, parts[fixed:])]
    else:
        files = []
        for match in map(Path, glob.glob(pattern)):
            if _has_image_suffix(match.name):
                files += _in_folder(match) if match.is_dir() else [match]
    if not files:
        raise UsageError(
            f"{printable(pattern)}: no image matches; check the pattern, or quote it for the shell"
        )
    return [(_absolute(top), file) for file in sorted(files)]


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Tell whether a relative path matches; ``**`` stands for any number of parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or (bool(parts) and _matches(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _in_folder(top: Path) -> list[Path]:
    """Return the image files below ``top``; each real folder is entered once, links after real ones."""
    entered: set[str] = set()
    files: list[Path] = []
    pending, linked = [top], list[Path]()
    while pending or linked:
        folder = pending.pop() if pending else linked.pop(0)
        real = os.path.realpath(folder)
        if real in entered:
            continue
        entered.add(real)
        for entry in _visible_entries(folder):
            path = Path(entry)
            if os.path.isdir(path):
                (linked if entry.is_symlink() else pending).append(path)
            elif _has_image_suffix(entry.name):
                files.append(path)
    return files


def _visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        warnings.warn(f"{printable(folder)}: left out, {error.strerror}", stacklevel=2)
        return []
    return sorted(visible, key=lambda entry: entry.name)


def _real_once(paths: Iterable[Path]) -> list[Path]:
    """Keep one path a real file: the one that is no link, else the first."""
    kept: dict[str, Path] = {}
    for path in paths:
        real = os.path.realpath(path)
        if real not in kept or (kept[real].is_symlink() and not path.is_symlink()):
            kept[real] = path
    return list(kept.values())


def _has_image_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _absolute(path: Path) -> Path:
    """Return the path from the root, without ``..``, links not followed."""
    return Path(os.path.abspath(path))
