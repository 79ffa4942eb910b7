"""What stands in the place of a long skip of a trained network that is switched off."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

# Maps a level and what comes over its skip, (N, C, H, W), to what stands in its place.
Replace = Callable[[int, Tensor], Tensor]


def zeros(level: int, feature: Tensor) -> Tensor:
    """Return zeros in a feature's place."""
    return torch.zeros_like(feature)


def shuffled(level: int, feature: Tensor) -> Tensor:
    """Return a feature whose positions have changed places, all channels of a position together.

    What stays is the distribution of this image's own features, what goes is where they were. The new order
    is a function of the level and the size alone, so that it depends neither on the batch nor on chance.
    """
    height, width = feature.shape[2:]
    order = np.random.default_rng(level).permutation(height * width)
    places = torch.from_numpy(order).to(feature.device)
    return torch.empty_like(feature).copy_(feature.flatten(2)[:, :, places].view(feature.shape))


def replace_by_means(means: Mapping[int, Tensor]) -> Replace:
    """Return the function that puts its channels' means, (C,) a level, in a feature's place."""

    def replace(level: int, feature: Tensor) -> Tensor:
        return torch.empty_like(feature).copy_(means[level][:, None, None].to(feature))

    return replace
