"""Which mask belongs to which image, by their names."""

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from unicodedata import normalize

from unetseg.errors import UnetsegError
from unetseg.utilities.text import first_few

# Of masks that lie beside their images.
MASK_ENDINGS = ("_mask", "_masks", "_gt", "_seg", "_segmentation", "_label", "_labels")


def pair(images: Mapping[str, Path], masks: Mapping[str, Path], suffix: str | None) -> dict[str, Path]:
    """Return the mask of each image that has one.

    Names may be written in different Unicode forms (NFC, NFD), and in different case where that fits one
    name alone. Where no two names agree, the endings that all images and that all masks share do not count
    (``a_0000`` and ``a``, ``a_leftImg8bit`` and ``a_gtFine``).

    Args:
        images: By name.
        masks: By name.
        suffix: The ending of the masks' names; None where it is to be found.
    """
    composed = {normalize("NFC", name): path for name, path in masks.items()}
    names = {normalize("NFC", name): path for name, path in images.items()}
    ending = _common_suffix(names, composed) if suffix is None else normalize("NFC", str(suffix))
    found = _paired(images, masks, composed, "", ending)
    if found:
        return found
    endings = [ending] if suffix is not None else [*_shared_endings(composed)]
    tries = [
        _paired(images, masks, composed, own, other) for own in _shared_endings(names) for other in endings
    ]
    return max(tries, key=len, default={})


def _paired(
    images: Mapping[str, Path], masks: Mapping[str, Path], composed: Mapping[str, Path], own: str, ending: str
) -> dict[str, Path]:
    """Pair names less the images' ``own`` ending with those less the masks' ``ending``."""
    folded = Counter(name.casefold() for name in composed)
    alike = {name.casefold(): path for name, path in composed.items() if folded[name.casefold()] == 1}
    stems = {name: normalize("NFC", name).removesuffix(own) for name in images}
    owners = Counter(stem.casefold() for stem in stems.values())
    found = {}
    for name, stem in stems.items():
        path = masks.get(name.removesuffix(own) + ending) or composed.get(stem + ending)
        if path is None and owners[stem.casefold()] == 1:
            path = alike.get((stem + ending).casefold())
        if path is not None:
            found[name] = path
    return found


def _common_suffix(images: Mapping[str, Path], masks: Mapping[str, Path]) -> str:
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


def _shared_endings(names: Collection[str]) -> Iterator[str]:
    """Yield the endings from ``_``, ``-`` or ``.`` on that all names share, ``""`` and the shortest first."""
    yield ""
    first, last = min(turned := [name[::-1] for name in names]), max(turned)
    same = [*takewhile(lambda two: two[0] == two[1], zip(first, last, strict=False))]
    shared = first[: len(same)][::-1]
    for mark in reversed([*re.finditer(r"[-_.]", shared)]):
        yield shared[mark.start() :]


def mask_endings(names: Collection[str]) -> list[str]:
    """Return those of the usual endings that mark masks beside images of the same names."""
    folded = {name.casefold() for name in names}
    return [
        ending
        for ending in MASK_ENDINGS
        if any(name.endswith(ending) and name.removesuffix(ending) in folded for name in folded)
    ]


def masks_among(names: Collection[str], suffix: str | None) -> set[str]:
    """Return the names of masks among those of files that lie side by side.

    Args:
        names: Of all files.
        suffix: The ending of the masks' names; None where it is one of the usual.
    """
    endings = (suffix.casefold(),) if suffix else tuple(mask_endings(names))
    return {name for name in names if endings and name.casefold().endswith(endings)}


def images_of(masks: Mapping[str, Path], pairs: Mapping[str, Path]) -> dict[str, str]:
    """Return the name of each mask's image by the mask's own name."""
    names = {path: name for name, path in masks.items()}
    return {names[path]: image for image, path in pairs.items()}


def refuse_unpaired(
    folder: Path, images: Iterable[Path], masks: Iterable[Path], unread: Iterable[Path], *, none_pair: bool
) -> None:
    """Name images without a mask, images that are not read beside their masks, and masks without an image.

    Raises:
        UnetsegError: There are such.
    """
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
