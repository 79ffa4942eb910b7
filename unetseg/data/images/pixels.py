"""What every decoder shares: 8-bit RGB from any sample type, upright images, the limit on pixels."""

from functools import lru_cache

import numpy as np
from PIL import Image

ORIENTATION_TAG = 0x0112  # the same number in EXIF and in TIFF
_MANY_LEVELS = 64  # left of 16 bits, from which on none is missed
# orientation → (transpose, then flip rows, then flip columns), TIFF 6.0 p. 36
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


class Refused(Exception):
    """A file that is understood and not taken: the text says why and what to do, without the name."""


def turns(orientation: object) -> tuple[bool, bool, bool]:
    """Return what makes a stored image upright: transpose, then flip rows, then flip columns.

    An orientation that is none of the eight counts as upright, as in image viewers.
    """
    return _TURNS.get(orientation, _TURNS[1]) if isinstance(orientation, int) else _TURNS[1]


def upright(stored: np.ndarray, orientation: object) -> np.ndarray:
    """Turn a stored H×W or H×W×C array upright; the result is contiguous."""
    transpose, flip_rows, flip_columns = turns(orientation)
    turned = stored.swapaxes(0, 1) if transpose else stored
    turned = turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return np.ascontiguousarray(turned)


def upright_size(height: int, width: int, orientation: object) -> tuple[int, int]:
    """Return (height, width) after :func:`upright`."""
    return (width, height) if turns(orientation)[0] else (height, width)


def to_uint8(samples: np.ndarray, maximum: int) -> np.ndarray:
    """Scale unsigned samples of any shape, or floats in 0..1, to uint8.

    Args:
        samples: bool, uint8, uint16 or floating point.
        maximum: the value that becomes 255, for integers (255, 65535, 4095 for 12-bit samples, …).

    Raises:
        Refused: floats outside 0..1, or a type that holds no picture.
    """
    if samples.dtype.kind == "f":
        if not (samples.min() >= 0 and samples.max() <= 1):  # also false for NaN
            raise Refused("holds floating-point values outside 0 to 1; scale them and save as 8 or 16 bits")
        return (samples * 255 + 0.5).astype(np.uint8)
    if samples.dtype == np.uint8 and maximum == 255:
        return samples
    if samples.dtype not in (np.bool_, np.uint8, np.uint16):
        raise Refused(f"holds {samples.dtype} values; save it with 8 or 16 bits a channel, unsigned")
    indices = samples.astype(np.uint8) if samples.dtype == np.bool_ else samples
    converted: np.ndarray = _table(maximum)[indices]
    return converted


def stored_type(samples: np.ndarray) -> np.ndarray:
    """Return numbers as the nearest of uint8, uint16 and float32: bool as 0 and 255, the others unscaled.

    Raises:
        Refused: They are no plain numbers.
    """
    if samples.dtype == np.bool_:
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype in (np.uint8, np.uint16):
        return samples
    if samples.dtype.kind not in "iuf":
        raise Refused(f"holds {samples.dtype} values; save it as numbers of 8, 16 or 32 bits")
    return samples.astype(np.float32)


def lost_levels(samples: np.ndarray) -> str:
    """Say how many grey levels 8 bits leave of 16-bit samples that use little of their range.

    Returns:
        A text to follow the file's name; empty where nothing worth a word is lost.
    """
    if samples.dtype != np.uint16 or not samples.size:
        return ""
    lowest, highest = int(samples.min()), int(samples.max())
    if 4 * (highest - lowest) >= 65535:
        return ""
    before = np.flatnonzero(np.bincount((samples - lowest).ravel())) + lowest
    left = len(np.unique(_table(65535)[before]))
    if left >= len(before) or left > _MANY_LEVELS:
        return ""
    share = (highest - lowest) / 65535
    return (
        f"holds {lowest} to {highest} of the 16-bit range, {share:.1%} of it: "
        f"{left} grey level(s) of {len(before)} are left in 8 bits; stretch it to the whole range"
    )


@lru_cache(maxsize=4)
def _table(maximum: int) -> np.ndarray:
    values = np.arange(np.iinfo(np.uint16).max + 1, dtype=np.float64)
    return np.minimum(values * 255 / maximum + 0.5, 255).astype(np.uint8)


def three_channels(grey_or_colour: np.ndarray) -> np.ndarray:
    """Return H×W×3 from H×W×C: grey (C 1 or 2) repeated, alpha (the last of 2 or 4) dropped."""
    if grey_or_colour.shape[2] <= 2:
        return np.repeat(grey_or_colour[:, :, :1], 3, axis=2)
    return grey_or_colour[:, :, :3]


def check_pixels(height: int, width: int, max_pixels: int | None) -> None:
    """Refuse an image of more than ``max_pixels`` pixels, or of more than Pillow's limit if that is None.

    Raises:
        Refused: It has more.
    """
    allowed = 2 * Image.MAX_IMAGE_PIXELS if max_pixels is None and Image.MAX_IMAGE_PIXELS else max_pixels
    if allowed is not None and height * width > allowed:
        raise Refused(beyond_limit(f"{width}×{height} pixels are more than the limit of {allowed:,}"))


def beyond_limit(what: str) -> str:
    """Return what it is that has too many pixels, and what to do; the flag is one of predict alone."""
    return f"{what}; cut it into smaller ones, or predict it with --max-pixels if the file is to be trusted"
