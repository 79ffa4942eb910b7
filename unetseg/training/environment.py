"""What a run was computed with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from unetseg.models.hardware import Hardware
from unetseg.utilities.files import write_json

PACKAGES = ("unetseg", "torch", "lightning", "segmentation-models-pytorch", "timm", "albumentations", "numpy")


class EnvironmentNote(pl.Callback):
    """Writes what a training that begins is computed with: one that is interrupted must go on likewise."""

    def __init__(self, path: Path, hardware: Hardware) -> None:
        self.path = path
        self.hardware = hardware

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write it, unless an earlier part of the training did; its seconds come at the end."""
        if trainer.is_global_zero and not self.path.is_file():
            write_json(self.path, describe_environment(self.hardware, trainer, None))


def describe_environment(hardware: Hardware, trainer: pl.Trainer, seconds: float | None) -> dict[str, Any]:
    """Return versions, device, processes, threads, seconds, and the git commit of the user's folder, if any.

    The device and the number format are the Trainer's, whose arguments may have overruled ours. Seconds are
    None before the training's end.
    """
    device = trainer.strategy.root_device.type
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "precision": trainer.precision,
        "channels_last": hardware.channels_last,
        "processes": trainer.world_size,
        "threads": torch.get_num_threads(),
        "training_seconds": None if seconds is None else round(seconds, 1),
        "git_commit": _git_commit(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
