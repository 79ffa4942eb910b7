"""Which file is being read, so that what is said of it in passing is told with its name, once it was read."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from unetseg.errors import plain_words


@dataclass(frozen=True)
class _File:
    name: str
    doubts: list[str] = field(default_factory=list)


_current: ContextVar[_File | None] = ContextVar("_current", default=None)
_heard: ContextVar[list[str] | None] = ContextVar("_heard", default=None)


@contextmanager
def hearing() -> Iterator[list[str]]:
    """Yield a list of what is told of files while the block runs, in this thread; it is told all the same."""
    heard: list[str] = []
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def tell(text: str) -> None:
    """Warn of something about a file that was read; the text names it."""
    heard = _heard.get()
    if heard is not None:
        heard.append(text)
    warnings.warn(text, stacklevel=3)


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
        tell(f"{name}: {doubt}")


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
        doubt(f"is unusual or damaged ({plain_words(record.getMessage())[:200]}); look at it")
