"""Small masks of true and false inside other files, as PNG."""

import io

import numpy as np
from PIL import Image

from unetseg.data.images.decode import open_by_pillow


def decode_bitmap(data: bytes) -> np.ndarray:
    """Return where a PNG is not black in any channel, H×W bool.

    Raises:
        Exception: Of any type, where it is damaged.
    """
    with open_by_pillow(io.BytesIO(data), "PNG", None) as image:
        pixels: np.ndarray = np.array(image) > 0
    return np.asarray(np.atleast_3d(pixels).any(axis=2))


def encode_bitmap(inside: np.ndarray) -> bytes:
    """Return H×W bool as a 1-bit PNG."""
    encoded = io.BytesIO()
    Image.fromarray(inside).save(encoded, "PNG")
    return encoded.getvalue()
