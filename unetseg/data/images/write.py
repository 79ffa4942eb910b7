"""Writing label masks and images: encoded in memory, then put in place whole."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import plain_write_errors, write_bytes
from unetseg.utilities.text import printable

Colour = tuple[int, int, int]

_PNG = {"format": "PNG", "compress_level": 1}  # 4 times as fast as zlib's own level, masks a fifth larger
_JPEG = {"format": "JPEG", "quality": 92}
_OPTIONS: dict[str, dict[str, Any]] = {".png": _PNG, ".jpg": _JPEG, ".jpeg": _JPEG}


def write_labels(path: str | os.PathLike[str], labels: np.ndarray, colours: Sequence[Colour]) -> None:
    """Write labels as a PNG whose pixels are the labels and whose palette gives them colours.

    Args:
        path: the PNG; its folder is made if it is missing.
        labels: H×W uint8.
        colours: RGB of each label, 1 to 256 of them.

    Raises:
        UnetsegError: A label has no colour, the suffix is not .png, or the file cannot be written.
    """
    _check(path, labels, np.uint8, 2, (".png",))
    check_colours(path, labels, colours)
    image = Image.fromarray(labels)
    image.putpalette(bytes(value for colour in colours for value in colour))
    _save(path, image)


def write_image(path: str | os.PathLike[str], rgb: np.ndarray) -> None:
    """Write an H×W×3 uint8 RGB image as PNG or JPEG (quality 92), by the suffix.

    Raises:
        UnetsegError: The suffix is of neither, or the file cannot be written.
    """
    _check(path, rgb, np.uint8, 3, tuple(_OPTIONS))
    _save(path, Image.fromarray(rgb))


def write_grey16(path: str | os.PathLike[str], grey: np.ndarray) -> None:
    """Write H×W uint16 as a 16-bit grey PNG.

    Raises:
        UnetsegError: The suffix is not .png, or the file cannot be written.
    """
    _check(path, grey, np.uint16, 2, (".png",))
    _save(path, Image.fromarray(grey))


def check_colours(path: str | os.PathLike[str], labels: np.ndarray, colours: Sequence[Colour]) -> None:
    """Refuse labels that have no colour.

    Raises:
        UnetsegError: The highest label is not below ``len(colours)``, or there are not 1 to 256 colours.
    """
    highest = int(labels.max())
    if not highest < len(colours) <= 256:
        raise UnetsegError(
            f"{printable(path)}: label {highest} cannot be written with {len(colours)} colours; "
            "give every label its colour, at most 256"
        )


def _check(
    path: str | os.PathLike[str], array: np.ndarray, dtype: type, dimensions: int, suffixes: tuple[str, ...]
) -> None:
    if Path(path).suffix.lower() not in suffixes:
        raise UsageError(
            f"{printable(path)}: cannot be written as that; end its name in {' or '.join(suffixes)}"
        )
    channels_fit = dimensions == 2 or array.shape[-1:] == (3,)
    if array.dtype != dtype or array.ndim != dimensions or not channels_fit or array.size == 0:
        raise UnetsegError(
            f"{printable(path)}: an array of shape {array.shape} and type {array.dtype} was to be written; "
            f"pass {'height×width×3' if dimensions == 3 else 'height×width'} {np.dtype(dtype)}"
        )


def _save(path: str | os.PathLike[str], image: Image.Image) -> None:
    encoded = io.BytesIO()
    with plain_write_errors(path):
        image.save(encoded, **_OPTIONS[Path(path).suffix.lower()])
        write_bytes(path, encoded.getvalue())
