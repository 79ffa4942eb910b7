"""What the demo shows of an image, without the page: masks of a net whose long skips are turned down."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unetseg.data.datasets.class_entries import indexed
from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.data.images.read import read_image, read_mask
from unetseg.errors import UnetsegError, UsageError
from unetseg.evaluation.rows import Row
from unetseg.evaluation.scoring import ImageMasks, score_masks
from unetseg.inference.live_skips import LivePredictor
from unetseg.inference.loading import load_predictor
from unetseg.inference.logits import to_mask, to_probabilities
from unetseg.metrics.registry import METRICS
from unetseg.models.replacements import Replace
from unetseg.probes.lesion.modes import MODES
from unetseg.runs import Run
from unetseg.utilities.text import printable

SCORES = ("iou", "boundary_iou")
_GAINED, _LOST, _OTHER = (0, 114, 178), (213, 94, 0), (204, 121, 167)
CHANGES = (("foreground now", _GAINED), ("background now", _LOST), ("another class now", _OTHER))


@dataclass(frozen=True)
class Subject:
    """An image to look at.

    Attributes:
        name: of it.
        image: H×W×C as the runs read it.
        shown: H×W×3 uint8, to look at.
        reference: H×W uint8 class indices, 255 where not counted, or None.
        valid: H×W bool, the pixels that count, or None.
    """

    name: str
    image: np.ndarray
    shown: np.ndarray
    reference: np.ndarray | None = None
    valid: np.ndarray | None = None


@dataclass(frozen=True)
class Prediction:
    """What a net says of an image: H×W uint8 class indices, and classes×H×W float32 probabilities."""

    mask: np.ndarray
    probabilities: np.ndarray


class SkipBench:
    """One run, whose long skips can be turned down.

    Args:
        run: trained.
        device: auto, cpu, cuda or mps.

    Attributes:
        levels: whose skips are on, finest first.
        dataset: that it was trained on; None where it cannot be opened.
        modes: what can stand in for a skip, keys of ``MODES``; the means take the training images.
    """

    def __init__(self, run: Run, device: str = "auto") -> None:
        self.name = printable(run.path)
        self._own = load_predictor(run, device)
        self._live = LivePredictor(self._own)
        self.classes, self.colours = self._own.classes, self._own.colours
        self.pixels, self.levels = self._own.pixels, self._live.levels
        self.dataset = _dataset_of(run, self)
        self.modes = [name for name in MODES if name != "mean" or self.dataset is not None]
        self._replacements: dict[str, Replace] = {}

    @property
    def samples(self) -> dict[str, Sample]:
        """The images of the test split by name."""
        return {} if self.dataset is None else {each.name: each for each in self.dataset.splits["test"]}

    def open_sample(self, name: str) -> Subject:
        """Read an image of the test split, with its ground truth."""
        assert self.dataset is not None
        sample, dataset = self.samples[name], self.dataset
        image = dataset.image(sample)
        truth = dataset.mask(sample), dataset.valid(sample)
        return Subject(name, image, self.pixels.shown(image), *truth)

    def open_file(self, path: Path, reference: Path | None = None) -> Subject:
        """Read an image as ``predict`` does, and its ground truth where there is one.

        Raises:
            UnetsegError: if a file cannot be read, or the two differ in size.
        """
        image = read_image(path, rule=self.pixels)
        truth = None
        if reference is not None:
            labels = self.dataset.label_map if self.dataset is not None else indexed(self.classes).labels
            truth = labels.to_classes(read_mask(reference, lossy=labels.threshold is not None), reference)
            if truth.shape != image.shape[:2]:
                raise UsageError(
                    f"{printable(reference.name)}: is of {truth.shape[1]}×{truth.shape[0]} pixels, and the "
                    f"image of {image.shape[1]}×{image.shape[0]}; give the reference of this image"
                )
        return Subject(path.name, image, self.pixels.shown(image), truth)

    def predict(
        self,
        subject: Subject,
        scales: Mapping[int, float] | None = None,
        mode: str = "zero",
        threshold: float = 0.5,
    ) -> Prediction:
        """Predict an image; the encoder does not run again for the same one.

        Args:
            subject: the image.
            scales: by level, the part of the skip that passes, 0 to 1; all of them if not given.
            mode: what stands in for the rest, a key of ``MODES``.
            threshold: foreground above this probability, where there is one foreground class.
        """
        wanted = {level: scale for level, scale in (scales or {}).items() if scale != 1}
        if wanted:
            logits = self._live.logits_with(subject.image, wanted, self._replacement(mode))
        else:
            logits = self._live.logits_with(subject.image, {})
        return Prediction(to_mask(logits, threshold), to_probabilities(self._own.calibrated(logits)))

    def score(self, subject: Subject, mask: np.ndarray) -> list[Row]:
        """Return IoU and Boundary IoU of a mask, a row a foreground class; none without a reference."""
        if subject.reference is None:
            return []
        masks = ImageMasks(subject.name, mask, subject.reference, subject.valid)
        rows = score_masks(masks, self.classes, [METRICS[key] for key in SCORES]).rows
        return [row for row in rows if row["class"] in self.classes]

    def _replacement(self, mode: str) -> Replace:
        if mode not in self._replacements:
            dataset = self.dataset
            assert dataset is not None or mode != "mean"
            self._replacements[mode] = MODES[mode].replacement(self._own, dataset)  # type: ignore[arg-type]
        return self._replacements[mode]


def require_alike(benches: list[SkipBench]) -> None:
    """Refuse runs that cannot be laid over one another.

    Raises:
        UsageError: Their classes differ, or the channels that they read.
    """
    first = benches[0]
    for each in benches[1:]:
        if each.classes != first.classes:
            raise UsageError(
                f"{each.name}: its classes ({', '.join(each.classes)}) are not those of {first.name} "
                f"({', '.join(first.classes)}); give runs of the same classes"
            )
        if not each.pixels.reads_like(first.pixels):
            raise UsageError(
                f"{each.name}: reads images as {each.pixels.reading}, and {first.name} as "
                f"{first.pixels.reading}; give runs that read alike"
            )


def draw_mask(
    shown: np.ndarray, mask: np.ndarray, colours: list[tuple[int, int, int]], opacity: float
) -> np.ndarray:
    """Return the image, H×W×3 uint8, with each foreground class tinted in its colour."""
    tinted = np.asarray(colours, np.float32)[mask]
    weight = np.where(mask[..., None] > 0, np.float32(opacity), np.float32(0))
    drawn: np.ndarray = (shown + weight * (tinted - shown) + 0.5).astype(np.uint8)
    return drawn


def draw_change(shown: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return the image in pale grey, and over it which pixels changed to what (see ``CHANGES``)."""
    grey = shown.mean(axis=2, keepdims=True)
    drawn = np.repeat(128 + grey / 2, 3, axis=2).astype(np.uint8)
    changed = before != after
    drawn[changed & (before == 0)] = _GAINED
    drawn[changed & (after == 0)] = _LOST
    drawn[changed & (before > 0) & (after > 0)] = _OTHER
    return drawn


def draw_probability(probabilities: np.ndarray) -> np.ndarray:
    """Return how probable foreground is, H×W uint8, white where it is certain."""
    return np.asarray((1 - probabilities[0]) * 255 + 0.5).clip(0, 255).astype(np.uint8)


def _dataset_of(run: Run, bench: SkipBench) -> SegmentationSet | None:
    """Open a run's dataset, where it is there and of the run's classes."""
    try:
        dataset = open_data(run.config())
    except UnetsegError:
        return None
    return dataset.read_by(bench.pixels) if tuple(dataset.classes) == bench.classes else None
