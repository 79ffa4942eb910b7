"""What the pixels of some masks tell where their values alone do not: instances, or grey pictures."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from unetseg.data.images.decode import ImageError
from unetseg.data.images.read import read_mask

INSTANCES = 4  # labels from which on "each is one object" is evidence by itself
_LOOKED_AT = 40  # masks


def are_instances(masks: Sequence[Path], values: Sequence[int]) -> bool:
    """Tell whether nearly every label is one connected object wherever it occurs."""
    from skimage.measure import label  # takes part of a second to import

    labels = objects = 0
    for values_there in _pixels(masks):
        present = np.unique(values_there)
        present = present[(present > 0) & (present <= values[-1])]
        regions = label(np.where(values_there <= values[-1], values_there, 0), background=0, connectivity=2)
        labels += len(present)
        objects += int(regions.max())
    return labels >= 3 * INSTANCES and objects <= 1.05 * labels


def are_few_instances(masks: Sequence[Path], highest: int) -> bool:
    """Tell whether the few labels of each image are its objects, numbered anew, or through the whole set.

    Each label is then one connected object that touches the background, and an image has the labels 1 to k,
    with another k in another image; or two labels or more an image, none of which occurs in another image.
    """
    counts: list[int] = []
    labels: list[int] = []
    from_one = True
    for values in _pixels(masks):
        present = np.unique(values)
        present = present[(present > 0) & (present <= highest)].tolist()
        if not present:
            continue
        if not all(_is_one_object(values == label, values) for label in present):
            return False
        counts.append(len(present))
        labels += present
        from_one = from_one and present == [*range(1, len(present) + 1)]
    if len(counts) < 3:
        return False
    own = len({*labels}) == len(labels) >= 2 * len(counts)
    return own or (from_one and len({*counts}) > 1)


def _is_one_object(there: np.ndarray, values: np.ndarray) -> bool:
    """Tell whether a label is one connected region with background, or the image's edge, at its side."""
    if cv2.connectedComponents(there.astype(np.uint8))[0] != 2:
        return False
    beside = cv2.dilate(np.pad(there, 1).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return bool((beside & (np.pad(values, 1) == 0)).any())


def are_grey_pictures(masks: Sequence[Path]) -> bool:
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
