"""Write a folder of old runs with the version that is imported: ``python tests/old_runs/make.py FOLDER``.

It is run once for a release, and what it wrote is never made again: later versions must read it as it is.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import cv2
import numpy as np

from unetseg.cli import main
from unetseg.training.task import SegmentationTask

STUDY = """\
base: {stages: 2, size: 32, epochs: 2, batch_size: 1, lr: 0.01, precision: float32, channels_last: off}
arms:
  on: {skips: on, label: With every long skip}
  off: {skips: off, label: Without long skips}
seeds: 2
"""
STEP = SegmentationTask.training_step
UNFINISHED = "on-seed1"


def draw(folder: Path, name: str, generator: np.random.Generator, height: int = 48, width: int = 48) -> None:
    """Draw an image of two discs and a line, and its mask."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(2):
        x, y, radius = (int(v) for v in generator.integers((8, 8, 4), (width - 8, height - 8, 9)))
        cv2.circle(mask, (x, y), radius, 255, -1)
    ends = [int(v) for v in generator.integers(2, 40, 4)]
    cv2.line(mask, ends[:2], ends[2:], 255, 1)
    image = (generator.normal(80, 12, (height, width)) + 70 * (mask > 0)).clip(0, 255) // 8 * 8
    for kind, pixels in (("images", image.astype(np.uint8)), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / kind / f"{name}.png"), pixels)


def draw_all() -> None:
    """Draw the dataset that the runs learn and the images that they predict."""
    generator = np.random.default_rng(17)
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        names = [f"{split}{number}" for number in range(count)]
        for name in names:
            draw(Path("discs"), name, generator)
        Path("discs", f"{split}.txt").write_text("\n".join(names) + "\n")
    for name, height, width in (("square", 48, 48), ("wide", 40, 70), ("odd", 33, 51)):
        draw(Path("new"), name, generator, height, width)
    shutil.rmtree("new/masks")  # these are to be predicted


def stop_in_second_epoch() -> None:
    """Send SIGTERM in the second epoch of the run that stays unfinished."""

    def training_step(task, batch, index):
        if task.current_epoch == 1 and (task.config.skips, task.config.seed) == ("on", 1):
            os.kill(os.getpid(), signal.SIGTERM)
        return STEP(task, batch, index)

    SegmentationTask.training_step = training_step


def run(words: str) -> None:
    """Run one command."""
    print(f"$ unetseg {words}", flush=True)
    code = main(words.split())
    assert code in (0, 143), code


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True)
    os.chdir(sys.argv[1])
    draw_all()
    Path("small.yaml").write_text(STUDY)
    stop_in_second_epoch()
    run("ablate small.yaml -o small --data discs --device cpu")
    run("export small/on-seed0 -o net.onnx")
    run("predict new/images -o masks --run small/on-seed0 --device cpu")
    for file in [*Path("small").glob("*/last.ckpt"), *Path("small").glob("*/curves.png")]:
        if file.parent.name != UNFINISHED:  # for size: nothing goes on from a finished run
            file.unlink()
    for file in Path("small").glob("*/environment.json"):
        environment = json.loads(file.read_text())
        file.write_text(json.dumps({**environment, "platform": sys.platform}, indent=2) + "\n")
    shutil.copytree(f"small/{UNFINISHED}", "resumed")
    SegmentationTask.training_step = STEP
    run("fit --resume resumed")
    for file in Path("resumed").iterdir():
        if file.name not in ("metrics.csv", "test.json"):
            file.unlink()
