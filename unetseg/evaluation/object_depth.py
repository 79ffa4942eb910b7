"""How deep the cut between touching objects must be: chosen on validation, by how well objects are found."""

import math
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UsageError
from unetseg.inference.object_labels import label_objects
from unetseg.inference.predictor import Predictor
from unetseg.metrics import mask_pair
from unetseg.metrics.structure import pq

DEPTHS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)  # of the learned distance, which goes from 0 to 1
_MOST_IMAGES = 200
_TOGETHER = 8


def require_objects(dataset: SegmentationSet) -> None:
    """Refuse to learn objects where a dataset does not number them.

    Raises:
        UsageError: It says of how many images, and how to give them.
    """
    samples = [*dataset.splits["train"], *dataset.splits["val"]]
    lacking = sum(sample.instances is None for sample in samples)
    if lacking:
        raise UsageError(
            f"--objects: {dataset.name} does not number the objects of {lacking} of its {len(samples)} "
            "images for training and validation; name the folder of such masks as 'instances: FOLDER' in "
            "dataset.yaml, or give labels of an annotation tool"
        )


def choose_depth(
    predictor: Predictor, dataset: SegmentationSet, progress: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """Return the depth under which the objects of the validation split are found best.

    Args:
        predictor: of a run that learned objects.
        dataset: that numbers its objects.
        progress: is told (images done, images in all).

    Returns:
        ``depth``; ``pq``, the mean panoptic quality of the images under it (of up to 200); and
        ``pq_components``, that of connected components.
    """
    dataset = dataset.read_by(predictor.pixels)
    samples = dataset.splits["val"][:_MOST_IMAGES]
    scores: dict[float | None, list[float]] = {depth: [] for depth in (None, *DEPTHS)}
    for start in range(0, len(samples), _TOGETHER):
        chunk = samples[start : start + _TOGETHER]
        found = predictor.masks_with_depth([dataset.image(sample) for sample in chunk])
        for sample, (mask, distance) in zip(chunk, found, strict=True):
            for depth, each in scores.items():
                objects = None if depth is None else label_objects(mask, depth, distance)
                each.append(_quality(dataset, sample, mask, objects))
        if progress:
            progress(min(len(samples), start + _TOGETHER), len(samples))
    means = {depth: _mean(each) for depth, each in scores.items()}
    best = max(DEPTHS, key=lambda depth: means[depth])
    return {"depth": best, "pq": means[best], "pq_components": means[None]}


def _quality(dataset: SegmentationSet, sample: Sample, mask: np.ndarray, objects: np.ndarray | None) -> float:
    """Return the panoptic quality of one image's objects, of whatever class; NaN where there are none."""
    truth, valid = dataset.mask(sample), dataset.valid(sample)
    numbers = dataset.instances(sample)
    assert numbers is not None
    counted = truth != IGNORED if valid is None else (truth != IGNORED) & valid
    pair = mask_pair(
        mask > 0,
        numbers > 0,
        valid=counted,
        ground_truth_instances=numbers,
        prediction_instances=objects,
    )
    return pq(pair)


def _mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return fmean(defined) if defined else 0.0
