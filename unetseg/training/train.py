"""From a configuration to a trained run."""

import io
import json
import os
import time
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, replace
from typing import Any

import lightning.pytorch as pl
from lightning.fabric.utilities.exceptions import MisconfigurationException

from unetseg.config import RunConfig
from unetseg.data.appearance import APPEARANCE, appearance_of, summary_of
from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.fingerprints import FINGERPRINTS, changed_samples, fingerprints
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.data.images.pixel_rule import PERCENTILES
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UsageError
from unetseg.models.cost import measure_cost, normalises_one_value
from unetseg.models.hardware import Hardware, choose_hardware
from unetseg.models.pretrained import normalisation_of
from unetseg.models.unet import Unet, build_model, check_size, output_channels
from unetseg.runs import Run
from unetseg.training.distributed import partners
from unetseg.training.environment import EnvironmentNote, describe_environment
from unetseg.training.failures import explain
from unetseg.training.gradient_log import GradientLog
from unetseg.training.initial import preprocessing_of, start_from_run
from unetseg.training.recorder import Recorder
from unetseg.training.task import SegmentationTask
from unetseg.training.trainer import LOGGERS, KeepSignalHandlers, build_trainer, refused
from unetseg.utilities.files import write_json
from unetseg.utilities.progress import Report, print_line, show_progress
from unetseg.utilities.quiet import quiet
from unetseg.utilities.text import first_few


@dataclass(frozen=True)
class Net:
    """A network about to be trained, and what it computes in."""

    model: Unet
    hardware: Hardware


def build_net(config: RunConfig, classes: int, goes_on: bool, in_channels: int | None = None) -> Net:
    """Build what is to be trained; needs no pixel of the dataset, so that what is wrong is said at once.

    Args:
        config: the complete configuration.
        classes: with the background.
        goes_on: with a checkpoint of its own.
        in_channels: of the images; as the configuration has it if not given.

    Raises:
        UsageError: if the configuration names no network, or none that this machine can train.
        UnetsegError: if pretrained weights cannot be loaded.
    """
    hardware = choose_hardware(config)
    # Where a checkpoint is about to be loaded, pretrained weights need not be fetched first.
    fresh = config.init is None and not goes_on
    own = config if fresh else config.changed(weights="none")
    model = build_model(own, output_channels(classes), in_channels)
    check_size(config, model)
    return Net(model, hardware)


def train(
    config: RunConfig,
    dataset: SegmentationSet,
    run: Run,
    report: Report = print_line,
    net: Net | None = None,
) -> None:
    """Train ``config`` on ``dataset`` and leave weights, metrics and settings in the run's folder.

    Where the folder holds a ``last.ckpt``, training goes on from there and ends in the same bits as if it
    had never been interrupted.

    Args:
        config: the complete configuration.
        dataset: a sound dataset (its pairs checked).
        run: the folder, just made or left by an interrupted training of the same configuration.
        report: is given the log, line by line.
        net: what :func:`build_net` made of the configuration; made here if not given.

    Raises:
        UnetsegError: if training diverges or something cannot be written.
        UsageError: if the configuration does not fit the dataset or the machine; nothing is written then.
    """
    started = time.perf_counter()
    net = net or build_net(config, len(dataset.classes), run.last.is_file(), dataset.pixels.count)
    model, hardware = net.model, net.hardware
    report(describe_model(config, model))
    report(f"hardware  {hardware}")
    if config.freeze_encoder and not config.pretrained and config.init is None:
        report("note      --freeze-encoder: the encoder that stays as it is has random weights")
    data = _load_data(config, dataset, run, model, report)
    split = _split(dataset, run)
    task = SegmentationTask(model, config, dataset.classes, data.class_weights())
    task.to(memory_format=hardware.memory_format)
    prints = _fingerprints(dataset, run, report)
    recorder = Recorder(run, config, split, inference_settings(config, dataset, data), report, prints)
    note = EnvironmentNote(run.environment, hardware)
    callbacks: list[pl.Callback] = [recorder, note, KeepSignalHandlers()]
    if config.log_gradients:
        callbacks.insert(0, GradientLog(run, data.fixed_batch()))  # before the recorder saves the epoch
    trainer = build_trainer(config, hardware, run.path, *callbacks)
    _check_batch_norm(config, dataset, model, trainer.world_size)
    if config.trainer:
        report(f"trainer   {', '.join(f'{name} {value}' for name, value in config.trainer.items())}")
    if trainer.world_size > 1:
        report(f"processes {trainer.world_size}, each with batches of {config.batch_size}")
    with quiet(loggers=LOGGERS), partners(trainer, _train_silently, config, dataset, run):
        _fit(trainer, task, data, config, run)
        if trainer.is_global_zero:
            environment = describe_environment(hardware, trainer, time.perf_counter() - started)
            write_json(run.environment, environment)


