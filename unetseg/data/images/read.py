"""The one reader of image files, whole."""

import io
import warnings
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from unetseg.data.images.array_files import ARRAYS, ArrayFile, open_array
from unetseg.data.images.as_stored import read_stored
from unetseg.data.images.decode import (
    Path,
    frame_count,
    open_by_pillow,
    opened,
    orientation_of,
    warn_of_losses,
    warn_of_more,
)
from unetseg.data.images.jpeg import Decoded
from unetseg.data.images.pillow_files import (
    GREY,
    GREY_ALPHA,
    RGB,
    check_whole,
    decode_png,
    png_layout,
    same_size,
)
from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB, PixelRule
from unetseg.data.images.pixels import (
    Refused,
    lost_levels,
    three_channels,
    to_uint8,
    turns,
    upright,
    upright_size,
)
from unetseg.data.images.stored_mask import StoredMask, refuse_shape_in_alpha
from unetseg.data.images.tiff import TiffPicture
from unetseg.data.images.tiff_as_stored import StoredTiff, open_tiff
from unetseg.utilities.text import printable

DAMAGED_INSIDE = "is damaged inside and is read as far as it decodes; save or copy it again"


@dataclass(frozen=True)
class Picture:
    """An image as it was read.

    Attributes:
        pixels: H×W×3 uint8 RGB; by another rule H×W×C of uint8, uint16 or float32.
        turned: Whether its EXIF orientation turned it.
        damage: What its decoder found damaged in it; empty if nothing. The pixels are what could be decoded.
    """

    pixels: np.ndarray
    turned: bool
    damage: str = ""


def read_image(path: Path, *, max_pixels: int | None = None, rule: PixelRule = EIGHT_BIT_RGB) -> np.ndarray:
    """Read an image as H×W×3 uint8 RGB, or by another rule, turned upright by its EXIF orientation.

    JPEG, PNG, TIFF, BMP, WebP, GIF, HEIC, AVIF, and arrays (NumPy, NIfTI, DICOM). 16-bit samples are scaled
    by 65535 (n-bit ones by 2^n − 1), floats must lie in 0..1; palettes, CMYK and 1-bit are converted, alpha
    is dropped; of several frames or pages the first is read, with a warning. Bands beside colour and alpha,
    and most of the grey levels of 16 bits that use little of their range are lost, each with a warning. A
    file that is cut off is an error, never half an image; a JPEG whose pixels are damaged is read as far as
    it decodes, with a warning.

    Any other rule leaves values as they are stored: H×W×C of uint8, uint16 or float32.

    Args:
        path: the file; its name may hold any bytes.
        max_pixels: the largest image to decode; None stands for Pillow's own limit (179 million).
        rule: which channels are read, and how.

    Raises:
        ImageError: The file cannot be read, or is no such image.
    """
    picture = read_picture(path, max_pixels=max_pixels, rule=rule)
    if picture.damage:
        warnings.warn(f"{printable(path)}: {DAMAGED_INSIDE}", stacklevel=2)
    return picture.pixels


def read_picture(path: Path, *, max_pixels: int | None = None, rule: PixelRule = EIGHT_BIT_RGB) -> Picture:
    """Read an image as :func:`read_image` does, and return rather than say what is damaged in it."""
    with opened(path) as (file, kind):
        if not rule.eight_bit_rgb:
            stored = read_stored(path, file, kind, rule, max_pixels)
            return _upright_picture(stored.samples, stored.orientation, stored.damage)
        if kind == "TIFF":
            tiff = TiffPicture(file)
            rgb = tiff.read_rgb(max_pixels)
            warn_of_losses(path, tiff.losses)
            return _upright_picture(rgb, tiff.orientation)
        if kind in ARRAYS:
            return Picture(_array_as_rgb(open_array(file, kind), max_pixels), turned=False)
        data = file.read()
        with open_by_pillow(io.BytesIO(data), kind, max_pixels) as image:
            jpeg = check_whole(data, kind, image)
            warn_of_more(path, frame_count(image), "frames")
            rgb = _rgb(path, data, image, jpeg)
            return _upright_picture(rgb, orientation_of(image), jpeg.damage if jpeg else "")


def _array_as_rgb(array: ArrayFile, max_pixels: int | None) -> np.ndarray:
    if not array.picture:
        raise Refused(f"has {array.channels} channels, where RGB or grey is expected; train with --channels")
    samples = array.read(max_pixels)
    return three_channels(to_uint8(samples, 65535 if samples.dtype == np.uint16 else 255))


def _upright_picture(stored: np.ndarray, orientation: object, damage: str = "") -> Picture:
    return Picture(upright(stored, orientation), any(turns(orientation)), damage)


def read_labels(path: Path, *, max_pixels: int | None = None, lossy: bool = False) -> np.ndarray:
    """Read a mask's values as they are saved: H×W uint8 or uint16, or H×W×3 uint8 for a mask of colours.

    A palette's indices, 1-bit as 0 and 1, grey as it is; turned upright as the image is. What a palette
    shows is lost: :func:`read_mask` keeps it.

    Args:
        path: the file; its name may hold any bytes.
        max_pixels: as of ``read_image``.
        lossy: take JPEG and WebP, for masks that are grey pictures with a threshold.

    Raises:
        ImageError: The file cannot be read, is of a format that changes values (JPEG, WebP), or has its
            shape in the alpha channel.
    """
    return read_mask(path, max_pixels=max_pixels, lossy=lossy).values


