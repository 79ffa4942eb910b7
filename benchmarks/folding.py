"""Folds batch norm into the convolutions of a run and measures what it gains and what it changes.

    python benchmarks/folding.py RUN... [--split test] [--rounds 3] [--quick]

Three predictors take turns on the images of each run's own split: float32, bfloat16 as ``predict`` computes
it, and bfloat16 with every batch norm folded into the convolution before it (Jacob et al. 2018, section 3.2)
and the convolutions' weights kept in bfloat16. Printed are processor seconds, medians and range, and the
share of pixels whose class is that of float32. Needs a CPU that computes in bfloat16; set OMP_NUM_THREADS=1
on a shared machine.
"""

import argparse
import copy
import time
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from unetseg.data.datasets.open import open_data
from unetseg.inference.ensemble import Member
from unetseg.inference.loading import load_predictor
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.predictor import Predictor
from unetseg.runs import find_run

TOLERANCE = 1e-3  # of the largest logit, in float32


def folded(model: nn.Module, stride: int) -> nn.Module:
    """Return a copy in which convolutions do what the batch norms behind them did, as they run."""
    images = torch.randn(1, 3, 2 * stride, 2 * stride, generator=torch.Generator().manual_seed(0))
    names = {module: name for name, module in model.named_modules()}
    made: dict[int, tuple[nn.Module, Tensor]] = {}  # keeps the outputs, so that no id is given twice
    pairs: list[tuple[str, str]] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            made[id(output)] = module, output
        elif id(inputs[0]) in made:
            pairs.append((names[made[id(inputs[0])][0]], names[module]))

    watched = [module for module in names if isinstance(module, nn.Conv2d) or type(module) is nn.BatchNorm2d]
    hooks = [module.register_forward_hook(note) for module in watched]
    with torch.inference_mode():
        expected = model(images)
    for hook in hooks:
        hook.remove()
    copied = copy.deepcopy(model)
    for before, norm in pairs:
        convolution, statistics = copied.get_submodule(before), copied.get_submodule(norm)
        assert isinstance(convolution, nn.Conv2d) and isinstance(statistics, nn.BatchNorm2d)
        copied.set_submodule(before, fuse_conv_bn_eval(convolution, statistics))
        copied.set_submodule(norm, nn.Identity())
    with torch.inference_mode():
        difference = (copied(images) - expected).abs().max()
    if difference > TOLERANCE * expected.abs().max():
        raise SystemExit("a convolution's output is used elsewhere, too: this net cannot be folded so")
    for module in copied.modules():
        if type(module) is nn.Conv2d:
            module.to(torch.bfloat16)
    return copied


def predictors(name: str) -> dict[str, Predictor]:
    run = find_run(name)
    third = load_predictor(run, "cpu", "bfloat16")
    (member,) = third.members
    assert isinstance(member.network, TorchNetwork)
    network = TorchNetwork(folded(member.network.model, third.stride), member.network.hardware)
    third.members[0] = Member(network, member.preprocessing, member.name)
    return {
        "float32": load_predictor(run, "cpu", "float32"),
        "bfloat16": load_predictor(run, "cpu", "bfloat16"),
        "folded": third,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="eight images, one round")
    options = parser.parse_args()
    for name in options.runs:
        dataset = open_data(find_run(name).config())
        samples = dataset.splits[options.split][: 8 if options.quick else None]
        sides = predictors(name)
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        agreeing = dict.fromkeys(sides, 0)
        pixels = 0
        for turn in range(1 if options.quick else options.rounds):
            taken = dict.fromkeys(sides, 0.0)
            for sample in samples:
                image, masks = dataset.image(sample), {}
                for side, predictor in sides.items():
                    started = time.process_time()
                    masks[side] = predictor(image)
                    taken[side] += time.process_time() - started
                if turn == 0:
                    pixels += masks["float32"].size
                    for side, mask in masks.items():
                        agreeing[side] += int(np.count_nonzero(mask == masks["float32"]))
            for side in sides:
                seconds[side].append(taken[side])
        print(f"{name}: {len(samples)} images of {options.split}")
        for side, each in seconds.items():
            print(
                f"  {side:9} {median(each):6.2f} s [{min(each):.2f} to {max(each):.2f}]"
                f"   agrees with float32 on {agreeing[side] / pixels:.5f} of the pixels"
            )


if __name__ == "__main__":
    main()
