"""Whether a dataset can be trained on: every file opened to its last byte, before the first step."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from unetseg.data.datasets.findings import Finding, Problem, look_at, problem
from unetseg.data.datasets.labels import Colour
from unetseg.data.datasets.remembered import KnownFindings
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.data.images.stored_mask import WHITE
from unetseg.errors import UnetsegError
from unetseg.utilities.text import first_few, printable
from unetseg.utilities.threads import by_threads

LEAST_TO_CHOOSE = 5  # images that hold a class: of fewer, one odd image decides between epochs
_SHOWN_CLASSES = 12


@dataclass
class Inspection:
    """What a look at every file of a dataset found.

    Attributes:
        problems: In the order of splits and samples.
        pixels: Split → pixels of each class, int64, and in the last place of those that do not count: ignored
            ones, and those outside the field of view.
        images: Split → number of samples.
        holding: Split → number of samples (or of groups of them) that hold each class, int64.
        turned: Images that are turned by their EXIF orientation, beside masks that are not.
        damaged: Images whose pixels are damaged; each is a problem, too.
    """

    problems: list[Problem] = field(default_factory=list)
    pixels: dict[str, np.ndarray] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    holding: dict[str, np.ndarray] = field(default_factory=dict)
    turned: list[Path] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)

    def shares(self, split: str) -> np.ndarray:
        """Return each class's share of the split's pixels (float64, those not counted in the last place)."""
        counts = self.pixels[split]
        shares: np.ndarray = counts / max(1, counts.sum())
        return shares

    def notes(self) -> list[str]:
        """Return what is no problem by itself and should be looked at, a line each."""
        if not self.turned:
            return []
        return [
            f"{len(self.turned)} image(s) carry an EXIF rotation and their masks do not: masks are taken as "
            f"upright ({first_few(path.name for path in self.turned)}); look at the contact sheet "
            "('unetseg data check ... --contact-sheet FILE.png')"
        ]


def check_dataset(dataset: SegmentationSet, *, workers: int = 2) -> list[Problem]:
    """Return all problems of a dataset; see ``inspect_dataset``."""
    return inspect_dataset(dataset, workers=workers).problems


def inspect_dataset(
    dataset: SegmentationSet,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
    duplicates: bool = True,
) -> Inspection:
    """Open every file of a dataset.

    Looked for: images and masks that cannot be read to the last byte, sizes that differ, values of no class
    (JPEG masks are refused for theirs), palettes that give one index different colours, empty splits, masks
    and splits with nothing but ignored pixels, classes that no training mask holds, splits without any
    foreground, and pictures that occur twice, by a hash of their decoded pixels.

    Args:
        dataset: Any dataset.
        workers: Threads; decoding runs in parallel.
        progress: Told (samples done, samples in all).
        duplicates: Look for them, too. Without, what an earlier look found of files that have not changed
            since is taken.

    Returns:
        The problems, and how many pixels each class has in each split.
    """
    result = Inspection()
    known = None if duplicates else KnownFindings(dataset)
    look = known.look_at if known else partial(look_at, dataset, digest=True)
    owners: dict[bytes, tuple[str, Sample]] = {}
    colours: dict[int, tuple[Colour, Sample]] = {}
    tones: dict[tuple[bool, Colour], tuple[int, Sample]] = {}
    total = sum(len(samples) for samples in dataset.splits.values())
    done = 0
    for split, samples in dataset.splits.items():
        result.images[split] = len(samples)
        result.pixels[split] = np.zeros(len(dataset.classes) + 1, np.int64)
        holding: list[set[str]] = [set() for _ in dataset.classes]
        if not samples:
            result.problems.append(Problem(split, None, f"the {split} split holds no image"))
        for sample, found in zip(samples, by_threads(look, samples, workers), strict=True):
            result.problems += found.problems
            result.problems += _recoloured(sample, found, colours) or _turned_round(sample, found, tones)
            result.pixels[split] += found.counts
            for index in np.flatnonzero(found.counts[:-1]):
                holding[index].add(sample.group or sample.name)
            if found.damaged:
                result.damaged.append(sample.image)
            if found.turned:
                result.turned.append(sample.image)
            if found.counts[-1] and not found.counts[:-1].any():
                place = sample.valid or sample.mask
                result.problems.append(
                    problem(sample, place, "every pixel is ignored, none counts", stops=False)
                )
            if found.digest is not None:
                first_split, first = owners.setdefault(found.digest, (split, sample))
                if first is not sample:
                    result.problems.append(_duplicate(split, sample, first_split, first))
            done += 1
            if progress:
                progress(done, total)
        result.holding[split] = np.array([len(each) for each in holding])
    result.problems += _without_evidence(dataset, result)
    if known:
        known.save()
    return result


def require_sound(
    dataset: SegmentationSet,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Raise one error if a file of the dataset would stop the training or falsify it.

    The same look at every file as ``inspect_dataset``, less what makes a training poorer but not wrong:
    duplicates, a class that no training mask holds, a mask with nothing but ignored pixels. Images whose
    pixels are damaged become one warning with their count. Files of a large set that have not changed since
    an earlier look are not opened to their end again.

    Args:
        dataset: Any dataset.
        workers: Threads; one a processor, up to 8, if not given.
        progress: Told (samples done, samples in all).

    Raises:
        UnetsegError: Names the first problem and how many there are.
    """
    workers = workers or min(8, os.cpu_count() or 1)
    result = inspect_dataset(dataset, workers=workers, progress=progress, duplicates=False)
    problems = [each for each in result.problems if each.stops]
    if result.damaged:
        few = first_few(path.name for path in result.damaged)
        warnings.warn(
            f"{dataset.name}: {len(result.damaged)} image(s) are damaged inside and are read as far as they "
            f"decode: {few}; save or copy them again",
            stacklevel=2,
        )
    if problems:
        more = f" (+{len(problems) - 1} more: 'unetseg data check' lists all)" if len(problems) > 1 else ""
        raise UnetsegError(problems[0].message + more)
    return result


