"""Whether a dataset can be trained on: every file opened to its last byte, before the first step."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UnetsegError
from unetseg.utilities.text import first_few, printable


@dataclass(frozen=True)
class Problem:
    """Something in a dataset that stands in the way of training or of an honest score.

    Attributes:
        sample: The sample's name, or the split's where no one sample is to blame.
        file: The file, or None.
        message: One plain line that names the file.
    """

    sample: str
    file: Path | None
    message: str


@dataclass
class Inspection:
    """What a look at every file of a dataset found.

    Attributes:
        problems: In the order of splits and samples.
        pixels: Split → pixels of each class, int64, and in the last place of those that do not count: ignored
            ones, and those outside the field of view.
        images: Split → number of samples.
    """

    problems: list[Problem] = field(default_factory=list)
    pixels: dict[str, np.ndarray] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)

    def shares(self, split: str) -> np.ndarray:
        """Return each class's share of the split's pixels (float64, those not counted in the last place)."""
        counts = self.pixels[split]
        return counts / max(1, counts.sum())


@dataclass(frozen=True)
class _Finding:
    problems: tuple[Problem, ...]
    counts: np.ndarray
    digest: bytes | None


def check_dataset(dataset: SegmentationSet, *, workers: int = 2) -> list[Problem]:
    """Return all problems of a dataset; see ``inspect_dataset``."""
    return inspect_dataset(dataset, workers=workers).problems


def inspect_dataset(
    dataset: SegmentationSet, *, workers: int = 2, progress: Callable[[int, int], None] | None = None
) -> Inspection:
    """Open every file of a dataset.

    Looked for: images and masks that cannot be read to the last byte, sizes that differ, values of no class
    (JPEG masks are refused for theirs), empty splits, masks with nothing but ignored pixels, classes that no
    training mask holds, and pictures that occur twice, by a hash of their decoded pixels.

    Args:
        dataset: Any dataset.
        workers: Threads; decoding runs in parallel.
        progress: Told (samples done, samples in all).

    Returns:
        The problems, and how many pixels each class has in each split.
    """
    result = Inspection()
    owners: dict[bytes, tuple[str, Sample]] = {}
    total = sum(len(samples) for samples in dataset.splits.values())
    done = 0
    for split, samples in dataset.splits.items():
        result.images[split] = len(samples)
        result.pixels[split] = np.zeros(len(dataset.classes) + 1, np.int64)
        if not samples:
            result.problems.append(_empty(split))
        for sample, found in zip(samples, _look_at(dataset, samples, workers, digest=True), strict=True):
            result.problems += found.problems
            result.pixels[split] += found.counts
            if found.counts[-1] and not found.counts[:-1].any():
                place = sample.valid or sample.mask
                result.problems.append(_problem(sample, place, "every pixel is ignored, none counts"))
            if found.digest is not None:
                first_split, first = owners.setdefault(found.digest, (split, sample))
                if first is not sample:
                    result.problems.append(_duplicate(split, sample, first_split, first))
            done += 1
            if progress:
                progress(done, total)
    result.problems += _absent_classes(dataset, result)
    return result


def require_sound(
    dataset: SegmentationSet,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Raise one error if a file of the dataset would stop the training or falsify it.

    The same look at every file as ``inspect_dataset``, less what makes a training poorer but not wrong:
    duplicates, a class that no training mask holds, a mask with nothing but ignored pixels.

    Args:
        dataset: Any dataset.
        workers: Threads; one a processor, up to 8, if not given.
        progress: Told (samples done, samples in all).

    Raises:
        UnetsegError: Names the first problem and how many there are.
    """
    workers = workers or min(8, os.cpu_count() or 1)
    problems = [_empty(split) for split, samples in dataset.splits.items() if not samples]
    total = sum(len(samples) for samples in dataset.splits.values())
    done = foreground = 0
    for split, samples in dataset.splits.items():
        for found in _look_at(dataset, samples, workers, digest=False):
            problems += found.problems
            foreground += int(found.counts[1:-1].sum()) if split == "train" else 0
            done += 1
            if progress:
                progress(done, total)
    if not problems and not foreground:
        names = first_few(dataset.classes[1:])
        problems.append(Problem("train", None, f"{dataset.name}: no training mask holds any {names}"))
    if problems:
        more = f" (+{len(problems) - 1} more: 'unetseg data check' lists all)" if len(problems) > 1 else ""
        raise UnetsegError(problems[0].message + more)


