"""Files written whole or not at all."""

import csv
import errno
import io
import json
import os
import re
import stat
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.text import printable, to_cell

_LARGEST = 2 << 30  # bytes of a list or a file of labels; the largest there are have half of it
_STANDARD_INPUT = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")  # where a shell puts what it pipes in
_NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY
PART = ".part-"  # begins the names of files that are being written, then comes the process's number


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that becomes ``path`` when the block ends well.

    The temporary file lies in the target's own folder, so that the last step is a rename on one file
    system; its bytes are flushed to the disk first. If the block raises, or the process is killed,
    what stood at ``path`` before is still there, whole.
    """
    with _part_of(Path(path)) as part:
        yield part
        descriptor = os.open(part, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _part_of(target: Path) -> Iterator[Path]:
    """Yield a new, empty file beside ``target`` that becomes it when the block ends well, else is removed."""
    part = target.with_name(f"{PART}{os.getpid()}-{uuid.uuid4().hex}{target.suffix}")
    try:
        descriptor = os.open(part, _NEW, 0o666)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(part, _NEW, 0o666)
    os.close(descriptor)
    try:
        yield part
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read_file(path: str | os.PathLike[str], at_most: int = _LARGEST) -> bytes:
    """Return a file's content; what would never end, or is no file, is refused before it is read.

    Args:
        path: a regular file, or what the shell pipes in, by its name.
        at_most: bytes.

    Raises:
        OSError: it cannot be read, is a folder, pipe or device, or is larger; ``strerror`` says so plainly.
    """
    name = os.fspath(path)
    mode = os.stat(name).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or name.startswith(_STANDARD_INPUT)):
        raise OSError(errno.EINVAL, "it is a pipe or device, no file", name)
    with open(name, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > at_most else file.read(at_most + 1)
    if max(size, len(content)) > at_most:
        raise OSError(errno.EFBIG, f"has more than {at_most:,} bytes", name)
    return content


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write ``content`` to ``path`` atomically."""
    with _part_of(Path(path)) as part, open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` atomically, in UTF-8 (undecodable file names survive)."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` to ``path`` atomically as indented JSON."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def abandoned_parts(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the half-written files in a folder whose process was killed."""
    for path in Path(folder).glob(f"{PART}*"):
        writer = re.match(rf"{re.escape(PART)}(\d+)-", path.name)
        if writer and not _is_running(int(writer[1])):
            yield path


def _is_running(process: int) -> bool:
    if os.name != "posix":  # where signal 0 would end it
        return True
    with suppress(PermissionError):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
    return True


def write_rows(path: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows as CSV, atomically; numbers in full precision."""
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: to_cell(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    )
    write_text(path, text.getvalue())


def require_absent(
    paths: Iterable[Path], what_to_do: str = "exists already; give another -o, nothing is overwritten"
) -> None:
    """Refuse to write over files.

    Args:
        paths: that are about to be written.
        what_to_do: what the error line says after the path.

    Raises:
        UsageError: names the first that is there.
    """
    for path in paths:
        if os.path.exists(path):
            raise UsageError(f"{printable(path)}: {what_to_do}")


def free_folder(folder: Path, outputs: Sequence[str]) -> Path:
    """Return a folder to write ``outputs`` into.

    Raises:
        UsageError: if one of them would be lost there, or it is no folder.
    """
    require_absent(folder / name for name in outputs)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder}: is no folder")
    return folder


@contextmanager
def plain_write_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn a full disk, a missing permission and the like into one plain line that names ``path``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnetsegError(
            f"{printable(path)}: cannot be written: {reason}; "
            "free space, or choose a folder that can be written to"
        ) from error
