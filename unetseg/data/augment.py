"""The one augmentation pipeline. albumentations is used nowhere else."""

import os
from typing import Any

os.environ.setdefault(
    "NO_ALBUMENTATIONS_UPDATE", "1"
)  # else importing it asks the network for a newer version

import albumentations as A
import cv2
import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB, PixelRule


class Augmentation:
    """Random crop and distortion of one image and its mask, a pure function of a seed.

    Args:
        strength: ``none``, ``light`` or ``full``.
        size: side of the square that comes out, pixels.
        foreground_crops: share of the crops that must hold a foreground pixel.
        pixels: of the images; those that are not of 8 bits are brought to 0..1 once they are cropped.
    """

    def __init__(
        self, strength: str, size: int, foreground_crops: float, pixels: PixelRule = EIGHT_BIT_RGB
    ) -> None:
        steps = _DISTORTIONS[strength]()
        if pixels.count != 3:
            steps = [step for step in steps if not isinstance(step, A.HueSaturationValue)]
        if not pixels.bytes:
            steps = [_ToUnit(pixels), *steps]
        self.pipeline = A.Compose(
            [*_crop(size, foreground_crops), *steps], mask_interpolation=cv2.INTER_NEAREST
        )

    def with_depth(
        self, image: np.ndarray, mask: np.ndarray, depth: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Do the same with an image, its mask and the depth in its objects, H×W uint8."""
        image, both = self(image, np.dstack([mask, depth]), seed)
        return image, np.ascontiguousarray(both[..., 0]), np.ascontiguousarray(both[..., 1])

    def __call__(self, image: np.ndarray, mask: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Map image H×W×C and mask H×W uint8 to squares of the given size, the image uint8 or float32."""
        self.pipeline.set_random_seed(seed)
        out = self.pipeline(image=image, mask=mask)
        return out["image"], out["mask"]


def _crop(size: int, foreground_crops: float) -> list[A.BasicTransform | A.BaseCompose]:
    pad = A.PadIfNeeded(size, size, border_mode=cv2.BORDER_REFLECT_101, position="random")
    anywhere = A.RandomCrop(size, size, p=1 - foreground_crops)
    if foreground_crops == 0:
        return [pad, anywhere]
    on_foreground = A.CropNonEmptyMaskIfExists(size, size, ignore_values=[IGNORED], p=foreground_crops)
    return [pad, A.OneOf([on_foreground, anywhere], p=1)]


class _ToUnit(A.ImageOnlyTransform):  # type: ignore[misc]  # albumentations has no types
    """Brings a crop that is not of 8 bits to 0..1, where albumentations expects floats to be."""

    def __init__(self, pixels: PixelRule) -> None:
        super().__init__(p=1)
        self.pixels = pixels

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        """Map H×W×C as read to float32."""
        return self.pixels.to_unit(img)


def _light() -> list[A.BasicTransform]:
    return [A.HorizontalFlip(), A.RandomBrightnessContrast(0.1, 0.1)]


def _full() -> list[A.BasicTransform]:
    return [
        A.HorizontalFlip(),
        A.VerticalFlip(),
        A.RandomRotate90(),
        A.Affine(scale=(0.8, 1.25), rotate=(-20, 20), border_mode=cv2.BORDER_REFLECT_101, p=0.5),
        A.RandomBrightnessContrast(0.2, 0.2),
        A.HueSaturationValue(10, 20, 10, p=0.3),
        A.GaussianBlur(blur_limit=(3, 3), p=0.1),
        A.GaussNoise(std_range=(0.02, 0.06), p=0.2),
    ]


_DISTORTIONS = {"none": list, "light": _light, "full": _full}
