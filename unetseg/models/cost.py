"""What a network costs: parameters, multiply-adds, memory for its activations, and time."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from unetseg.models.hardware import Hardware

WARM_UP, MEASURED = 2, 10  # rounds


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-adds (in billions) for one image of a given side."""

    parameters: int
    gmacs: float
    size: int

    def __str__(self) -> str:
        return f"{self.parameters:,} parameters, {self.gmacs:.3f} GMACs at {self.size}×{self.size}"


@dataclass(frozen=True)
class Times:
    """Milliseconds that a batch takes in training: the median of several passes forward, and backward."""

    forward_ms: float
    backward_ms: float


def measure_cost(model: nn.Module, size: int) -> Cost:
    """Count parameters and multiply-adds of one forward pass over a ``size``×``size`` image.

    Counted by torch's ``FlopCounterMode`` on the meta device, so nothing is computed: convolutions,
    matrix products and attention, two FLOPs to a multiply-add.
    """
    shadow = copy.deepcopy(model).to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shadow(torch.empty(1, 3, size, size, device="meta"))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Cost(parameters, counter.get_total_flops() / 2e9, size)


def activation_bytes(model: nn.Module, size: int) -> int:
    """Return what a training step keeps of one ``size``×``size`` image for its backward pass, in float32.

    That is the peak of a step's memory, but for weights, optimiser and the work space of single layers.
    Counted on the CPU from the tensors that autograd saves, each storage once.
    """
    model = copy.deepcopy(model).cpu().train()
    own = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.zeros(2, 3, size, size)  # one alone may leave a norm a single value
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(images)  # holds the graph, and with it what was saved
    assert logits.requires_grad
    return sum(kept.values()) // len(images)


def time_passes(
    models: Sequence[nn.Module],
    images: Tensor,
    hardware: Hardware,
    progress: Callable[[int, int], None] | None = None,
) -> list[Times]:
    """Time the forward and the backward pass of several networks in training mode.

    All take their turn in every round, so that what else the machine does meets all alike; the first rounds
    do not count.

    Args:
        models: are moved to the hardware.
        images: a batch, (N, 3, H, W).
        hardware: its device, number format and memory format are taken.
        progress: is told (rounds done, rounds in all).
    """
    images = images.to(hardware.device, memory_format=hardware.memory_format)
    for model in models:
        model.to(hardware.device, memory_format=hardware.memory_format).train()  # type: ignore[call-overload]
    rounds = []
    for number in range(WARM_UP + MEASURED):
        rounds.append([_time_pass(model, images, hardware) for model in models])
        if progress:
            progress(number + 1, WARM_UP + MEASURED)
    measured = zip(*rounds[WARM_UP:], strict=True)
    return [
        Times(median(each.forward_ms for each in passes), median(each.backward_ms for each in passes))
        for passes in measured
    ]


def _time_pass(model: nn.Module, images: Tensor, hardware: Hardware) -> Times:
    started = _now(hardware)
    with hardware.autocast():
        logits = model(images)
    loss = logits.float().mean()
    between = _now(hardware)
    loss.backward()
    ended = _now(hardware)
    model.zero_grad()
    return Times(1e3 * (between - started), 1e3 * (ended - between))


def _now(hardware: Hardware) -> float:
    """Return the time in seconds, once the device has done what it was told."""
    if hardware.device != "cpu":
        getattr(torch, hardware.device).synchronize()
    return time.perf_counter()
