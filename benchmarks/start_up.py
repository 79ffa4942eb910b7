"""Processor seconds of ``unetseg predict`` of one image, of another commit and of this checkout.

    python benchmarks/start_up.py COMMIT [--rounds 5]

The sides take turns; ``import torch`` alone is timed beside them, as what nobody can go below. The net is a
basic one of random weights, on one thread; the masks must be equal. Prints the median and the range of each.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import yaml
from same_bits import HERE, UNETSEG, unpack

from unetseg.config import RunConfig


def write_run(folder: Path) -> None:
    """Write a run as ``fit`` leaves it, without training."""
    from unetseg.models.unet import build_model
    from unetseg.runs import Run
    from unetseg.training import checkpoints

    config = RunConfig()
    model = {"encoder": config.encoder}  # the rest by default: versions of before know fewer settings
    run = Run(folder)
    folder.mkdir()
    run.config_file.write_text(yaml.safe_dump(model))
    preprocessing = {"scale": "native", "mean": [0.5] * 3, "deviation": [0.25] * 3}
    inference = {
        "config": model,
        "classes": ["background", "filament"],
        "colours": [[0, 0, 0], [255, 255, 255]],
        "preprocessing": preprocessing,
    }
    checkpoints.save(run.best, {"state_dict": build_model(config).state_dict(), "inference": inference})


def processor_seconds(words: list[str], package: Path, folder: Path) -> float:
    """Run a command and return the user's and the system's seconds that it took."""
    environment = {**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        if process.returncode:
            sys.exit(f"{package}: {' '.join(words)}: exit code {process.returncode}\n{log.read()}")
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("commit", metavar="COMMIT", help="to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        packages = {options.commit: unpack(options.commit, folder / "commit"), "this checkout": HERE}
        write_run(folder / "run")
        subprocess.run(
            [*UNETSEG, "data", "export", "filaments", "--split", "test", "-o", "images"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        image = min(path for path in (folder / "images").rglob("*.png") if "mask" not in str(path))
        times: dict[str, list[float]] = {name: [] for name in (*packages, "import torch alone")}
        for turn in range(options.rounds + 1):  # the first fills the file cache and is not counted
            masks = set()
            for number, (name, package) in enumerate(packages.items()):
                out = f"masks-{turn}-{number}"
                words = [*UNETSEG, "predict", str(image), "-o", out, "--run", "run", "--device", "cpu"]
                seconds = processor_seconds(words, package, folder)
                masks.add((folder / out / image.name).read_bytes())
                times[name] += [seconds] * (turn > 0)
            seconds = processor_seconds([sys.executable, "-c", "import torch"], HERE, folder)
            times["import torch alone"] += [seconds] * (turn > 0)
            if len(masks) > 1:
                sys.exit("the masks differ")
    for name, seconds_taken in times.items():
        low, middle, high = min(seconds_taken), median(seconds_taken), max(seconds_taken)
        print(f"{name:20} {middle:.2f} s [{low:.2f} to {high:.2f}]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
