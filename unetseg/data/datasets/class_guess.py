"""Classes told from the values in the masks where a user gave none; what would be a guess is refused."""

import os
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from unetseg.data.datasets.class_entries import MAX_CLASSES
from unetseg.data.datasets.labels import IGNORED, LabelError, raw_values
from unetseg.data.datasets.remembered import known_values
from unetseg.data.images.decode import ImageError
from unetseg.data.images.read import read_mask
from unetseg.errors import UnetsegError
from unetseg.utilities.text import printable
from unetseg.utilities.threads import by_threads

_LOOKED_AT = 40  # masks whose pixels are looked at where their values alone do not tell
_INSTANCES = 4  # labels from which on "each is one object" is evidence
_GREYS = 24  # values from which on a mask may be a grey picture


def guess_classes(folder: Path, masks: Sequence[Path], ignored: Collection[int]) -> list[str]:
    """Name the classes after the values that occur in the masks.

    0 and 1, 0 and 255, or nearly all numbers from 0 to some N are classes. Files that cannot be read are
    passed over here: the check before training names them all.

    Args:
        folder: Named in the errors.
        masks: Mask files, each read once; of a large set, those that have not changed since an earlier look
            are not read.
        ignored: Values that mark pixels to leave out.

    Raises:
        UnetsegError: The values may mean several things; the message says which entry to write for each.
        LabelError: A mask is in colours.
    """
    first: dict[int, Path] = {}
    reason = ""
    look, save = known_values(masks, _values)
    for path, found in zip(masks, by_threads(look, masks, min(8, os.cpu_count() or 1)), strict=True):
        if isinstance(found, str):
            reason = reason or found
            continue
        for value in found:
            first.setdefault(value, path)
    save()
    values = sorted(first.keys() - set(ignored))
    if not values:
        raise UnetsegError(f"{folder}: no mask could be read: {reason}" if reason else _nothing(folder))
    if set(values) <= {0, 1, IGNORED}:
        return ["background", "foreground"]
    where = f"{folder}: "
    counted = [value for value in values if value != IGNORED or 254 in first]
    if sum(value > 0 for value in counted) >= _INSTANCES and _are_instances(masks, counted):
        raise UnetsegError(where + _instances(counted))
    if len(values) >= _GREYS and _are_grey_pictures(masks):
        raise UnetsegError(where + _grey(values))
    highest = values[-1]
    if highest < 2 * len(values) and highest < MAX_CLASSES:  # most of 0..max occur, so they are indices
        if values[0] == 0:
            return ["background", *(f"class_{index}" for index in range(1, highest + 1))]
        if values[0] == 1:
            raise UnetsegError(where + _from_one(values))
    found_values = ", ".join(f"{value} ({printable(first[value].name)})" for value in values[:6])
    more = f" and {len(values) - 6} more" if len(values) > 6 else ""
    raise UnetsegError(
        f"{where}the classes cannot be told from the mask values {found_values}{more}: {_named(values)}"
    )


def _values(path: Path) -> list[int] | str:
    """Return a mask's values, or why it cannot be read."""
    try:
        return raw_values(read_mask(path))
    except ImageError as error:
        return str(error)
    except LabelError as error:
        raise LabelError(f"{printable(path)}: {error}") from error


def _nothing(folder: Path) -> str:
    return f"{folder}: the masks hold only values to ignore, none of a class"


def _instances(values: Sequence[int]) -> str:
    return (
        f"the mask values 1 to {values[-1]} are each one connected object in an image: instances? Then write "
        "'classes: {background: 0, object: {values: [rest]}}' into dataset.yaml, with a name of your own for "
        "'object' ('instances: masks' there scores objects by them); if they are classes, name them all: "
        "'classes: [background, ...]'"
    )


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


def _from_one(values: Sequence[int]) -> str:
    names = ", ".join(f"class_{value}: {value}" for value in values[1:4])
    more = ", ..." if len(values) > 4 else ""
    return (
        f"the labels begin at 1 (1 to {values[-1]}, no mask holds 0): write "
        f"'classes: {{background: 1, {names}{more}}}' into dataset.yaml, the background first whichever it is"
    )


def _are_instances(masks: Sequence[Path], values: Sequence[int]) -> bool:
    """Tell whether nearly every label is one connected object wherever it occurs."""
    from skimage.measure import label  # takes part of a second to import

    labels = objects = 0
    for values_there in _pixels(masks):
        present = np.unique(values_there)
        present = present[(present > 0) & (present <= values[-1])]
        regions = label(np.where(values_there <= values[-1], values_there, 0), background=0, connectivity=2)
        labels += len(present)
        objects += int(regions.max())
    return labels >= 3 * _INSTANCES and objects <= 1.05 * labels


def _are_grey_pictures(masks: Sequence[Path]) -> bool:
    """Tell whether values lie between those of their neighbours, as in a blurred or scaled picture."""
    between = inner = pixels = extremes = 0
    steps: list[np.ndarray] = []
    for grey in _pixels(masks):
        if min(grey.shape) < 3:
            continue
        wide = grey.astype(np.int32)
        middle = wide[1:-1, 1:-1]
        around = np.stack([wide[1:-1, :-2], wide[1:-1, 2:], wide[:-2, 1:-1], wide[2:, 1:-1]])
        inside = (middle > wide.min()) & (middle < wide.max())
        inner += int(inside.sum())
        between += int((inside & (around.min(0) < middle) & (around.max(0) > middle)).sum())
        counts = np.bincount(wide.ravel())
        extremes += int(np.sort(counts)[-2:].sum())
        pixels += wide.size
        across = np.abs(np.diff(wide, axis=1))
        steps.append(across[across > 0])
    if not inner:
        return False
    step = float(np.median(np.concatenate(steps))) if steps else 0.0
    return step <= 3 or (between >= 0.6 * inner and (step <= 25 or 2 * extremes >= pixels))


def _pixels(masks: Sequence[Path]) -> list[np.ndarray]:
    """Return H×W values of some of the masks, at even steps; those that cannot be read are left out."""
    some = [masks[index * len(masks) // _LOOKED_AT] for index in range(_LOOKED_AT)]
    found = []
    for path in dict.fromkeys(masks if len(masks) <= _LOOKED_AT else some):
        try:
            mask = read_mask(path)
        except ImageError:
            continue
        found.append(mask.values[..., 0] if mask.values.ndim == 3 else mask.shown)
    return found
