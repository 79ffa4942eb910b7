"""Which images go through the network together, and which in tiles; reading them.

The choice follows from the list of images alone, not from what is finished already: a network's logits may
differ in the last bits with the number of images beside, and an interrupted run that is continued shall end
in the same masks as one that was not.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice

import numpy as np

from unetseg.data.appearance import Appearance, appearance_of
from unetseg.data.images.pixel_rule import PixelRule
from unetseg.data.images.read import image_size, read_image
from unetseg.errors import UnetsegError, one_line
from unetseg.inference.folder.jobs import Job
from unetseg.inference.predictor import Predictor
from unetseg.inference.tiles import Tiling
from unetseg.utilities.text import printable

WINDOW = 64  # images among which those of like size are looked for
_LARGE = 16_000_000  # pixels
_turn = threading.Lock()


@dataclass(frozen=True)
class Measured:
    """An image to predict.

    Attributes:
        job: what is to be written.
        size: (height, width) of the upright image, by its header.
        kept: whether its mask is there and stays.
    """

    job: Job
    size: tuple[int, int]
    kept: bool


@dataclass(frozen=True)
class FailedJob:
    """An image that gets no mask.

    Attributes:
        job: what was to be written.
        reason: one line that names the file.
        size: (height, width), if it is known.
        seconds: spent on it.
        kept: whether it has a mask already, which stays.
    """

    job: Job
    reason: str
    size: tuple[int, int] | None = None
    seconds: float = 0.0
    kept: bool = False

    @classmethod
    def by(cls, error: Exception, source: Measured, seconds: float = 0.0) -> "FailedJob":
        """Describe what went wrong with an image, whatever it was."""
        if isinstance(error, UnetsegError):
            name = printable(source.job.image.path)
            reason = str(error) if name in str(error) else f"{name}: {error}"
        elif isinstance(error, MemoryError):
            reason = f"{printable(source.job.image.path)}: does not fit into memory; make it smaller"
        else:
            text = one_line(error, 200)
            reason = f"{printable(source.job.image.path)}: unexpected {type(error).__name__}: {text}"
        return cls(source.job, reason, source.size, seconds, source.kept)


@dataclass(frozen=True)
class Batch:
    """Images that go through the network together, or a single one in tiles, or one that failed."""

    images: tuple[Measured, ...] = ()
    tiling: Tiling | None = None
    failed: tuple[FailedJob, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """An image prepared for the network, as ``Predictor.prepare`` does, in so many seconds; how it looks."""

    source: Measured
    prepared: list[np.ndarray]
    seconds: float
    appearance: Appearance | None = None


def measure(job: Job, kept: bool, rule: PixelRule) -> Measured | FailedJob:
    """Appearance at the header of a job's image, whose pixels are read by ``rule``."""
    try:
        return Measured(job, image_size(job.image.path, rule), kept)
    except UnetsegError as error:
        return FailedJob(job, str(error), kept=kept)


def plan_batches(
    measured: Iterable[Measured | FailedJob],
    predictor: Predictor,
    tile: int | None = None,
    overlap: int | None = None,
) -> Iterator[Batch]:
    """Group images whose size for the network is the same.

    Args:
        measured: the images in order.
        predictor: for which they are.
        tile: side of the tiles of large images, pixels; None chooses it by the free memory.
        overlap: of neighbouring tiles, pixels; None measures what the network needs.
    """
    source = iter(measured)
    while window := list(islice(source, WINDOW)):
        whole: list[Measured] = []
        for each in window:
            if isinstance(each, FailedJob):
                yield Batch(failed=(each,))
            elif tiling := predictor.tiling(*each.size, tile, overlap):
                yield Batch((each,), tiling)
            else:
                whole.append(each)
        for sizes, batch in predictor.batches(whole, lambda each: each.size):
            if problem := predictor.too_large(sizes):
                yield Batch(failed=tuple(_refused(each, problem) for each in batch))
            else:
                yield Batch(tuple(batch))


def load(source: Measured, predictor: Predictor, max_pixels: int | None) -> Loaded | FailedJob:
    """Read an image and prepare it for the network."""
    started = time.perf_counter()
    try:
        with one_at_a_time(*source.size):
            image = read_image(source.job.image.path, max_pixels=max_pixels, rule=predictor.pixels)
            prepared = predictor.prepare(image)
    except Exception as error:
        return FailedJob.by(error, source, time.perf_counter() - started)
    appearance = appearance_of(prepared[0]) if predictor.appearance is not None else None
    return Loaded(source, prepared, time.perf_counter() - started, appearance)


@contextmanager
def one_at_a_time(height: int, width: int) -> Iterator[None]:
    """Let one large image at a time be held whole, in whatever thread; small ones need not wait."""
    with _turn if height * width > _LARGE else nullcontext():
        yield


def _refused(source: Measured, problem: str) -> FailedJob:
    reason = f"{printable(source.job.image.path)}: {problem}"
    return FailedJob(source.job, reason, source.size, kept=source.kept)
