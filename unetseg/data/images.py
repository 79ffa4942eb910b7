"""The one reader of image files, whole; the writer (``label_files``) is offered here too.

Files are read by Python and decoded from memory, because decoders crash on names that are not UTF-8.
"""

import io
import os
import re
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from unetseg.data.find import printable
from unetseg.data.label_files import write_grey16, write_image, write_labels
from unetseg.data.pixels import (
    ORIENTATION_TAG,
    Refused,
    check_pixels,
    three_channels,
    to_uint8,
    upright,
    upright_size,
)
from unetseg.data.tiff import TiffPicture
from unetseg.errors import UnetsegError

__all__ = [
    "ImageError",
    "image_size",
    "naming",
    "open_image_file",
    "read_image",
    "read_labels",
    "warn_of_more",
    "write_grey16",
    "write_image",
    "write_labels",
]

Path = str | os.PathLike[str]
_HEAD = 512
_GREY, _RGB = 0, 2  # PNG colour types
# A JPEG that ends so is whole: these bytes stand nowhere else in its compressed data. Pillow notices what is
# cut off, imagecodecs does not, but decodes in half the time.
_END_OF_JPEG = b"\xff\xd9"
_IN_MEMORY = re.compile(r" <_io\.BytesIO[^>]*>")  # how decoders name a file that they were given as bytes
_raised_limit = threading.Lock()


class ImageError(UnetsegError):
    """An image file that cannot be used: "NAME: what is wrong; what to do", in one printable line."""


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
    with _opened(path) as (file, kind):
        if kind == "TIFF":
            picture = TiffPicture(file)
            warn_of_more(path, picture.pages, "pages")
            return upright(picture.read_rgb(max_pixels), picture.orientation)
        data = file.read()
        with _pillow(io.BytesIO(data), kind, max_pixels) as image:
            warn_of_more(path, _frames(image), "frames")
            return upright(_rgb(data, image), _orientation(image))


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
    with _opened(path) as (file, kind):
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
        with _pillow(io.BytesIO(data), kind, max_pixels) as image:
            warn_of_more(path, _frames(image), "frames")
            return upright(_labels(data, image), _orientation(image))


def image_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of the upright image, from the header alone.

    Raises:
        ImageError: The file cannot be opened, or is no such image.
    """
    with _opened(path) as (file, kind):
        if kind == "TIFF":
            picture = TiffPicture(file)
            return upright_size(picture.height, picture.width, picture.orientation)
        with _pillow(file, kind, max_pixels=2**62) as image:
            return upright_size(image.height, image.width, _orientation(image))


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Make an ImageError that names the file of whatever the block raises while it decodes ``path``."""
    name = printable(path)
    try:
        yield
    except UnetsegError:
        raise
    except Refused as error:
        raise ImageError(f"{name}: {error}") from error
    except MemoryError as error:
        raise ImageError(
            f"{name}: does not fit into memory; make it smaller, or save it as a tiled TIFF"
        ) from error
    except Exception as error:  # decoders raise every type there is on damaged files
        raise ImageError(f"{name}: {_reason(error)}") from error


def open_image_file(path: Path) -> tuple[BinaryIO, str]:
    """Open an image file and tell JPEG, PNG, TIFF, BMP, WEBP or GIF by its first bytes.

    Raises:
        Refused: It is no regular file, or of another format.
        OSError: It cannot be opened.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
        raise Refused(f"is a {'folder' if stat.S_ISDIR(mode) else 'pipe or device'}; name an image file")
    file = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    try:
        kind = _format(file.read(_HEAD))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, kind


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    with naming(path):
        file, kind = open_image_file(path)
        with file:
            yield file, kind


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read: {error.strerror}; check the path and its permissions"
    text = _IN_MEMORY.sub("", " ".join(str(error).split()))[:200]
    if len(text) < 4:  # such as the key of a KeyError
        text = f"{type(error).__name__} {text}".rstrip()
    printed = "".join(c if c.isprintable() else "?" for c in text)
    return f"is damaged or cut off ({printed}); save or copy it again"


def _format(head: bytes) -> str:
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if not head:
        raise Refused("is empty; save or copy it again")
    if head[128:132] == b"DICM":
        raise Refused("is DICOM, which is not read; save each 2-D slice as an 8- or 16-bit PNG or TIFF")
    if head[344:347] in (b"n+1", b"ni1") or head[:2] == b"\x1f\x8b" or head[4:8] in (b"n+2\0", b"ni2\0"):
        raise Refused(
            "is NIfTI or compressed, which is not read; save each 2-D slice as an 8- or 16-bit PNG or TIFF"
        )
    raise Refused("is no JPEG, PNG, TIFF, BMP, WebP or GIF; save it as one of them")


_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)


@contextmanager
def _pillow(file: BinaryIO, kind: str, max_pixels: int | None) -> Iterator[Image.Image]:
    """Open by Pillow, as one format alone and with its limit on pixels unless ``max_pixels`` sets another."""
    try:
        image = Image.open(file, formats=(kind,))
    except Image.DecompressionBombError as error:
        if max_pixels is None:
            raise Refused(
                f"{error}; raise the limit with --max-pixels if the file is to be trusted"
            ) from error
        with _pillow_limit(max_pixels):
            image = Image.open(file, formats=(kind,))
            check_pixels(image.height, image.width, max_pixels)
            yield image
        return
    check_pixels(image.height, image.width, max_pixels)
    yield image


@contextmanager
def _pillow_limit(max_pixels: int) -> Iterator[None]:
    """Set Pillow's limit, which is one for the process; so one image at a time is read under it."""
    with _raised_limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


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


def _orientation(image: Image.Image) -> object:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # getexif would decode the whole file in search of it
    try:
        return image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # damaged EXIF is no reason to give up the picture
        return 1


def _frames(image: Image.Image) -> int:
    animated = image.format in ("GIF", "PNG", "WEBP") and getattr(image, "is_animated", False)
    return int(getattr(image, "n_frames", 1)) if animated else 1


def warn_of_more(path: Path, count: int, what: str) -> None:
    """Warn, in one line, that only the first of several frames or pages is used."""
    if count > 1:
        warnings.warn(f"{printable(path)}: has {count} {what}; the first is used", stacklevel=3)
