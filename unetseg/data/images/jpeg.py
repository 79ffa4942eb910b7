"""JPEG, whose decoder only warns of damage: what comes after it is grey or torn."""

import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import simplejpeg

from unetseg.data.images.pixels import Refused
from unetseg.utilities.current_file import doubt

# What libjpeg says where the compressed pixels do not fit their tables or their number
_DAMAGE = re.compile(
    r"extraneous bytes|premature end|bad Huffman|bad arithmetic|instead of RST|Inconsistent progression", re.I
)
_NO_END = "Premature end of JPEG file"
_END = b"\xff\xd9"


@dataclass(frozen=True)
class Decoded:
    """A JPEG as it was decoded: H×W×C uint8, and what its decoder found damaged, empty if nothing."""

    pixels: np.ndarray
    damage: str = ""


def decode_jpeg(data: bytes, colours: str) -> Decoded | None:
    """Decode a whole JPEG, and tell what its decoder warns of where that concerns pixels.

    JPEG has no checksum: damage after which all codes still have a meaning is not seen.

    Args:
        data: the file.
        colours: RGB, GRAY or CMYK, which those of the file can be made into.

    Returns:
        The pixels, all of them; or None where the decoder objects to something else, which becomes a doubt.

    Raises:
        Refused: The file ends before its pixels do.
    """
    try:
        return Decoded(simplejpeg.decode_jpeg(data, colorspace=colours, strict=True))
    except ValueError as error:
        warning = str(error)
    if warning == _NO_END:
        ended = (
            None if data.endswith(_END) else decode_jpeg(data + _END, colours)
        )  # some writers leave it out
        if ended is None or ended.damage:
            raise Refused(f"is damaged or cut off ({warning}); save or copy it again")
        return ended
    if _DAMAGE.search(warning):
        with suppress(ValueError):
            pixels = simplejpeg.decode_jpeg(data, colorspace=colours, strict=False)
            return Decoded(pixels, warning.removeprefix("Corrupt JPEG data: "))
    doubt(f"is an unusual JPEG ({warning.removeprefix('Warning: ')}); look at it")
    return None
