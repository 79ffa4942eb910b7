"""Networks as one: what an image goes through before and after them, and how many go together."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from unetseg.data.images.pixel_rule import PixelRule
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError
from unetseg.inference.logits import average, average_parts
from unetseg.inference.networks import IN_USE, Network, most_pixels

Image = TypeVar("Image")
NetworkSizes = tuple[tuple[int, int], ...]  # (height, width) of one image for each member's network

_FLIPS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (0, 1))  # of (rows, columns)


@dataclass(frozen=True)
class Member:
    """One network, what its images go through first, and what the network is called.

    Attributes:
        network: the network.
        preprocessing: what images go through first.
        name: what the network is called.
        depth: whether the network's last output is no logit but how deep in its object a pixel lies.
    """

    network: Network
    preprocessing: Preprocessing
    name: str = "network"
    depth: bool = False


class Ensemble:
    """One or more networks whose probabilities are averaged, and those of an image's flips, too.

    Args:
        members: one or more networks of the same classes.
        flips: also run the image flipped along rows, columns and both (test-time augmentation).

    Attributes:
        variants: how many networks' logits each member returns, one after the other along the outputs.
        network_seconds: spent in the networks so far.
        with_depth: whether the depth in objects follows the logits of ``restore``; all members must have it.
    """

    def __init__(self, members: Sequence[Member], flips: bool = False) -> None:
        self.members = list(members)
        self.flips = flips
        self.variants = 1
        self.network_seconds = 0.0
        self.with_depth = False

    def __str__(self) -> str:
        return "; ".join(dict.fromkeys(str(member.network) for member in self.members))

    @property
    def preprocessing(self) -> Preprocessing:
        """Scale rule and normalisation of the first member."""
        return self.members[0].preprocessing

    @property
    def pixels(self) -> PixelRule:
        """Which channels of image files are read, and how; alike for all members but for the range."""
        return self.preprocessing.pixels

    @property
    def stride(self) -> int:
        """The coarsest stride of all members; all strides are powers of two."""
        return max(member.network.stride for member in self.members)

    @property
    def native(self) -> bool:
        """Whether every member sees images at their own scale, so that tiles are possible."""
        return all(member.preprocessing.longest is None for member in self.members)

    @cached_property
    def whole_pixels(self) -> int:
        """The most pixels that go through the networks at once, by the memory that was free at first."""
        return max(self.stride**2, min(most_pixels(member.network) for member in self.members))

    def batches(
        self, images: Iterable[Image], size_of: Callable[[Image], tuple[int, int]]
    ) -> Iterator[tuple[NetworkSizes, list[Image]]]:
        """Group images that have the same size for the networks.

        Args:
            images: or whatever stands for them.
            size_of: returns the (height, width) of one.

        Yields:
            The size of a group, and as many of its images as are best run together.
        """
        groups: dict[NetworkSizes, list[Image]] = {}
        for image in images:
            groups.setdefault(self.network_sizes(*size_of(image)), []).append(image)
        for sizes, group in groups.items():
            count = self.batch_size(sizes)
            for start in range(0, len(group), count):
                yield sizes, group[start : start + count]

    def network_sizes(self, height: int, width: int) -> NetworkSizes:
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
        """Return what each member's network is given for an image: H'×W'×C float32.

        Args:
            image: H×W×C as ``pixels`` has it read; H×W×3 uint8 of a run on 8-bit pictures.

        Raises:
            ValueError: if the image has other channels, or values of another type.
        """
        self.pixels.check(image)
        return [member.preprocessing.prepare(image, member.network.stride) for member in self.members]

    def forward(self, prepared: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
        """Run every member's network on images prepared to the same sizes.

        Args:
            prepared: for each image, what ``prepare`` returned.

        Returns:
            For each image, one outputs×H'×W' float32 a member.

        Raises:
            UnetsegError: if an output is not finite: a mask made of it would be background, or anything.
        """
        started = time.perf_counter()
        by_member = [
            self._run(member, np.stack(batch))
            for member, batch in zip(self.members, zip(*prepared, strict=True), strict=True)
        ]
        self.network_seconds += time.perf_counter() - started
        if not all(np.isfinite(logits).all() for logits in by_member):
            raise UnetsegError(
                "the network's output holds numbers that are not finite (NaN or infinite): its weights are "
                "damaged, or too large for --precision float16; train again, or take --precision float32"
            )
        return [list(logits) for logits in zip(*by_member, strict=True)]

    def restore(self, outputs: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
        """Bring the members' logits to the image's own size and make one of them.

        Args:
            outputs: of one image, as ``forward`` returned them.
            height: of the original image.
            width: of the original image.

        Returns:
            outputs×height×width float32, and one plane more ``with_depth``.
        """
        restored = [
            member.preprocessing.restore(logits, height, width)
            for member, logits in zip(self.members, outputs, strict=True)
        ]
        if self.with_depth:
            return average_parts(restored, depth=True)
        pairs = zip(self.members, restored, strict=True)
        return average([each[:-1] if member.depth else each for member, each in pairs])

    def _run(self, member: Member, batch: np.ndarray) -> list[np.ndarray]:
        """Map N×H×W×C to N×outputs×H×W, over the flips if they are asked for."""
        if not self.flips:
            return list(member.network(batch))
        views = []
        for axes in _FLIPS:
            flipped = member.network(np.flip(batch, tuple(1 + axis for axis in axes)))
            views.append(np.flip(flipped, tuple(2 + axis for axis in axes)))
        return [self._average(each, member.depth) for each in zip(*views, strict=True)]

    def _average(self, views: Sequence[np.ndarray], depth: bool) -> np.ndarray:
        """Return the mean of an image's views, for each variant by itself, and of the depth in objects."""
        by_variant = zip(*(np.split(view, self.variants) for view in views), strict=True)
        return np.concatenate([average_parts(each, depth) for each in by_variant])
