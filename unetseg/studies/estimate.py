"""What a study will take, before it is started: a few steps of each net, measured."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import count, islice

import torch

from unetseg.config import RunConfig, flag
from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.check import require_sound
from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.data.loaders import Batch
from unetseg.models.hardware import choose_hardware
from unetseg.models.unet import build_model, output_channels
from unetseg.studies.costs import plan_costs
from unetseg.studies.outlook import runs_ahead
from unetseg.studies.plan import RunPlan, Setting, Trial
from unetseg.training.task import SegmentationTask
from unetseg.utilities.progress import duration, show_progress
from unetseg.utilities.text import align

WARM_UP, MEASURED = 2, 3  # steps


def plan_text(plan: RunPlan, workers: int = 1) -> str:
    """Return a study's arms with parameters, GMACs and the time that each run takes, and that of all.

    Args:
        plan: of the study; nothing is written.
        workers: runs that will go side by side.

    Raises:
        UnetsegError: for whatever would keep the study from starting.
    """
    dataset = open_data(plan.study.base)
    require_sound(dataset)
    costs = plan_costs(plan, len(dataset.classes) - 1)
    settings = [(arm, setting) for arm, tried in plan.settings.items() for setting in tried]
    seconds: dict[str, float] = {}
    show = show_progress("measuring")
    for index, (_, setting) in enumerate(settings):
        identity = setting.config.identity()
        if identity not in seconds:
            seconds[identity] = run_seconds(setting.config, dataset)
        show(index + 1, len(settings))
    rows = [["arm", "what it changes", "parameters", "GMACs", "runs", "done", "a run"]]
    for arm, setting in settings:
        identity = setting.config.identity()
        rows.append(
            [
                arm,
                _changes(setting, plan.study.base),
                f"{costs[identity].parameters:,}",
                f"{costs[identity].gmacs:.3f}",
                str(len(setting.trials)),
                str(sum(trial.done for trial in setting.trials)),
                duration(seconds[identity]),
            ]
        )
    claim = f"the claim under test: {plan.study.claim}" if plan.study.claim else ""
    return "\n\n".join(filter(None, (claim, align(rows, left=2), _closing(plan, seconds, workers))))


def _closing(plan: RunPlan, seconds: Mapping[str, float], workers: int) -> str:
    first, most = runs_ahead(plan)
    cut = f", each of {plan.study.base.folds} nets, one a fold," if plan.study.base.folds else ""
    text = (
        f"{_to_do(first)} of {len(first)} runs{cut} are to be trained in {plan.folder}; by a few measured "
        f"steps this takes {_time(plan, first, seconds, workers)}, testing not counted"
    )
    if len(most) == len(first):
        return text
    return f"{text}; to the last look at most {_to_do(most)} runs, {_time(plan, most, seconds, workers)}"


def _to_do(trials: Sequence[Trial]) -> int:
    return sum(not trial.done for trial in trials)


def _time(plan: RunPlan, trials: Sequence[Trial], seconds: Mapping[str, float], workers: int) -> str:
    left = seconds_left(plan, trials, seconds)
    side = f", {workers} side by side at best {duration(left / workers)}" if workers > 1 else ""
    return duration(left) + side


def seconds_left(plan: RunPlan, trials: Sequence[Trial], seconds: Mapping[str, float]) -> float:
    """Return the time that the epochs still to be trained will take.

    Args:
        plan: of the study.
        trials: those of its runs that count.
        seconds: that a whole run takes, by the identity of its setting.
    """
    per_run = {
        trial.run.path: seconds[setting.config.identity()]
        for settings in plan.settings.values()
        for setting in settings
        for trial in setting.trials
    }
    return sum(
        per_run[trial.run.path] * (1 - len(trial.run.epochs()) / trial.config.epochs)
        for trial in trials
        if not trial.done
    )


def run_seconds(config: RunConfig, dataset: SegmentationSet) -> float:
    """Return how long one run trains, from a few steps of training and of validation.

    Loading and augmentation are in it; testing is not.
    """
    hardware = choose_hardware(config)
    outputs = output_channels(len(dataset.classes))
    model = build_model(config.changed(weights="none"), outputs)
    data = SegmentationData(dataset, config, model.stride)
    task = SegmentationTask(model, config, dataset.classes, data.class_weights())
    task.to(hardware.device, memory_format=hardware.memory_format)
    optimiser = torch.optim.AdamW(task.parameters(), lr=config.lr)

    def loss_of(batch: Batch) -> torch.Tensor:
        images, masks = (batch[name].to(hardware.device) for name in ("image", "mask"))
        with hardware.autocast():
            logits = task(images.contiguous(memory_format=hardware.memory_format))
        return task.loss(logits, masks)

    def train(batch: Batch) -> None:
        loss = loss_of(batch)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        loss.item()  # waits for the GPU

    def validate(batch: Batch) -> None:
        with torch.no_grad():
            loss_of(batch).item()

    training, validation = data.train_dataloader(), data.val_dataloader()
    an_epoch = len(training) * _step_seconds(training, train)
    task.eval()
    an_epoch += len(validation) * _step_seconds(validation, validate)
    return config.epochs * an_epoch * (config.folds or 1)


def _step_seconds(loader: Iterable[Batch], step: Callable[[Batch], None]) -> float:
    """Return what a batch takes to be loaded and used, after the first ones, which are slower."""
    batches = (batch for _ in count() for batch in loader)
    for batch in islice(batches, WARM_UP):
        step(batch)
    started = time.perf_counter()
    for batch in islice(batches, MEASURED):
        step(batch)
    return (time.perf_counter() - started) / MEASURED


def _changes(setting: Setting, base: RunConfig) -> str:
    """Return what a setting changes in the base, as flags."""
    plain, changed = asdict(base), asdict(setting.config)
    differing = [name for name in changed if changed[name] != plain[name]]
    return " ".join(f"{flag(name)} {changed[name]}" for name in differing) or "the base as it is"
