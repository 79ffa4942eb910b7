"""How fast a run trains and is tested: a few steps of its net and a few scored masks, measured."""

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path

import numpy as np
import torch

from unetseg.config import RunConfig
from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.data.loaders import Batch
from unetseg.evaluation.scoring import ImageMasks, score_masks
from unetseg.metrics import registry
from unetseg.models.hardware import choose_hardware
from unetseg.models.unet import build_model, output_channels
from unetseg.planning.facts import spread
from unetseg.training import checkpoints
from unetseg.training.task import SegmentationTask

WARM_UP, MEASURED = 2, 3  # steps
SCORED = 3  # masks
# Settings that change the weights and not the time of a step.
NO_MATTER = (
    "seed",
    "split_seed",
    "fold",
    "lr",
    "encoder_lr",
    "weight_decay",
    "warmup",
    "epochs",
    "patience",
    "zero_init",
)
LOOKS = "check_val_every_n_epoch"  # Lightning's name for the epochs from one validation to the next


@dataclass(frozen=True)
class Pace:
    """Seconds of one net.

    Attributes:
        before: the first epoch: decoding the images of training and validation.
        training: an epoch, and saving its state.
        looking: at all validation images.
        whole: at all whole training images, as their losses and ``recalibrate`` need it.
        testing: the test.
    """

    before: float
    training: float
    looking: float
    whole: float
    testing: float

    def run_seconds(self, config: RunConfig) -> float:
        """Return how long a run of a study takes, all its folds together.

        After it come the loss of every whole training image and, with ``recalibrate``, three more passes.
        """
        looks = config.epochs // int(config.trainer.get(LOOKS) or 1)
        trained = self.before + config.epochs * self.training + looks * self.looking
        return (trained + self.testing + self.whole * (4 if config.recalibrate else 1)) * (config.folds or 1)


def same_pace(config: RunConfig) -> str:
    """Return a name that configurations share whose runs take as long an epoch."""
    plain = RunConfig()
    return config.changed(**{name: getattr(plain, name) for name in NO_MATTER}).identity()


def measure_pace(config: RunConfig, dataset: SegmentationSet, steps: int = MEASURED) -> Pace:
    """Measure a few steps of training and of validation, loading and augmentation in them, and a few scores.

    Only as many images are read as the steps take.

    Args:
        config: of the run.
        dataset: its data, sound.
        steps: that are measured, after those that warm up.
    """
    net = _Net(config, dataset, {"train": WARM_UP + steps, "val": WARM_UP + steps})
    images = {name: len(samples) for name, samples in dataset.splits.items()}
    training = net.training_seconds(steps) * images["train"]
    looking = net.looking_seconds(steps)
    scoring = _scoring_seconds(dataset, spread(dataset.splits["test"], max(SCORED, steps)))
    return Pace(
        net.reading_seconds * (images["train"] + images["val"]),
        training + net.saving_seconds(),
        images["val"] * looking,
        images["train"] * looking,
        images["test"] * (looking + scoring),
    )


def seconds_a_crop(config: RunConfig, dataset: SegmentationSet) -> float:
    """Measure a few steps of training alone, loading and augmentation in them."""
    return _Net(config, dataset, {"train": WARM_UP + MEASURED}).training_seconds(MEASURED)


class _Net:
    """A net about to be timed on a few images.

    Args:
        config: of the run.
        dataset: its data.
        batches: split → how many batches are read of it at most.
    """

    def __init__(self, config: RunConfig, dataset: SegmentationSet, batches: dict[str, int]) -> None:
        few = {
            name: spread(samples, batches.get(name, 0) * config.batch_size)
            for name, samples in dataset.splits.items()
        }
        self.hardware = choose_hardware(config)
        model = build_model(
            config.changed(weights="none"), output_channels(len(dataset.classes)), dataset.pixels.count
        )
        started = time.perf_counter()
        self.data = SegmentationData(replace(dataset, splits=few), config, model.stride)
        read = len(few["train"]) + len(few["val"])
        self.reading_seconds = (time.perf_counter() - started) / max(1, read)
        self.task = SegmentationTask(model, config, dataset.classes, self.data.class_weights())
        self.task.to(self.hardware.device, memory_format=self.hardware.memory_format)
        self.optimiser = torch.optim.AdamW(self.task.parameters(), lr=config.lr)

    def training_seconds(self, steps: int) -> float:
        """Return what a crop takes: loaded, augmented and trained on."""
        self.task.train()
        return _seconds_an_image(self.data.train_dataloader(), self._train, steps)

    def looking_seconds(self, steps: int) -> float:
        """Return what a whole image takes in validation."""
        self.task.eval()
        return _seconds_an_image(self.data.val_dataloader(), self._validate, steps)

    def saving_seconds(self) -> float:
        """Return what it takes to write weights and the optimiser's state, as every epoch does."""
        state = {"state_dict": self.task.state_dict(), "optimiser": self.optimiser.state_dict()}
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            checkpoints.save(Path(folder) / "last.ckpt", state)
            return time.perf_counter() - started

    def _loss(self, batch: Batch) -> torch.Tensor:
        images, masks = (batch[name].to(self.hardware.device) for name in ("image", "mask"))
        with self.hardware.autocast():
            logits = self.task(images.contiguous(memory_format=self.hardware.memory_format))
        return self.task.loss(logits, masks)

    def _train(self, batch: Batch) -> None:
        loss = self._loss(batch)
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        loss.item()  # waits for the GPU

    def _validate(self, batch: Batch) -> None:
        with torch.no_grad():
            self._loss(batch).item()


def _seconds_an_image(loader: Iterable[Batch], step: Callable[[Batch], None], steps: int) -> float:
    """Return what an image takes to be loaded and used, after the first batches, which are slower."""
    batches = (batch for _ in count() for batch in loader)
    for batch in islice(batches, WARM_UP):
        step(batch)
    images = 0
    started = time.perf_counter()
    for batch in islice(batches, steps):
        step(batch)
        images += len(batch["image"])
    return (time.perf_counter() - started) / images


def _scoring_seconds(dataset: SegmentationSet, samples: tuple[Sample, ...]) -> float:
    """Return the seconds of one image's scores: its own mask, a little displaced, stands for a prediction."""
    if not samples:
        return 0.0
    metrics = registry.allowed(dataset.ignore_index is not None)
    started = time.perf_counter()
    for sample in samples:
        mask = dataset.mask(sample)
        masks = ImageMasks(
            sample.name,
            np.roll(mask, 2, axis=1),
            mask,
            dataset.valid(sample),
            dataset.instances(sample),
            group=sample.group,
        )
        score_masks(masks, dataset.classes, metrics)
    return (time.perf_counter() - started) / len(samples)
