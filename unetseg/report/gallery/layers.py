"""Pictures as data URIs: photographs, and what is right and wrong in a mask as a layer over them.

The kinds of error differ in colour (a blue and an orange that the colour-blind tell apart), in lightness and
in pattern: missed pixels are striped, extra ones dotted.
"""

import base64
import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unetseg.data.images.overlay import fitted
from unetseg.report.gallery.error_map import CONFUSED, EXTRA, MISSED, NOTHING, RIGHT, UNCOUNTED, Mask

# One period of a pattern, in pixels of the layer.
_PERIOD = 6
_ROWS, _COLUMNS = np.indices((_PERIOD, _PERIOD))
_STRIPES = (_ROWS + _COLUMNS) % _PERIOD < 2
_DOTS = (_ROWS < 2) & (_COLUMNS < 2)
_GRID = (_ROWS == 0) | (_COLUMNS == 0)

# Red, green, blue and opacity of each kind: the ground, then the pattern on it.
COLOURS = {
    NOTHING: ((0, 0, 0, 0), (0, 0, 0, 0), None),
    UNCOUNTED: ((120, 120, 120, 150), (90, 90, 90, 150), _GRID),
    RIGHT: ((0, 205, 150, 150), (0, 205, 150, 150), None),
    CONFUSED: ((204, 121, 167, 255), (90, 20, 60, 255), _GRID),
    EXTRA: ((0, 90, 200, 255), (190, 225, 255, 255), _DOTS),
    MISSED: ((255, 176, 0, 255), (150, 60, 0, 255), _STRIPES),
}
_PALETTE = np.array(
    [entry for ground, pattern, _ in COLOURS.values() for entry in (ground, pattern)], np.uint8
)


def photo_uri(image: NDArray[np.uint8], side: int, quality: int = 80) -> str:
    """Return an image as WebP, brought to at most ``side`` pixels on its longer side.

    Args:
        image: H×W×3 RGB.
        side: in pixels.
        quality: of WebP, 1 to 100.
    """
    height, width = image.shape[:2]
    small = max(height, width) <= side
    fit = image if small else cv2.resize(image, fitted(width, height, side), interpolation=cv2.INTER_AREA)
    return _uri(fit, quality=quality, method=4)


def layer_uri(kinds: Mask, side: int) -> str:
    """Return kinds of pixel as lossless WebP with colours, patterns and transparency.

    A small mask is enlarged by a whole factor, so that its pixels stay square and hold a pattern; a large
    one is brought to ``side`` pixels on its longer side by the nearest pixel.

    Args:
        kinds: H×W, of :func:`unetseg.report.gallery.error_map.error_kinds`.
        side: in pixels.
    """
    height, width = kinds.shape
    factor = side // max(height, width)
    size = (width * factor, height * factor) if factor else fitted(width, height, side)
    shown = cv2.resize(kinds, size, interpolation=cv2.INTER_NEAREST)
    indices = 2 * shown
    for kind, (_, _, pattern) in COLOURS.items():
        if pattern is not None:
            repeats = [-(-length // _PERIOD) for length in shown.shape]
            indices += (shown == kind) & np.tile(pattern, repeats)[: shown.shape[0], : shown.shape[1]]
    return _uri(_PALETTE[indices], lossless=True, quality=50, method=2)


def _uri(pixels: NDArray[Any], **options: object) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "webp", **options)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
