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


def start(flags: list[str]) -> tuple[subprocess.Popen[str], float]:
    """Start a training; return it, and the time when it has begun."""
    process = subprocess.Popen(
        [*COMMAND, *flags],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("data "):
            break
    return process, time.perf_counter()


def finish(flags: list[str]) -> tuple[float, str]:
    """Run a training to its end; return the seconds from its beginning, and what it printed."""
    process, began = start(flags)
    text, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{' '.join(flags)}: exit code {process.returncode}\n{text}")
    return time.perf_counter() - began, text


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


def kill_and_resume(flags: list[str], run: Path, after: float) -> tuple[int, str]:
    """Kill a training some seconds after its beginning and resume it; return the whole epochs that it had."""
    process, _ = start([*flags, "-o", str(run)])
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()  # returns when the other processes of a distributed training have ended too
    metrics = run / "metrics.csv"
    epochs = len(metrics.read_text().splitlines()) - 1 if metrics.exists() else 0
    if not (run / "config.yaml").exists():
        return epochs, finish([*flags, "-o", str(run)])[1]
    if (run / "test.json").exists():
        return epochs, "finished before the kill"
    return epochs, finish(["--resume", str(run)])[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(CASES))
    options = parser.parse_args()
    moments = random.Random(options.seed)
    failed = False
    print("training  killed after  whole epochs  differences to the unbroken run", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data = draw_dataset(folder / "set")
        for case in options.only.split(","):
            flags = ["--data", str(data), "--epochs", str(options.epochs), *CASES[case]]
            unbroken = folder / f"{case}-unbroken"
            seconds, _ = finish([*flags, "-o", str(unbroken)])
            for number in range(options.kills):
                after = moments.uniform(0.05, 0.95) * seconds
                run = folder / f"{case}-{number}"
                epochs, _ = kill_and_resume(flags, run, after)
                found = differences(unbroken, run)
                failed |= bool(found)
                result = ", ".join(found) or "none"
                print(f"{case:8}  {after:6.2f} of {seconds:4.1f} s  {epochs:6}         {result}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