def _fit(
    trainer: pl.Trainer, task: SegmentationTask, data: SegmentationData, config: RunConfig, run: Run
) -> None:
    """Let Lightning train, and say in one line what it says in many."""
    last = run.last if run.last.is_file() else None
    for logger in trainer.loggers:
        logger.log_hyperparams(asdict(config))
    try:
        trainer.fit(task, datamodule=data, ckpt_path=last, weights_only=True)
    except Exception as error:
        explained = explain(error)
        if explained is not None:
            raise explained from error
        early = trainer.global_step == 0 and isinstance(
            error, (TypeError, ValueError, MisconfigurationException)
        )
        if early and config.trainer:
            raise refused(config, error) from error  # some arguments are looked at only now
        raise


def _train_silently(config: RunConfig, dataset: SegmentationSet, run: Run) -> None:
    """Train in a further process: the first one prints, for all."""
    with redirect_stderr(io.StringIO()):
        train(config, dataset, run, lambda line: None)


def _load_data(
    config: RunConfig, dataset: SegmentationSet, run: Run, model: Unet, report: Report
) -> SegmentationData:
    """Load the dataset under the normalisation that the weights want."""
    preprocessing = normalisation = None
    if run.last.is_file():
        preprocessing = preprocessing_of(run)
    elif config.init is not None:
        preprocessing = start_from_run(model, config, dataset.classes, report)
        preprocessing = replace(preprocessing, pixels=dataset.pixels.of_run(preprocessing.pixels))
    elif wanted := normalisation_of(config):
        if config.weights_file is not None:
            report(f"weights   {model.encoder.origin}")
        if dataset.pixels.count == 3:
            report(f"normalise {wanted}")
            normalisation = wanted.values
    counts = ", ".join(f"{len(samples)} {name}" for name, samples in dataset.splits.items())
    report(f"data      {dataset.name}: {counts}")
    data = SegmentationData(
        dataset, config, model.stride, preprocessing, show_progress("loading"), normalisation
    )
    if not data.preprocessing.pixels.eight_bit_rgb:
        report(f"pixels    {data.preprocessing.pixels}{_origin(dataset, preprocessing)}")
    return data


def _origin(dataset: SegmentationSet, preprocessing: Preprocessing | None) -> str:
    """Return where the range of the pixels comes from."""
    if dataset.pixels.bytes:
        return ""
    if dataset.pixels.measured:
        return " (dataset.yaml)"
    if preprocessing is not None and preprocessing.pixels.measured:
        return " (of the run that it starts from)"
    low, high = PERCENTILES
    return f" ({low:g} % to {high:g} % of the training pixels)"


def describe_model(config: RunConfig, model: Unet) -> str:
    """Return one line: parameters, GMACs at the training size, and which levels are on."""
    on = ", ".join(map(str, sorted(model.active_levels))) or "none"
    off = sorted(set(model.levels) - model.active_levels)
    instead = f"; off: {', '.join(map(str, off))} ({config.control})" if off else ""
    return (
        f"model     {config.encoder}: {measure_cost(model, config.size)}; skips on at levels: {on}{instead}"
    )


def inference_settings(config: RunConfig, dataset: SegmentationSet, data: SegmentationData) -> dict[str, Any]:
    """Return the plain values that inference must repeat."""
    return {
        "config": asdict(config),
        "classes": list(dataset.classes),
        "colours": [list(colour) for colour in dataset.colours],
        "preprocessing": data.preprocessing.to_dict(),
        APPEARANCE: summary_of(appearance_of(image) for image in data.first_normalised()),
    }


def _split(dataset: SegmentationSet, run: Run) -> dict[str, list[str]]:
    """Return the names in each split; a run that goes on must find the split that it began with."""
    split = {name: [sample.name for sample in samples] for name, samples in dataset.splits.items()}
    if run.last.is_file() and run.split.is_file() and json.loads(run.split.read_text()) != split:
        raise UsageError(
            f"{run.path}: the images of {dataset.name} are no longer those that this run began with "
            f"({run.split.name}); start a new run, with --init {run.path} if its weights are to be kept"
        )
    return split


def _fingerprints(dataset: SegmentationSet, run: Run, report: Report) -> dict[str, str] | None:
    """Return a hash of each sample's files; a run that goes on must find those that it began with.

    Further processes leave that to the first.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return None
    now = fingerprints(dataset)
    kept = run.path / FINGERPRINTS
    if run.last.is_file() and kept.is_file():
        changed = changed_samples(json.loads(kept.read_text()), now)
        if changed:
            raise UsageError(
                f"{run.path}: {len(changed)} images or masks of {dataset.name} are no longer those that this "
                f"run began with: {first_few(changed)}; bring them back, or start a new run, with "
                f"--init {run.path} if its weights are to be kept"
            )
    elif run.last.is_file():
        report(
            "data      of this older run the names are known and not the contents: only names were compared"
        )
    return now


def _check_batch_norm(config: RunConfig, dataset: SegmentationSet, model: Unet, processes: int) -> None:
    """Refuse a training whose layers would normalise by a single value a channel."""
    images = -(-len(dataset.splits["train"]) // processes)
    batch = min(config.batch_size, images)
    if batch == 1 and normalises_one_value(model, config.size):
        raise UsageError(
            f"one value a channel at --size {config.size} and a batch of one: take --size {2 * config.size} "
            f"or more, or {'a larger --batch-size' if images > 1 else 'more images'}"
        )
