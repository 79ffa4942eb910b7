"""What can be found out again and takes long: kept in the user's cache folder, between commands."""

import hashlib
import json
import os
import stat
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from unetseg.utilities.files import write_text
from unetseg.utilities.text import printable

_LARGEST = 256 * 2**20  # bytes of all files together
_HEAD = 1024  # bytes of a file that its stamp looks at
_SETTLED = 2_000_000_000  # nanoseconds: two changes of a file within them may bear one time


def cache_folder() -> Path:
    """Return the folder of caches, which may not be there yet: ``$XDG_CACHE_HOME/unetseg`` if that is set.

    Else it is where the system has such folders: ``~/.cache``, ``~/Library/Caches``, ``%LOCALAPPDATA%``.
    """
    named = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA" if os.name == "nt" else "", "")
    usual = Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache")
    try:
        return (Path(named) if named else usual.expanduser()) / "unetseg"
    except RuntimeError:  # a user without a home
        return Path(os.devnull) / "unetseg"


class Kept:
    """What was found out about files, by their paths: of one subject, in one file of the cache.

    Several processes may use one subject at a time: whoever saves last is kept, whole.

    Args:
        subject: what it is about; with the version, that names the file.
        version: of what is found out and how; of another version nothing is taken.
    """

    def __init__(self, subject: str, version: str) -> None:
        name = hashlib.blake2b(subject.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
        self._path = cache_folder() / f"{name}.json"
        self._version = version
        self._entries = _read(self._path, version)
        self._changed = False

    def get(self, key: str, stamp: str | None) -> Any:
        """Return what was kept of a file under this stamp (see :func:`file_stamp`), or None."""
        entry = self._entries.get(key)
        return entry[1] if entry is not None and stamp is not None and entry[0] == stamp else None

    def put(self, key: str, stamp: str | None, found: Any) -> None:
        """Take what was found out about a file, in JSON's types, unless it has no stamp."""
        if stamp is not None:
            self._entries[key] = [stamp, found]
            self._changed = True

    def save(self) -> None:
        """Write what is new, whole or not at all.

        Where nothing can be written, nothing is kept. What was not used for longest goes once all subjects
        together are too large.
        """
        if not self._changed:
            return
        with suppress(OSError):  # a full disk, a home that is read only: the next command finds it out again
            content = {"version": self._version, "entries": self._entries}
            write_text(self._path, json.dumps(content, separators=(",", ":")))
            _make_room(self._path.parent)
        self._changed = False


def file_stamp(path: Path) -> str | None:
    """Return what changes when a file does: its size, the time of its last change, a hash of its first bytes.

    None if it cannot be read, is no regular file, or was changed so lately that another change might bear the
    same time.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for ever
            return None
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            status = os.fstat(descriptor)
            head = os.read(descriptor, _HEAD)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    if status.st_mtime_ns > time.time_ns() - _SETTLED:
        return None
    return f"{status.st_size}-{status.st_mtime_ns}-{hashlib.blake2b(head, digest_size=12).hexdigest()}"


def _read(path: Path, version: str) -> dict[str, list[Any]]:
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != version:
            return {}
        entries = content["entries"]
        if not all(isinstance(stamp, str) for stamp, _ in entries.values()):
            raise TypeError
        os.utime(path)  # it was used
    except OSError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        text = f"{printable(path)}: is damaged and is thrown away; what it kept is found out anew"
        warnings.warn(text, stacklevel=3)
        with suppress(OSError):
            path.unlink()
        return {}
    kept: dict[str, list[Any]] = entries
    return kept


def _make_room(folder: Path) -> None:
    files = []
    for path in folder.glob("*.json"):
        with suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime, status.st_size, path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > _LARGEST:
            with suppress(OSError):
                path.unlink()
