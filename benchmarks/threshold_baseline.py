"""What a threshold alone makes of DSB2018: Otsu on one channel, then connected components as nuclei.

    python benchmarks/threshold_baseline.py DSB2018 OUT

DSB2018 is a folder with images/NAME.png, instances/NAME.png (16-bit, one number a nucleus) and split.csv
(columns name, split). Writes OUT/predictions and OUT/reference for the test split and scores them as
``unetseg evaluate --predictions OUT/predictions --reference OUT/reference --instances`` does.
"""

import argparse
import csv
import shutil
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import binary_fill_holes
from skimage.filters import threshold_otsu

from unetseg.cli import main as unetseg
from unetseg.data.images.read import read_image
from unetseg.data.images.write import write_grey16

SMALLEST_NUCLEUS = 20  # pixels; less is noise of the threshold


def segment(image: np.ndarray) -> np.ndarray:
    """Return H×W uint16 labels of the nuclei in an H×W×3 uint8 RGB image.

    The red channel, because haematoxylin's blue and violet absorb red most and fluorescence images are grey.
    Nuclei are whichever side of the threshold covers less: bright in fluorescence, dark in stained tissue.
    """
    red = cv2.GaussianBlur(image[..., 0], (0, 0), 1)
    bright = red > threshold_otsu(red)
    nuclei = binary_fill_holes(bright if bright.mean() < 0.5 else ~bright)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(nuclei.astype(np.uint8), connectivity=8)
    kept = boxes[:, cv2.CC_STAT_AREA] >= SMALLEST_NUCLEUS
    kept[0] = False  # the background
    return np.where(kept, np.cumsum(kept), 0).astype(np.uint16)[labels]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    predictions, reference = arguments.out / "predictions", arguments.out / "reference"
    reference.mkdir(parents=True, exist_ok=True)
    with (arguments.dataset / "split.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == "test"]
    for name in names:
        image = read_image(arguments.dataset / "images" / f"{name}.png")
        write_grey16(predictions / f"{name}.png", segment(image))
        shutil.copy(arguments.dataset / "instances" / f"{name}.png", reference)
    words = ["--predictions", str(predictions), "--reference", str(reference), "--instances"]
    raise SystemExit(unetseg(["evaluate", *words, "--json", str(arguments.out / "scores.json")]))


if __name__ == "__main__":
    main()
