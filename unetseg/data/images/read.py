"""The one reader of image files, whole."""

import io

import imagecodecs
import numpy as np
from PIL import Image

from unetseg.data.images.decode import Path, frame_count, open_by_pillow, opened, orientation_of, warn_of_more
from unetseg.data.images.pixels import (
    Refused,
    three_channels,
    to_uint8,
    upright,
    upright_size,
)
from unetseg.data.images.tiff import TiffPicture

_GREY, _RGB = 0, 2  # PNG colour types
# A JPEG that ends so is whole: these bytes stand nowhere else in its compressed data. Pillow notices what is
# cut off, imagecodecs does not, but decodes in half the time.
_END_OF_JPEG = b"\xff\xd9"


def read_image(path: Path, *, max_pixels: int | None = None) -> np.ndarray:
    """Read an image as H×W×3 uint8 RGB, turned upright by its EXIF orientation.

    JPEG, PNG, TIFF, BMP, WebP and GIF. 16-bit samples are scaled by 65535 (n-bit ones by 2^n − 1), floats
    must lie in 0..1; palettes, CMYK and 1-bit are converted, alpha is dropped; of several frames or pages
    the first is read, with a warning. A file that is cut off is an error, never half an image.

    Args:
        path: the file; its name may hold any bytes.
        max_pixels: the largest image to decode; None stands for Pillow's own limit (179 million).

    Raises:
        ImageError: The file cannot be read, or is no such image.
    """
    with opened(path) as (file, kind):
        if kind == "TIFF":
            picture = TiffPicture(file)
            warn_of_more(path, picture.pages, "pages")
            return upright(picture.read_rgb(max_pixels), picture.orientation)
        data = file.read()
        with open_by_pillow(io.BytesIO(data), kind, max_pixels) as image:
            warn_of_more(path, frame_count(image), "frames")
            return upright(_rgb(data, image), orientation_of(image))


def read_labels(path: Path, *, max_pixels: int | None = None, lossy: bool = False) -> np.ndarray:
    """Read a mask's values as they are saved: H×W uint8 or uint16, or H×W×3 uint8 for a mask of colours.

    A palette's indices, 1-bit as 0 and 1, grey as it is; turned upright as the image is.

    Args:
        path: the file; its name may hold any bytes.
        max_pixels: as of ``read_image``.
        lossy: take JPEG and WebP, for masks that are grey pictures with a threshold.

    Raises:
        ImageError: The file cannot be read, or is of a format that changes values (JPEG, WebP).
    """
    with opened(path) as (file, kind):
        if kind in ("JPEG", "WEBP") and not lossy:
            raise Refused(
                f"is a {kind} file, which may change label values; save masks as PNG, "
                "or give the dataset a 'threshold'"
            )
        if kind == "TIFF":
            picture = TiffPicture(file)
            warn_of_more(path, picture.pages, "pages")
            return upright(picture.read_labels(max_pixels), picture.orientation)
        data = file.read()
        with open_by_pillow(io.BytesIO(data), kind, max_pixels) as image:
            warn_of_more(path, frame_count(image), "frames")
            return upright(_labels(data, image), orientation_of(image))


def image_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of the upright image, from the header alone.

    Raises:
        ImageError: The file cannot be opened, or is no such image.
    """
    with opened(path) as (file, kind):
        if kind == "TIFF":
            picture = TiffPicture(file)
            return upright_size(picture.height, picture.width, picture.orientation)
        with open_by_pillow(file, kind, max_pixels=2**62) as image:
            return upright_size(image.height, image.width, orientation_of(image))


def _rgb(data: bytes, image: Image.Image) -> np.ndarray:
    colour_type, bits = _png_layout(data, image)
    if bits == 16 or (bits == 8 and colour_type in (_GREY, _RGB)):
        samples = _decode_png(data, image)
        return three_channels(to_uint8(samples, 2**bits - 1))
    if image.format == "JPEG" and image.mode == "RGB" and data.endswith(_END_OF_JPEG):
        return _same_size(imagecodecs.jpeg8_decode(data), image)
    if image.mode in ("I", "F", "I;16", "I;16B"):
        raise Refused(f"has pixels of type {image.mode}; save it with 8 or 16 bits a channel")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow warns on some of these
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _labels(data: bytes, image: Image.Image) -> np.ndarray:
    colour_type, bits = _png_layout(data, image)
    if bits == 16:
        if colour_type != _GREY:
            raise Refused("is a 16-bit colour mask; save it as 8-bit RGB or with label values")
        return np.array(_decode_png(data, image)[:, :, 0])
    if image.mode in ("P", "L", "1"):
        values = np.array(image).astype(np.uint8, copy=False)
        stretched = colour_type == _GREY and bits in (2, 4)  # Pillow stretches these to 0..255
        return values // (255 // (2**bits - 1)) if stretched else values
    if image.mode in ("LA", "PA"):
        return np.array(image.getchannel(0))
    if image.mode in ("RGB", "RGBA"):
        return np.array(image)[:, :, :3]
    raise Refused(f"has pixels of type {image.mode}; save it as a palette, grey or RGB PNG")


def _png_layout(data: bytes, image: Image.Image) -> tuple[int, int]:
    """Return (colour type, bit depth) of a PNG's header, (-1, 0) for another format."""
    if image.format != "PNG" or data[12:16] != b"IHDR":
        return -1, 0
    return data[25], data[24]


def _decode_png(data: bytes, image: Image.Image) -> np.ndarray:
    """Decode to H×W×C uint8 or uint16; Pillow is half as fast and cuts 16-bit colour to 8 bits.

    Of the two decoders, spng does not take 16-bit grey and RGB, and libpng prints what it finds damaged.
    """
    eight_bits = _png_layout(data, image)[1] == 8
    decode = imagecodecs.spng_decode if eight_bits else imagecodecs.png_decode
    return _same_size(decode(data), image)


def _same_size(samples: np.ndarray, image: Image.Image) -> np.ndarray:
    if samples.shape[:2] != (image.height, image.width):
        raise Refused("is damaged; save or copy it again")
    return samples.reshape(image.height, image.width, -1)
