"""All 2^L lesions of a U-Net's long skips: shared work against one forward pass a lesion.

    python benchmarks/lesion_speed.py [--encoder resnet34] [--size 256] [--images 2] [--repeats 5]
    python benchmarks/lesion_speed.py --run RUN

The first measures the networks alone. The second measures all that the commands do with a run's test split,
scoring included: ``unetseg lesion RUN --all`` against 2^L times ``unetseg evaluate RUN``.

Both ways see the same images and weights, in turns; each pass of the other way is a whole network whose
lesioned skips are replaced. The logits of both are compared.
"""

import argparse
import time
from pathlib import Path
from statistics import median

import torch

from unetseg.config import RunConfig
from unetseg.data.datasets.open import open_data
from unetseg.evaluation.run import evaluate_run
from unetseg.inference.loading import load_predictor
from unetseg.models.lesioned_unet import LesionedUnet
from unetseg.models.replacements import zeros
from unetseg.models.unet import Unet, build_model
from unetseg.probes.lesion.effects import lesion_skips, skip_lesions
from unetseg.runs import Run


def main() -> None:
    """Measure, and print the ratio and, of the networks, the largest difference of a logit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", default="resnet34")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--run")
    options = parser.parse_args()
    if options.run:
        measure_run(Run(Path(options.run)))
    else:
        measure_networks(options)


def measure_run(run: Run) -> None:
    """Time the lesions of a run's test split against evaluating it once, before and after."""
    dataset = open_data(run.config())
    levels = _levels(run)

    def evaluate() -> float:
        started = time.perf_counter()
        evaluate_run(load_predictor(run), dataset)
        return time.perf_counter() - started

    evaluate()  # warms up
    before = evaluate()
    started = time.perf_counter()
    lesion_skips([run], dataset, every=True)
    together = time.perf_counter() - started
    once = (before + evaluate()) / 2
    count = 2**levels
    print(f"{run.config().encoder}, {len(dataset.splits['test'])} test images, {count} lesions")
    print(f"together {together:.1f} s, evaluating once {once:.1f} s: ratio {together / (count * once):.3f}")


def _levels(run: Run) -> int:
    model = load_predictor(run).model
    assert isinstance(model, Unet)
    return len(model.active_levels)


def measure_networks(options: argparse.Namespace) -> None:
    """Time the networks alone."""
    model = build_model(RunConfig(encoder=options.encoder)).eval()
    lesions = list(skip_lesions(sorted(model.active_levels), every=True).values())
    images = torch.randn(
        options.images, 3, options.size, options.size, generator=torch.Generator().manual_seed(0)
    )
    shared = LesionedUnet(model, lesions, zeros)
    single = [LesionedUnet(model, [lesion], zeros) for lesion in lesions]
    times: dict[str, list[float]] = {"shared": [], "single": []}
    with torch.inference_mode():
        for repeat in range(options.repeats + 1):  # the first warms up
            started = time.perf_counter()
            together = shared(images)
            between = time.perf_counter()
            apart = torch.cat([net(images) for net in single], dim=1)
            ended = time.perf_counter()
            if repeat:
                times["shared"].append(between - started)
                times["single"].append(ended - between)
    ratios = sorted(a / b for a, b in zip(times["shared"], times["single"], strict=True))
    print(f"{options.encoder}, {options.images} images of {options.size}², {len(lesions)} lesions")
    print(f"shared {median(times['shared']):.2f} s, one by one {median(times['single']):.2f} s")
    print(f"ratio {median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")
    print(f"largest difference of a logit {float((together - apart).abs().max()):.2g}")


if __name__ == "__main__":
    main()
