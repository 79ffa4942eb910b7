"""How the images of a training look, and whether others look like them: contrast and brightness."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

Appearance = tuple[float, float]
"""Contrast and brightness of one image: deviation and mean of its normalised pixels, over all channels."""

APPEARANCE = "training_images"  # the key of the summary in what a run keeps for inference
_TIMES = 2.0  # contrast beyond the training's by this factor is unlike it
_BRIGHTER = 1.0  # of the training pixels' deviation: so is brightness beyond it by this
_NAMES = ("contrast", "brightness")


def appearance_of(normal: np.ndarray) -> Appearance:
    """Return the appearance of an image, H×W×C float32, normalised as for the network."""
    return float(normal.std()), float(normal.mean())


def summary_of(images: Iterable[Appearance]) -> dict[str, Any]:
    """Return what a run keeps of its training images: least, middle and most of each, plain values."""
    columns = zip(*images, strict=True)
    return {
        name: [round(float(value), 4) for value in (min(column), median(column), max(column))]
        for name, column in zip(_NAMES, columns, strict=True)
    }


def unlike(training: Mapping[str, Sequence[float]], images: Sequence[Appearance]) -> str:
    """Return in a few words which of some images are unlike those of a training, and how; nothing if none is.

    Args:
        training: of ``summary_of``.
        images: those to compare.
    """
    least, middle, most = training["contrast"]
    dark, usual, bright = training["brightness"]
    flat = [each for each in images if each[0] < least / _TIMES]
    harsh = [each for each in images if each[0] > most * _TIMES]
    darker = [each for each in images if each[1] < dark - _BRIGHTER]
    brighter = [each for each in images if each[1] > bright + _BRIGHTER]
    found = {*flat, *harsh, *darker, *brighter}
    if not found:
        return ""
    number = sum(each in found for each in images)
    ways = []
    if flat:
        ways.append(f"contrast {middle / max(median(each[0] for each in flat), 1e-6):.2g} times lower")
    if harsh:
        ways.append(f"contrast {median(each[0] for each in harsh) / max(middle, 1e-6):.2g} times higher")
    if darker:
        ways.append(f"darker by {usual - median(each[1] for each in darker):.2g} of its pixels' deviation")
    if brighter:
        ways.append(
            f"brighter by {median(each[1] for each in brighter) - usual:.2g} of its pixels' deviation"
        )
    which = "all images are" if number == len(images) else f"{number} of {len(images)} images are"
    return f"{which} unlike the training's: {', '.join(ways)}"
