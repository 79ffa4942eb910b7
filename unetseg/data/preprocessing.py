"""What happens to every image before the network and to every logit after it: one rule, used everywhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB, PixelRule

_SAME_AREA = 1e-5  # of a pixel: what rounding makes of equal areas

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """The scale rule and the normalisation of a run.

    Training crops, validation, evaluation, prediction and exported models all go through this object,
    so a network never meets images at another scale than the one it was trained at.

    Attributes:
        scale: ``native``, or ``longest:N`` to bring the longer side of each image to N pixels.
        mean: of each channel, of values in 0..1.
        deviation: standard deviation of each channel, of values in 0..1.
        pixels: which channels of a file these are, and the range of values that became 0..1.
    """

    scale: str
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    pixels: PixelRule = EIGHT_BIT_RGB

    @property
    def longest(self) -> int | None:
        """The longer side after scaling, or None at native scale."""
        return None if self.scale == "native" else int(self.scale.split(":")[1])

    def scaled_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (height, width) that an image of this size has for the network."""
        if self.longest is None:
            return height, width
        factor = self.longest / max(height, width)
        return max(1, round(height * factor)), max(1, round(width * factor))

    def padded_size(self, height: int, width: int, stride: int) -> tuple[int, int]:
        """Return the (height, width) of what ``prepare`` makes of an image of this size."""
        scaled = self.scaled_size(height, width)
        return scaled[0] + -scaled[0] % stride, scaled[1] + -scaled[1] % stride

    def scale_image(self, image: np.ndarray) -> np.ndarray:
        """Resize an image, H×W×C as read, by the scale rule; area averaging where it shrinks."""
        height, width = self.scaled_size(*image.shape[:2])
        if (height, width) == image.shape[:2]:
            return image
        shrinks = height < image.shape[0]
        resized = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        return resized.reshape(height, width, -1)  # of one channel OpenCV drops the axis

    def scale_mask(self, mask: np.ndarray) -> np.ndarray:
        """Resize a mask, H×W uint8, by the scale rule: each pixel takes the class that covers most of it.

        Where it shrinks, that is the class with the largest area in the square that the image is averaged
        over. Of classes with the same area it is the one that is rarer in the mask, so that a line of one
        pixel outlives a halving; what is ignored stands behind what counts.
        """
        height, width = self.scaled_size(*mask.shape)
        if (height, width) == mask.shape:
            return mask
        if height > mask.shape[0] or width > mask.shape[1]:
            return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        return _most_covering(mask, (width, height))

    @property
    def terms(self) -> tuple[np.ndarray, np.ndarray]:
        """What is taken from each channel's value, and what the rest is multiplied by; float32.

        Values are those of ``pixels.to_unit``: 0..255 of 8 bits, else 0..1.
        """
        highest = 255 if self.pixels.bytes else 1
        mean = np.asarray(self.mean, dtype=np.float32) * highest
        return mean, 1 / (np.asarray(self.deviation, dtype=np.float32) * highest)

    def standardise(self, image: np.ndarray) -> np.ndarray:
        """Map what ``pixels.to_unit`` returns to float32 of zero mean and unit deviation in training."""
        mean, factor = self.terms
        normal: np.ndarray = image - mean
        normal *= factor
        return normal

    def normalise(self, image: np.ndarray) -> np.ndarray:
        """Map H×W×C as read to H×W×C float32 of zero mean and unit deviation over the training set."""
        return self.standardise(self.pixels.to_unit(image))

    def prepare(self, image: np.ndarray, stride: int) -> np.ndarray:
        """Scale, normalise and pad an image for the network.

        Args:
            image: H×W×C as read: H×W×3 uint8 where ``pixels`` is not another rule.
            stride: both sides are padded at the end, by repeating the edge, to a multiple of this.

        Returns:
            H'×W'×C float32.
        """
        scaled = self.normalise(self.scale_image(image))
        pads = [(0, -side % stride) for side in scaled.shape[:2]]
        return np.pad(scaled, [*pads, (0, 0)], mode="edge") if any(end for _, end in pads) else scaled

    def restore(self, logits: np.ndarray, height: int, width: int) -> np.ndarray:
        """Cut the padding off and bring logits back to the image's own size, bilinearly.

        Args:
            logits: C×H'×W' float32, of an image that ``prepare`` made.
            height: of the original image.
            width: of the original image.

        Returns:
            C×height×width float32.
        """
        scaled_height, scaled_width = self.scaled_size(height, width)
        cut = logits[:, :scaled_height, :scaled_width]
        if (scaled_height, scaled_width) == (height, width):
            return cut
        return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR) for plane in cut])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; without the rule of 8-bit RGB, as of runs that know no other."""
        values = {"scale": self.scale, "mean": list(self.mean), "deviation": list(self.deviation)}
        return values if self.pixels.eight_bit_rgb else {**values, "pixels": self.pixels.to_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """Build from the plain values of ``to_dict``."""
        pixels = PixelRule.from_dict(values["pixels"]) if values.get("pixels") else EIGHT_BIT_RGB
        mean, deviation = (tuple(float(each) for each in values[name]) for name in ("mean", "deviation"))
        if not len(mean) == len(deviation) == pixels.count:
            raise ValueError(f"{pixels.count} channels have {len(mean)} means, {len(deviation)} deviations")
        return cls(values["scale"], mean, deviation, pixels)


def _most_covering(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Shrink a mask to ``size`` (width, height); see ``scale_mask``."""
    counts = np.bincount(mask.ravel())
    values = np.flatnonzero(counts).tolist()
    values.sort(
        key=lambda value: (value != IGNORED, -counts[value], -value)
    )  # the last stands above the others
    chosen = np.full(size[::-1], values[0], np.uint8)
    largest: np.ndarray | None = None
    for value in values:
        share = cv2.resize((mask == value).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        if largest is None:
            largest = share
            continue
        larger = share >= largest - _SAME_AREA
        chosen[larger] = value
        largest = np.where(larger, share, largest)
    return chosen


def counted_pixels(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Return the pixels of each image that count by its mask, N×1×C; all of one in which none does."""
    counted = ((image, image[mask != IGNORED]) for image, mask in pairs)
    return [pixels[:, None] if len(pixels) else image for image, pixels in counted]


def channel_statistics(images: Sequence[np.ndarray]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel over all pixels of images, in 0..1.

    Args:
        images: H×W×C as ``PixelRule.to_unit`` returns them: uint8, or float32 in 0..1.
    """
    channels, highest = images[0].shape[2], 255 if images[0].dtype == np.uint8 else 1
    pixels, total, squares = 0, np.zeros(channels), np.zeros(channels)
    for image in images:
        mean, deviation = cv2.meanStdDev(image)
        count = image.shape[0] * image.shape[1]
        pixels += count
        total += mean[:, 0] * count
        squares += (deviation[:, 0] ** 2 + mean[:, 0] ** 2) * count
    mean = total / pixels
    deviation = np.sqrt(np.maximum(squares / pixels - mean**2, 1e-6))
    return (
        tuple(round(float(v) / highest, 6) for v in mean),
        tuple(round(float(v) / highest, 6) for v in deviation),
    )
