"""Opens and checks a set of many small images, as the first start of a training does and as the next ones do.

    python benchmarks/big_set.py [--images 10000] [--rounds 3]

Draws the set into a temporary folder. Each round is three processes: one that remembers nothing, one that
looks at all and remembers it, one that finds that remembered. Prints processor seconds, medians and ranges,
and the largest memory of each.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import cv2
import numpy as np

START = """
import sys, resource, time
from unetseg.config import RunConfig
from unetseg.data.datasets import remembered
from unetseg.data.datasets.check import require_sound
from unetseg.data.datasets.open import open_data
if sys.argv[2] == "plain":
    remembered.FEWEST = 10**9
parts = [time.process_time()]
dataset = open_data(RunConfig(data=sys.argv[1]))
parts.append(time.process_time())
require_sound(dataset)
parts.append(time.process_time())
print(parts[1] - parts[0], parts[2] - parts[1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw(folder / "set", options.images)
        found: dict[str, list[list[float]]] = {"plain": [], "first": [], "second": []}
        for number in range(options.rounds):
            for way, times in found.items():
                times.append(start(folder, way, number))
    print(f"{options.images} images{'open':>18}{'check':>24}{'largest memory':>24}")
    for way, rounds in found.items():
        cells = []
        for part in zip(*rounds, strict=True):
            cells.append(f"{median(part):.2f} [{min(part):.2f} to {max(part):.2f}]")
        print(f"{way:12}" + "".join(f"{cell:>24}" for cell in cells))


def draw(folder: Path, images: int) -> None:
    generator = np.random.default_rng(0)
    noise = cv2.GaussianBlur(generator.integers(0, 256, (512, 512, 3), np.uint8), (0, 0), 2)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(images):
        top, left = generator.integers(0, 384, 2)
        image, mask = noise[top : top + 128, left : left + 128].copy(), np.zeros((128, 128), np.uint8)
        x, y, radius = (int(value) for value in generator.integers((20, 20, 8), (108, 108, 40)))
        cv2.circle(mask, (x, y), radius, 255, -1)
        image[mask > 0] = image[mask > 0] // 2 + 90
        for part, pixels in (("images", image), ("masks", mask)):
            path = folder / part / f"{number:05}.png"
            cv2.imwrite(str(path), pixels)
            os.utime(path, (10**9, 10**9))


def start(folder: Path, way: str, number: int) -> list[float]:
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / f"cache{number}")}
    command = [sys.executable, "-c", START, str(folder / "set"), way]
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return [float(part) for part in out.split()]


if __name__ == "__main__":
    main()
