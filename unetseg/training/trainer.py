"""Lightning's Trainer, with any of its arguments from the command line."""

import importlib
import inspect
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from unetseg.config import RunConfig
from unetseg.errors import UsageError, did_you_mean
from unetseg.models.hardware import LIGHTNING_PRECISION, Hardware
from unetseg.signals import SIGNALS
from unetseg.training.checkpoint_io import AtomicCheckpointIO

LOGGERS = {
    "csv": "lightning.pytorch.loggers.CSVLogger",
    "tensorboard": "lightning.pytorch.loggers.TensorBoardLogger",
}
NOT_TEXT = {
    "callbacks": "cannot be given as text",
    "plugins": "cannot be given as text",
    "overfit_batches": "would replace the order of the images; take --trainer.limit_train_batches",
    "use_distributed_sampler": "images are shared out so that each is counted once",
}


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
    known = set(inspect.signature(pl.Trainer.__init__).parameters) - {"self"}
    for name, value in config.trainer.items():
        if name not in known:
            raise UsageError(
                f"--trainer.{name}: Lightning's Trainer has no such argument{did_you_mean(name, known)}"
            )
        if name in NOT_TEXT:
            raise UsageError(f"--trainer.{name}: is not offered: {NOT_TEXT[name]}")
        arguments[name] = build_logger(value, folder) if name == "logger" else value
    try:
        with quiet():
            return pl.Trainer(
                **arguments,
                callbacks=list(callbacks),
                plugins=[AtomicCheckpointIO()],
                use_distributed_sampler=False,
            )
    except Exception as error:
        if not config.trainer:
            raise
        raise refused(config, error) from error


def refused(config: RunConfig, error: Exception) -> UsageError:
    """Return a UsageError that names the Trainer's arguments which a user gave."""
    given = ", ".join(f"--trainer.{name} {value}" for name, value in config.trainer.items())
    return UsageError(f"{given}: refused by Lightning: {' '.join(str(error).split())}")


def build_logger(value: Any, folder: Path) -> Any:
    """Return what ``--trainer.logger VALUE`` means: one of Lightning's loggers, several, or none.

    Args:
        value: true, false, ``csv``, ``tensorboard``, the import path of a logger, a mapping of
            ``class_path`` and ``init_args``, or a list of these.
        folder: given to a logger as its ``save_dir`` where it takes one and is not told another.

    Raises:
        UsageError: if there is no such logger, or it cannot be built.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [build_logger(each, folder) for each in value]
    if isinstance(value, str):
        value = {"class_path": value}
    if not isinstance(value, Mapping) or not isinstance(value.get("class_path"), str):
        raise UsageError(
            f"--trainer.logger {value}: give true, csv, tensorboard, the import path of a logger, "
            "or {class_path: …, init_args: {…}}"
        )
    given = str(value["class_path"])
    module, _, name = LOGGERS.get(given, given).rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise UsageError(
            f"--trainer.logger {given}: no such logger{did_you_mean(given, LOGGERS)} "
            "(csv, tensorboard, or an import path)"
        ) from None
    try:
        arguments = dict(value.get("init_args") or {})
        if "save_dir" in inspect.signature(kind).parameters:
            arguments.setdefault("save_dir", folder)
        return kind(**arguments)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"--trainer.logger {given}: cannot be used: {reason}") from error


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


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's advice out of the log."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
