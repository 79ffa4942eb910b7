"""Kills trainings with SIGKILL at random moments, resumes them, and compares every bit with the unbroken run.

    python benchmarks/kill_resume.py [--kills 3] [--epochs 6] [--seed 0] [--only basic,mit_b0,ddp]

Three trainings: the basic encoder, mit_b0 (whose stochastic depth draws from torch's generator) and the basic
encoder on two processes. Compared are the weights, the optimiser's state, metrics.csv, test.json and
test_images.csv. Exits with 1 if anything differs.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

COMMAND = [sys.executable, "-c", "from unetseg.cli import entry; entry()", "fit"]
TINY = ["--width", "16", "--stages", "3", "--size", "32"]
CASES = {
    "basic": [*TINY, "--batch-size", "4"],
    "mit_b0": ["--encoder", "mit_b0", "--size", "32", "--batch-size", "4"],
    "ddp": [*TINY, "--batch-size", "2", "--trainer.devices", "2", "--trainer.strategy", "ddp"],
}
TABLES = ("metrics.csv", "test.json", "test_images.csv")


def draw_dataset(folder: Path, counts: tuple[int, int, int] = (24, 5, 5), side: int = 48) -> Path:
    generator = np.random.default_rng(0)
    for split, count in zip(("train", "val", "test"), counts, strict=True):
        names = [f"{split}{index}" for index in range(count)]
        for name in names:
            mask = np.zeros((side, side), np.uint8)
            x, y, radius = (
                int(value) for value in generator.integers((12, 12, 5), (side - 12, side - 12, 11))
            )
            cv2.circle(mask, (x, y), radius, 255, -1)
            image = generator.normal(90, 25, (side, side, 3)) + mask[..., None] / 4
            for kind, pixels in (("images", image.clip(0, 255).astype(np.uint8)), ("masks", mask)):
                (folder / kind).mkdir(parents=True, exist_ok=True)
                (folder / kind / f"{name}.png").write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
    return folder


class Training:
    """A training in a process of its own, whose progress is read from what it prints.

    Attributes:
        moments: when it began, seconds, and when each of its epochs ended.
    """

    def __init__(self, flags: list[str]) -> None:
        self.flags = flags
        self.process = subprocess.Popen(
            [*COMMAND, *flags],
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []
        self.moments: list[float] = []

    def follow(self, moments: int | None = None) -> None:
        """Read on until so many moments have passed, or to the end."""
        assert self.process.stdout is not None
        while len(self.moments) != moments and (line := self.process.stdout.readline()):
            self.lines.append(line)
            if line.startswith(("data ", "epoch ")):
                self.moments.append(time.perf_counter())

    def finish(self) -> None:
        """Let it come to its end; if it fails, so does the benchmark."""
        self.follow()
        if self.process.wait() != 0:
            sys.exit(f"{' '.join(self.flags)}: exit code {self.process.returncode}\n{''.join(self.lines)}")


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return repr(left) == repr(right)  # nan equals nan


def differences(unbroken: Path, resumed: Path) -> list[str]:
    found = [name for name in TABLES if (unbroken / name).read_bytes() != (resumed / name).read_bytes()]
    parts = {"best.ckpt": ["state_dict", "inference"], "last.ckpt": ["state_dict", "optimizer_states"]}
    parts["last.ckpt"] += ["lr_schedulers", "callbacks", "epoch", "global_step"]
    for name, keys in parts.items():
        left, right = (torch.load(run / name, weights_only=True) for run in (unbroken, resumed))
        found += [f"{name}: {key}" for key in keys if not same(left[key], right[key])]
    return found


def kill_and_resume(flags: list[str], run: Path, moments: int, wait: float) -> int:
    """Kill a training, then resume it; return how many whole epochs it had.

    Args:
        flags: of the training.
        run: its folder.
        moments: it is killed after so many of its moments …
        wait: … and so many seconds.
    """
    training = Training([*flags, "-o", str(run)])
    training.follow(moments)
    time.sleep(wait)
    training.process.send_signal(signal.SIGKILL)
    training.process.communicate()  # returns when the other processes of a distributed training have ended
    metrics = run / "metrics.csv"
    epochs = len(metrics.read_text().splitlines()) - 1 if metrics.exists() else 0
    if (run / "config.yaml").exists():
        Training(["--resume", str(run)]).finish()
    else:
        Training([*flags, "-o", str(run)]).finish()
    return epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(CASES))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    failed = False
    print("training  killed                   whole epochs  differences to the unbroken run", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = draw_dataset(folder / "set")
        for case in options.only.split(","):
            flags = ["--data", str(data), "--epochs", str(options.epochs), *CASES[case]]
            unbroken = Training([*flags, "-o", str(folder / f"{case}-unbroken")])
            unbroken.finish()
            moments = [*unbroken.moments, time.perf_counter()]
            for number in range(options.kills):
                passed = chance.randint(1, len(moments) - 1)
                wait = chance.uniform(0, moments[passed] - moments[passed - 1])
                run = folder / f"{case}-{number}"
                epochs = kill_and_resume(flags, run, passed, wait)
                found = differences(folder / f"{case}-unbroken", run)
                failed |= bool(found)
                result = ", ".join(found) or "none"
                print(
                    f"{case:8}  {wait:5.2f} s after epoch {passed - 1:2}  {epochs:12}  {result}", flush=True
                )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
