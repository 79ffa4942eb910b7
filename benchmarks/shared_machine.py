"""Seconds an epoch of ``unetseg fit`` beside other programs, by how PyTorch's threads wait for one another.

    python benchmarks/shared_machine.py [--loops 0,2,6] [--epochs 2] [--rounds 3]

The others are Python processes that count for ever. The sides take turns at each load: ``active`` is what
PyTorch does by itself, ``chosen`` is what unetseg chooses by the load at its start, ``asleep`` is
OMP_WAIT_POLICY=PASSIVE. Every run must end in the same bits. Prints median and range of the clock's seconds
an epoch, the first of each run left out, and the median's ratio to that of ``active`` at the first load.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch
from same_bits import HERE, UNETSEG, read_weights

# Read by no library that PyTorch's wheels for Linux use: it only keeps unetseg from choosing.
SIDES = {"active": {"KMP_LIBRARY": "throughput"}, "chosen": {}, "asleep": {"OMP_WAIT_POLICY": "PASSIVE"}}
OVERRULE = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY", "OMP_NUM_THREADS")


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Let so many processes count while the block runs."""
    words = [sys.executable, "-c", "while True: pass"]
    # Each in a session of its own, as other people's programs are: Linux shares the cores among sessions.
    counting = [subprocess.Popen(words, start_new_session=True) for _ in range(loops)]
    try:
        time.sleep(1)
        yield
    finally:
        for process in counting:
            process.kill()
            process.wait()


def train(side: str, epochs: int, folder: Path, out: str) -> tuple[list[float], bool]:
    """Train; return the seconds of every epoch but the first, and whether threads waited asleep by choice."""
    environment = {name: value for name, value in os.environ.items() if name not in OVERRULE}
    words = [*UNETSEG, "fit", "--epochs", str(epochs + 1), "--device", "cpu", "-o", out]
    done = subprocess.run(
        words,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(HERE), **SIDES[side]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{side}: exit code {done.returncode}\n{done.stdout}")
    seconds = [float(found) for found in re.findall(r"^epoch .*?  ([\d.]+) s", done.stdout, re.MULTILINE)]
    return seconds[1:], "wait asleep" in done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--loops", default="0,2,6", help="other programs, one load after another")
    parser.add_argument("--epochs", type=int, default=2, help="epochs of a run that are timed")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    loads = [int(load) for load in options.loops.split(",")]
    times: dict[tuple[int, str], list[float]] = defaultdict(list)
    first: dict[str, torch.Tensor] | None = None
    with tempfile.TemporaryDirectory() as temporary:
        for turn in range(options.rounds):
            for load in loads:
                for side in SIDES:
                    out = f"{turn}-{load}-{side}"
                    with busy(load):
                        seconds, slept = train(side, options.epochs, Path(temporary), out)
                    times[load, side] += seconds
                    weights = read_weights(Path(temporary) / out / "last.ckpt")
                    first = first or weights
                    tensors = [name for name, value in first.items() if isinstance(value, torch.Tensor)]
                    if not all(torch.equal(first[name], weights[name]) for name in tensors):
                        sys.exit(f"{out}: other bits")
                    print(
                        f"round {turn + 1}, {load} others, {side}: {seconds}{' (asleep)' * slept}", flush=True
                    )
    quiet = median(times[loads[0], "active"])
    for (load, side), taken in times.items():
        middle = median(taken)
        span = f"[{min(taken):.1f} to {max(taken):.1f}]"
        print(f"{load} others  {side:7} {middle:6.1f} s {span:16} {middle / quiet:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
