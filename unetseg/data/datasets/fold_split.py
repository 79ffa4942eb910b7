"""A dataset cut into folds, so that every image is tested by a net that was not trained on it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from unetseg.data.datasets.samples import Sample, SegmentationSet, split_names
from unetseg.errors import UsageError

# Of the images outside a fold, the share that chooses the epoch.
VAL_SHARE = 0.15


def fold_of(dataset: SegmentationSet, folds: int, fold: int, seed: int) -> SegmentationSet:
    """Return a dataset whose test split is one of its folds; the other images train and validate.

    All images of the set are cut, whatever its own split. Images of one group lie in one fold, and in one
    part of the rest. The partition depends on the seed, the number of folds and the names alone.

    Args:
        dataset: with its own split.
        folds: how many, two or more.
        fold: which, from 0 on.
        seed: draws the partition.

    Raises:
        UsageError: if there are too few images, or groups of them, for the folds.
    """
    samples = {sample.name: sample for part in dataset.splits.values() for sample in part}
    held = set(partition(list(samples.values()), folds, seed, dataset.name)[fold])
    groups = {name: _group(sample) for name, sample in samples.items()}
    rest = {name for name in samples if name not in held}
    split = split_names(
        samples,
        {"train": rest, "test": held},
        {"val": VAL_SHARE},
        seed,
        groups.__getitem__,
    )
    parts = {part: tuple(samples[name] for name in names) for part, names in split.items()}
    return replace(dataset, splits=parts)


def partition(samples: Sequence[Sample], folds: int, seed: int, name: str) -> list[list[str]]:
    """Return the names of the images in each fold: groups stay whole, folds are as alike in size as they let.

    Args:
        samples: of the whole set.
        folds: how many.
        seed: draws the partition.
        name: of the set, for the error line.

    Raises:
        UsageError: if there are too few images, or groups of them.
    """
    groups: dict[str, list[str]] = {}
    for sample in samples:
        groups.setdefault(_group(sample), []).append(sample.name)
    if len(groups) < max(folds, 3):  # a fold to test, and something to train on and to validate with
        raise UsageError(
            f"--folds {folds}: {name} has {len(groups)} images (or groups of images), "
            f"and at least {max(folds, 3)} are needed"
        )
    found: list[list[str]] = [[] for _ in range(folds)]
    for group in sorted(groups, key=lambda group: (_hash(folds, seed, group), group)):
        min(found, key=len).extend(groups[group])
    return [sorted(names) for names in found]


def _group(sample: Sample) -> str:
    """Return what an image shares with those that must lie in its fold; its own name where there are none."""
    return sample.name if sample.group is None else sample.group


def _hash(folds: int, seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{folds} folds/{seed}/{group}".encode("utf-8", "surrogateescape")).digest()
