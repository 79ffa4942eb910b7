"""What a plan knows of a dataset: numbers of images, sizes, values, and the shapes in its masks. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from unetseg.data.datasets.check import Inspection
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.metrics.geometry import distance_map
from unetseg.metrics.thickness import LEAST_ELONGATION
from unetseg.metrics.thinning import skeleton

LOOKED_AT = 16  # training images whose pixels are looked at; their number, shares and pixels are of all
SIDES = (64, 96, 128, 160, 192, 256)  # of crops
_SMALLEST = 4  # pixels; what is smaller is noise of drawing
_THINNEST = 10  # per cent of the skeleton that is at most so wide


@dataclass(frozen=True)
class DataFacts:
    """What decides the settings of a training on a dataset, at the images' own scale.

    Attributes:
        name: of the dataset.
        images: split → number of images.
        pixels: split → pixels in all.
        shortest: the smallest side of an image, in pixels.
        longest: median of the images' longer sides, in pixels.
        grey: whether the channels of every image are equal.
        values: the first and the 99th percentile of the pixels' values.
        shares: class → its share of the training pixels, the background first.
        objects: median number of objects an image.
        diameter: median diameter of an object, as of a disc with its area, in pixels; 0 without objects.
        lines: whether the foreground consists of lines: objects at least eight times as long as wide.
        width: a tenth of the foreground's skeleton is at most so wide, in pixels; 0 without foreground.
        in_crops: side of a square crop → share of the crops at random places that hold foreground.
    """

    name: str
    images: Mapping[str, int]
    pixels: Mapping[str, int]
    shortest: int
    longest: int
    grey: bool
    values: tuple[float, float]
    shares: Mapping[str, float]
    objects: float
    diameter: float
    lines: bool
    width: float
    in_crops: Mapping[int, float] = field(default_factory=dict)

    def told(self) -> list[str]:
        """Return lines that say what was seen."""
        counts = ", ".join(f"{count} {split}" for split, count in self.images.items())
        low, high = self.values
        shares = ", ".join(f"{name} {share:.1%}" for name, share in list(self.shares.items())[1:5])
        more = f" and {len(self.shares) - 5} classes more" if len(self.shares) > 5 else ""
        shapes = (
            f"lines, a tenth of them at most {self.width:.1f} pixels wide"
            if self.lines
            else f"objects {self.diameter:.0f} pixels across (median), {self.objects:g} an image; no lines"
        )
        return [
            f"seen      {counts} images, longer side {self.longest} pixels (median), "
            f"{'grey' if self.grey else 'in colour'}, values {low:g} to {high:g}",
            f"seen      {shares}{more} of the training pixels; {shapes}",
        ]


def look_at_data(dataset: SegmentationSet, inspection: Inspection) -> DataFacts:
    """Look at some training images and masks, evenly from all; what was counted in all files is taken over.

    Args:
        dataset: a sound dataset.
        inspection: what :func:`~unetseg.data.datasets.check.require_sound` returned.
    """
    training = dataset.splits["train"]
    seen = [_look(dataset, sample) for sample in spread(training, LOOKED_AT)]
    counted = inspection.shares("train")[: len(dataset.classes)]
    areas = np.concatenate([each.areas for each in seen])
    widths = np.concatenate([each.widths for each in seen])
    length, area = widths.size, sum(each.foreground for each in seen)
    return DataFacts(
        dataset.name,
        {split: len(samples) for split, samples in dataset.splits.items()},
        {split: int(counts.sum()) for split, counts in inspection.pixels.items()},
        shortest=min(min(each.shape) for each in seen),
        longest=int(np.median([max(each.shape) for each in seen])),
        grey=all(each.grey for each in seen),
        values=(min(each.values[0] for each in seen), max(each.values[1] for each in seen)),
        shares=dict(zip(dataset.classes, map(float, counted / max(counted.sum(), 1e-12)), strict=True)),
        objects=float(np.median([each.areas.size for each in seen])),
        diameter=float(2 * np.sqrt(np.median(areas) / np.pi)) if areas.size else 0.0,
        lines=bool(length**2 >= LEAST_ELONGATION * area * areas.size > 0),
        width=float(np.percentile(widths, _THINNEST)) if length else 0.0,
        in_crops={side: float(np.mean([each.in_crops[side] for each in seen])) for side in SIDES},
    )


@dataclass(frozen=True)
class _Seen:
    """What one image and its mask hold."""

    shape: tuple[int, int]
    grey: bool
    values: tuple[float, float]
    foreground: int
    areas: NDArray[np.int64]  # of objects
    widths: NDArray[np.float64]  # at each skeleton pixel
    in_crops: dict[int, float]


def _look(dataset: SegmentationSet, sample: Sample) -> _Seen:
    image, mask = dataset.image(sample), dataset.mask(sample)
    foreground = (mask > 0) & (mask != IGNORED)
    planes = image.reshape(*image.shape[:2], -1)
    low, high = np.percentile(planes, (1, 99))
    return _Seen(
        (mask.shape[0], mask.shape[1]),
        bool((planes == planes[..., :1]).all()),
        (float(low), float(high)),
        int(np.count_nonzero(foreground)),
        _object_areas(dataset, sample, mask, foreground),
        _widths(foreground),
        {side: _share_of_crops(foreground, side) for side in SIDES},
    )


def _object_areas(
    dataset: SegmentationSet, sample: Sample, mask: NDArray[np.uint8], foreground: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the pixels of each object: of the instances where there are some, else of connected regions."""
    instances = dataset.instances(sample)
    if instances is not None and instances.shape == mask.shape:
        areas = np.unique(instances[foreground], return_counts=True)[1]
    else:
        regions = [
            cv2.connectedComponentsWithStats((foreground & (mask == value)).view(np.uint8))[2][1:, 4]
            for value in np.unique(mask[foreground])
        ]
        areas = np.concatenate([np.zeros(0, np.int64), *regions])
    return np.asarray(areas[areas >= _SMALLEST], np.int64)


def _widths(foreground: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the width of the structure at each pixel of the skeleton, as ``thickness_recall`` has it."""
    if not foreground.any() or foreground.all():
        return np.zeros(0)
    nearest = cv2.dilate(distance_map(~foreground).values, np.ones((3, 3), np.uint8))
    return np.asarray(2 * nearest[skeleton(foreground)] - 0.5, np.float64)


def _share_of_crops(foreground: NDArray[np.bool_], side: int) -> float:
    """Return the share of all places of a square crop where it holds foreground; what juts out is padding."""
    height, width = (min(side, extent) for extent in foreground.shape)
    sums = cv2.integral(foreground.view(np.uint8))
    held = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    return float(np.mean(held > 0))


def spread(samples: Sequence[Sample], most: int) -> tuple[Sample, ...]:
    """Return at most so many samples, evenly from all of them: neighbours may be of one size."""
    if len(samples) <= most:
        return tuple(samples)
    return tuple(samples[index * len(samples) // most] for index in range(most))
