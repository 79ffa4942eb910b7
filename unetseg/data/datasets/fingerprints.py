"""Whether a dataset is the one that it was: a hash of the bytes of each sample's files."""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from unetseg.data.datasets.samples import Sample, SegmentationSet

FINGERPRINTS = "fingerprints.json"  # in a run's folder: by which it knows its data when it goes on


def fingerprints(dataset: SegmentationSet) -> dict[str, str]:
    """Return, for each sample's name, 32 hexadecimal digits of its files' content; their paths do not count.

    Raises:
        OSError: A file cannot be read.
    """
    samples = [sample for part in dataset.splits.values() for sample in part]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return dict(zip([sample.name for sample in samples], pool.map(_digest, samples), strict=True))


def changed_samples(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of the samples whose files are others than they were."""
    return sorted(name for name in before.keys() & now.keys() if before[name] != now[name])


def _digest(sample: Sample) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in (sample.image, sample.mask, sample.valid, sample.instances):
        if path is None:
            digest.update(b"none")
            continue
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, hashlib.blake2b).digest())
    return digest.hexdigest()
