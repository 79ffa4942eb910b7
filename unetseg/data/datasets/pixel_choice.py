"""How the images of a dataset are read: decided once, by the headers of all of them."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from unetseg.data.datasets.samples import SegmentationSet
from unetseg.data.images.as_stored import Contents, contents
from unetseg.data.images.pixel_rule import ANY, EIGHT_BIT_RGB, PixelRule, Range
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.channel_lists import split_channels
from unetseg.utilities.text import printable
from unetseg.utilities.threads import by_threads

_RANGE = "range: [lowest, highest] in its dataset.yaml gives all of them one scale"
_Known = list[tuple[Path, Contents]]


def choose_pixels(dataset: SegmentationSet, channels: str | None = None) -> SegmentationSet:
    """Return the set with the rule by which its images are read.

    Pictures of 8 bits, and pictures of several depths, are read as 8-bit RGB; pictures of one other type as
    RGB of that type; images of any other number of channels with all of them. Files that cannot be read count
    for nothing here: the look at all files names them.

    Args:
        dataset: Any dataset; a range of its own stands in its ``pixels``.
        channels: Numbers from 1 or names; None for RGB, or all where the images are no RGB.

    Raises:
        UsageError: The images have different numbers of channels or types, or a range that does not fit.
    """
    paths = [sample.image for samples in dataset.splits.values() for sample in samples]
    looked = by_threads(_contents, paths, min(8, os.cpu_count() or 1))
    known = [(path, found) for path, found in zip(paths, looked, strict=True) if found is not None]
    given, scale = split_channels(channels), dataset.pixels.range
    pictures = all(found.picture for _, found in known)
    if given is None and not pictures:
        given = tuple(str(number + 1) for number in range(_one_count(known)))
    kinds = Counter(found.values for _, found in known)
    if scale is not None:
        return dataset.read_by(PixelRule(ANY, given, _fitting(scale, 3 if given is None else len(given))))
    if len(kinds) > 1 and given is None:
        counts = ", ".join(f"{count} of {PixelRule(kind).kind}" for kind, count in sorted(kinds.items()))
        note = f"images of several depths ({counts}), each scaled by what its type can hold; {_RANGE}"
        return replace(dataset, pixels=EIGHT_BIT_RGB, notes=(*dataset.notes, note))
    if len(kinds) > 1:
        first = {found.values: path for path, found in reversed(known)}
        named = " and ".join(f"{printable(first[kind])} ({PixelRule(kind).kind})" for kind in sorted(kinds))
        raise UsageError(f"{dataset.name}: images of several depths: {named}; {_RANGE}")
    return dataset.read_by(PixelRule(next(iter(kinds), "uint8"), given))


def range_of(setting: Any, where: str) -> PixelRule:
    """Return a rule with the range that a ``dataset.yaml`` gives: one pair, one a channel, or none.

    Raises:
        UsageError: It is none.
    """
    if setting is None:
        return EIGHT_BIT_RGB
    pairs = setting if isinstance(setting, list) and setting and isinstance(setting[0], list) else [setting]
    for pair in pairs:
        numbers = isinstance(pair, list) and all(type(each) in (int, float) for each in pair)
        if not numbers or len(pair) != 2 or not pair[0] < pair[1]:
            raise UsageError(
                f"{where}: range: give [lowest, highest], such as [0, 4095], or a list of them, one a channel"
            )
    return PixelRule(ANY, None, tuple((float(low), float(high)) for low, high in pairs))


def _contents(path: Path) -> Contents | None:
    try:
        return contents(path)
    except (OSError, UnetsegError):
        return None


def _one_count(known: _Known) -> int:
    """Return the number of channels that all images have."""
    first = {found.channels: path for path, found in reversed(known)}
    if len(first) > 1:
        named = ", ".join(f"{printable(first[count])} has {count}" for count in sorted(first))
        raise UsageError(f"images of different numbers of channels: {named}; choose some with --channels")
    return next(iter(first))


def _fitting(pairs: Range, count: int) -> Range:
    if len(pairs) not in (1, count):
        raise UsageError(
            f"range: has {len(pairs)} pairs for {count} channels; give one pair, or one a channel"
        )
    return pairs if len(pairs) == count else pairs * count