def _look_at(
    dataset: SegmentationSet, samples: tuple[Sample, ...], workers: int, *, digest: bool
) -> Iterator[_Finding]:
    with ThreadPoolExecutor(max(1, workers)) as pool:
        yield from pool.map(lambda sample: _check_sample(dataset, sample, digest), samples)


def _check_sample(dataset: SegmentationSet, sample: Sample, digest: bool) -> _Finding:
    problems: list[Problem] = []
    image = _read(dataset.image, sample, sample.image, problems)
    mask = _read(dataset.mask, sample, sample.mask, problems)
    valid = _read(dataset.valid, sample, sample.valid, problems)
    instances = _read(dataset.instances, sample, sample.instances, problems)
    if image is not None:
        for path, array in ((sample.mask, mask), (sample.valid, valid), (sample.instances, instances)):
            if array is not None and array.shape != image.shape[:2]:
                problems.append(_problem(sample, path, _size_differs(array, image)))
    counts = np.zeros(len(dataset.classes) + 1, np.int64)
    if mask is not None:
        if valid is not None and valid.shape == mask.shape:
            mask = np.where(valid, mask, np.uint8(IGNORED))
        every = np.bincount(mask.ravel(), minlength=IGNORED + 1)
        counts = np.append(every[: len(dataset.classes)], every[IGNORED])
    key = (
        hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).digest()
        if digest and image is not None
        else None
    )
    once = dict.fromkeys(problems)  # a file may serve as mask and as instances
    return _Finding(tuple(once), counts, key)


def _read(
    reader: Callable[[Sample], np.ndarray | None], sample: Sample, path: Path | None, problems: list[Problem]
) -> np.ndarray | None:
    try:
        return reader(sample)
    except UnetsegError as error:
        problems.append(Problem(sample.name, path, str(error)))
    except Exception as error:  # decoders raise every type there is; one bad file must not hide the others
        problems.append(_problem(sample, path, f"cannot be read: {error or type(error).__name__}"))
    return None


def _size_differs(array: np.ndarray, image: np.ndarray) -> str:
    (height, width), (rows, columns) = image.shape[:2], array.shape[:2]
    turned = (rows, columns) == (width, height)
    hint = "; images are turned upright by their EXIF rotation, masks must be upright too" if turned else ""
    return f"is {columns}x{rows} pixels, its image {width}x{height}{hint}"


def _empty(split: str) -> Problem:
    return Problem(split, None, f"the {split} split holds no image")


def _duplicate(split: str, sample: Sample, first_split: str, first: Sample) -> Problem:
    where = f"both in {split}" if split == first_split else f"one in {first_split}, one in {split}"
    return _problem(sample, sample.image, f"the same picture as {printable(first.image)} ({where})")


def _problem(sample: Sample, path: Path | None, text: str) -> Problem:
    return Problem(sample.name, path, f"{printable(path)}: {text}" if path else text)


def _absent_classes(dataset: SegmentationSet, result: Inspection) -> list[Problem]:
    if not result.images.get("train"):
        return []
    held = result.pixels["train"][: len(dataset.classes)] > 0
    absent = [name for name, present in zip(dataset.classes, held, strict=True) if not present]
    if not absent:
        return []
    return [Problem("train", None, f"no training mask holds the class(es) {first_few(absent)}")]
