"""Pixels as their files hold them: every channel, no value scaled."""

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL import Image

from unetseg.data.images.array_files import ARRAYS, open_array
from unetseg.data.images.decode import (
    frame_count,
    open_by_pillow,
    opened,
    orientation_of,
    warn_of_losses,
    warn_of_more,
)
from unetseg.data.images.jpeg import Decoded
from unetseg.data.images.pillow_files import GREY, RGB, check_whole, decode_png, png_layout, same_size
from unetseg.data.images.pixel_rule import PixelRule
from unetseg.data.images.pixels import Refused
from unetseg.data.images.tiff_as_stored import StoredTiff
from unetseg.utilities.current_file import doubt

_CHANNELS = {"L": 1, "1": 1, "LA": 2, "RGBA": 4}  # by Pillow's mode; all others are made RGB


@dataclass(frozen=True)
class Contents:
    """What an image file holds, by its header.

    Attributes:
        values: ``uint8``, ``uint16`` or ``float32``.
        channels: How many.
        picture: Whether they are grey or RGB, with or without alpha.
        names: Of the channels, as far as the file has them.
    """

    values: str
    channels: int
    picture: bool = True
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """An image as stored: not turned upright; ``damage`` is what its decoder found damaged, else empty."""

    samples: np.ndarray
    orientation: object
    damage: str = ""


def contents(path: str | os.PathLike[str]) -> Contents:
    """Return what an image file holds, by its header.

    Raises:
        ImageError: The file cannot be opened, or is no image.
    """
    with opened(path) as (file, kind):
        if kind == "TIFF":
            tiff = StoredTiff(file)
            return Contents(tiff.values, tiff.channels, tiff.picture, tiff.names)
        if kind in ARRAYS:
            array = open_array(file, kind)
            return Contents(array.values, array.channels, array.picture)
        if kind == "JPEG":
            return Contents("uint8", 3)  # grey is read as RGB by every rule
        with open_by_pillow(file, kind, max_pixels=2**62) as image:
            if kind == "PNG":
                file.seek(0)
                bits = png_layout(file.read(32), image)[1]
                return Contents("uint16" if bits == 16 else "uint8", len(image.getbands()))
            return Contents("uint8", _CHANNELS.get(image.mode, 3))


def read_stored(
    path: str | os.PathLike[str], file: BinaryIO, kind: str, rule: PixelRule, max_pixels: int | None
) -> Stored:
    """Read the channels that a rule takes of an open image, and warn of what is left out.

    Raises:
        Refused: The file lacks them, or is damaged or too large.
    """
    if kind == "TIFF":
        tiff = StoredTiff(file, rule)
        samples = tiff.read_rgb(max_pixels)
        if not tiff.names_no_data:
            _doubt_holes(samples)
        warn_of_losses(path, tiff.losses)
        return Stored(samples, tiff.orientation)
    if kind in ARRAYS:
        array = open_array(file, kind)
        samples = rule.pick(array.read(max_pixels), picture=array.picture)
        _doubt_holes(samples)
        return Stored(samples, 1)
    data = file.read()
    with open_by_pillow(io.BytesIO(data), kind, max_pixels) as image:
        jpeg = check_whole(data, kind, image)
        warn_of_more(path, frame_count(image), "frames")
        samples = rule.pick(_samples(data, image, jpeg), _names(image))
        return Stored(samples, orientation_of(image), jpeg.damage if jpeg else "")


def _doubt_holes(samples: np.ndarray) -> None:
    """Say how many values of floats are no numbers: see ``PixelRule.to_unit``."""
    if samples.dtype.kind == "f" and (holes := int(np.count_nonzero(~np.isfinite(samples)))):
        doubt(f"holds {holes:,} value(s) that are no finite numbers; they count as the ends of its range")


def _samples(data: bytes, image: Image.Image, jpeg: Decoded | None) -> np.ndarray:
    """Return H×W×C uint8 or uint16; palettes and CMYK as RGB, 1 bit as 0 and 255."""
    colour_type, bits = png_layout(data, image)
    if bits == 16 or (bits == 8 and colour_type in (GREY, RGB)):
        return decode_png(data, image)
    if jpeg and image.mode != "CMYK":  # Pillow knows which of these are inverted
        return same_size(jpeg.pixels, image)
    if image.mode in ("I", "F", "I;16", "I;16B"):
        raise Refused(f"has pixels of type {image.mode}; save it with 8 or 16 bits a channel")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB, Pillow warns on some of these
    if image.mode == "1":
        image = image.convert("L")
    pixels = np.array(image if image.mode in _CHANNELS else image.convert("RGB"))
    return pixels.reshape(*pixels.shape[:2], -1)


def _names(image: Image.Image) -> tuple[str, ...]:
    grey = len(image.getbands()) < 3 and image.mode != "P"
    return ("grey", "alpha") if grey else ("red", "green", "blue", "alpha")
