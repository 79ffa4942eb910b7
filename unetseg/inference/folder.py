"""A folder of images in, a folder of masks out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from unetseg.data.find import FoundImage, check_collisions, find_images
from unetseg.data.images import read_image, write_image, write_labels
from unetseg.errors import UnetsegError
from unetseg.inference.predictor import Predictor
from unetseg.progress import show_progress


@dataclass(frozen=True)
class Failure:
    """An image that got no mask, and why."""

    image: Path
    reason: str


def predict_folder(
    predictor: Predictor, inputs: Sequence[str | Path], output: Path, *, overlay: bool = False
) -> tuple[int, list[Failure]]:
    """Write one mask an image: a palette PNG of class indices, of exactly the image's size.

    Args:
        predictor: of a run.
        inputs: files, folders or globs; sub-folders are kept.
        output: the masks' folder.
        overlay: also write ``NAME.overlay.jpg``, the mask's colours and outlines over the image.

    Returns:
        How many masks were written, and the images that failed; one bad file stops no other.

    Raises:
        UsageError: if an input is missing, or two would write the same mask.
    """
    found = find_images(inputs)
    check_collisions(found, ".png")
    failures: list[Failure] = []
    progress = show_progress("predicting")
    for done, image in enumerate(found, start=1):
        try:
            _predict_one(predictor, image, output, overlay)
        except UnetsegError as error:
            failures.append(Failure(image.path, str(error)))
        progress(done, len(found))
    return len(found) - len(failures), failures


def _predict_one(predictor: Predictor, found: FoundImage, output: Path, overlay: bool) -> None:
    image = read_image(found.path)
    mask = predictor(image)
    target = (output / found.relative).with_suffix(".png")
    write_labels(target, mask, predictor.colours)
    if overlay:
        write_image(target.with_suffix(".overlay.jpg"), draw_overlay(image, mask, predictor.colours))


def draw_overlay(image: np.ndarray, mask: np.ndarray, colours: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Return the image with each foreground class tinted and outlined in its colour.

    Args:
        image: H×W×3 uint8.
        mask: H×W uint8 class indices.
        colours: RGB, one a class.
    """
    out = image.copy()
    for index in range(1, len(colours)):
        inside = mask == index
        if not inside.any():
            continue
        colour = np.array(colours[index], dtype=np.float32)
        out[inside] = (0.65 * out[inside] + 0.35 * colour).astype(np.uint8)
        contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        width = max(1, round(max(mask.shape) / 600))
        cv2.drawContours(out, contours, -1, tuple(int(c) for c in colours[index]), width)
    return out
