"""What a network costs: parameters, multiply-adds, memory for its activations, and time."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unetseg.config import RunConfig
from unetseg.models.unet import build_model, check_size, output_channels


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-adds (in billions) for one image of a given side."""

    parameters: int
    gmacs: float
    size: int

    def __str__(self) -> str:
        return f"{self.parameters:,} parameters, {self.gmacs:.3f} GMACs at {self.size}×{self.size}"


def measure_cost(model: nn.Module, size: int) -> Cost:
    """Count parameters and multiply-adds of one forward pass over a ``size``×``size`` image.

    Counted by torch's ``FlopCounterMode`` on the meta device, so nothing is computed: convolutions,
    matrix products and attention, two FLOPs to a multiply-add.
    """
    shadow = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, channels_of(model), size, size, device="meta"))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Cost(parameters, counter.get_total_flops() / 2e9, size)


def channels_of(model: nn.Module) -> int:
    """Return how many channels a network takes: 3 unless it says otherwise."""
    return int(getattr(model, "in_channels", 3))


def normalises_one_value(model: nn.Module, size: int) -> bool:
    """Tell whether, of one image of this side, a layer would normalise by a single value a channel.

    Batch and instance norm cannot in training; nothing is computed to find it out.
    """
    alone = False

    def look(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        nonlocal alone
        alone |= inputs[0].shape[2:].numel() == 1

    shadow = copy.deepcopy(model).to("meta").eval()
    for module in shadow.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.modules.instancenorm._InstanceNorm):
            module.register_forward_pre_hook(look)
    with torch.no_grad():
        shadow(torch.empty(1, channels_of(model), size, size, device="meta"))
    return alone


def config_cost(config: RunConfig, classes: int) -> Cost:
    """Return parameters and multiply-adds of a net for so many foreground classes."""
    model = build_model(config.changed(weights="none"), output_channels(classes + 1))
    check_size(config, model)
    return measure_cost(model, config.size)
