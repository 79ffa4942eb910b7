"""Trained runs as one function from images to masks."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from unetseg.data.images.regions import ArrayReader, RegionReader
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.logits import average, to_mask, to_probabilities
from unetseg.inference.networks import IN_USE, Network, TorchNetwork, most_pixels
from unetseg.inference.tiles import Tiling, blended_bands, cut, measure_reach

LONGEST_TILE = 4096  # pixels; more of them bring no speed, on any device

_FLIPS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (0, 1))  # of (rows, columns)


@dataclass(frozen=True)
class Member:
    """One network and what its images go through first."""

    network: Network
    preprocessing: Preprocessing


class Predictor:
    """Maps an H×W×3 uint8 RGB image of any size to an H×W uint8 mask of class indices.

    Of several members, and of the flips of an image, probabilities are averaged.

    Args:
        members: one or more networks of the same classes.
        classes: class names, index 0 the background.
        colours: one RGB colour a class.
        flips: also predict the image flipped along rows, columns and both (test-time augmentation).
        threshold: probability above which a pixel is foreground, where there is one foreground class.

    Attributes:
        network_seconds: spent in the networks so far.
    """

    def __init__(
        self,
        members: Sequence[Member],
        classes: Sequence[str],
        colours: Sequence[Sequence[int]],
        *,
        flips: bool = False,
        threshold: float = 0.5,
    ) -> None:
        self.members = list(members)
        self.classes: tuple[str, ...] = tuple(classes)
        self.colours = [(int(r), int(g), int(b)) for r, g, b in colours]
        self.flips = flips
        self.threshold = threshold
        self.network_seconds = 0.0

    def __str__(self) -> str:
        return "; ".join(dict.fromkeys(str(member.network) for member in self.members))

    @property
    def preprocessing(self) -> Preprocessing:
        """Scale rule and normalisation of the first member."""
        return self.members[0].preprocessing

    @property
    def model(self) -> torch.nn.Module:
        """The PyTorch module of a predictor of one run."""
        (member,) = self.members
        if not isinstance(member.network, TorchNetwork):
            raise UnetsegError("this predictor runs in ONNX Runtime; load the run itself for its module")
        return member.network.model

    @property
    def stride(self) -> int:
        """The coarsest stride of all members; all strides are powers of two."""
        return max(member.network.stride for member in self.members)

    @property
    def native(self) -> bool:
        """Whether every member sees images at their own scale, so that tiles are possible."""
        return all(member.preprocessing.longest is None for member in self.members)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the mask, H×W uint8, of an image H×W×3 uint8."""
        return self.mask(self.logits([image])[0])

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Return the probability of each class, C×H×W float32, of an image H×W×3 uint8."""
        return to_probabilities(self.logits([image])[0])

    def mask(self, logits: np.ndarray) -> np.ndarray:
        """Return the class of each pixel, H×W uint8, from logits outputs×H×W."""
        return to_mask(logits, self.threshold)

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
        groups: dict[tuple[tuple[int, int], ...], list[int]] = {}
        for index, image in enumerate(images):
            _check_image(image)
            tiling = self.tiling(*image.shape[:2])
            if tiling is None:
                groups.setdefault(self.network_sizes(*image.shape[:2]), []).append(index)
            else:
                bands = self.logit_bands(ArrayReader(image), tiling)
                out[index] = np.concatenate([finish(band) for band in bands], axis=1)
        for sizes, indices in groups.items():
            count = self.batch_size(sizes)
            for chunk in (indices[start : start + count] for start in range(0, len(indices), count)):
                outputs = self.forward([self.prepare(images[index]) for index in chunk])
                for index, each in zip(chunk, outputs, strict=True):
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
    def whole_pixels(self) -> int:
        """The most pixels that go through the networks at once, by the memory that was free at first."""
        return max(self.stride**2, min(most_pixels(member.network) for member in self.members))

    @cached_property
    def reach(self) -> int:
        """How far from a tile's edge the probabilities change visibly, pixels, up to a limit."""
        limit = 16 * self.stride

        def probabilities(image: np.ndarray) -> np.ndarray:
            return to_probabilities(self.restore(self.forward([self.prepare(image)])[0], *image.shape[:2]))

        return measure_reach(probabilities, limit)

    def network_sizes(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Return the size, (height, width), that an image has for each member's network."""
        return tuple(
            member.preprocessing.padded_size(height, width, member.network.stride) for member in self.members
        )

    def too_large(self, sizes: Sequence[tuple[int, int]]) -> str:
        """Return why images of these ``network_sizes`` cannot go through whole, or nothing if they can."""
        for member, (height, width) in zip(self.members, sizes, strict=True):
            if height * width <= self.whole_pixels:
                continue
            needed = height * width * member.network.bytes_per_pixel * IN_USE
            free = member.network.free_bytes()
            if needed > free:
                return (
                    f"needs about {needed / 1e9:.1f} GB for the network at scale "
                    f"{member.preprocessing.scale}, {free / 1e9:.1f} GB are free; make it smaller"
                )
        return ""

    def batch_size(self, sizes: Sequence[tuple[int, int]]) -> int:
        """Return how many images of these ``network_sizes`` are best run together."""
        pairs = zip(self.members, sizes, strict=True)
        return max(1, min(member.network.batch_pixels // (high * wide) for member, (high, wide) in pairs))

    def prepare(self, image: np.ndarray) -> list[np.ndarray]:
        """Return what each member's network is given for an image: H'×W'×3 float32.

        Raises:
            ValueError: if the image is not H×W×3 uint8.
        """
        _check_image(image)
        return [member.preprocessing.prepare(image, member.network.stride) for member in self.members]

    def forward(self, prepared: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
        """Run every member's network on images prepared to the same sizes.

        Args:
            prepared: for each image, what ``prepare`` returned.

        Returns:
            For each image, one outputs×H'×W' float32 a member.
        """
        started = time.perf_counter()
        by_member = [
            self._run(member.network, np.stack(batch))
            for member, batch in zip(self.members, zip(*prepared, strict=True), strict=True)
        ]
        self.network_seconds += time.perf_counter() - started
        return [list(logits) for logits in zip(*by_member, strict=True)]

    def restore(self, outputs: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
        """Bring the members' logits to the image's own size and make one of them.

        Args:
            outputs: of one image, as ``forward`` returned them.
            height: of the original image.
            width: of the original image.

        Returns:
            outputs×height×width float32.
        """
        restored = [
            member.preprocessing.restore(logits, height, width)
            for member, logits in zip(self.members, outputs, strict=True)
        ]
        return average(restored)

    def _run(self, network: Network, batch: np.ndarray) -> list[np.ndarray]:
        """Map N×H×W×3 to N×outputs×H×W, over the flips if they are asked for."""
        if not self.flips:
            return list(network(batch))
        views = []
        for axes in _FLIPS:
            flipped = network(np.flip(batch, tuple(1 + axis for axis in axes)))
            views.append(np.flip(flipped, tuple(2 + axis for axis in axes)))
        return [average(each) for each in zip(*views, strict=True)]


def _check_image(image: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"image: expected H×W×3 uint8, got {image.dtype} of shape {image.shape}")
