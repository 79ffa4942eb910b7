"""Checkpoints: plain values and tensors, written whole or not at all, never read as code."""

import os
import zipfile
from pathlib import Path
from typing import Any

import torch

from unetseg.errors import UnetsegError, one_line
from unetseg.utilities.files import atomic_path

_ZIP = b"PK\x03\x04"  # begins what torch saves


def save(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Write ``content`` to ``path``, atomically on the target's own file system.

    Raises:
        UnetsegError: if it cannot be written; what stood there before is still there.
    """
    try:
        with atomic_path(path) as part, part.open("wb") as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:
        if (stopped := _interruption(error)) is not None:
            raise stopped from None  # torch, ending its file, says only that the file is incomplete
        cause = _failed_write(error)
        if cause is None:
            raise
        before = "the checkpoint before it is whole" if Path(path).is_file() else "there was none before it"
        raise UnetsegError(
            f"{path}: cannot be saved ({cause.strerror or cause}); {before}: "
            f"free some space, then continue with --resume {Path(path).parent}"
        ) from error


def _interruption(error: BaseException | None) -> BaseException | None:
    """Return the request to stop in the middle of a write, if that is what an error came from."""
    while error is not None and isinstance(error, Exception):
        error = error.__context__
    return error


def _failed_write(error: BaseException | None) -> OSError | None:
    """Return the error of the file system that torch reports in words of its own, if that is what it is."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


def load(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint from a local path; only tensors and plain values are accepted.

    Raises:
        UnetsegError: if it is missing, damaged, or would run code on loading.
    """
    if not Path(path).is_file():
        raise UnetsegError(f"{path}: no such checkpoint")
    try:
        _check_parts(Path(path))
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return content
    except UnetsegError:
        raise
    except Exception as error:
        reason = one_line(error, 120)
        raise UnetsegError(
            f"{path}: is damaged or holds more than tensors and plain values, so it is not loaded ({reason})"
        ) from error


def _check_parts(path: Path) -> None:
    """Compare each part of a checkpoint with its checksum, which torch leaves unread.

    Raises:
        UnetsegError: if one differs, or the parts are larger than the file that holds them.
    """
    if path.stat().st_size == 0:
        raise _damaged(path, "it is empty")
    if not zipfile.is_zipfile(path):  # of an old torch, or damaged in a way that torch will tell
        with path.open("rb") as file:
            if file.read(len(_ZIP)) == _ZIP:
                raise _damaged(path, "it is cut off")
        return
    with zipfile.ZipFile(path) as parts:
        if sum(part.file_size for part in parts.infolist()) > path.stat().st_size:
            raise UnetsegError(f"{path}: holds packed parts, as no checkpoint does, so it is not loaded")
        damaged = parts.testzip()
    if damaged is not None:
        raise _damaged(path, f"the checksum of its part {damaged} is wrong")


def _damaged(path: Path, how: str) -> UnetsegError:
    return UnetsegError(f"{path}: is damaged ({how}), so it is not loaded; copy it again, or train again")
