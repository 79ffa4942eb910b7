"""What a look at a set's files found, kept between commands: large sets are not looked at in each run."""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from unetseg.data.datasets.findings import Finding, look_at
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UnetsegError
from unetseg.utilities.cache import Kept, file_stamp
from unetseg.utilities.current_file import hearing, tell
from unetseg.utilities.threads import by_threads

FEWEST = 300  # files from which on it is worth while: fewer are looked at in a second or two
_DECODERS = ("unetseg", "imagecodecs", "numpy", "pillow", "simplejpeg", "tifffile")

MaskValues: TypeAlias = tuple[list[int], list[int] | None]
"""A mask's values, and those of its black and white if it is in these two tones by its palette."""


class KnownFindings:
    """Findings about the samples of a dataset: of files that have not changed, those of an earlier look.

    Only a sample without any problem is remembered, so that what is wrong is looked at again each time. What
    was told of a file then is told again.

    Args:
        dataset: any dataset; of a small one nothing is kept.
    """

    def __init__(self, dataset: SegmentationSet) -> None:
        self._dataset = dataset
        samples = [sample for members in dataset.splits.values() for sample in members]
        about = f"{dataset.classes} {dataset.label_map!r}"
        self._kept = _kept("findings", [sample.image for sample in samples], about)

    def look_at(self, sample: Sample) -> Finding:
        """Return what a look at all files of a sample finds, or found, without the hash of its pixels."""
        if self._kept is None:
            return look_at(self._dataset, sample, digest=False)
        files = (sample.image, sample.mask, sample.valid, sample.instances)
        stamp = _stamp(files)
        known = self._kept.get(str(sample.image), stamp)
        if known is not None:
            for text in known["said"]:
                tell(text)
            return _from_json(known)
        with hearing() as said:
            found = look_at(self._dataset, sample, digest=False)
        if not found.problems:
            self._kept.put(str(sample.image), stamp, {**_to_json(found), "said": said})
        return found

    def save(self) -> None:
        """Keep what was found for the next command."""
        if self._kept is not None:
            self._kept.save()


def known_values(
    masks: Sequence[Path], read: Callable[[Path], MaskValues | str]
) -> tuple[Callable[[Path], MaskValues | str], Callable[[], None]]:
    """Make a reader of masks' values that opens no file which has not changed, and what saves its findings.

    Args:
        masks: all files that it will be asked for.
        read: from a mask to its values, or why it cannot be read, which is not remembered.
    """
    kept = _kept("values", masks, "")
    if kept is None:
        return read, lambda: None

    def values(path: Path) -> MaskValues | str:
        stamp = file_stamp(path)
        known = kept.get(str(path), stamp)
        if known is None:
            with hearing() as said:
                found = read(path)
            if not isinstance(found, str):
                kept.put(str(path), stamp, {"values": found[0], "tones": found[1], "said": said})
            return found
        for text in known["said"]:
            tell(text)
        return known["values"], known["tones"]

    return values, kept.save


def known_classes(dataset: SegmentationSet, samples: Sequence[Sample]) -> dict[str, frozenset[int]]:
    """Return the foreground classes that each sample's mask holds, by name; of one that cannot be read, none.

    Args:
        dataset: any dataset; of a large one, masks that have not changed are not opened again.
        samples: of it.
    """
    about = f"{dataset.classes} {dataset.label_map!r}"
    kept = _kept("classes", [sample.mask or sample.image for sample in samples], about) if samples else None

    def look(sample: Sample) -> frozenset[int]:
        stamp = _stamp((sample.mask, sample.valid)) if kept else None
        known = kept.get(str(sample.mask), stamp) if kept else None
        if known is None:
            known = _classes_in(dataset, sample)
            if kept and known is not None:
                kept.put(str(sample.mask), stamp, known)
        return frozenset(known or ())

    workers = min(8, os.cpu_count() or 1)
    found = {
        sample.name: held for sample, held in zip(samples, by_threads(look, samples, workers), strict=True)
    }
    if kept:
        kept.save()
    return found


def _classes_in(dataset: SegmentationSet, sample: Sample) -> list[int] | None:
    """Return the foreground classes of a mask where it counts; None if it cannot be read."""
    try:
        with hearing():
            mask, valid = dataset.mask(sample), dataset.valid(sample)
    except UnetsegError:
        return None
    counted = mask if valid is None or valid.shape != mask.shape else mask[valid]
    there = np.flatnonzero(np.bincount(counted.ravel(), minlength=1))
    return [int(index) for index in there if 0 < index < len(dataset.classes)]


def _kept(what: str, files: Sequence[Path], about: str) -> Kept | None:
    if len(files) < FEWEST:
        return None
    folder = os.path.commonpath([os.path.abspath(parent) for parent in {path.parent for path in files}])
    return Kept(f"{what} {folder} {about}", _version())


@cache
def _version() -> str:
    """Return a hash of what findings depend on beside the files: this code, and the decoders."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    for name in _DECODERS:
        try:
            digest.update(f"{name} {version(name)}".encode())
        except PackageNotFoundError:
            digest.update(name.encode())
    return digest.hexdigest()


def _stamp(files: Sequence[Path | None]) -> str | None:
    """Return a stamp of several files, and of which they are."""
    parts = []
    for path in files:
        stamp = "none" if path is None else file_stamp(path)
        if stamp is None:
            return None
        parts.append(f"{path} {stamp}")
    return "|".join(parts)


def _to_json(found: Finding) -> dict[str, Any]:
    return {
        "counts": found.counts.tolist(),
        "colours": [[index, *colour] for index, colour in found.colours.items()],
        "tones": [found.tones[0], [[*tone, index] for tone, index in found.tones[1].items()]],
        "turned": found.turned,
    }


def _from_json(known: dict[str, Any]) -> Finding:
    return Finding(
        (),
        np.array(known["counts"], np.int64),
        None,
        {index: (red, green, blue) for index, red, green, blue in known["colours"]},
        (
            known["tones"][0],
            {(red, green, blue): index for red, green, blue, index in known["tones"][1]},
        ),
        known["turned"],
    )
