"""Predicts one large tiled TIFF in a process of its own; prints its peak memory and time.

    python benchmarks/predict_large.py [--side 20000] [--format tiff] [--run RUN] [--quick]

The image, side×side pixels in tiles of 512, is drawn tile by tile. Without ``--run``, the default network is
trained on the embedded filaments for one epoch: what it has learned changes neither memory nor time.
Exits with 1 if the peak is above 2 GB or the mask is not of the image's size.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile

from unetseg.data.images.read import image_size
from unetseg.inference.folder.formats import FORMATS

TILE = 512
COMMAND = [sys.executable, "-c", "from unetseg.cli import entry; entry()"]


def draw_tiles(side: int) -> Iterator[np.ndarray]:
    """Yield tiles of bright curves on a clouded ground."""
    generator = np.random.default_rng(0)
    for _ in range((-(-side // TILE)) ** 2):
        ground = cv2.resize(generator.integers(40, 160, (9, 9, 3), dtype=np.uint8), (TILE, TILE))
        for _ in range(6):
            points = generator.integers(0, TILE, (1, 5, 2)).astype(np.int32)
            cv2.polylines(ground, points, False, (220, 220, 200), int(generator.integers(2, 6)))
        yield ground


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=20000)
    parser.add_argument("--format", default="tiff", choices=("png", "tiff"))
    parser.add_argument("--run")
    parser.add_argument("--quick", action="store_true", help="a side of 2500")
    options = parser.parse_args()
    side = 2500 if options.quick else options.side
    with tempfile.TemporaryDirectory() as temporary:
        folder, image, run = Path(temporary), Path(temporary) / "large.tif", options.run
        layout = {"tile": (TILE, TILE), "compression": "zlib", "photometric": "rgb"}
        tifffile.imwrite(image, draw_tiles(side), shape=(side, side, 3), dtype=np.uint8, **layout)
        if run is None:
            run = folder / "run"
            subprocess.run(
                [*COMMAND, "fit", "--epochs", "1", "-o", str(run)], check=True, capture_output=True
            )
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        words = [
            "predict",
            str(image),
            "-o",
            str(folder / "masks"),
            "--run",
            str(run),
            "--format",
            options.format,
        ]
        started = time.perf_counter()
        subprocess.run([*COMMAND, *words], check=True)
        seconds = time.perf_counter() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        size = image_size(folder / "masks" / f"large{FORMATS[options.format].suffix}")
    bound = "at most " if peak == before else ""  # the largest child may have been the training
    print(f"{side}×{side} to {options.format}: peak {bound}{peak / 1e6:.2f} GB, {seconds:.0f} s with start")
    sys.exit(0 if peak < 2e6 and size == (side, side) else 1)


if __name__ == "__main__":
    main()
