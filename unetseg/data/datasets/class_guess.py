"""Classes told from the values in the masks where a user gave none; what would be a guess is refused."""

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from unetseg.data.datasets.class_entries import MAX_CLASSES
from unetseg.data.datasets.labels import IGNORED, LabelError, raw_values
from unetseg.data.datasets.mask_evidence import (
    INSTANCES,
    are_few_instances,
    are_grey_pictures,
    are_instances,
)
from unetseg.data.datasets.remembered import MaskValues, known_values
from unetseg.data.images.decode import ImageError
from unetseg.data.images.read import image_size, read_mask
from unetseg.errors import UnetsegError
from unetseg.utilities.text import printable
from unetseg.utilities.threads import by_threads

_GREYS = 24  # values from which on a mask may be a grey picture


def guess_classes(folder: Path, pairs: Mapping[Path, Path], ignored: Collection[int]) -> list[str]:
    """Name the classes after the values that occur in the masks.

    0 and 1, 0 and 255, black and white, or nearly all numbers from 0 to some N are classes; where they may
    be instances as well, a warning says so. Files that cannot be read are passed over here: the check before
    training names them all.

    Args:
        folder: Named in the errors.
        pairs: Mask files, each read once, and their images; of a large set, masks that have not changed since
            an earlier look are not read.
        ignored: Values that mark pixels to leave out.

    Raises:
        UnetsegError: The values may mean several things; the message says which entry to write for each.
        LabelError: A mask is in colours.
    """
    masks = [*pairs]
    look, save = known_values(masks, _values)
    looks = [*zip(masks, by_threads(look, masks, min(8, os.cpu_count() or 1)), strict=True)]
    save()
    found = [(path, look) for path, look in looks if not isinstance(look, str)]
    in_tones = all(tones is not None or {*numbers} <= {0, 1, IGNORED} for _, (numbers, tones) in found)
    first: dict[int, Path] = {}
    for path, (numbers, tones) in found:
        for value in tones if in_tones and tones is not None else numbers:
            first.setdefault(value, path)
    reason = next((look for _, look in looks if isinstance(look, str)), "")
    values = sorted(first.keys() - set(ignored))
    if not values:
        raise UnetsegError(f"{folder}: no mask could be read: {reason}" if reason else _nothing(folder))
    if set(values) <= {0, 1, IGNORED}:
        return ["background", "foreground"]
    where = f"{folder}: "
    counted = [value for value in values if value != IGNORED or 254 in first]
    if sum(value > 0 for value in counted) >= INSTANCES and are_instances(masks, counted):
        raise UnetsegError(where + _instances(counted))
    if len(values) >= _GREYS and are_grey_pictures(masks):
        raise UnetsegError(where + (_resized(pairs) or _grey(values)))
    highest = values[-1]
    if highest < 2 * len(values) and highest < MAX_CLASSES:  # most of 0..max occur, so they are indices
        if values[0] == 0:
            if are_few_instances(masks, highest):
                warnings.warn(where + _few_instances(), stacklevel=2)
            return ["background", *(f"class_{index}" for index in range(1, highest + 1))]
        if values[0] == 1:
            raise UnetsegError(where + _from_one(values))
    found_values = ", ".join(f"{value} ({printable(first[value].name)})" for value in values[:6])
    more = f" and {len(values) - 6} more" if len(values) > 6 else ""
    raise UnetsegError(
        f"{where}the classes cannot be told from the mask values {found_values}{more}: {_named(values)}"
    )


def _values(path: Path) -> MaskValues | str:
    """Return a mask's values and, if its palette is in black and white, theirs; or why it cannot be read."""
    try:
        mask = read_mask(path)
        in_tones = mask.indexes_two_tones and not mask.two_tone
        return raw_values(mask), raw_values(mask.shown_in_two_tones) if in_tones else None
    except ImageError as error:
        return str(error)
    except LabelError as error:
        raise LabelError(f"{printable(path)}: {error}") from error


def _nothing(folder: Path) -> str:
    return f"{folder}: the masks hold only values to ignore, none of a class"


_ENTRY = (
    "instances? Then write 'classes: {background: 0, object: {values: [rest]}}' into dataset.yaml, with a "
    "name of your own for 'object' ('instances: masks' there scores objects by them); if they are classes, "
    "name them all: 'classes: [background, ...]'"
)


def _instances(values: Sequence[int]) -> str:
    return f"the mask values 1 to {values[-1]} are each one connected object in an image: {_ENTRY}"


def _few_instances() -> str:
    return f"is read as classes, and each label is one connected object, numbered image by image: {_ENTRY}"


def _named(values: Sequence[int]) -> str:
    """Return the entry that names each value, for a user to give names of their own."""
    counted = [value for value in values if value != IGNORED or len(values) == 2]
    named = ", ".join(f"{f'class_{value}' if value else 'background'}: {value}" for value in counted[:12])
    more = ", ..." if len(counted) > 12 else ""
    entry = f"write 'classes: {{{named}{more}}}' into dataset.yaml, with names of your own"
    if len(counted) == len(values):
        return entry
    return f"{entry}, and 'ignore: {IGNORED}' if {IGNORED} marks pixels to leave out"


def _grey(values: Sequence[int]) -> str:
    return (
        f"the masks hold {len(values)} grey values that run into each other: a grey picture? Then write "
        "'threshold: 128' into dataset.yaml (the grey from which a pixel is foreground, 1 to 255); "
        "if they are classes, write 'classes:'"
    )


def _resized(pairs: Mapping[Path, Path]) -> str:
    """Return what is wrong with masks of another size than their images, if the first one's is another."""
    mask, image = next(iter(pairs.items()))
    with suppress(ImageError):
        (height, width), (rows, columns) = image_size(image), image_size(mask)
        if {height, width} != {rows, columns}:
            return (
                f"{printable(mask.name)} is {columns}x{rows} pixels, its image {width}x{height}, and the "
                "masks hold grey values that run into each other: they were resized by interpolation, which "
                "mixes labels; take the masks of the images' own size, or resize these by nearest neighbour"
            )
    return ""


def _from_one(values: Sequence[int]) -> str:
    names = ", ".join(f"class_{value}: {value}" for value in values[1:4])
    more = ", ..." if len(values) > 4 else ""
    return (
        f"the labels begin at 1 (1 to {values[-1]}, no mask holds 0): write "
        f"'classes: {{background: 1, {names}{more}}}' into dataset.yaml, the background first whichever it is"
    )
