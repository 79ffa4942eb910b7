"""What each arm makes of an image: predicted by its net, or read from its folder of masks."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.evaluation.folders import read_masks
from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions, pair_masks
from unetseg.report.gallery.error_map import Mask
from unetseg.report.gallery.pictures import Case
from unetseg.runs import Run

Progress = Callable[[int, int], None]
Scores = Sequence[Sequence[Sequence[str]]]


def predicted_cases(
    runs: Sequence[Run],
    dataset: SegmentationSet,
    samples: Sequence[Sample],
    scores: Scores,
    device: str = "auto",
    progress: Progress | None = None,
) -> Iterator[Case]:
    """Predict samples with one net after the other, then yield each sample with all of its masks.

    One net and a few samples are in memory at a time, and all masks compressed.

    Args:
        runs: one an arm.
        dataset: that the samples are of.
        samples: at their original resolution.
        scores: for each sample and arm, one text a score.
        device: auto, cpu, cuda or mps.
        progress: is told (masks predicted, masks in all).

    Raises:
        UnetsegError: if a run or a file cannot be read.
    """
    packed: list[list[bytes]] = []
    for run in runs:
        packed.append([])
        for mask in _predictions(run, dataset, samples, device):
            packed[-1].append(zlib.compress(mask.tobytes(), 1))
            if progress:
                progress(sum(map(len, packed)), len(runs) * len(samples))
    for index, sample in enumerate(samples):
        ground_truth = dataset.mask(sample)
        yield Case(
            name=sample.name,
            photo=dataset.shown(sample),
            ground_truth=ground_truth,
            predictions=[_unpacked(masks[index], ground_truth.shape) for masks in packed],
            scores=scores[index],
            valid=dataset.valid(sample),
        )


def mask_cases(
    folders: Sequence[str | Path],
    ground_truth: str | Path,
    names: Sequence[str],
    scores: Scores,
    masks: MaskOptions = PLAIN_MASKS,
) -> Iterator[Case]:
    """Yield the masks of several folders, image by image; there are no photographs.

    Args:
        folders: one an arm.
        ground_truth: folder of the masks that they were scored against.
        names: of images.
        scores: for each image and arm, one text a score.
        masks: how they are read.

    Raises:
        UnetsegError: if a file cannot be read.
    """
    files = [{pair.name: pair for pair in pair_masks(each, ground_truth, masks)[0]} for each in folders]
    for index, name in enumerate(names):
        pairs = [read_masks(of_arm[name], masks) for of_arm in files]
        yield Case(
            name=name,
            photo=None,
            ground_truth=pairs[0].ground_truth,
            predictions=[pair.prediction for pair in pairs],
            scores=scores[index],
            valid=pairs[0].valid,
        )


def _predictions(
    run: Run, dataset: SegmentationSet, samples: Sequence[Sample], device: str
) -> Iterator[Mask]:
    from unetseg.evaluation.run import predicted_masks
    from unetseg.inference.loading import load_predictor

    for pair in predicted_masks(load_predictor(run, device), dataset, samples):
        yield pair.prediction


def _unpacked(content: bytes, shape: tuple[int, ...]) -> Mask:
    return np.frombuffer(zlib.decompress(content), np.uint8).reshape(shape)
