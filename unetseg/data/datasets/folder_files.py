"""The files of a folder of the user's own by name: images in one place, masks in another."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unetseg.data.datasets.folder_layouts import is_split_place, parts_of
from unetseg.data.datasets.mask_pairs import masks_among
from unetseg.data.images.find import (
    SUFFIXES,
    UNREAD_SUFFIXES,
    images_among,
    list_files,
    suffix_of,
    without_suffix,
)
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.text import first_few


class MissingFolder(UsageError):
    """A folder that was to be a dataset has no ``images/`` or no ``masks/``."""

    def __init__(self, folder: Path, name: str) -> None:
        advice = "name those that it has with --images DIR --masks DIR"
        super().__init__(f"{folder}: has no folder '{name}' (a dataset is images/ and masks/); {advice}")


@dataclass(frozen=True)
class Files:
    """The picture files below ``tops`` by name, and those of types that are not read."""

    tops: tuple[Path, ...]
    paths: dict[str, Path]
    unread: dict[str, Path]

    @property
    def folders(self) -> tuple[str, ...]:
        """What the folders are called."""
        return tuple(dict.fromkeys(top.name for top in self.tops))


def find_files(folder: Path, images: str, masks: str, mask_suffix: str | None) -> tuple[Files, Files]:
    """Return the images and the masks of a folder.

    Args:
        folder: Of the dataset.
        images: The images' folder: below ``folder``, or a path of its own; with ``{split}``, one each part.
        masks: The masks' folder, likewise; where both are one, names' endings tell masks.
        mask_suffix: That ending, where it is given.

    Raises:
        UsageError: There is no such folder.
        UnetsegError: A folder holds no picture that is read, or two of one name.
    """
    if is_split_place(images) or is_split_place(masks):
        parts = parts_of(folder, images, masks)
        return (
            _joined({part: by_name(path, "image") for part, (path, _) in parts.items()}),
            _joined({part: by_name(path, "mask") for part, (_, path) in parts.items() if path}),
        )
    tops = place(folder, images, "--images"), place(folder, masks, "--masks")
    if tops[0].resolve() == tops[1].resolve():
        return _side_by_side(by_name(tops[0], "file"), mask_suffix)
    return by_name(tops[0], "image"), by_name(tops[1], "mask")


def place(folder: Path, name: str, flag: str) -> Path:
    """Return a folder that lies below another or is a path of its own.

    Raises:
        UsageError: It is neither; ``flag`` is named.
    """
    below = folder / name
    if below.is_dir():
        return below
    if Path(name).is_dir() and name not in ("images", "masks"):
        return Path(name)
    if name in ("images", "masks"):
        raise MissingFolder(folder, name)
    raise UsageError(f"{flag} {name}: no such folder, neither here nor in {folder}")


def by_name(folder: Path, kind: str) -> Files:
    """Return the pictures below a folder by their path there, with ``/`` and without suffix.

    Raises:
        UnetsegError: There is none that can be read, or two of one name.
    """
    found: dict[str, Path] = {}
    unread: dict[str, Path] = {}
    others = set()
    files = [*list_files(folder)]
    images = {*images_among(path for _, path in files)}
    for relative, path in files:
        name = str(without_suffix(PurePosixPath(relative)))
        if path not in images and suffix_of(path) in SUFFIXES:
            continue  # the original of a conversion, or an array beside pictures
        if path not in images:
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
    return Files((folder,), found, {name: path for name, path in unread.items() if name not in found})


def _joined(parts: Mapping[str, Files]) -> Files:
    """Return the files of all parts, each named after its part first."""
    if [*parts] == [""]:
        return parts[""]
    return Files(
        tuple(top for files in parts.values() for top in files.tops),
        {f"{part}/{name}": path for part, files in parts.items() for name, path in files.paths.items()},
        {f"{part}/{name}": path for part, files in parts.items() for name, path in files.unread.items()},
    )


def _side_by_side(files: Files, mask_suffix: str | None) -> tuple[Files, Files]:
    masks = masks_among(files.paths, mask_suffix)
    if not masks:
        raise UnetsegError(
            f"{files.tops[0]}: holds no masks beside the images (names that end in _mask, for example; "
            "'mask_suffix' in dataset.yaml names another ending)"
        )
    return _chosen(files, files.paths.keys() - masks), _chosen(files, masks, {})


def _chosen(files: Files, names: Iterable[str], unread: dict[str, Path] | None = None) -> Files:
    chosen = {*names}
    paths = {name: path for name, path in files.paths.items() if name in chosen}
    return Files(files.tops, paths, files.unread if unread is None else unread)
