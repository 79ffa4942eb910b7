"""How fast a run trains and is tested: a few steps of its net and a few scored masks, measured."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import count, islice

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


@dataclass(frozen=True)
class Pace:
    """Seconds of one net: an ``epoch`` of training with its validation, and what comes ``after`` the last."""

    epoch: float
    after: float

    def run_seconds(self, config: RunConfig) -> float:
        """Return how long a run of this net takes, all its folds together."""
        return (config.epochs * self.epoch + self.after) * (config.folds or 1)


def same_pace(config: RunConfig) -> str:
    """Return a name that configurations share whose runs take as long an epoch."""
    plain = RunConfig()
    return config.changed(**{name: getattr(plain, name) for name in NO_MATTER}).identity()


def measure_pace(config: RunConfig, dataset: SegmentationSet) -> Pace:
    """Measure a few steps of training and of validation, loading and augmentation in them, and a few scores.

    After the last epoch come the test, the loss of every whole training image and, with ``recalibrate``,
    three more passes over these. Only as many images are read as the steps take.
    """
    hardware = choose_hardware(config)
    model = build_model(
        config.changed(weights="none"), output_channels(len(dataset.classes)), dataset.pixels.count
    )
    steps = WARM_UP + MEASURED
    few = {
        name: _spread(samples, SCORED if name == "test" else steps * config.batch_size)
        for name, samples in dataset.splits.items()
    }
    data = SegmentationData(replace(dataset, splits=few), config, model.stride)
    task = SegmentationTask(model, config, dataset.classes, data.class_weights())
    task.to(hardware.device, memory_format=hardware.memory_format)
    optimiser = torch.optim.AdamW(task.parameters(), lr=config.lr)

    def loss_of(batch: Batch) -> torch.Tensor:
        images, masks = (batch[name].to(hardware.device) for name in ("image", "mask"))
        with hardware.autocast():
            logits = task(images.contiguous(memory_format=hardware.memory_format))
        return task.loss(logits, masks)

    def train(batch: Batch) -> None:
        loss = loss_of(batch)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        loss.item()  # waits for the GPU

    def validate(batch: Batch) -> None:
        with torch.no_grad():
            loss_of(batch).item()

    images = {name: len(samples) for name, samples in dataset.splits.items()}
    training = _seconds_an_image(data.train_dataloader(), train) * images["train"]
    task.eval()
    looking = _seconds_an_image(data.val_dataloader(), validate)
    passes = 4 if config.recalibrate else 1
    scoring = _scoring_seconds(dataset, few["test"])
    after = images["test"] * (looking + scoring) + passes * images["train"] * looking
    return Pace(training + images["val"] * looking, after)


def _spread(samples: tuple[Sample, ...], most: int) -> tuple[Sample, ...]:
    """Return at most so many samples, evenly from all of them: neighbours may be of one size."""
    if len(samples) <= most:
        return samples
    return tuple(samples[index * len(samples) // most] for index in range(most))


def _seconds_an_image(loader: Iterable[Batch], step: Callable[[Batch], None]) -> float:
    """Return what an image takes to be loaded and used, after the first batches, which are slower."""
    batches = (batch for _ in count() for batch in loader)
    for batch in islice(batches, WARM_UP):
        step(batch)
    images = 0
    started = time.perf_counter()
    for batch in islice(batches, MEASURED):
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
