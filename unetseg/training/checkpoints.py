"""Checkpoints: plain values and tensors, written whole or not at all, never read as code."""

import io
import os
from pathlib import Path
from typing import Any

import torch

from unetseg.errors import UnetsegError
from unetseg.files import write_bytes


def save(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write ``content`` to ``path``, atomically on the target's own file system.

    Raises:
        UnetsegError: if it cannot be written; what stood there before is still there.
    """
    try:
        serialised = io.BytesIO()  # given a file, torch tells of a full disk in words of its own
        torch.save(content, serialised)
        write_bytes(path, serialised.getbuffer())
    except OSError as error:
        raise UnetsegError(
            f"{path}: cannot be saved ({error.strerror or error}); the checkpoint before it is whole: "
            f"free some space, then continue with --resume {Path(path).parent}"
        ) from error


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint from a local path; only tensors and plain values are accepted.

    Raises:
        UnetsegError: if it is missing, damaged, or would run code on loading.
    """
    if not Path(path).is_file():
        raise UnetsegError(f"{path}: no such checkpoint")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UnetsegError(
            f"{path}: is damaged or holds more than tensors and plain values, so it is not loaded ({reason})"
        ) from error
