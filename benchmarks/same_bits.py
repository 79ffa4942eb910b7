"""The same commands with another commit and with this checkout: the same bits?

    python benchmarks/same_bits.py COMMIT

Unpacks COMMIT into a temporary folder and runs a training, masks, scores and a study of two arms with each,
side by side and on one thread each; other packages are the same for both. Compared are

    weights   every tensor in best.ckpt and last.ckpt, the optimiser's too
    masks     every pixel of the dataset that is drawn and of the masks that are predicted
    tables    every value of every CSV, but columns of seconds
    scores    every value of test.json and of evaluate's JSON that both have, but seconds

Exits with 1 if any of them differs. Takes two minutes of processor time, shared by two cores.
"""

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

HERE = Path(__file__).resolve().parents[1]
UNETSEG = [sys.executable, "-c", "from unetseg.cli import entry; entry()"]
COMMANDS = [
    "fit --epochs 2 --seed 3 --size 32 --device cpu -o run",
    "data export filaments --split test -o images",
    "predict images -o masks --run run --device cpu",
    "evaluate run --device cpu --json scores.json",
    "ablate long --arms drop --seeds 2 --epochs 1 --size 32 --device cpu -o study",
]
KINDS = {".ckpt": "weights", ".png": "masks", ".csv": "tables", ".json": "scores"}
PICTURES = ("curves.png", "gradients.png")  # drawn from tables that are compared
NO_SCORES = (
    "environment.json",
    "split.json",
    "summary.json",
)  # versions and seconds; names; text of the report


class Failed(Exception):
    """A side cannot be made or run."""


def unpack(commit: str, folder: Path) -> Path:
    """Write the files of a commit into ``folder``."""
    folder.mkdir()
    archive = subprocess.run(
        ["git", "-C", HERE, "archive", commit, "unetseg"], capture_output=True, check=False
    )
    if archive.returncode:
        raise Failed(f"{commit}: {archive.stderr.decode().strip()}; give a commit of this repository")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


class Side:
    """One version of the package, working in a folder of its own."""

    def __init__(self, package: Path, folder: Path) -> None:
        self.package, self.folder = package, folder
        folder.mkdir()
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(package),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }

    def check(self) -> None:
        """Raise unless the commands use the package that is meant."""
        code = "import unetseg; print(unetseg.__file__)"
        found = self._start([sys.executable, "-c", code]).communicate()[0].strip()
        if not Path(found).is_relative_to(self.package):
            raise Failed(f"{self.package}: Python imports {found} instead; use a Python without unetseg")

    def start(self, command: str) -> subprocess.Popen[str]:
        return self._start([*UNETSEG, *command.split()])

    def _start(self, words: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def run_all(sides: list[Side]) -> None:
    """Run every command on all sides at once."""
    for command in COMMANDS:
        print(f"$ unetseg {command}", flush=True)
        processes = [side.start(command) for side in sides]
        outputs = [process.communicate()[0] for process in processes]
        for side, process, output in zip(sides, processes, outputs, strict=True):
            if process.returncode:
                raise Failed(f"{side.package}: unetseg {command}: exit code {process.returncode}\n{output}")


def flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the single values in nested dictionaries and lists, each with its place; no seconds."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if "seconds" not in str(key):
                yield from flat(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{place}[{number}]")
    else:
        yield place, value


def read_weights(path: Path) -> dict[str, Any]:
    content = torch.load(path, weights_only=True, map_location="cpu")
    kept = {key: content[key] for key in ("state_dict", "optimizer_states") if key in content}
    return dict(flat(kept))


def read_masks(path: Path) -> dict[str, Any]:
    return {"pixels": cv2.imread(str(path), cv2.IMREAD_UNCHANGED)}


def read_tables(path: Path) -> dict[str, Any]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return dict(flat({"rows": len(rows), "row": rows}))


def read_scores(path: Path) -> dict[str, Any]:
    return dict(flat(json.loads(path.read_text(encoding="utf-8"))))


READERS = {"weights": read_weights, "masks": read_masks, "tables": read_tables, "scores": read_scores}


def same(left: Any, right: Any) -> bool:
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, np.ndarray):
        return isinstance(right, np.ndarray) and np.array_equal(left, right)
    both_nan = isinstance(left, float) and isinstance(right, float) and math.isnan(left) and math.isnan(right)
    return both_nan or (type(left) is type(right) and left == right)


def size(value: Any) -> int:
    return math.prod(value.shape) if isinstance(value, (torch.Tensor, np.ndarray)) else 1


def files(folder: Path) -> dict[str, str]:
    """Return the files to compare, with their kind."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in KINDS and path.is_file())
    return {
        path.relative_to(folder).as_posix(): KINDS[path.suffix]
        for path in found
        if path.name not in (*PICTURES, *NO_SCORES)
    }


def compare(there: Path, here: Path) -> tuple[Counter[str], list[str]]:
    """Return how much was compared of each kind, and a line for every file that differs."""
    kinds = [files(folder) for folder in (there, here)]
    names = kinds[0].keys() | kinds[1].keys()
    lines = [
        f"{name}: only {'there' if name in kinds[0] else 'here'}"
        for name in kinds[0].keys() ^ kinds[1].keys()
    ]
    compared: Counter[str] = Counter()
    for name in sorted(names & kinds[0].keys() & kinds[1].keys()):
        kind = kinds[0][name]
        left, right = (READERS[kind](folder / name) for folder in (there, here))
        lacking = left.keys() ^ right.keys()
        differing = [key for key in left.keys() & right.keys() if not same(left[key], right[key])]
        compared[f"files of {kind}"] += 1
        compared[f"values in {kind}"] += sum(size(left[key]) for key in left.keys() & right.keys())
        if lacking and kind == "scores":
            print(f"{name}: {len(lacking)} values that only one has are not compared, such as {min(lacking)}")
        elif lacking:
            lines.append(f"{name}: only one has {min(lacking)} ({len(lacking)} in all)")
        if differing:
            lines.append(f"{name}: {min(differing)} differs ({len(differing)} of {len(left)} values)")
    return compared, sorted(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("commit", metavar="COMMIT", help="to compare with, such as a release")
    commit = parser.parse_args().commit
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        try:
            shutil.copytree(
                HERE / "unetseg", folder / "checkout" / "unetseg"
            )  # it may be worked on meanwhile
            packages = {"there": unpack(commit, folder / "commit"), "here": folder / "checkout"}
            sides = [Side(package, folder / name) for name, package in packages.items()]
            for side in sides:
                side.check()
            run_all(sides)
        except Failed as error:
            print(error, file=sys.stderr)
            return 1
        compared, differing = compare(*(side.folder for side in sides))
    for kind in READERS:
        print(
            f"{kind}: {compared[f'files of {kind}']} files, {compared[f'values in {kind}']:,} values compared"
        )
    print("\n".join(differing) or f"no difference between {commit} and this checkout")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
