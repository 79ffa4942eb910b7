"""Lesions: long skips of a trained network switched off, without retraining, in many combinations at once."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from unetseg.models.replacements import Replace
from unetseg.models.unet import Unet

Lesion = frozenset[int]


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
        self.in_channels = model.in_channels
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
            logits = self.model.segmentation_head(x)[:, : self.model.outputs]
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
