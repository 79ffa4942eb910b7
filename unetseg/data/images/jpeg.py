"""JPEG, whose decoder warns of damage that it decodes past: grey or torn from there on."""

import re

import numpy as np
import simplejpeg

from unetseg.data.images.pixels import Refused
from unetseg.utilities.current_file import doubt

# What libjpeg says where the compressed pixels do not fit their tables or their number
_DAMAGE = re.compile(
    r"extraneous bytes|premature end|bad Huffman|bad arithmetic|instead of RST|Inconsistent progression", re.I
)


def decode_jpeg(data: bytes, colours: str) -> np.ndarray | None:
    """Decode a whole JPEG, H×W×C uint8; what its decoder only warns of is an error where it concerns pixels.

    JPEG has no checksum: damage after which all codes still have a meaning is not seen.

    Args:
        data: the file.
        colours: RGB, GRAY or CMYK, which those of the file can be made into.

    Returns:
        The pixels, or None where the decoder objects to something else, which becomes a doubt.

    Raises:
        Refused: The compressed pixels are damaged or cut off.
    """
    try:
        decoded: np.ndarray = simplejpeg.decode_jpeg(data, colorspace=colours, strict=True)
        return decoded
    except ValueError as error:
        warning = str(error)
    if _DAMAGE.search(warning):
        reason = warning.removeprefix("Corrupt JPEG data: ")
        raise Refused(f"is damaged or cut off ({reason}); save or copy it again")
    doubt(f"is an unusual JPEG ({warning.removeprefix('Warning: ')}); look at it")
    return None
