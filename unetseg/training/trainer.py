"""Lightning's Trainer, with any of its arguments from the command line."""

import inspect
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from unetseg.config import RunConfig
from unetseg.errors import UsageError, did_you_mean, one_line
from unetseg.models.hardware import LIGHTNING_PRECISION, Hardware
from unetseg.training.checkpoint_io import AtomicCheckpointIO
from unetseg.training.epoch_bar import EpochBar
from unetseg.training.extensions import build_callbacks, build_logger, find_callbacks, find_logger
from unetseg.utilities.quiet import quiet
from unetseg.utilities.signals import SIGNALS

LOGGERS = ("lightning.pytorch", "lightning.fabric")  # whose advice is kept out of the log
NOT_OFFERED = {
    "barebones": "nothing would be recorded",
    "num_nodes": "all processes run on one machine",
    "overfit_batches": "would replace the order of the images; take --trainer.limit_train_batches",
    "plugins": "checkpoints are written and read by the package's own",
    "use_distributed_sampler": "images are shared out so that each is counted once",
}


def check_trainer(config: RunConfig, hardware: Hardware) -> None:
    """Refuse what ``build_trainer`` would, before anything is read; loggers and callbacks are not built.

    Raises:
        UsageError: if there is no argument of that name, or its value does not fit.
    """
    if not config.trainer:
        return
    if "callbacks" in config.trainer:
        find_callbacks(config.trainer["callbacks"])
    if "logger" in config.trainer:
        find_logger(config.trainer["logger"])
    plain = {name: value for name, value in config.trainer.items() if name not in ("callbacks", "logger")}
    build_trainer(config.changed(trainer=plain), hardware, Path())


def build_trainer(config: RunConfig, hardware: Hardware, folder: Path, *callbacks: pl.Callback) -> pl.Trainer:
    """Build Lightning's Trainer; ``--trainer.NAME`` overrides any of its arguments.

    Args:
        config: the run's configuration.
        hardware: what its ``auto`` became.
        folder: where loggers write, unless told otherwise.
        *callbacks: are called by the Trainer.

    Raises:
        UsageError: if there is no argument of that name, or its value does not fit.
    """
    arguments: dict[str, Any] = {
        "max_epochs": config.epochs,
        "accelerator": "gpu" if hardware.device == "cuda" else hardware.device,
        "devices": 1,
        "precision": LIGHTNING_PRECISION[hardware.precision],
        "logger": False,
        "default_root_dir": folder,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": sys.stderr.isatty(),
        "num_sanity_val_steps": 0,
        "deterministic": "warn" if hardware.device == "cuda" else False,
    }
    arguments |= _given_arguments(config.trainer, folder)
    given = arguments.pop("callbacks", None) or []
    own_bar = any(isinstance(each, pl.callbacks.ProgressBar) for each in given)
    if arguments["enable_progress_bar"] is True and not own_bar:
        given = [*given, EpochBar()]
    try:
        with quiet(loggers=LOGGERS):
            trainer = pl.Trainer(
                **arguments,
                callbacks=[*callbacks, *given],
                plugins=[AtomicCheckpointIO()],
                use_distributed_sampler=False,
            )
    except Exception as error:
        if not config.trainer:
            raise
        raise refused(config, error) from error
    if trainer.limit_train_batches == 0:
        raise UsageError("--trainer.limit_train_batches 0: nothing would be trained")
    if trainer.max_epochs == trainer.max_steps == -1:
        raise UsageError("--trainer.max_epochs -1: the learning rate's schedule needs an end; take --epochs")
    return trainer


def _given_arguments(given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the Trainer's arguments that a user gave, with objects in place of import paths."""
    known = set(inspect.signature(pl.Trainer.__init__).parameters) - {"self"}
    arguments = {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(
                f"--trainer.{name}: Lightning's Trainer has no such argument{did_you_mean(name, known)}"
            )
        if name in NOT_OFFERED:
            raise UsageError(f"--trainer.{name}: is not offered: {NOT_OFFERED[name]}")
        if name == "callbacks":
            arguments[name] = build_callbacks(value)
        elif name == "logger":
            arguments[name] = build_logger(value, folder)
        else:
            arguments[name] = value
    return arguments


def refused(config: RunConfig, error: Exception) -> UsageError:
    """Return a UsageError that names the Trainer's arguments which a user gave."""
    given = ", ".join(f"--trainer.{name} {value}" for name, value in config.trainer.items())
    return UsageError(f"{given}: refused by Lightning: {one_line(error)}")


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
