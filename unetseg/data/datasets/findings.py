"""What one look at all files of one sample finds."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from unetseg.data.datasets.labels import IGNORED, Colour
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UnetsegError
from unetseg.utilities.text import printable

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class Problem:
    """Something in a dataset that stands in the way of training or of an honest score.

    Attributes:
        sample: The sample's name, or the split's where no one sample is to blame.
        file: The file, or None.
        message: One plain line that names the file.
        stops: Whether a training would stop or be wrong; else it is poorer.
    """

    sample: str
    file: Path | None
    message: str
    stops: bool = True


@dataclass(frozen=True)
class Finding:
    """What a look at one sample found.

    Attributes:
        problems: Of its files.
        counts: Pixels of each class, int64, and in the last place of those that do not count.
        digest: A hash of the image's pixels, where asked for and read.
        colours: The colour of each palette index that its mask uses as a number.
        tones: Whether its mask is read by the black and white of its palette, and the class of each of these.
        turned: Whether the image is turned upright by its EXIF orientation and the mask is not turned.
        damaged: Whether pixels of the image are damaged.
    """

    problems: tuple[Problem, ...]
    counts: np.ndarray
    digest: bytes | None = None
    colours: dict[int, Colour] = field(default_factory=dict)
    tones: tuple[bool, dict[Colour, int]] = (False, {})
    turned: bool = False
    damaged: bool = False


def look_at(dataset: SegmentationSet, sample: Sample, digest: bool) -> Finding:
    """Open every file of a sample to its last byte."""
    problems: list[Problem] = []
    picture = _read(dataset.picture, sample, sample.image, problems)
    stored = _read(dataset.stored_mask, sample, sample.mask, problems)
    mask = None
    labels = dataset.label_map
    if stored is not None:
        mask = _read(lambda each: labels.to_classes(stored, each.mask), sample, sample.mask, problems)
    valid = _read(dataset.valid, sample, sample.valid, problems)
    instances = _read(dataset.instances, sample, sample.instances, problems)
    if picture is not None:
        if picture.damage:
            text = f"is damaged inside ({picture.damage}); save or copy it again"
            problems.append(problem(sample, sample.image, text, stops=False))
        for path, array in ((sample.mask, mask), (sample.valid, valid), (sample.instances, instances)):
            if array is not None and array.shape != picture.pixels.shape[:2]:
                problems.append(problem(sample, path, _size_differs(array, picture.pixels)))
    counts = np.zeros(len(dataset.classes) + 1, np.int64)
    if mask is not None:
        if valid is not None and valid.shape == mask.shape:
            mask = np.where(valid, mask, np.uint8(IGNORED))
        every = np.bincount(mask.ravel(), minlength=IGNORED + 1)
        counts = np.append(every[: len(dataset.classes)], every[IGNORED])
    if mask is None or stored is None:
        colours, tones = dict[int, Colour](), (False, dict[Colour, int]())
    else:
        colours, tones = labels.meaning_of_indices(stored), labels.meaning_of_tones(stored)
    return Finding(
        _once(problems),
        counts,
        _digest(picture.pixels) if digest and picture is not None else None,
        colours,
        tones,
        picture is not None and stored is not None and picture.turned and not stored.turned,
        picture is not None and bool(picture.damage),
    )


def problem(sample: Sample, path: Path | None, text: str, *, stops: bool = True) -> Problem:
    """Return a problem of one of a sample's files, which its message names."""
    return Problem(sample.name, path, f"{printable(path)}: {text}" if path else text, stops)


def _read(
    reader: Callable[[Sample], _Read], sample: Sample, path: Path | None, problems: list[Problem]
) -> _Read | None:
    try:
        return reader(sample)
    except UnetsegError as error:
        problems.append(Problem(sample.name, path, str(error)))
    except Exception as error:  # decoders raise every type there is; one bad file must not hide the others
        problems.append(problem(sample, path, f"cannot be read: {error or type(error).__name__}"))
    return None


def _once(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return each problem once: a file may serve as mask and as instances, and an image says what counts."""
    found: dict[str, Problem] = {}
    for each in problems:
        found.setdefault(each.message, each)
    return tuple(found.values())


def _digest(image: np.ndarray) -> bytes:
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).digest()


def _size_differs(array: np.ndarray, image: np.ndarray) -> str:
    (height, width), (rows, columns) = image.shape[:2], array.shape[:2]
    turned = (rows, columns) == (width, height)
    hint = "; images are turned upright by their EXIF rotation, masks must be upright too" if turned else ""
    return f"is {columns}x{rows} pixels, its image {width}x{height}{hint}"