def read_mask(path: Path, *, max_pixels: int | None = None, lossy: bool = False) -> StoredMask:
    """Read a mask with its palette and depth; arguments and errors as of :func:`read_labels`."""
    with opened(path) as (file, kind):
        if kind in ("JPEG", "WEBP", "HEIF", "AVIF") and not lossy:
            raise Refused(
                f"is a {kind} file, which may change label values; save masks as PNG, "
                "or give the dataset a 'threshold'"
            )
        if kind == "TIFF":
            picture = TiffPicture(file)
            warn_of_more(path, picture.pages, "pages")
            return _upright_mask(picture.read_mask(max_pixels), picture.orientation)
        if kind in ARRAYS:
            return open_array(file, kind).read_mask(max_pixels)
        data = file.read()
        with open_by_pillow(io.BytesIO(data), kind, max_pixels) as image:
            jpeg = check_whole(data, kind, image)
            if jpeg and jpeg.damage:
                raise Refused(f"is damaged ({jpeg.damage}); save or copy it again")
            warn_of_more(path, frame_count(image), "frames")
            return _upright_mask(_mask(data, image, jpeg), orientation_of(image))


def _upright_mask(mask: StoredMask, orientation: object) -> StoredMask:
    return replace(mask, values=upright(mask.values, orientation), turned=any(turns(orientation)))


def image_size(path: Path, rule: PixelRule | None = None) -> tuple[int, int]:
    """Return (height, width) of the upright image, from the header alone.

    Args:
        path: the file; its name may hold any bytes.
        rule: which channels are to be read; without, they may be any.

    Raises:
        ImageError: The file cannot be opened, or is no such image.
    """
    return upright_size(*stored_size(path, rule))


def stored_size(path: Path, rule: PixelRule | None = None) -> tuple[int, int, object]:
    """Return (height, width) as stored and the EXIF orientation, which may turn it, from the header alone.

    Raises:
        ImageError: The file cannot be opened, or is no such image.
    """
    with opened(path) as (file, kind):
        if kind == "TIFF":
            picture = StoredTiff(file) if rule is None else open_tiff(file, rule)
            return picture.height, picture.width, picture.orientation
        if kind in ARRAYS:
            array = open_array(file, kind)
            return array.height, array.width, 1
        with open_by_pillow(file, kind, max_pixels=2**62) as image:
            return image.height, image.width, orientation_of(image)


def _rgb(path: Path, data: bytes, image: Image.Image, jpeg: Decoded | None) -> np.ndarray:
    colour_type, bits = png_layout(data, image)
    if bits == 16 or (bits == 8 and colour_type in (GREY, RGB)):
        samples = decode_png(data, image)
        warn_of_losses(path, [lost_levels(samples)])
        return three_channels(to_uint8(samples, 2**bits - 1))
    if jpeg and image.mode != "CMYK":  # Pillow knows which of these are inverted
        return three_channels(same_size(jpeg.pixels, image))
    if image.mode in ("I", "F", "I;16", "I;16B"):
        raise Refused(f"has pixels of type {image.mode}; save it with 8 or 16 bits a channel")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow warns on some of these
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _mask(data: bytes, image: Image.Image, jpeg: Decoded | None = None) -> StoredMask:
    colour_type, bits = png_layout(data, image)
    if bits == 16:
        if colour_type not in (GREY, GREY_ALPHA):
            raise Refused("is a 16-bit colour mask; save it as 8-bit RGB or with label values")
        samples = decode_png(data, image)
        mask = StoredMask(np.array(samples[:, :, 0]), 65535)
        if colour_type == GREY_ALPHA:
            refuse_shape_in_alpha(mask, samples[:, :, 1])
        return mask
    if jpeg and image.mode != "CMYK":
        samples = same_size(jpeg.pixels, image)
        return StoredMask(samples[:, :, 0], 255) if image.mode == "L" else StoredMask(samples)
    if image.mode == "P":
        mask = StoredMask(np.array(image).astype(np.uint8, copy=False), 255, _palette(image))
        if isinstance(image.info.get("transparency"), bytes | int):
            refuse_shape_in_alpha(mask, _alpha_of_indices(image.info["transparency"]))
        return mask
    if image.mode in ("L", "1"):
        values = np.array(image).astype(np.uint8, copy=False)
        maximum = 1 if image.mode == "1" else 255
        if colour_type == GREY and bits in (2, 4):  # Pillow stretches these to 0..255
            maximum = 2**bits - 1
            values = values // (255 // maximum)
        return StoredMask(values, maximum)
    if image.mode in ("LA", "PA"):
        mask = StoredMask(np.array(image.getchannel(0)), 255, _palette(image) if image.mode == "PA" else None)
    elif image.mode in ("RGB", "RGBA"):
        mask = StoredMask(np.array(image)[:, :, :3])
    else:
        raise Refused(f"has pixels of type {image.mode}; save it as a palette, grey or RGB PNG")
    if image.mode in ("LA", "PA", "RGBA"):
        refuse_shape_in_alpha(mask, np.asarray(image.getchannel(len(image.getbands()) - 1)))
    return mask


def _palette(image: Image.Image) -> np.ndarray:
    colours = image.getpalette("RGB") or []
    return np.array(colours, np.uint8).reshape(-1, 3)


def _alpha_of_indices(transparency: bytes | int) -> np.ndarray:
    """Return the alpha of each index of a palette; the indices that follow are opaque."""
    if isinstance(transparency, bytes):
        return np.frombuffer(transparency, np.uint8)
    alpha = np.full(transparency + 1, 255, np.uint8)
    alpha[transparency] = 0
    return alpha
