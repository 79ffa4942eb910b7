"""The README's picture: a photograph, its mask with long skips, without, and which of them is right.

    python benchmarks/skips_picture.py STUDY/on-seed0 STUDY/drop-seed0 docs/skips.png

Shows no favourite: of the test images it is the one whose difference in IoU is the median, and of that the
window where the two masks differ most. The photograph's contrast is stretched.
"""

import argparse
import csv
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

import unetseg
from unetseg.data.datasets.open import open_data
from unetseg.evaluation.run import predicted_masks
from unetseg.evaluation.scoring import ImageMasks
from unetseg.report.gallery.error_map import worst_window
from unetseg.runs import Run
from unetseg.utilities.files import write_bytes

SIDE = 128  # pixels of the window
DIFFERENCES = {
    "right in both": (214, 214, 214),
    "right only with skips": (0, 158, 115),
    "right only without": (213, 94, 0),
    "wrong in both": (86, 86, 86),
}


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("with_skips", type=Path, metavar="RUN")
    parser.add_argument("without", type=Path, metavar="RUN")
    parser.add_argument("picture", type=Path, metavar="PNG")
    options = parser.parse_args()
    runs = [Run(options.with_skips), Run(options.without)]
    first, second = map(image_iou, runs)
    name = median_image(first, second)
    dataset = open_data(runs[0].config())
    sample = next(each for each in dataset.splits["test"] if each.name == name)
    pairs = [next(iter(predicted_masks(unetseg.load(run), dataset, [sample]))) for run in runs]
    write_bytes(options.picture, draw(dataset.image(sample), pairs))
    print(f"{name}: IoU {first[name]:.3f} with long skips, {second[name]:.3f} without")


def image_iou(run: Run) -> dict[str, float]:
    """Return the IoU of each test image."""
    with open(run.test_images, newline="") as file:
        return {row["image"]: float(row["iou"]) for row in csv.DictReader(file)}


def median_image(first: dict[str, float], second: dict[str, float]) -> str:
    """Return the image whose difference is the median."""
    ordered = sorted(first, key=lambda name: (first[name] - second[name], name))
    return ordered[len(ordered) // 2]


def draw(photo: NDArray[np.uint8], pairs: list[ImageMasks]) -> bytes:
    """Return the four panels as PNG."""
    masks = [pair.prediction > 0 for pair in pairs]
    right = [mask == (pair.ground_truth > 0) for mask, pair in zip(masks, pairs, strict=True)]
    left, top, width, height = worst_window(masks[0] != masks[1], SIDE)
    shown = (slice(top, top + height), slice(left, left + width))
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    panels = figure.subplots(1, 4)
    panels[0].imshow(stretched(photo[shown]))
    for axes, mask in zip(panels[1:], masks, strict=False):
        axes.imshow(mask[shown], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    kinds = np.select([right[0] & right[1], right[0], right[1]], [0, 1, 2], 3)
    panels[3].imshow(np.array(list(DIFFERENCES.values()), np.uint8)[kinds][shown], interpolation="nearest")
    titles = ("photograph", "with long skips", "without", "difference")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    squares = [
        Line2D([], [], marker="s", linestyle="", color=np.array(colour) / 255, label=text)
        for text, colour in DIFFERENCES.items()
    ]
    figure.legend(handles=squares, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def stretched(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return an image whose darkest pixel is 0 and whose brightest is 1."""
    low, high = float(photo.min()), float(photo.max())
    return (photo - low) / max(high - low, 1.0)


if __name__ == "__main__":
    main()
