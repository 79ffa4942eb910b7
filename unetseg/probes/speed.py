"""What the networks of a study cost, measured side by side: is a skip as cheap as is claimed?"""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from unetseg.config import RunConfig
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.models.cost import Cost, channels_of, measure_cost
from unetseg.models.hardware import Hardware, choose_hardware
from unetseg.probes.gradients import build_network, first_batch
from unetseg.utilities.files import plain_write_errors, write_rows
from unetseg.utilities.text import align

WARM_UP, MEASURED = 2, 10  # rounds


@dataclass(frozen=True)
class Times:
    """Milliseconds that a batch takes in training: the median of several passes forward, and backward."""

    forward_ms: float
    backward_ms: float


@dataclass(frozen=True)
class ArmCost:
    """Everything that one network costs.

    Attributes:
        size: parameters, and multiply-adds for one image.
        activations: bytes that a training step keeps for its backward pass, for one image.
        times: of a batch.
    """

    size: Cost
    activations: int
    times: Times


def measure_arms(
    configs: Mapping[str, RunConfig],
    dataset: SegmentationSet,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, ArmCost]:
    """Measure every configuration, on the hardware and in the number format of the first one.

    Args:
        configs: by the arm's name; of one size of crops and batches.
        dataset: gives the batch.
        progress: is told (rounds done, rounds in all).

    Raises:
        UsageError: if a network cannot be built, or does not fit the size of the crops.
    """
    models = {name: build_network(config, dataset) for name, config in configs.items()}
    first = next(iter(configs.values()))
    size = first.size
    costs = {
        name: (measure_cost(model, size), activation_bytes(model, size)) for name, model in models.items()
    }
    batch, _ = first_batch(first, dataset, next(iter(models.values())).stride)
    times = time_passes(list(models.values()), batch["image"], choose_hardware(first), progress)
    return {name: ArmCost(*costs[name], each) for name, each in zip(models, times, strict=True)}


def costs_text(costs: Mapping[str, ArmCost], baseline: str) -> str:
    """Return a table: what each network costs, and how much more or less than the baseline."""
    rows = [["", "parameters", "", "GMACs", "", "activations", "", "forward", "", "backward", ""]]
    for name, cost in costs.items():
        cells = [name]
        for (text, value), (_, base) in zip(_measures(cost), _measures(costs[baseline]), strict=True):
            cells += [text, "" if name == baseline else f"{100 * (value / base - 1):+.1f} %"]
        rows.append(cells)
    return (
        f"{align(rows)}\n\n"
        "activations: what a training step keeps of one image for its backward pass, in float32\n"
        f"forward, backward: a batch in training, median of {MEASURED} rounds in which all take their turn"
    )


def _measures(cost: ArmCost) -> list[tuple[str, float]]:
    """Return each measure as text and as number."""
    return [
        (f"{cost.size.parameters:,}", cost.size.parameters),
        (f"{cost.size.gmacs:.3f}", cost.size.gmacs),
        (f"{cost.activations / 2**20:.2f} MiB", cost.activations),
        (f"{cost.times.forward_ms:.1f} ms", cost.times.forward_ms),
        (f"{cost.times.backward_ms:.1f} ms", cost.times.backward_ms),
    ]


def write_costs(costs: Mapping[str, ArmCost], folder: Path) -> Path:
    """Write ``probe_cost.csv``, one row an arm, and return its path.

    Raises:
        UnetsegError: if it cannot be written.
    """
    path = folder / "probe_cost.csv"
    rows = [
        {"arm": name, **asdict(cost.size), "activation_bytes": cost.activations, **asdict(cost.times)}
        for name, cost in costs.items()
    ]
    with plain_write_errors(path):
        write_rows(path, rows)
    return path


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

    images = torch.zeros(2, channels_of(model), size, size)  # one alone may leave a norm a single value
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
