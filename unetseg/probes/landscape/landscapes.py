"""The loss surfaces of trained runs: the same crops, the same directions, one scale."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from textwrap import fill
from typing import Any

from unetseg.config import RunConfig
from unetseg.config_checks import flag
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.loading import load_predictor
from unetseg.plots import SurfacePanel, landscape_panels
from unetseg.probes.gradients import first_batch
from unetseg.probes.landscape.surface import Landscape, passes, slice_landscape
from unetseg.runs import Run
from unetseg.training.task import SegmentationTask
from unetseg.utilities.files import plain_write_errors, write_json, write_rows
from unetseg.utilities.text import align

# What decides which loss of which crops it is.
SHARED = ("data", "split_seed", "scale", "size", "batch_size", "foreground_crops", "class_weights")
ROUGHNESS = (
    "of all rise and fall of the loss along a line through the weights, the share that is not one valley: "
    "1 - (f(first) + f(last) - 2 min f) / sum |f(i+1) - f(i)|; 0 for any bowl, near 1 for ripple alone"
)
BATCH_NORM = "batch norm takes the statistics of the batch at every point; dropout is off; float32"
DIRECTIONS = "Gaussian, each filter as long as the run's own (Li et al. 2018); biases and norms do not move"


def named_runs(runs: Sequence[Run]) -> dict[str, Run]:
    """Return runs by the names of their folders, or by their paths where those are not unique.

    Raises:
        UsageError: if one is given twice.
    """
    names = [run.path.name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{name}: is given twice")
    return dict(zip(names, runs, strict=True))


def crop_config(configs: Mapping[str, RunConfig]) -> RunConfig:
    """Return the configuration of the crops that all runs are looked at with: theirs, but not augmented.

    Raises:
        UsageError: if the runs differ in what the loss is of.
    """
    (first, config), *others = configs.items()
    for name, other in others:
        for key in SHARED:
            left, right = getattr(config, key), getattr(other, key)
            if left != right:
                raise UsageError(
                    f"{first} and {name}: differ in {flag(key)} ({left}, {right}), so their losses do not "
                    "compare; give runs that agree in it"
                )
    return config.changed(augment="none", seed=0)


def probe_landscapes(
    runs: Mapping[str, Run],
    crops: RunConfig,
    dataset: SegmentationSet,
    positions: Sequence[float],
    directions: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Landscape]:
    """Cut through the training loss round each run's best weights.

    The loss (cross-entropy plus Dice) is that of one batch: a crop of each of the first ``batch_size``
    training images, not augmented, the same for every run. Class weights are of these images, too.

    Args:
        runs: by name.
        crops: from ``crop_config``; its device is where all is computed.
        dataset: of the runs.
        positions: along each direction, an odd number of them, 0 in the middle.
        directions: how many, at least 2.
        progress: is told (forward passes done, forward passes in all).

    Raises:
        UnetsegError: if a run's weights cannot be read, or a loss is not finite.
    """
    done, total = 0, len(runs) * passes(len(positions), directions)

    def step() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    def one(run: Run) -> Landscape:
        predictor = load_predictor(run, crops.device, "float32")  # coarser numbers would look like roughness
        batch, weights = first_batch(crops, dataset, predictor.stride, predictor.preprocessing)
        device = next(predictor.model.parameters()).device
        task = SegmentationTask(predictor.model, crops, dataset.classes, weights).to(device)
        images, masks = batch["image"].to(device), batch["mask"].to(device)
        try:
            return slice_landscape(
                predictor.model, images, lambda logits: task.loss(logits, masks), positions, directions, step
            )
        except UnetsegError as error:
            raise UnetsegError(f"{run.path}: {error}") from error

    return {name: one(run) for name, run in runs.items()}


def even_positions(radius: float, steps: int) -> list[float]:
    """Return an odd number of positions from −radius to radius, at even steps; the middle one is 0."""
    middle = steps // 2
    return [radius * (step - middle) / middle for step in range(steps)]


def crops_text(crops: RunConfig, dataset: SegmentationSet) -> str:
    """Return which loss it is."""
    count = min(crops.batch_size, len(dataset.splits["train"]))
    return (
        f"one batch of {count} crops of {dataset.name}, {crops.size}×{crops.size}, one of each of its first "
        f"{count} training images, not augmented"
    )


def landscapes_text(landscapes: Mapping[str, Landscape]) -> str:
    """Return a table: the loss at the weights and round them, the roughness and its spread."""
    rows = [["", "loss", "lowest", "highest", "roughness", "range"]]
    for name, each in landscapes.items():
        found = each.roughness
        rows.append(
            [
                name,
                *(f"{value:.4g}" for value in (each.centre, min(each.values), max(each.values))),
                f"{mean(found):.3f}",
                f"{min(found):.3f} to {max(found):.3f}",
            ]
        )
    count = len(next(iter(landscapes.values())).lines)
    notes = (
        "loss: at the weights; lowest and highest: in all slices",
        f"roughness: {ROUGHNESS}; mean and range over {count} random directions, the same for every run",
        f"directions: {DIRECTIONS}",
        BATCH_NORM,
    )
    return "\n".join([align(rows), "", *(fill(note, 108, subsequent_indent="  ") for note in notes)])


def landscape_summary(
    landscapes: Mapping[str, Landscape], runs: Mapping[str, Run], crops: str
) -> dict[str, Any]:
    """Return what was measured and how, as plain values for ``landscape.json``."""
    positions = next(iter(landscapes.values())).positions
    return {
        "loss": f"cross-entropy plus Dice, {crops}",
        "batch_norm": BATCH_NORM,
        "directions": DIRECTIONS,
        "radius": positions[-1],
        "steps": len(positions),
        "roughness": ROUGHNESS,
        "runs": {
            name: {
                "path": str(runs[name].path),
                "loss": each.centre,
                "lowest": min(each.values),
                "highest": max(each.values),
                "roughness": {
                    "mean": mean(each.roughness),
                    "standard_deviation": stdev(each.roughness),
                    "lowest": min(each.roughness),
                    "highest": max(each.roughness),
                    "by_direction": each.roughness,
                },
            }
            for name, each in landscapes.items()
        },
    }


def write_landscapes(
    landscapes: Mapping[str, Landscape], summary: dict[str, Any], folder: Path
) -> list[Path]:
    """Write ``landscape.png``, ``landscape.csv`` (one row a point) and ``landscape.json``; return the paths.

    Raises:
        UnetsegError: if they cannot be written.
    """
    picture, table, record = (folder / f"landscape.{suffix}" for suffix in ("png", "csv", "json"))
    rows = [{"run": name, **row} for name, each in landscapes.items() for row in _rows(each)]
    with plain_write_errors(folder):
        write_rows(table, rows)
        write_json(record, summary)
        landscape_panels([_panel(name, each) for name, each in landscapes.items()], picture)
    return [picture, table, record]


def _rows(landscape: Landscape) -> list[dict[str, Any]]:
    """Return all losses; of a line's points, ``x`` is the position along it."""
    positions = landscape.positions
    rows: list[dict[str, Any]] = [
        {"slice": "plane", "x": x, "y": y, "loss": loss}
        for y, row in zip(positions, landscape.plane, strict=True)
        for x, loss in zip(positions, row, strict=True)
    ]
    for number, line in enumerate(landscape.lines, 1):
        rows += [
            {"slice": f"direction {number}", "x": x, "y": "", "loss": loss}
            for x, loss in zip(positions, line, strict=True)
        ]
    return rows


def _panel(name: str, landscape: Landscape) -> SurfacePanel:
    found = landscape.roughness
    note = f"loss {landscape.centre:.3f}, roughness {mean(found):.2f} ({min(found):.2f} to {max(found):.2f})"
    return SurfacePanel(name, note, landscape.positions, landscape.plane, landscape.lines)
