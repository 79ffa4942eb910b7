"""One writer at a time in a folder: a lock that the kernel frees when its process dies."""

import errno
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from unetseg.errors import UnetsegError
from unetseg.utilities.files import free_folder, plain_write_errors
from unetseg.utilities.text import printable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".unetseg-lock"
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)
_held: set[int] = set()


@contextmanager
def one_writer(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Be the only process, and the only thread, that writes into a folder while the block runs.

    The lock is ``flock`` on a hidden file, which goes at the end. Where the file system has no locks, or
    the machine no ``flock``, a warning says so and the block runs without.

    Args:
        folder: made if it is not there; one that was made goes if nothing was written into it.

    Raises:
        UnetsegError: Another writer is at work there, or nothing can be written there.
    """
    path = Path(folder) / LOCK
    made = not path.parent.exists()
    with plain_write_errors(folder):
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _acquire(path)
    if descriptor is None:
        warnings.warn(
            f"{printable(folder)}: no lock can be had there: see that no other process writes into it",
            stacklevel=3,
        )
        yield
        return
    _held.add(descriptor)
    try:
        yield
    finally:
        with suppress(OSError):  # the folder may have gone meanwhile
            path.unlink()
        _held.discard(descriptor)
        os.close(descriptor)
        if made:
            with suppress(OSError):  # it holds something
                path.parent.rmdir()


@contextmanager
def one_writer_of(outputs: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Be the one writer of these files, which must not be there yet: all of them are left, or none.

    Args:
        outputs: their names.
        folder: where they go; nothing is locked if there is none.

    Raises:
        UsageError: One of them is there already, or the folder is none.
        UnetsegError: Another writer is at work there, or nothing can be written there.
    """
    if folder is None:
        yield
        return
    free_folder(folder, outputs)
    with one_writer(folder):
        free_folder(folder, outputs)  # the writer before may have ended just now
        try:
            yield
        except BaseException:
            for name in outputs:
                with suppress(OSError):
                    (folder / name).unlink()
            raise


def _acquire(path: Path) -> int | None:
    """Return the open file that holds the lock, or None where there are no locks."""
    if fcntl is None:
        return None
    while True:
        with plain_write_errors(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, descriptor):
                return descriptor
        except OSError as error:
            os.close(descriptor)
            if error.errno in _NO_LOCKS:
                path.unlink(missing_ok=True)
                return None
            raise UnetsegError(
                f"{printable(path.parent)}: another process is writing there; wait until it ends, "
                "or choose another folder"
            ) from error
        os.close(descriptor)  # of a file that its holder has removed meanwhile


def _is_at(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    return False


def _let_go() -> None:
    """Close what a forked process has inherited: the lock must not outlive the process that took it."""
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
