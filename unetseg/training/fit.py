"""From a configuration to a trained run: the Trainer and what it is given."""

import inspect
import logging
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import lightning.pytorch as pl

from unetseg.config import RunConfig
from unetseg.data.module import SegmentationData
from unetseg.data.samples import SegmentationSet
from unetseg.errors import UsageError, did_you_mean
from unetseg.files import write_json, write_text
from unetseg.models.cost import measure_cost
from unetseg.models.hardware import LIGHTNING_PRECISION, Hardware, choose_hardware
from unetseg.models.unet import Unet, build_model
from unetseg.runs import Run
from unetseg.signals import SIGNALS
from unetseg.training.checkpoints import AtomicCheckpointIO
from unetseg.training.environment import describe_environment
from unetseg.training.recorder import Recorder, Report
from unetseg.training.task import SegmentationTask


def train(config: RunConfig, dataset: SegmentationSet, run: Run, report: Report = print) -> None:
    """Train ``config`` on ``dataset`` and leave weights, metrics and settings in the run's folder.

    Args:
        config: the complete configuration.
        dataset: a sound dataset (its pairs checked).
        run: the folder, just made or left by an interrupted training of the same configuration.
        report: is given the log, line by line.

    Raises:
        UnetsegError: if training diverges or something cannot be written.
        UsageError: if the configuration does not fit the dataset or the machine.
    """
    started = time.perf_counter()
    hardware = choose_hardware(config)
    outputs = 1 if len(dataset.classes) == 2 else len(dataset.classes)
    model = build_model(config, outputs)
    _check_size(config, model)
    report(describe_model(config, model))
    report(f"hardware  {hardware}")
    data = SegmentationData(dataset, config, model.stride)
    report(
        f"data      {dataset.name}: " + ", ".join(f"{len(s)} {name}" for name, s in dataset.splits.items())
    )
    task = SegmentationTask(model, config, dataset.classes, data.class_weights())
    task.to(memory_format=hardware.memory_format)  # type: ignore[call-overload]
    _write_settings(config, dataset, run)
    recorder = Recorder(run, inference_settings(config, dataset, data), config.patience, report)
    trainer = build_trainer(config, hardware, recorder, KeepSignalHandlers())
    resume = run.last if run.last.is_file() else None
    with _quiet():
        trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
    if trainer.is_global_zero:
        write_json(run.environment, describe_environment(hardware, time.perf_counter() - started))


class KeepSignalHandlers(pl.Callback):
    """Puts the caller's signal handlers back after Lightning has installed its own.

    Lightning's handler for SIGTERM lets the process exit with 0, as if training had come to its end.
    """

    def __init__(self) -> None:
        self.handlers = {each: signal.getsignal(each) for each in SIGNALS}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put them back."""
        if threading.current_thread() is threading.main_thread():
            for each, handler in self.handlers.items():
                signal.signal(each, handler)


def describe_model(config: RunConfig, model: Unet) -> str:
    """Return one line: parameters, GMACs at the training size, and which levels are on."""
    on = ", ".join(map(str, sorted(model.on))) or "none"
    off = sorted(set(model.levels) - model.on)
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
    }


def build_trainer(config: RunConfig, hardware: Hardware, *callbacks: pl.Callback) -> pl.Trainer:
    """Build Lightning's Trainer; ``--trainer.NAME`` overrides any of its arguments.

    Raises:
        UsageError: if there is no argument of that name, or its value does not fit.
    """
    arguments: dict[str, Any] = {
        "max_epochs": config.epochs,
        "accelerator": "gpu" if hardware.device == "cuda" else hardware.device,
        "devices": 1,
        "precision": LIGHTNING_PRECISION[hardware.precision],
        "logger": False,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": sys.stderr.isatty(),
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "deterministic": "warn" if hardware.device == "cuda" else False,
        "callbacks": list(callbacks),
        "plugins": [AtomicCheckpointIO()],
    }
    known = set(inspect.signature(pl.Trainer.__init__).parameters) - {"self"}
    for name, value in config.trainer.items():
        if name not in known:
            raise UsageError(
                f"--trainer.{name}: Lightning's Trainer has no such argument{did_you_mean(name, known)}"
            )
        if name in ("callbacks", "plugins"):
            raise UsageError(f"--trainer.{name}: cannot be given as text; use unetseg from Python instead")
        arguments[name] = value
    try:
        with _quiet():
            return pl.Trainer(**arguments)
    except Exception as error:
        given = ", ".join(f"--trainer.{name} {value}" for name, value in config.trainer.items())
        if not given:
            raise
        raise UsageError(f"{given}: refused by Lightning: {' '.join(str(error).split())}") from error


def _check_size(config: RunConfig, model: Unet) -> None:
    if config.size % model.stride:
        below, above = (
            config.size // model.stride * model.stride,
            -(-config.size // model.stride) * model.stride,
        )
        nearest = f"{below} or {above}" if below else f"{above}"
        raise UsageError(
            f"--size {config.size}: must be a multiple of {model.stride} for this encoder; try {nearest}"
        )


def _write_settings(config: RunConfig, dataset: SegmentationSet, run: Run) -> None:
    write_text(run.config_file, config.to_yaml())
    write_json(run.split, {split: [s.name for s in samples] for split, samples in dataset.splits.items()})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's advice out of the log."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
