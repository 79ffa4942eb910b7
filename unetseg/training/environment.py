"""What a run was computed with."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from unetseg.models.hardware import Hardware

PACKAGES = ("unetseg", "torch", "lightning", "segmentation-models-pytorch", "timm", "albumentations", "numpy")


def describe_environment(hardware: Hardware, seconds: float) -> dict[str, Any]:
    """Return versions, device, threads, seconds, and the git commit of the user's folder, if any."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name() if hardware.device == "cuda" else hardware.device,
        "precision": hardware.precision,
        "channels_last": hardware.channels_last,
        "threads": torch.get_num_threads(),
        "training_seconds": round(seconds, 1),
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
