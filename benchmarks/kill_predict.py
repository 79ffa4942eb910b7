"""Kills predictions with SIGKILL at random moments, continues them, and compares with an unbroken one.

    python benchmarks/kill_predict.py [--kills 15] [--images 48] [--seed 0] [--quick]

Two kinds take turns: PNG masks with overlays and probabilities, images batched by size; and TIFF masks with
probabilities, every image in tiles. While a prediction runs, and after it was killed, every file whose name
does not begin with a dot is opened and read to its end. After ``--continue`` the folder must hold the same
files with the same bytes as the unbroken prediction's, and the same table but for the seconds. Exits with 1
if anything differs.
"""

import argparse
import csv
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

COMMAND = [sys.executable, "-c", "from unetseg.cli import entry; entry()"]
CASES = {
    "png": ["--overlay", "--save-probabilities"],
    "tiff": ["--format", "tiff", "--save-probabilities", "--tile", "128", "--overlap", "32"],
}
TABLE = "predictions.csv"


def draw_image(generator: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of some discs, and its mask."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(max(1, height * width // 3000)):
        x, y = int(generator.integers(width)), int(generator.integers(height))
        cv2.circle(mask, (x, y), int(generator.integers(5, 14)), 255, -1)
    image = generator.normal(90, 25, (height, width, 3)) + mask[..., None] / 4
    return image.clip(0, 255).astype(np.uint8), mask


def draw_dataset(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 3), ("test", 3)):
        names = [f"{split}{index}" for index in range(count)]
        for name in names:
            for kind, pixels in zip(("images", "masks"), draw_image(generator, 64, 64), strict=True):
                (folder / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / kind / f"{name}.png")
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
    return folder


def draw_images(folder: Path, count: int) -> Path:
    generator = np.random.default_rng(1)
    for index in range(count):
        path = folder / f"{index % 3}" / f"{index:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_image(generator, 240, 280 + 60 * (index % 2))[0]).save(path)
    return folder


def unetseg(*words: object) -> None:
    done = subprocess.run([*COMMAND, *map(str, words)], text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"unetseg {words[0]}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def start(*words: object) -> subprocess.Popen[str]:
    """Start a prediction; return when its model is loaded."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def check_visible(folder: Path, known: set[Path]) -> list[str]:
    """Read every visible file that is not yet known to be whole; return those that cannot be read."""
    broken = []
    for path in folder.rglob("*"):
        if path in known or path.name.startswith(".") or not path.is_file():
            continue
        try:
            if path.suffix == ".tif":
                tifffile.imread(path)
            elif path.suffix == ".csv":
                with open(path, newline="") as file:
                    assert len({len(row) for row in csv.reader(file)}) == 1
            else:
                with Image.open(path) as image:
                    image.load()
        except Exception as error:
            broken.append(f"{path.name}: {error}")
        known.add(path)
    return broken


def contents(folder: Path) -> dict[str, str]:
    """Return a hash of every file, hidden ones too; of the table without its seconds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            if path.name == TABLE:
                content = "\n".join(",".join(row[:3] + row[4:]) for row in csv.reader(path.open())).encode()
            found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def kill(words: list[object], output: Path, after: float) -> tuple[int, list[str]]:
    """Kill a prediction some seconds after its start; return the masks that are there, and broken files."""
    process = start(*words)
    end = time.perf_counter() + after
    known: set[Path] = set()
    broken = check_visible(output, known)
    while time.perf_counter() < end and process.poll() is None:
        broken += check_visible(output, known)
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    broken += check_visible(output, known)
    masks = [path for path in known if path.name.count(".") == 1 and path.name != TABLE]
    return len(masks), broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two kills, few images")
    options = parser.parse_args()
    kills, count = (2, 12) if options.quick else (options.kills, options.images)
    moments = random.Random(options.seed)
    failed = False
    print("case  killed after     masks then  after --continue", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        data, images, run = draw_dataset(Path("set")), draw_images(Path("images"), count), Path("run")
        unetseg("fit", "--data", data, "-o", run, "--width", 16, "--stages", 4, "--size", 32, "--epochs", 2)
        seconds, unbroken = {}, {}
        for case, flags in CASES.items():
            folder = Path(f"unbroken-{case}")
            process = start("predict", images, "-o", folder, "--run", run, *flags)
            began = time.perf_counter()
            process.communicate()
            seconds[case], unbroken[case] = time.perf_counter() - began, contents(folder)
        for number in range(kills):
            case = list(CASES)[number % len(CASES)]
            output = Path(f"killed-{number}")
            words = ["predict", images, "-o", output, "--run", run, *CASES[case]]
            after = moments.uniform(0, 1) * seconds[case]
            masks, problems = kill(words, output, after)
            unetseg(*words, "--continue")
            found = contents(output)
            names = sorted(found.keys() | unbroken[case].keys())
            problems += [f"{name} differs" for name in names if found.get(name) != unbroken[case].get(name)]
            failed |= bool(problems)
            result = ", ".join(problems) or "equals the unbroken one"
            print(
                f"{case:4}  {after:5.2f} of {seconds[case]:4.1f} s  {masks:4} of {count}  {result}",
                flush=True,
            )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
