"""The gradient's flow through the networks of a study before training, on a real batch, in several seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from unetseg.config import RunConfig
from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.data.loaders import Batch
from unetseg.data.preprocessing import Preprocessing
from unetseg.models.gradient_flow import GradientFlow, flow_curve, gradient_flow
from unetseg.models.hardware import choose_hardware
from unetseg.models.initialise import seed_for
from unetseg.models.pretrained import normalisation_of
from unetseg.models.unet import Unet, build_model, check_size, load_weights, output_channels, skip_levels
from unetseg.plots import gradient_panels
from unetseg.runs import Run
from unetseg.studies.study import Study
from unetseg.training import checkpoints
from unetseg.training.task import SegmentationTask
from unetseg.utilities.files import plain_write_errors, write_rows
from unetseg.utilities.text import align

Flows = Mapping[str, Sequence[GradientFlow]]


def arm_configs(study: Study, only: Sequence[str] | None = None) -> dict[str, RunConfig]:
    """Return the configurations of a study's arms; of values that an arm lists, the first.

    Args:
        study: with or without its levels expanded.
        only: the arms to take, besides the baseline; all if not given.

    Raises:
        UsageError: if an arm is unknown or its configuration wrong.
    """
    study = study.expanded(skip_levels(study.base))
    if only is not None:
        study = study.only(only)
    return {arm.name: arm.settings(study.base, study.name)[0][1] for arm in study.arms}


def probe_gradients(
    configs: Mapping[str, RunConfig],
    seeds: Sequence[int],
    dataset: SegmentationSet,
    progress: Callable[[int, int], None] | None = None,
) -> Flows:
    """Measure every configuration in every seed: weights and crops are those of the seed.

    Args:
        configs: by the arm's name.
        seeds: replace those of the configurations.
        dataset: gives the batch.
        progress: is told (networks done, networks in all).

    Returns:
        For each arm, one flow a seed.

    Raises:
        UsageError: if a network cannot be built, or does not fit the size of the crops.
    """
    flows: dict[str, list[GradientFlow]] = {name: [] for name in configs}
    for number, seed in enumerate(seeds):
        for position, (name, config) in enumerate(configs.items()):
            flows[name].append(measure_flow(config.changed(seed=seed), dataset))
            if progress:
                progress(number * len(configs) + position + 1, len(seeds) * len(configs))
    return flows


def probe_run(run: Run, config: RunConfig, dataset: SegmentationSet) -> Flows:
    """Measure a run's network with its first weights and with its best ones.

    Args:
        run: that was trained.
        config: its configuration.
        dataset: gives the batch.

    Raises:
        UnetsegError: if its weights cannot be read.
    """
    trained = checkpoints.load(run.best)["state_dict"]
    return {
        "before training": [measure_flow(config, dataset)],
        "trained": [measure_flow(config.changed(weights="none"), dataset, trained)],
    }


def measure_flow(
    config: RunConfig, dataset: SegmentationSet, weights: dict[str, Tensor] | None = None
) -> GradientFlow:
    """Measure one network on a batch of training crops, in training mode and float32.

    Args:
        config: of the network, the batch and the loss.
        dataset: gives the batch.
        weights: of the network; its first ones if not given.
    """
    model = build_network(config, dataset)
    if weights is not None:
        load_weights(model, weights)
    batch, class_weights = first_batch(config, dataset, model.stride)
    device = choose_hardware(config).device
    task = SegmentationTask(model, config, dataset.classes, class_weights).to(device).train()
    torch.manual_seed(seed_for(config.seed, "probe"))  # for dropout
    masks = batch["mask"].to(device)
    return gradient_flow(model, batch["image"].to(device), lambda logits: task.loss(logits, masks))


def build_network(config: RunConfig, dataset: SegmentationSet) -> Unet:
    """Build a network for the classes of a dataset, and check that the crops fit it."""
    model = build_model(config, output_channels(len(dataset.classes)), dataset.pixels.count)
    check_size(config, model)
    return model


def first_batch(
    config: RunConfig, dataset: SegmentationSet, stride: int, preprocessing: Preprocessing | None = None
) -> tuple[Batch, list[float] | None]:
    """Return the crops of the first training images, without reading the others, and the class weights.

    Args:
        config: of the crops.
        dataset: whose images they are of.
        stride: of the network.
        preprocessing: of a run; measured on these images if not given.
    """
    first = dataset.splits["train"][: config.batch_size]
    few = replace(dataset, splits={"train": first, "val": ()})
    wanted = normalisation_of(config)
    data = SegmentationData(
        few, config, stride, preprocessing, normalisation=wanted.values if wanted else None
    )
    return data.fixed_batch(), data.class_weights()


def gradients_text(flows: Flows) -> str:
    """Return a table: the medians over the seeds, and the range of the ratio."""
    levels = sorted({level for each in flows.values() for level in each[0].levels})
    rows = [["", "layers", "dead", "first to last", "range", *(f"skip {level}" for level in levels)]]
    for name, each in flows.items():
        ratios = sorted(flow.first_to_last for flow in each)
        shares = {k: median(flow.levels[k].share for flow in each) for k in each[0].levels}
        rows.append(
            [
                name,
                str(len(each[0].layers)),
                f"{median(len(flow.dead) for flow in each):g}",
                f"{median(ratios):.3g}",
                f"{ratios[0]:.2g} to {ratios[-1]:.2g}" if len(ratios) > 1 else "",
                *(f"{100 * shares[level]:.2g} %" if level in shares else "" for level in levels),
            ]
        )
    return (
        f"{align(rows)}\n\n"
        "first to last: gradient norm of the first layer over that of the last before the head\n"
        "dead: layers whose gradient is nothing beside the largest one\n"
        "skip k: how much of the gradient at stage k of the encoder comes by its long skip, the rest from "
        "deeper stages"
    )


def write_gradients(flows: Flows, seeds: Sequence[int], folder: Path) -> list[Path]:
    """Write ``probe.csv``, one row a norm, and ``probe.png``, all arms overlaid; return their paths.

    Raises:
        UnetsegError: if they cannot be written.
    """
    table, picture = folder / "probe.csv", folder / "probe.png"
    rows = [
        {"arm": name, "seed": seed, **row}
        for name, each in flows.items()
        for seed, flow in zip(seeds, each, strict=True)
        for row in flow.rows()
    ]
    with plain_write_errors(folder):
        write_rows(table, rows)
        gradient_panels([flow_curve(name, each) for name, each in flows.items()], picture)
    return [table, picture]
