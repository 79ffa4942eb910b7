"""Skeletons of solid shapes: scikit-image's, to the pixel, without a look at what lies inside a shape."""

import hashlib
from collections import OrderedDict
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from unetseg.metrics.geometry import BoolArray, border, bounding_box

# The neighbours of a pixel in the order of the bits of its code: from the upper left one on, clockwise.
_UPPER_LEFT, _UP, _UPPER_RIGHT, _RIGHT, _LOWER_RIGHT, _DOWN, _LOWER_LEFT, _LEFT = range(8)
_SURROUNDED = 255
_SQUARE = np.ones((3, 3), np.uint8)
# Where scikit-image compiled passes are faster: on small masks, and where shapes are hardly more than border.
_FEWEST_PIXELS = 256 * 256
_PIXELS_PER_BORDER_PIXEL = 10
# Codes that scikit-image treats unlike the paper: 1 goes in the first pass alone, 2 in the second, 3 in both.
# It takes corners of two arms (10) and keeps some ends that are two pixels wide (48).
_UNLIKE_THE_PAPER = {
    **dict.fromkeys((3, 6, 11, 12, 14, 131, 134, 161, 194, 198), 1),
    **dict.fromkeys((24, 26, 56, 96, 104, 108, 176, 192, 224), 2),
    **dict.fromkeys((10, 40, 130, 160), 3),
    **dict.fromkeys((48, 129), 0),
}
_KEPT_BYTES = 32 << 20  # a thousand photographs', a bit a pixel

_kept: OrderedDict[bytes, NDArray[np.uint8]] = OrderedDict()
_keeping = Lock()


def skeleton_again(mask: BoolArray) -> BoolArray:
    """Give :func:`skeleton` of a mask that other predictions are compared with too: it is thinned once.

    Kept are the latest skeletons of this process, up to a bound. Only what lies within the mask's own
    bounding box counts, since masks are cropped by what they are compared with.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool, of the mask's pixels.
    """
    box = bounding_box(mask)
    inside = mask[box]
    bits = np.packbits(inside)
    key = hashlib.blake2b(bits.tobytes(), digest_size=16, key=repr(inside.shape).encode()).digest()
    with _keeping:
        known = _kept.get(key)
        if known is not None:
            _kept.move_to_end(key)
    if known is None:
        known = np.packbits(skeleton(inside))
        with _keeping:
            _kept[key] = known
            while sum(each.nbytes for each in _kept.values()) > _KEPT_BYTES:
                _kept.popitem(last=False)
    found = np.zeros(mask.shape, np.bool_)
    found[box] = np.unpackbits(known, count=inside.size).reshape(inside.shape)
    return found


def skeleton(mask: BoolArray) -> BoolArray:
    """Thin a mask to lines: the pixels that scikit-image's ``skeletonize`` gives, whichever way is faster.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool, of the mask's pixels.
    """
    small = mask.size < _FEWEST_PIXELS
    if small or np.count_nonzero(border(mask)) * _PIXELS_PER_BORDER_PIXEL > mask.size:
        found: BoolArray = skeletonize(mask)
        return found
    return thin_from_border(mask)


def thin_from_border(mask: BoolArray) -> BoolArray:
    """Give :func:`skeleton` at the cost of what there is to take away, not of every pixel in every pass.

    Both passes of Zhang & Suen 1984, with scikit-image's choice of what may go. A pixel can go only once it
    has lost a neighbour, so that only the border has to be looked at, which moves inwards.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool, of the mask's pixels.
    """
    width = mask.shape[1] + 2
    codes = np.zeros((mask.shape[0] + 2, width), np.uint8)  # a margin, so that every pixel has neighbours
    codes[1:-1, 1:-1][mask] = _SURROUNDED
    inside = cv2.erode(codes, _SQUARE, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outline = np.flatnonzero(codes != inside)
    steps = (-width - 1, -width, -width + 1, 1, width + 1, width, width - 1, -1)
    flat = codes.reshape(-1)
    flat[outline] = _codes(flat, outline, steps)
    kept = np.zeros(codes.shape, np.bool_)
    kept[1:-1, 1:-1] = mask
    _thin(flat, kept.reshape(-1), outline, steps)
    return kept[1:-1, 1:-1].copy()


def _codes(flat: NDArray[np.uint8], places: NDArray[np.intp], steps: tuple[int, ...]) -> NDArray[np.uint8]:
    """(N,) which neighbours of each place are set, as the bits of a number."""
    codes = np.zeros(places.size, np.uint8)
    for bit, step in enumerate(steps):
        codes |= flat.take(places + step) & np.uint8(1 << bit)
    return codes


def _thin(
    flat: NDArray[np.uint8], kept: BoolArray, outline: NDArray[np.intp], steps: tuple[int, ...]
) -> None:
    """Clear the pixels of ``kept`` that are not of the skeleton.

    Args:
        flat: code of every pixel that is set and 0 of every other; it is used up.
        kept: every pixel, true where one is set.
        outline: places of the pixels that are set and not surrounded.
        steps: to each neighbour.
    """
    # Of the neighbour to the right, this pixel is the one to the left.
    lost = [~np.uint8(1 << (bit + 4) % 8) for bit in range(8)]
    number = unchanged = 0
    while unchanged < 2:
        goes = _PASSES[number % 2].take(flat.take(outline))
        number += 1
        gone = outline.compress(goes)
        if not gone.size:
            unchanged += 1
            continue
        unchanged = 0
        kept[gone] = False
        parts = [outline.compress(~goes)]
        for step, left in zip(steps, lost, strict=True):
            neighbours = gone + step
            before = flat.take(neighbours)
            flat[neighbours] = before & left
            # Each pixel is surrounded until it loses its first neighbour, so none joins the outline twice.
            parts.append(neighbours.compress(before == _SURROUNDED))
        outline = np.concatenate(parts)


def _goes(code: int) -> tuple[bool, bool]:
    """Tell whether a pixel with these neighbours goes in the first pass and in the second."""
    if code in _UNLIKE_THE_PAPER:
        return bool(_UNLIKE_THE_PAPER[code] & 1), bool(_UNLIKE_THE_PAPER[code] & 2)
    near = [bool(code >> bit & 1) for bit in range(8)]
    starts = sum(not near[bit] and near[(bit + 1) % 8] for bit in range(8))
    if not 2 <= sum(near) <= 6 or starts != 1:
        return False, False
    across, down = near[_LEFT] and near[_RIGHT], near[_UP] and near[_DOWN]
    first = not (near[_RIGHT] and down) and not (near[_DOWN] and across)
    second = not (near[_UP] and across) and not (near[_LEFT] and down)
    return first, second


_PASSES = np.array([_goes(code) for code in range(256)]).T.copy()
