"""Trained runs as one function from images to masks."""

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch

from unetseg.data.images.regions import ArrayReader, RegionReader
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.ensemble import Ensemble, Member
from unetseg.inference.logits import to_mask, to_probabilities
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.object_labels import MASK_RULE, ObjectRule
from unetseg.inference.tiles import Tiling, blended_bands, cut, measure_reach

LONGEST_TILE = 4096  # pixels; more of them bring no speed, on any device


class Predictor(Ensemble):
    """Maps an H×W×3 uint8 RGB image of any size to an H×W uint8 mask of class indices.

    Of a run on other pixels, an image is H×W×C uint8, uint16 or float32 as in its files (see ``pixels``).
    Of several members, and of the flips of an image, probabilities are averaged.

    Args:
        members: one or more networks of the same classes.
        classes: class names, index 0 the background.
        colours: one RGB colour a class.
        flips: also predict the image flipped along rows, columns and both (test-time augmentation).
        threshold: probability above which a pixel is foreground, where there is one foreground class.
        object_rule: how touching objects are told apart.
        temperature: what logits are divided by before they become probabilities, so that these mean what
            they say; masks do not depend on it.
        appearance: of the training's images; None where a run does not tell.
    """

    def __init__(
        self,
        members: Sequence[Member],
        classes: Sequence[str],
        colours: Sequence[Sequence[int]],
        *,
        flips: bool = False,
        threshold: float = 0.5,
        object_rule: ObjectRule = MASK_RULE,
        temperature: float = 1.0,
        appearance: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        super().__init__(members, flips)
        self.classes: tuple[str, ...] = tuple(classes)
        self.colours = [(int(r), int(g), int(b)) for r, g, b in colours]
        self.threshold = threshold
        self.object_rule = object_rule
        self.temperature = temperature
        self.appearance = appearance

    def __repr__(self) -> str:
        """Return the nets, the classes, and the device with its number format."""
        nets = ", ".join(member.name for member in self.members)
        return f"Predictor({nets}; classes {', '.join(self.classes)}; {self})"

    @property
    def model(self) -> torch.nn.Module:
        """The PyTorch module of a predictor of one run."""
        (member,) = self.members
        if not isinstance(member.network, TorchNetwork):
            raise UnetsegError("this predictor runs in ONNX Runtime; load the run itself for its module")
        return member.network.model

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the mask, H×W uint8, of an image H×W×3 uint8."""
        return self.mask(self.logits([image])[0])

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Return the probability of each class, C×H×W float32, of an image H×W×3 uint8."""
        return to_probabilities(self.calibrated(self.logits([image])[0]))

    def calibrated(self, logits: np.ndarray) -> np.ndarray:
        """Return logits whose probabilities mean what they say, as far as validation can tell."""
        return logits if self.temperature == 1 else logits / np.float32(self.temperature)

    def mask(self, logits: np.ndarray) -> np.ndarray:
        """Return the class of each pixel, H×W uint8, from logits outputs×H×W."""
        return to_mask(logits, self.threshold)

    def parts(self, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the logits of ``restore``'s outputs and, ``with_depth``, the depth in objects, H×W uint8."""
        if not self.with_depth:
            return outputs, None
        return outputs[:-1], np.rint(outputs[-1].clip(0, 1) * 255).astype(np.uint8)

    def masks_with_depth(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return mask and depth in objects, 2×H×W uint8, of each image; of runs that learned objects."""

        def finish(outputs: np.ndarray) -> np.ndarray:
            logits, depth = self.parts(outputs)
            assert depth is not None
            return np.stack([self.mask(logits), depth])

        before, self.with_depth = self.with_depth, True
        try:
            return self.pixelwise(images, finish)
        finally:
            self.with_depth = before

    def logits_with_depth(self, images: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return logits, and depth in objects H×W uint8, of each image; of runs that learned objects."""
        before, self.with_depth = self.with_depth, True
        try:
            return [self.parts(outputs) for outputs in self.pixelwise(images, lambda outputs: outputs)]
        finally:
            self.with_depth = before

    def logits(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return logits, outputs×H×W float32 at each image's own size, of images that may differ in size.

        Images of like size go through the network together, large ones in tiles.

        Raises:
            ValueError: if an image is not H×W×3 uint8.
        """
        return self.pixelwise(images, lambda logits: logits)

    def pixelwise(
        self, images: Sequence[np.ndarray], finish: Callable[[np.ndarray], np.ndarray]
    ) -> list[np.ndarray]:
        """Return, as ``logits`` does, what ``finish`` makes of the logits, of which few are held at a time.

        Args:
            images: H×W×3 uint8.
            finish: maps logits, outputs×h×w, of an image or a part of one to C×h×w, each pixel by itself.

        Raises:
            ValueError: if an image is not H×W×3 uint8.
        """
        out: list[np.ndarray] = [np.empty(0)] * len(images)
        whole: list[int] = []
        for index, image in enumerate(images):
            self.pixels.check(image)
            tiling = self.tiling(*image.shape[:2])
            if tiling is None:
                whole.append(index)
            else:
                bands = self.logit_bands(ArrayReader(image), tiling)
                out[index] = np.concatenate([finish(band) for band in bands], axis=1)
        for _, batch in self.batches(whole, lambda index: images[index].shape[:2]):
            outputs = self.forward([self.prepare(images[index]) for index in batch])
            for index, each in zip(batch, outputs, strict=True):
                out[index] = finish(self.restore(each, *images[index].shape[:2]))
        return out

    def tiling(
        self, height: int, width: int, tile: int | None = None, overlap: int | None = None
    ) -> Tiling | None:
        """Return the tiles for an image, or None if it goes through the networks whole.

        Args:
            height: of the image.
            width: of the image.
            tile: side of the tiles, pixels; None chooses it by the free memory.
            overlap: of neighbouring tiles, pixels; None takes what the networks need, up to half a tile.

        Raises:
            UsageError: if tiles are asked for where the scale rule is not ``native``, or do not fit together.
        """
        if not self.native:
            if tile is not None or overlap is not None:
                raise UsageError(
                    "--tile, --overlap: are for runs at native scale; this one's is "
                    f"{self.preprocessing.scale}"
                )
            return None
        stride = self.stride
        if tile is None:
            if height * width <= self.whole_pixels:
                return None
            side = min(LONGEST_TILE, int(self.whole_pixels**0.5)) // stride * stride
        else:
            side = -(-tile // stride) * stride
            if max(height, width) <= side:
                return None
        wanted = self.reach * 8 / 3 if overlap is None else overlap
        shared = int(-(-wanted // stride)) * stride
        if overlap is None:
            shared = min(shared, side // 2 // stride * stride)
        return cut(height, width, side, shared, stride)

    def logit_bands(self, reader: RegionReader, tiling: Tiling) -> Generator[np.ndarray, None, None]:
        """Yield an image's logits, outputs×rows×width float32, from top to bottom."""

        def run(prepared: list[np.ndarray], height: int, width: int) -> np.ndarray:
            return self.restore(self.forward([prepared])[0], height, width)

        return blended_bands(reader, tiling, self.prepare, run)

    @cached_property
    def reach(self) -> int:
        """How far from a tile's edge the probabilities change visibly, pixels, up to a limit."""
        limit = 16 * self.stride

        def probabilities(noise: np.ndarray) -> np.ndarray:
            image = self.pixels.from_bytes(noise)
            outputs = self.restore(self.forward([self.prepare(image)])[0], *image.shape[:2])
            return to_probabilities(self.parts(outputs)[0])

        return measure_reach(probabilities, limit, self.pixels.count)
