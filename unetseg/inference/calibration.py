"""Whether probabilities mean what they say: a temperature that makes them, and how far they are off."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.inference.logits import confidences

if TYPE_CHECKING:
    from unetseg.inference.predictor import Predictor

TEMPERATURE = "temperature"  # the key of what a run keeps for inference
BINS = 15
AN_IMAGE = 20_000  # pixels of an image that are looked at, spread evenly: more say nothing new
_BOUNDS = (0.1, 10.0)  # of the temperature
_BATCH = 8  # images


class Reliability:
    """How often a pixel's class is right, by how sure the net was of it: Guo et al. (2017).

    The expected calibration error is the mean, over pixels, of how far apart confidence and share of right
    pixels lie, in 15 bins of equal width of the confidence.
    """

    def __init__(self) -> None:
        self._pixels = np.zeros(BINS, np.int64)
        self._right = np.zeros(BINS)
        self._confidence = np.zeros(BINS)

    def add(self, logits: np.ndarray, classes: np.ndarray) -> None:
        """Take pixels: logits outputs×N, and the class of each, N integers."""
        sure = confidences(logits).astype(np.float64)
        predicted = (logits[0] > 0) if len(logits) == 1 else logits.argmax(axis=0)
        bins = np.minimum((sure * BINS).astype(int), BINS - 1)
        self._pixels += np.bincount(bins, minlength=BINS)
        self._right += np.bincount(bins, predicted == classes, BINS)
        self._confidence += np.bincount(bins, sure, BINS)

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1; NaN without any pixel."""
        pixels = self._pixels.sum()
        return float(np.abs(self._right - self._confidence).sum() / pixels) if pixels else math.nan


class Calibration:
    """The calibration of a predictor's probabilities on a split, as they are and without its temperature."""

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature
        self._before, self._after = Reliability(), Reliability()

    def add(self, logits: np.ndarray, mask: np.ndarray, valid: np.ndarray | None) -> None:
        """Take an image: logits outputs×H×W, ground truth H×W (255 where not counted), field of view."""
        pixels, classes = counted_pixels(logits, mask, valid)
        self._before.add(pixels, classes)
        self._after.add(pixels / self.temperature, classes)

    def summary(self) -> dict[str, Any] | None:
        """Return plain values for JSON; None where no pixel counted."""
        if math.isnan(self._after.error):
            return None
        return {
            "temperature": self.temperature,
            "ece_before": self._before.error,
            "ece": self._after.error,
        }


def fit_temperature(
    predictor: "Predictor", dataset: SegmentationSet, samples: Sequence[Sample]
) -> float | None:
    """Return what logits are to be divided by so that probabilities mean what they say: Guo et al. (2017).

    It is that of the least cross-entropy over pixels of the samples. It changes no mask.

    Args:
        predictor: whose logits they are.
        dataset: with the run's classes.
        samples: of the validation split.

    Returns:
        None where the samples hold pixels of one class only, or none: nothing can be learned from them.
    """
    from scipy.optimize import minimize_scalar

    pairs = list(_pixels(predictor, dataset, samples))
    if not pairs:
        return None
    logits = np.concatenate([pixels for pixels, _ in pairs], axis=1).astype(np.float64)
    classes = np.concatenate([each for _, each in pairs])
    if len(np.unique(classes)) < 2:
        return None

    def cross_entropy(logarithm: float) -> float:
        scaled = logits / math.exp(logarithm)
        if len(scaled) == 1:
            return float(np.logaddexp(0, np.where(classes > 0, -scaled[0], scaled[0])).mean())
        highest = scaled.max(axis=0)
        total = highest + np.log(np.exp(scaled - highest).sum(axis=0))
        return float((total - scaled[classes, np.arange(len(classes))]).mean())

    bounds = (math.log(_BOUNDS[0]), math.log(_BOUNDS[1]))
    found = minimize_scalar(cross_entropy, bounds=bounds, method="bounded")
    return round(math.exp(float(found.x)), 4)


def _pixels(
    predictor: "Predictor", dataset: SegmentationSet, samples: Sequence[Sample]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    dataset = dataset.read_by(predictor.pixels)
    for start in range(0, len(samples), _BATCH):
        chunk = samples[start : start + _BATCH]
        logits = predictor.logits([dataset.image(sample) for sample in chunk])
        for sample, each in zip(chunk, logits, strict=True):
            yield counted_pixels(each, dataset.mask(sample), dataset.valid(sample))


def counted_pixels(
    logits: np.ndarray, mask: np.ndarray, valid: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, outputs×N, and classes, N int64, of up to ``AN_IMAGE`` pixels of an image that count."""
    counted = mask != IGNORED if valid is None else (mask != IGNORED) & valid
    places = np.flatnonzero(counted)
    places = places[:: -(-len(places) // AN_IMAGE) or 1]
    return logits.reshape(len(logits), -1)[:, places], mask.ravel()[places].astype(np.int64)
