"""Which file is being read, so that what is said of it in passing is told with its name, once it was read."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class _File:
    name: str
    doubts: list[str] = field(default_factory=list)


_current: ContextVar[_File | None] = ContextVar("_current", default=None)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Take ``name``, printable, as the file that is read while the block runs, in this thread.

    Doubts about it become warnings when the block ends well; an error says enough.
    """
    file = _File(name)
    token = _current.set(file)
    try:
        yield
    finally:
        _current.reset(token)
    for doubt in dict.fromkeys(file.doubts):
        warnings.warn(f"{name}: {doubt}", stacklevel=3)


def doubt(text: str) -> None:
    """Say of the file that is being read what may be wrong with it and what to do."""
    file = _current.get()
    if file is None:
        warnings.warn(text, stacklevel=2)
    else:
        file.doubts.append(text)


def with_file(text: str) -> str:
    """Return ``text`` behind the name of the file that is being read, if there is one and it lacks that."""
    file = _current.get()
    return f"{file.name}: {text}" if file and file.name not in text else text


class DoubtOfLines(logging.Handler):
    """Makes a doubt about the file that is being read of each warning or error that a library logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Doubt, in one line."""
        doubt(f"is unusual or damaged ({' '.join(record.getMessage().split())[:200]}); look at it")
