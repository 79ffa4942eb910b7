"""What the networks of a study cost, measured side by side: is a skip as cheap as is claimed?"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from unetseg.config import RunConfig
from unetseg.data.label_files import plain_write_errors
from unetseg.data.samples import SegmentationSet
from unetseg.evaluation.evaluate import write_rows
from unetseg.evaluation.table import align
from unetseg.models.cost import MEASURED, Cost, Times, activation_bytes, measure_cost, time_passes
from unetseg.models.hardware import choose_hardware
from unetseg.studies.gradients import build_network, first_batch


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


def costs_text(costs: Mapping[str, ArmCost], reference: str) -> str:
    """Return a table: what each network costs, and how much more or less than the reference."""
    rows = [["", "parameters", "", "GMACs", "", "activations", "", "forward", "", "backward", ""]]
    for name, cost in costs.items():
        cells = [name]
        for (text, value), (_, base) in zip(_measures(cost), _measures(costs[reference]), strict=True):
            cells += [text, "" if name == reference else f"{100 * (value / base - 1):+.1f} %"]
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