def describe_classes(dataset: SegmentationSet, result: Inspection) -> list[str]:
    """Return lines that say what a training is about to see: classes, shares, and what is to be looked at."""
    shares = result.shares("train")
    order = np.argsort(-shares[:-1], kind="stable")[:_SHOWN_CLASSES]
    shown = ", ".join(f"{dataset.classes[index]} {shares[index]:.1%}" for index in sorted(order.tolist()))
    more = len(dataset.classes) - len(order)
    ignored = f", not counted {shares[-1]:.1%}" if shares[-1] else ""
    lines = [f"classes   {shown}{f' and {more} more' if more else ''}{ignored} of the training pixels"]
    said = [each.message for each in result.problems if not each.stops and each.file is None]
    return lines + [f"note      {line}" for line in [*said, *result.notes()]]


def describe_choice(dataset: SegmentationSet, result: Inspection) -> list[str]:
    """Return why it would be chance which epoch the validation split calls the best, a line at most."""
    foreground = zip(dataset.classes[1:], result.holding["val"][1:].tolist(), strict=True)
    held = {name: count for name, count in foreground if result.images["val"]}
    if not any(held.values()):
        return []  # told as a problem
    absent = [name for name, count in held.items() if not count]
    few = [f"{name} in {count}" for name, count in held.items() if 0 < count < LEAST_TO_CHOOSE]
    told = [f"holds no {first_few(absent)}, so that no epoch is chosen by it"] if absent else []
    if few:
        unit = "group(s)" if any(sample.group for sample in dataset.splits["val"]) else "image(s)"
        told.append(
            f"has {', '.join(few[:_SHOWN_CLASSES])} {unit} only: which epoch is best is partly chance"
        )
    return [f"note      the val split {' and '.join(told)}; give it more images"] if told else []


def _recoloured(sample: Sample, found: Finding, colours: dict[int, tuple[Colour, Sample]]) -> list[Problem]:
    """Compare a mask's palette with those before: programs that shrink PNGs number the colours anew."""
    for index, colour in found.colours.items():
        known, first = colours.setdefault(index, (colour, sample))
        if known != colour:
            other = printable(first.mask or "")
            text = (
                f"index {index} of its palette is {list(colour)}, and {list(known)} in {other}: "
                "one of them was numbered anew; give the classes their colours ('name: [r, g, b]')"
            )
            return [problem(sample, sample.mask, text)]
    return []


def _turned_round(
    sample: Sample, found: Finding, tones: dict[tuple[bool, Colour], tuple[int, Sample]]
) -> list[Problem]:
    """Compare what black and white mean in masks read by them with what they mean in those read by index."""
    by_tones, classes = found.tones
    for tone, index in classes.items():
        tones.setdefault((by_tones, tone), (index, sample))
        known, first = tones.get((not by_tones, tone), (index, sample))
        if known != index:
            text = (
                f"{'white' if tone == WHITE else 'black'} is class {index} by its palette, class {known} in "
                f"{printable(first.mask or '')}; give the classes their colours ('name: [r, g, b]')"
            )
            return [problem(sample, sample.mask, text)]
    return []


def _duplicate(split: str, sample: Sample, first_split: str, first: Sample) -> Problem:
    where = f"both in {split}" if split == first_split else f"one in {first_split}, one in {split}"
    return problem(
        sample, sample.image, f"the same picture as {printable(first.image)} ({where})", stops=False
    )


def _without_evidence(dataset: SegmentationSet, result: Inspection) -> list[Problem]:
    """Return what is missing in whole splits: pixels that count, background, foreground, single classes."""
    found = []
    unread = {each.sample for each in result.problems if each.stops and each.file is not None}
    for split, pixels in result.pixels.items():
        if any(sample.name in unread for sample in dataset.splits[split]):
            continue  # the masks that were refused may hold what is missing
        counted = pixels[: len(dataset.classes)]
        if pixels.any() and not counted.any():
            found.append(
                Problem(
                    split, None, f"{dataset.name}: every pixel of the {split} split is ignored, none counts"
                )
            )
        elif split == "train" and result.images[split]:
            found += _absent_classes(dataset, counted)
        elif counted.any() and not counted[1:].any():
            text = (
                f"the {split} split holds no {first_few(dataset.classes[1:])}: nothing found there is no "
                "evidence; list other images for it"
            )
            found.append(Problem(split, None, text, stops=False))
    return found


def _absent_classes(dataset: SegmentationSet, counted: np.ndarray) -> list[Problem]:
    there = [*counted]
    there[0] = there[0] or not dataset.label_map.names(0)  # declared to be in no mask
    absent = [name for name, count in zip(dataset.classes, there, strict=True) if not count]
    if not absent:
        return []
    if not counted[1:].any():
        names = first_few(dataset.classes[1:])
        return [Problem("train", None, f"{dataset.name}: no training mask holds any {names}")]
    background = dataset.classes[0]
    if not counted[0] and dataset.label_map.names(0):
        text = (
            f"{dataset.name}: no training mask holds any {background}; if that is right, write "
            f"'{background}: []' under classes"
        )
        return [Problem("train", None, text)]
    text = f"no training mask holds the class(es) {first_few(absent)}"
    return [Problem("train", None, text, stops=False)]
