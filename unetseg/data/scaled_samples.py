"""The images of one split as the network sees them: decoded and scaled, cut into crops, or whole."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from torch.utils.data import Dataset

from unetseg.config import RunConfig
from unetseg.data.augment import Augmentation
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.data.loaders import Batch
from unetseg.data.object_distance import ObjectDepths
from unetseg.data.preprocessing import Preprocessing
from unetseg.data.samplers import Item

ImageAndMask = tuple[np.ndarray, np.ndarray]
Progress = Callable[[int, int], None]


class ScaledSamples:
    """Images and masks of one split as the network sees them: decoded and scaled, kept in memory if they fit.

    Args:
        dataset: where the samples come from.
        samples: of one split.
        preprocessing: its scale rule is applied; normalisation is not.
        budget: bytes that may be kept; what does not fit is read again each time.
    """

    def __init__(
        self, dataset: SegmentationSet, samples: Sequence[Sample], preprocessing: Preprocessing, budget: int
    ) -> None:
        self.dataset = dataset
        self.samples = samples
        self.preprocessing = preprocessing
        self.budget = budget
        self.cache: dict[int, ImageAndMask] = {}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> ImageAndMask:
        """Return image H×W×C as read and mask H×W uint8, 255 where not counted."""
        return self.cache[index] if index in self.cache else self.read(index)

    def read(self, index: int) -> ImageAndMask:
        """Decode and scale an image and its mask; pixels outside its field of view are marked as ignored."""
        sample = self.samples[index]
        image, mask = self.dataset.picture(sample).pixels, self.dataset.mask(sample)
        valid = self.dataset.valid(sample)
        if valid is not None:
            mask = np.where(valid, mask, np.uint8(IGNORED))
        return self.preprocessing.scale_image(image), self.preprocessing.scale_mask(mask)

    def fill(self, progress: Progress | None = None) -> None:
        """Decode in parallel until all is in memory or the budget is spent.

        Args:
            progress: is told (images read, images in all).
        """
        threads = min(8, os.cpu_count() or 1)
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(self), 64):
                if self.budget <= 0:
                    break
                indices = range(start, min(start + 64, len(self)))
                for index, pair in zip(indices, pool.map(self.read, indices), strict=True):
                    self.cache[index] = pair
                    self.budget -= pair[0].nbytes + pair[1].nbytes
                if progress:
                    progress(len(self.cache), len(self))
        if progress:
            progress(len(self), len(self))  # also where not all fit: the bar goes


class TrainingCrops(Dataset[Batch]):
    """Augmented crops, uint8 or 0..1; item (epoch, index) is a function of the seed and that pair."""

    def __init__(self, samples: ScaledSamples, config: RunConfig) -> None:
        self.samples = samples
        self.seed = config.seed
        self.depths = ObjectDepths(samples.dataset, samples.samples, samples.preprocessing)
        self.objects = config.objects
        pixels = samples.preprocessing.pixels
        self.augmentation = Augmentation(config.augment, config.size, config.foreground_crops, pixels)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, item: Item) -> Batch:
        epoch, index = item
        seed = int(np.random.SeedSequence([self.seed, epoch, index]).generate_state(1)[0])
        if self.objects:
            inputs = *self.samples[index], self.depths[index]
            image, mask, depth = self.augmentation.with_depth(*inputs, seed)
            return {"image": image, "mask": mask, "depth": depth}
        image, mask = self.augmentation(*self.samples[index], seed)
        return {"image": image, "mask": mask}


class WholeImages(Dataset[Batch]):
    """Scaled, padded images for validation, uint8 or 0..1; the mask is as the network sees the image."""

    def __init__(self, samples: ScaledSamples, stride: int) -> None:
        self.samples = samples
        self.stride = stride

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, item: Item) -> Batch:
        counted, index = item
        image, mask = self.samples[index]
        pads = [(0, -side % self.stride) for side in mask.shape]
        image = self.samples.preprocessing.pixels.to_unit(image)
        image = np.pad(image, [*pads, (0, 0)], mode="edge")
        if counted < 0:
            mask = np.full_like(mask, IGNORED)
        return {"image": image, "mask": np.pad(mask, pads, constant_values=IGNORED)}
