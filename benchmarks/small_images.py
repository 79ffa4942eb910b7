"""Processor time an image of ``unetseg predict`` over small images, of another commit and of this checkout.

    python benchmarks/small_images.py COMMIT [--sides 64,96] [--count 500] [--rounds 5] [--quick]

Drawn images, a basic net of random weights, one thread for the network. The sides take turns,
each in a process of its own, which predicts all images once before it counts. Printed are medians and range
of the processor time an image, start-up left out, and the share of it that is the network's. The masks must
be equal.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import tifffile
from same_bits import HERE, unpack
from start_up import write_run


def predict(run: str, images: str, output: str) -> None:
    """Predict a folder twice; print what the second pass took."""
    from unetseg.inference.ensemble import Ensemble
    from unetseg.inference.folder.jobs import OutputOptions
    from unetseg.inference.folder.predict_folder import predict_folder
    from unetseg.inference.loading import find_models, load_models

    predictor = load_models(find_models([run]), "cpu")
    in_network, forward = [0.0], Ensemble._run

    def timed(self, network, batch):  # type: ignore[no-untyped-def]
        started = time.thread_time()
        out = forward(self, network, batch)
        in_network[0] += time.thread_time() - started
        return out

    Ensemble._run = timed  # type: ignore[method-assign]
    predict_folder(predictor, [images], Path(output), OutputOptions(overwrite=True))
    in_network[0] = 0
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = predict_folder(predictor, [images], Path(output), OutputOptions(overwrite=True))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    share = in_network[0] / seconds
    print(json.dumps({"milliseconds": 1000 * seconds / result.total, "share": share}))


def draw(folder: Path, side: int, count: int) -> None:
    generator = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for index in range(count):
        coarse = generator.integers(0, 256, (side // 8 + 2, side // 8 + 2, 3), dtype=np.uint8)
        image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
        if side > 1000:
            layout = {"tile": (512, 512), "compression": "zlib", "photometric": "rgb"}
            tifffile.imwrite(folder / f"{index:05}.tif", image, **layout)
        else:
            cv2.imwrite(str(folder / f"{index:05}.png"), image)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("commit", metavar="COMMIT", help="to compare with")
    parser.add_argument("--sides", default="64,96", help="of the images, pixels; those above 1000 are TIFFs")
    parser.add_argument("--count", type=int, default=500, help="images of each size")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="50 images, one round")
    options = parser.parse_args()
    count, rounds = (50, 1) if options.quick else (options.count, options.rounds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        packages = {options.commit: unpack(options.commit, folder / "commit"), "this checkout": HERE}
        write_run(folder / "run")
        for side in map(int, options.sides.split(",")):
            draw(folder / f"images-{side}", side, count)
            found: dict[str, list[dict[str, float]]] = {name: [] for name in packages}
            for turn in range(rounds):
                for number, (name, package) in enumerate(packages.items()):
                    words = [str(folder / "run"), str(folder / f"images-{side}")]
                    output = folder / f"masks-{side}-{number}"
                    done = subprocess.run(
                        [sys.executable, __file__, "--worker", *words, str(output)],
                        env={**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"},
                        text=True,
                        capture_output=True,
                        check=False,
                    )
                    if done.returncode:
                        sys.exit(f"{name}: {done.stderr}")
                    found[name].append(json.loads(done.stdout.splitlines()[-1]))
                masks = [
                    [path.read_bytes() for path in sorted((folder / f"masks-{side}-{number}").glob("*.png"))]
                    for number in range(len(packages))
                ]
                if turn == 0 and (len(masks[0]) != count or masks[0] != masks[1]):
                    sys.exit("the masks differ")
            for name, each in found.items():
                times = [one["milliseconds"] for one in each]
                share = median(one["share"] for one in each)
                print(
                    f"{side}²  {name:20} {median(times):5.2f} ms [{min(times):.2f} to {max(times):.2f}]"
                    f"  {share:.2f} in the network",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        predict(*sys.argv[2:])
    else:
        sys.exit(main())
