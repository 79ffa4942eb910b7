"""Processor seconds of drawing the embedded dataset ``filaments``, by another commit and by this checkout.

    python benchmarks/draw_filaments.py COMMIT [--rounds 5]

The sides take turns, each in a process of its own whose imports are not counted, and every file that they
write must be equal. A third side draws as ``fit`` does, in a process beside the one that loads PyTorch:
counted is what drawing leaves to that. Prints the median and the range of each.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from same_bits import HERE, unpack

DRAW = """
import time
from pathlib import Path
from unetseg.data.datasets.embedded import materialise
started = time.process_time()
materialise("filaments", Path("data"))
print(time.process_time() - started)
"""

BESIDE = """
import time
from pathlib import Path
from unetseg.data.datasets.embedded import begin_drawing, materialise
begin_drawing("filaments", Path("data"))
import unetseg.experiment
started = time.process_time()
materialise("filaments", Path("data"))
print(time.process_time() - started)
"""


def draw(package: Path, folder: Path, program: str = DRAW) -> tuple[float, dict[str, bytes]]:
    """Draw the set below ``folder``; return the seconds and the content of every file."""
    folder.mkdir()
    words = [sys.executable, "-c", program]
    done = subprocess.run(
        words, cwd=folder, env={"PYTHONPATH": str(package)}, capture_output=True, text=True, check=True
    )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return float(done.stdout), {str(path.relative_to(folder)): path.read_bytes() for path in files}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("commit", metavar="COMMIT", help="to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        packages = {options.commit: unpack(options.commit, folder / "commit"), "this checkout": HERE}
        beside = "beside the imports"
        times: dict[str, list[float]] = {name: [] for name in (*packages, beside)}
        for turn in range(options.rounds):
            drawn = []
            for number, (name, package) in enumerate(packages.items()):
                seconds, files = draw(package, folder / f"{turn}-{number}")
                times[name].append(seconds)
                drawn.append(files)
            seconds, files = draw(HERE, folder / f"{turn}-beside", BESIDE)
            times[beside].append(seconds)
            drawn.append(files)
            if not all(files == drawn[0] for files in drawn):
                sys.exit("the files differ")
    for name, taken in times.items():
        print(f"{name:20} {median(taken):.2f} s [{min(taken):.2f} to {max(taken):.2f}]")
    print(f"{len(drawn[0])} files, all equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
