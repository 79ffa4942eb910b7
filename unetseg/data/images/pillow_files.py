"""What Pillow opens, decoded by faster and stricter decoders where there are some."""

import imagecodecs
import numpy as np
from PIL import Image

from unetseg.data.images.jpeg import Decoded, decode_jpeg
from unetseg.data.images.pixels import Refused
from unetseg.data.images.png import check_chunks

GREY, RGB, GREY_ALPHA = 0, 2, 4  # PNG colour types
_JPEG_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}  # by Pillow's mode


def check_whole(data: bytes, kind: str, image: Image.Image) -> Decoded | None:
    """Refuse a file whose bytes are not those that were saved, where the format can tell.

    Returns:
        A JPEG, decoded: its decoder can tell no sooner.
    """
    if kind == "PNG":
        check_chunks(data)
    if kind == "JPEG" and image.mode in _JPEG_COLOURS:
        return decode_jpeg(data, _JPEG_COLOURS[image.mode])
    return None


def png_layout(data: bytes, image: Image.Image) -> tuple[int, int]:
    """Return (colour type, bit depth) of a PNG's header, (-1, 0) for another format."""
    if image.format != "PNG" or data[12:16] != b"IHDR":
        return -1, 0
    return data[25], data[24]


def decode_png(data: bytes, image: Image.Image) -> np.ndarray:
    """Decode to H×W×C uint8 or uint16; Pillow is half as fast and cuts 16-bit colour to 8 bits.

    Of the two decoders, spng does not take 16-bit grey and RGB, and libpng prints what it finds damaged.
    """
    eight_bits = png_layout(data, image)[1] == 8
    decode = imagecodecs.spng_decode if eight_bits else imagecodecs.png_decode
    return same_size(decode(data), image)


def same_size(samples: np.ndarray, image: Image.Image) -> np.ndarray:
    """Return samples as H×W×C, once their size is that of the header."""
    if samples.shape[:2] != (image.height, image.width):
        raise Refused("is damaged; save or copy it again")
    return samples.reshape(image.height, image.width, -1)
