"""The LightningDataModule over any segmentation set."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch.utils.data import DataLoader

from unetseg.config import RunConfig
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.data.images.pixel_rule import PixelRule
from unetseg.data.loaders import Batch, BatchLoader, check_shared_memory, collate, normalised
from unetseg.data.preprocessing import Preprocessing, channel_statistics, counted_pixels
from unetseg.data.samplers import EvaluationBatches, Size, TrainingSampler
from unetseg.data.scaled_samples import ImageAndMask, Progress, ScaledSamples, TrainingCrops, WholeImages
from unetseg.errors import UsageError

LARGEST_BATCH = 4_000_000  # pixels in a batch of whole images; a larger image is a batch of its own


class SegmentationData(pl.LightningDataModule):
    """Loads a segmentation set for training and validation.

    Args:
        dataset: the set, its pairs checked.
        config: the run's configuration.
        stride: what the network's input sides are padded to.
        preprocessing: scale rule and normalisation; measured on the training split if not given.
        progress: is told (images read, images in all) while they are decoded.
        normalisation: mean and deviation of each colour that pretrained weights want, in place of measured
            ones.
    """

    def __init__(
        self,
        dataset: SegmentationSet,
        config: RunConfig,
        stride: int,
        preprocessing: Preprocessing | None = None,
        progress: Progress | None = None,
        normalisation: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> None:
        super().__init__()
        pixels = dataset.pixels if preprocessing is None else preprocessing.pixels
        self.dataset = dataset = dataset.read_by(pixels)
        self.config = config
        self.stride = stride
        self.first_epoch = 0
        budget = _memory() // 4
        plain = Preprocessing(config.scale, (0.0,) * pixels.count, (1.0,) * pixels.count, pixels)
        self.train_samples = ScaledSamples(dataset, dataset.splits["train"], plain, budget)
        self.train_samples.fill(progress)
        self.val_samples = ScaledSamples(dataset, dataset.splits["val"], plain, self.train_samples.budget)
        self.val_samples.fill(progress)
        if not pixels.measured:
            pixels = pixels.measure(counted_pixels(self._first()))
        self.preprocessing = replace(preprocessing or self._measure(pixels, normalisation), pixels=pixels)
        self.train_samples.preprocessing = self.val_samples.preprocessing = self.preprocessing

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed training must know: the epoch that comes after the one just ended."""
        assert self.trainer is not None
        return {"next_epoch": self.trainer.current_epoch + 1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over from the training that was interrupted."""
        self.first_epoch = state_dict["next_epoch"]

    def _first(self) -> Iterator[ImageAndMask]:
        """Yield the training images that statistics are taken of."""
        return (self.train_samples[index] for index in range(min(500, len(self.train_samples))))

    def first_normalised(self) -> Iterator[np.ndarray]:
        """Yield the training images that statistics are taken of, scaled and normalised, H×W×C float32."""
        return (self.preprocessing.normalise(image) for image, _ in self._first())

    def _measure(
        self, pixels: PixelRule, wanted: tuple[Sequence[float], Sequence[float]] | None
    ) -> Preprocessing:
        """Take what pretrained weights want, else the statistics of (up to 500) training images."""
        if wanted is not None and pixels.count == 3:
            return Preprocessing(self.config.scale, tuple(wanted[0]), tuple(wanted[1]), pixels)
        images = [pixels.to_unit(image) for image, _ in self._first()]
        return Preprocessing(self.config.scale, *channel_statistics(images), pixels)

    def class_weights(self) -> list[float] | None:
        """Return one weight a class for the loss, or None.

        ``balanced`` weighs each class by the inverse square root of its share of the training pixels,
        scaled to a mean of 1.
        """
        setting, classes = self.config.class_weights, len(self.dataset.classes)
        if setting == "none":
            return None
        if setting == "balanced":
            counts = sum(
                np.bincount(self.train_samples[i][1].ravel(), minlength=256)[:classes]
                for i in range(len(self.train_samples))
            )
            inverse = 1 / np.sqrt(np.maximum(counts, 1) / np.sum(counts))
            return [float(weight) for weight in inverse / inverse.mean()]
        weights = [float(weight) for weight in setting.split(",")]
        if len(weights) != classes:
            raise UsageError(
                f"--class-weights {setting}: {self.config.data} has {classes} classes, one number each"
            )
        return weights

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of augmented crops."""
        rank, world_size = self._place()
        sampler = TrainingSampler(len(self.train_samples), self.config.seed, rank, world_size)
        sampler.set_epoch(self.first_epoch)  # loader processes begin before Lightning sets it
        return BatchLoader(
            self.preprocessing,
            dataset=TrainingCrops(self.train_samples, self.config),
            batch_size=self.config.batch_size,
            sampler=sampler,
            drop_last=len(sampler) >= self.config.batch_size,
            **self._processes(),
        )

    def fixed_batch(self) -> Batch:
        """Return the first epoch's crops of the first training images, one batch: what is looked at again."""
        crops = TrainingCrops(self.train_samples, self.config)
        batch = collate([crops[0, index] for index in range(min(self.config.batch_size, len(crops)))])
        return normalised(batch, self.preprocessing)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return the loader of whole validation images, like sizes together."""
        return BatchLoader(
            self.preprocessing,
            dataset=WholeImages(self.val_samples, self.stride),
            batch_sampler=self.whole_batches(self.val_samples),
            **self._processes(),
        )

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Normalise on the device what came as bytes."""
        return normalised(batch, self.preprocessing) if batch["image"].dtype == torch.uint8 else batch

    def setup(self, stage: str) -> None:
        """Refuse loader processes whose batches do not fit into shared memory.

        Raises:
            UnetsegError: They do not fit.
        """
        sizes = [self._padded(self.val_samples[index][1]) for index in range(len(self.val_samples))]
        whole = max((self._images_a_batch(size) * size[0] * size[1] for size in sizes), default=0)
        crops = min(self.config.batch_size, len(self.train_samples)) * self.config.size**2
        a_pixel = self.preprocessing.pixels.unit_bytes + 1 + self.config.objects  # of the mask and the depth
        check_shared_memory(self._processes()["num_workers"], a_pixel, crops, whole)

    def whole_images(self, samples: ScaledSamples) -> Iterator[np.ndarray]:
        """Yield the batches of `whole_batches`: normalised images, N×H×W×C float32."""
        whole = WholeImages(samples, self.stride)
        for items in self.whole_batches(samples):
            yield self.preprocessing.standardise(np.stack([whole[item]["image"] for item in items]))

    def whole_batches(self, samples: ScaledSamples) -> EvaluationBatches:
        """Return batches of whole images of one padded size, each image in exactly one."""
        rank, world_size = self._place()
        sizes = [self._padded(samples[index][1]) for index in range(len(samples))]
        return EvaluationBatches(sizes, self._images_a_batch, rank, world_size)

    def _padded(self, mask: np.ndarray) -> Size:
        height, width = (-(-side // self.stride) * self.stride for side in mask.shape)
        return height, width

    def _images_a_batch(self, size: Size) -> int:
        return max(1, min(self.config.batch_size, LARGEST_BATCH // (size[0] * size[1])))

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _processes(self) -> dict[str, Any]:
        workers = self.config.workers
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        if workers is None:
            workers = min(8, os.cpu_count() or 1) if on_gpu else 0
        # Forked, they share the decoded images and start at once; Python 3.14 no longer forks unasked.
        forked = workers > 0 and sys.platform == "linux"
        return {
            "num_workers": workers,
            "multiprocessing_context": "fork" if forked else None,
            "pin_memory": on_gpu,
            "persistent_workers": workers > 0,
            "leave_bytes": on_gpu,
        }


def _memory() -> int:
    """Return the machine's memory in bytes, or its container's if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return machine
