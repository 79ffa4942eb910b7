"""Runs every benchmark of docs/speed.md, one after another, and prints what they measured as one table.

    python benchmarks/table.py [--against COMMIT] [--quick] [--only WORD]

Takes an hour on two quiet cores; ``--quick`` runs one small round of each in a quarter of that, which tells
whether they work and little more. Of a benchmark that fails, the table has the last line; the exit code is 1
then.
"""

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}


@dataclass(frozen=True)
class Benchmark:
    """A script, its words, and those that make it short; COMMIT stands for what is compared with."""

    what: str
    script: str
    words: str = ""
    quick: str = "--quick"


BENCHMARKS = [
    Benchmark("start of predict, one image", "start_up.py", "COMMIT", "--rounds 1"),
    Benchmark("predict, photographs", "predict_throughput.py"),
    Benchmark("predict, small images", "small_images.py", "COMMIT"),
    Benchmark("predict, a large TIFF", "predict_large.py", "--side 8000"),
    Benchmark("training", "train_throughput.py"),
    Benchmark("scores of masks", "scoring.py"),
    Benchmark("lesions", "lesion_speed.py", "", "--encoder resnet18 --size 64 --repeats 1"),
    Benchmark("10,000 images opened and checked", "big_set.py", "", "--images 500 --rounds 1"),
    Benchmark("a study of many arms", "many_arms.py", "", "--arms 2 --seeds 2 --images 4"),
    Benchmark("drawing filaments", "draw_filaments.py", "COMMIT", "--rounds 1"),
    Benchmark("a shared machine", "shared_machine.py", "", "--loops 0,2 --epochs 1 --rounds 1"),
]


def run(benchmark: Benchmark, against: str, quick: bool) -> tuple[bool, list[str]]:
    """Return whether a benchmark ended well, and the lines that it printed."""
    words = f"{benchmark.words.replace('COMMIT', against)} {benchmark.quick if quick else ''}".split()
    done = subprocess.run(
        [sys.executable, str(HERE / benchmark.script), *words],
        env={**os.environ, **WAITING, "PYTHONPATH": str(HERE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    text = done.stdout if done.returncode == 0 else done.stderr or done.stdout
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return done.returncode == 0, lines if done.returncode == 0 else lines[-1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--against", metavar="COMMIT", default="HEAD", help="to compare with [HEAD]")
    parser.add_argument("--quick", action="store_true", help="one small round of each")
    parser.add_argument("--only", metavar="WORD", default="", help="those whose script's name holds it")
    options = parser.parse_args()
    failed = False
    print("| what | measured | command |\n|---|---|---|", flush=True)
    for benchmark in BENCHMARKS:
        if options.only not in benchmark.script:
            continue
        well, lines = run(benchmark, options.against, options.quick)
        failed |= not well
        words = f"python benchmarks/{benchmark.script} {benchmark.words}".strip()
        what, command = benchmark.what, f"`{words}`"
        for line in lines:
            cell = " ".join(line.split()).replace("|", "/")
            print(f"| {what} | {cell if well else f'failed: {cell}'} | {command} |", flush=True)
            what = command = ""
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
