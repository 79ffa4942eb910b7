"""The name of a file together with a fingerprint of its content: ``PATH#0123456789ab``.

What is computed from a file depends on its content, and not on where it lies: so the two are told apart by
the fingerprint, and a name that has one needs no file any more.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

_PINNED = re.compile(r"(.+)#([0-9a-f]{12})", re.DOTALL)


def pin(name: str) -> str:
    """Return the name with the fingerprint of the file; one that has it already stays as it is.

    Raises:
        OSError: if the file cannot be read.
    """
    return name if fingerprint_in(name) else f"{name}#{fingerprint_of(Path(name))}"


def unpinned(name: str) -> Path:
    """Return where the file of a name, with or without fingerprint, lies."""
    match = _PINNED.fullmatch(name)
    return Path(match[1] if match else name)


def fingerprint_in(name: str) -> str:
    """Return the fingerprint in a name, or nothing if it has none."""
    match = _PINNED.fullmatch(name)
    return match[2] if match else ""


def fingerprint_of(path: Path) -> str:
    """Return twelve digits of the SHA-256 of a file.

    Raises:
        OSError: if the file cannot be read.
    """
    status = path.stat()
    return _digits(path, status.st_size, status.st_mtime_ns)


@lru_cache
def _digits(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
