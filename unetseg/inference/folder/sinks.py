"""Where the bands of one image go: into an array that is written at the end, or straight into a file."""

import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np


class Sink(ABC):
    """Takes an image's rows in bands; leaves no file behind when its block ends before ``finish``."""

    @abstractmethod
    def add(self, band: np.ndarray) -> None:
        """Take the next rows, rows×width."""

    @abstractmethod
    def finish(self) -> None:
        """Put the file in place.

        Raises:
            UnetsegError: if it cannot be written.
        """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:  # noqa: B027 (not every sink has something to end)
        """Give up what is not finished."""


class WholeArray(Sink):
    """Collects the bands, then hands them on as one array.

    Args:
        shape: height and width of the image.
        write: writes the array.
    """

    def __init__(self, shape: tuple[int, int], write: Callable[[np.ndarray], None]) -> None:
        self.array = np.empty((0, shape[1]), np.uint8)
        self._shape = shape
        self._write = write
        self._rows = 0

    def add(self, band: np.ndarray) -> None:
        """Take the next rows."""
        if band.shape == self._shape:
            self.array = band
            return
        if self._rows == 0:
            self.array = np.empty(self._shape, band.dtype)
        self.array[self._rows : self._rows + len(band)] = band
        self._rows += len(band)

    def finish(self) -> None:
        """Write the array."""
        self._write(self.array)


class Streamed(Sink):
    """Writes a file in a thread of its own while further bands are computed.

    Args:
        write: takes the bands as they come, and puts the file in place when they end.
    """

    def __init__(self, write: Callable[[Iterator[np.ndarray]], None]) -> None:
        self._bands: queue.Queue[np.ndarray | None] = queue.Queue(2)
        self._error: BaseException | None = None
        self._given_up = False

        def work() -> None:
            try:
                write(self._taken())
            except BaseException as error:
                self._error = error

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def add(self, band: np.ndarray) -> None:
        """Take the next rows."""
        self._put(band)

    def finish(self) -> None:
        """Wait until the file is in place."""
        self._put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def __exit__(self, *exception: object) -> None:
        """End the thread; if that was before ``finish``, the file is not put in place."""
        self._given_up = True
        while self._thread.is_alive():
            try:
                self._bands.put(None, timeout=0.1)
            except queue.Full:
                continue
            self._thread.join()

    def _put(self, band: np.ndarray | None) -> None:
        while self._error is None:
            try:
                return self._bands.put(band, timeout=0.1)
            except queue.Full:
                continue
        raise self._error

    def _taken(self) -> Iterator[np.ndarray]:
        while (band := self._bands.get()) is not None:
            yield band
        if self._given_up:
            raise RuntimeError("given up before the end")
