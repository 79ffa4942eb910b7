"""Lesions: long skips of a trained network switched off, without retraining, in many combinations at once."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from unetseg.models.unet import Unet

Lesion = frozenset[int]
Replace = Callable[[int, Tensor], Tensor]


class LesionedUnet(nn.Module):
    """A network under several lesions; what these have in common is computed once.

    The encoder runs once. The decoder is walked from the deepest level up as a binary tree, in which lesions
    that agree on the deep levels share the blocks there.

    Args:
        model: trained.
        lesions: each the levels to switch off, out of those that are on.
        replace: maps a level and what comes over its skip, (N, C, H, W), to what stands in its place.
    """

    def __init__(self, model: Unet, lesions: Sequence[Lesion], replace: Replace) -> None:
        super().__init__()
        self.model = model
        self.stride = model.stride
        self.lesions = list(lesions)
        self.replace = replace

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 3, H, W) to the logits under each lesion in turn, (N, lesions · outputs, H, W)."""
        decoder = self.model.decoder
        features = decoder.received(self.model.features(images))
        replaced = {
            level: self.replace(level, features[level]) for level in frozenset[int]().union(*self.lesions)
        }
        walk = self._walk(decoder.center(features[-1]), decoder.levels, features, replaced, self.lesions)
        logits = dict(walk)
        return torch.cat([logits[lesion] for lesion in self.lesions], dim=1)

    def _walk(
        self,
        x: Tensor,
        levels: Sequence[int],
        features: Sequence[Tensor],
        replaced: Mapping[int, Tensor],
        lesions: Collection[Lesion],
    ) -> Iterator[tuple[Lesion, Tensor]]:
        """Yield each lesion with its logits.

        Args:
            x: what the decoder made of the deeper levels, on which all these lesions agree.
            levels: still to come, deepest first.
            features: as the decoder received them.
            replaced: what stands in their place, by level.
            lesions: that lie below this branch.
        """
        if not levels:
            logits = self.model.segmentation_head(x)
            yield from ((lesion, logits) for lesion in lesions)
            return
        level, rest = levels[0], levels[1:]
        for off in (False, True):
            branch = [lesion for lesion in lesions if (level in lesion) == off]
            if branch:
                joining = [*features]
                joining[level] = replaced[level] if off else features[level]
                y = self.model.decoder.step(level, x, joining)
                yield from self._walk(y, rest, features, replaced, branch)


class FeatureMeans(nn.Module):
    """Adds up, over all images that it is given, the channels of what comes over each long skip.

    It stands in the place of a network, so that images reach it as they reach the network itself; what it
    returns in the place of logits means nothing.
    """

    def __init__(self, model: Unet) -> None:
        super().__init__()
        self.model = model
        self.stride = model.stride
        self._sums: dict[int, Tensor] = {}
        self._counts = dict.fromkeys(model.active_levels, 0)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 1, H, W)."""
        features = self.model.decoder.received(self.model.features(images))
        for level in self.model.active_levels:
            channels = features[level].float().sum(dim=(0, 2, 3)).cpu().double()
            self._sums[level] = self._sums.get(level, 0) + channels
            self._counts[level] += features[level][:, 0].numel()
        return images[:, :1]

    @property
    def means(self) -> dict[int, Tensor]:
        """The mean of each channel over all positions of all images, (C,) float64, by level."""
        return {level: total / self._counts[level] for level, total in self._sums.items()}


def zeros(level: int, feature: Tensor) -> Tensor:
    """Return zeros in a feature's place."""
    return torch.zeros_like(feature)


def replace_by_means(means: Mapping[int, Tensor]) -> Replace:
    """Return the function that puts its channels' means, (C,) a level, in a feature's place."""

    def replace(level: int, feature: Tensor) -> Tensor:
        return torch.empty_like(feature).copy_(means[level][:, None, None].to(feature))

    return replace


def shuffled(level: int, feature: Tensor) -> Tensor:
    """Return a feature whose positions have changed places, all channels of a position together.

    What stays is the distribution of this image's own features, what goes is where they were. The new order
    is a function of the level and the size alone, so that it depends neither on the batch nor on chance.
    """
    height, width = feature.shape[2:]
    order = np.random.default_rng(level).permutation(height * width)
    places = torch.from_numpy(order).to(feature.device)
    return torch.empty_like(feature).copy_(feature.flatten(2)[:, :, places].view(feature.shape))
