"""Which images a page shows, and what each trained net makes of them."""

import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from unetseg.data.samples import Sample, SegmentationSet
from unetseg.evaluation.evaluate import predicted_pairs
from unetseg.inference.predictor import load_predictor
from unetseg.report.error_map import Mask
from unetseg.report.gallery import Case
from unetseg.runs import Run


def predicted_cases(
    runs: Sequence[Run],
    dataset: SegmentationSet,
    samples: Sequence[Sample],
    scores: Sequence[Sequence[Sequence[str]]],
    device: str = "auto",
) -> Iterator[Case]:
    """Predict samples with one net after the other, then yield each sample with all of its masks.

    One net and one sample are in memory at a time, and the masks compressed.

    Args:
        runs: one an arm.
        dataset: that the samples are of.
        samples: at their original resolution.
        scores: for each sample and arm, one text a score.
        device: auto, cpu, cuda or mps.

    Raises:
        UnetsegError: if a run or a file cannot be read.
    """
    packed = [_predictions(run, dataset, samples, device) for run in runs]
    for index, sample in enumerate(samples):
        reference = dataset.mask(sample)
        yield Case(
            name=sample.name,
            photo=dataset.image(sample),
            reference=reference,
            predictions=[_unpacked(masks[index], reference.shape) for masks in packed],
            scores=scores[index],
            valid=dataset.valid(sample),
        )


def _predictions(run: Run, dataset: SegmentationSet, samples: Sequence[Sample], device: str) -> list[bytes]:
    predictor = load_predictor(run, device)
    return [
        zlib.compress(pair.prediction.tobytes(), 1) for pair in predicted_pairs(predictor, dataset, samples)
    ]


def _unpacked(content: bytes, shape: tuple[int, ...]) -> Mask:
    return np.frombuffer(zlib.decompress(content), np.uint8).reshape(shape)
