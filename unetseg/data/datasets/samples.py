"""What a dataset is once it has been found: named samples in three splits, and how to read one."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unetseg.data.datasets.class_entries import indexed
from unetseg.data.datasets.labels import Colour, LabelMap
from unetseg.data.images.decode import ImageError
from unetseg.data.images.georeference import read_no_data
from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB, PixelRule
from unetseg.data.images.read import Picture, read_image, read_labels, read_mask, read_picture
from unetseg.data.images.stored_mask import StoredMask
from unetseg.errors import UnetsegError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One image and its mask.

    Attributes:
        name: Unique in the set: the path below the images' folder, with ``/`` and without suffix.
        image: The image file.
        mask: The mask file.
        valid: The field of view: pixels where it is 0 are not counted.
        instances: Instance labels, 0 for the background.
        group: What the image shares with those that belong to it (a patient, a slide); None where each is
            its own.
    """

    name: str
    image: Path
    mask: Path | None
    valid: Path | None = None
    instances: Path | None = None
    group: str | None = None


@dataclass(frozen=True)
class SegmentationSet:
    """Images with masks, split for training, validation and testing.

    Attributes:
        name: What the set is called.
        classes: Class names; index 0 is the background.
        colours: One display colour a class.
        ignore_index: 255 where the set has pixels to ignore, else None.
        splits: ``"train"``, ``"val"`` and ``"test"``.
        labels: The table from raw mask values to class indices; None where they are the indices.
        notes: Lines that say as what the set was recognised, and what of it was left out.
        drawn: The parts that were drawn from the training images: the set comes without them.
        pixels: Which channels of the image files are read, and how.
    """

    name: str
    classes: tuple[str, ...]
    colours: tuple[Colour, ...]
    ignore_index: int | None
    splits: dict[str, tuple[Sample, ...]]
    labels: LabelMap | None = None
    notes: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    pixels: PixelRule = EIGHT_BIT_RGB

    def image(self, sample: Sample) -> np.ndarray:
        """Return the image, H×W×C by the rule in ``pixels``; what is damaged in it becomes a warning."""
        return read_image(sample.image, rule=self.pixels)

    def shown(self, sample: Sample) -> np.ndarray:
        """Return the image to look at, H×W×3 uint8 RGB."""
        return self.pixels.shown(self.image(sample))

    def picture(self, sample: Sample) -> Picture:
        """Return the image, whether it was turned upright, and what is damaged in it."""
        return read_picture(sample.image, rule=self.pixels)

    def read_by(self, pixels: PixelRule) -> "SegmentationSet":
        """Return the set with another rule for its images."""
        return replace(self, pixels=pixels)

    def mask(self, sample: Sample) -> np.ndarray:
        """Return the class indices, H×W uint8, 255 where ignored.

        Raises:
            UnetsegError: The sample has no mask, or it cannot be read, or holds values of no class.
        """
        return self.label_map.to_classes(self.stored_mask(sample), sample.mask)

    def stored_mask(self, sample: Sample) -> StoredMask:
        """Return the mask as its file holds it.

        Raises:
            UnetsegError: The sample has no mask, or it cannot be read.
        """
        if sample.mask is None:
            raise UnetsegError(f"{sample.image}: has no mask")
        return read_mask(sample.mask, lossy=self.label_map.threshold is not None)

    @property
    def label_map(self) -> LabelMap:
        """The table from what masks hold to class indices."""
        return self.labels or indexed(self.classes, () if self.ignore_index is None else (255,)).labels

    def valid(self, sample: Sample) -> np.ndarray | None:
        """Return the pixels that count, H×W bool, or None where the whole image does.

        Those of the field of view, less those where the image holds no data.
        """
        missing = None
        with suppress(ImageError):  # an image that cannot be read is told where its pixels are asked for
            missing = read_no_data(sample.image)
        if sample.valid is None:
            return None if missing is None else ~missing
        raw = read_mask(sample.valid).shown_in_two_tones
        seen: np.ndarray = (raw if raw.ndim == 2 else raw.max(axis=2)) > 0
        return seen if missing is None or missing.shape != seen.shape else seen & ~missing

    def instances(self, sample: Sample) -> np.ndarray | None:
        """Return the instance labels, H×W unsigned integers, 0 for the background, or None."""
        return None if sample.instances is None else read_labels(sample.instances)


def split_names(
    names: Iterable[str],
    fixed: Mapping[str, Iterable[str]],
    shares: Mapping[str, float],
    seed: int,
    group: Callable[[str], str] = str,
) -> dict[str, tuple[str, ...]]:
    """Complete a split: what is not fixed is drawn from the training names.

    The training names are ``fixed["train"]``, or else every name that is in no fixed split. Each missing
    split takes its share of them, at least one group, in the order of a hash of (seed, group): the draw
    depends neither on the file system's order nor on the other names, so a new image moves no old one
    far, and images of one group stay together.

    Args:
        names: All names.
        fixed: Given splits.
        shares: For each split to draw, its share of the training names.
        seed: The split seed.
        group: Maps a name to its group (a patient, a sequence).

    Raises:
        UnetsegError: There are too few groups to fill every split.
    """
    given = {split: tuple(sorted(set(members))) for split, members in fixed.items()}
    taken = {name for members in given.values() for name in members}
    pool = list(given["train"]) if "train" in given else sorted(set(names) - taken)
    groups: dict[str, list[str]] = {}
    for name in pool:
        groups.setdefault(group(name), []).append(name)
    order = sorted(groups, key=lambda key: draw_order(seed, key))
    missing = [split for split in SPLITS[1:] if split not in given]
    if len(order) <= len(missing):
        raise UnetsegError(
            f"{len(order)} images (or groups of images) cannot be split into "
            f"{' and '.join(['train', *missing])}: at least {len(missing) + 1} are needed"
        )
    drawn = dict(given)
    for position, split in enumerate(missing):
        wanted = max(1, round(shares[split] * len(pool)))
        spare = len(order) - (len(missing) - position)  # leaves one group for each split still to fill
        members: list[str] = []
        for _ in range(spare):
            if len(members) >= wanted:
                break
            members += groups[order.pop(0)]
        drawn[split] = tuple(sorted(members))
    drawn["train"] = tuple(sorted(name for key in order for name in groups[key]))
    return {split: drawn[split] for split in SPLITS}


def draw_order(seed: int, key: str) -> tuple[bytes, str]:
    """Return what the groups of a set are sorted by to draw its parts, as ``split_names`` does."""
    return hashlib.sha256(f"{seed}/{key}".encode("utf-8", "surrogateescape")).digest(), key
