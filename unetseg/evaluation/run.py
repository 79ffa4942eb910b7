"""A trained run against the ground truth of a split."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.evaluation.scoring import ImageMasks, ImageScores, score_masks
from unetseg.evaluation.summary import Evaluation, fingerprint, summarise
from unetseg.inference.calibration import Calibration
from unetseg.metrics import registry
from unetseg.metrics.registry import Metric
from unetseg.utilities.processes import run_jobs

if TYPE_CHECKING:
    from unetseg.inference.predictor import Predictor

Progress = Callable[[int, int], None]


def evaluate_run(
    predictor: "Predictor",
    dataset: SegmentationSet,
    split: str = "test",
    progress: Progress | None = None,
) -> Evaluation:
    """Predict every image of a split at its original resolution and score the whole masks.

    Args:
        predictor: of the run.
        dataset: with the run's classes.
        split: train, val or test.
        progress: is told (images done, images in all).

    Raises:
        UsageError: if there is no such split, or the classes are not the run's.
        UnetsegError: if the split is empty, or a file of it cannot be used.
    """
    samples = samples_to_score(dataset, split, predictor.classes)
    calibration = Calibration(predictor.temperature)
    jobs = ((pair,) for pair in predicted_masks(predictor, dataset, samples, calibration=calibration))
    scores = score_images(jobs, dataset, len(samples), progress)
    images = [image for (image,) in scores]
    evaluation = summarise(images, dataset.classes, split, sample_fingerprint(samples))
    return replace(evaluation, calibration=calibration.summary())


def samples_to_score(dataset: SegmentationSet, split: str, classes: Sequence[str]) -> tuple[Sample, ...]:
    """Return the samples of a split.

    Args:
        dataset: with the run's classes.
        split: train, val or test.
        classes: of the run.

    Raises:
        UsageError: if there is no such split, or the classes are not the run's.
        UnetsegError: if the split is empty.
    """
    if split not in dataset.splits:
        raise UsageError(
            f"--split '{split}': choose from {', '.join(dataset.splits)}{did_you_mean(split, dataset.splits)}"
        )
    if tuple(dataset.classes) != tuple(classes):
        raise UsageError(
            f"{dataset.name}: its classes ({', '.join(dataset.classes)}) are not those of the run "
            f"({', '.join(classes)})"
        )
    if not dataset.splits[split]:
        raise UnetsegError(f"{dataset.name}: its {split} split is empty; choose another with --split")
    return dataset.splits[split]


def score_images(
    jobs: Iterable[Sequence[ImageMasks]],
    dataset: SegmentationSet,
    total: int,
    progress: Progress | None = None,
) -> Iterator[list[ImageScores]]:
    """Yield the scores of each image's predictions, in order.

    Args:
        jobs: for each image, one prediction or several of the same ground truth.
        dataset: that the ground truth comes from.
        total: images.
        progress: is told (images done, images in all).

    Raises:
        UnetsegError: if a file of an image cannot be used.
    """
    score = partial(_score_all, classes=dataset.classes, metrics=registry.scored())
    for done, scores in enumerate(run_jobs(score, jobs, total), start=1):
        yield scores
        if progress:
            progress(done, total)


def sample_fingerprint(samples: Iterable[Sample]) -> str:
    """Return the ``fingerprint`` of samples."""
    return fingerprint((sample.name, sample.mask) for sample in samples)


def predicted_masks(
    predictor: "Predictor",
    dataset: SegmentationSet,
    samples: Sequence[Sample],
    batch: int = 8,
    calibration: Calibration | None = None,
) -> Iterator[ImageMasks]:
    """Yield prediction and ground truth of each sample, in order; with objects of runs that learned them.

    Where a ``calibration`` is given, it is told of each, too.
    """
    dataset = dataset.read_by(predictor.pixels)
    for start in range(0, len(samples), batch):
        chunk = samples[start : start + batch]
        images = [dataset.image(sample) for sample in chunk]
        for sample, (logits, mask, objects) in zip(chunk, _predicted(predictor, images), strict=True):
            truth, valid = dataset.mask(sample), dataset.valid(sample)
            if calibration is not None and truth.shape == mask.shape:  # of others the scores tell
                calibration.add(logits, truth, valid)
            yield ImageMasks(
                sample.name,
                mask,
                truth,
                valid,
                dataset.instances(sample),
                objects,
                group=sample.group,
            )


def _predicted(
    predictor: "Predictor", images: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Yield the logits and the mask of each image and, where the run learned them, its objects."""
    rule = predictor.object_rule
    if rule.learned:
        from unetseg.inference.object_labels import label_objects

        for logits, depth in predictor.logits_with_depth(images):
            mask = predictor.mask(logits)
            yield logits, mask, label_objects(mask, rule.depth, depth)
        return
    for logits in predictor.logits(images):
        yield logits, predictor.mask(logits), None


def _score_all(
    pairs: Sequence[ImageMasks], classes: Sequence[str], metrics: Sequence[Metric]
) -> list[ImageScores]:
    if (pairs[0].ground_truth == IGNORED).any():  # of one image, all have the same
        metrics = registry.without_outlines(metrics)
    try:
        return [score_masks(pair, classes, metrics) for pair in pairs]
    except ValueError as error:
        raise UnetsegError(f"{pairs[0].name}: {error}; 'unetseg data check' names all such files") from error
