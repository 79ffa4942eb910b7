"""Long skips: a decoder of smp's blocks in which every level can be left out, and what stands in for it."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.unet.decoder import UnetCenterBlock, UnetDecoderBlock
from torch import Tensor, nn


class SkipDecoder(nn.Module):
    """smp's U-Net decoder, with each long skip switchable.

    Blocks run from the deepest level to level 0. With all skips on, names and shapes of the parameters
    are those of ``smp.Unet``'s decoder, so weights load strictly both ways.

    Args:
        bottleneck: channels of the encoder's deepest feature.
        skips: channels of the skip at each level, finest first; 0 where the encoder has none.
        channels: output channels of each block, deepest first.
        on: the levels that are on.
        control: what stands in for a level that is off: drop, zero, widen or self.
        center: whether a block at the bottleneck comes first (smp gives one to VGG encoders).
    """

    def __init__(
        self,
        bottleneck: int,
        skips: Sequence[int],
        channels: Sequence[int],
        on: frozenset[int],
        control: str = "drop",
        center: bool = False,
    ) -> None:
        super().__init__()
        self.skips = list(skips)
        self.on = on
        self.control = control
        self.levels = list(range(len(skips)))[::-1]
        self.center: nn.Module = UnetCenterBlock(bottleneck, bottleneck) if center else nn.Identity()
        inputs = [bottleneck, *channels[:-1]]
        joined = [self._joined_channels(level) for level in self.levels]
        self.blocks = nn.ModuleList(
            UnetDecoderBlock(below, skip, out)
            for below, skip, out in zip(inputs, joined, channels, strict=True)
        )

    def _joined_channels(self, level: int) -> int:
        """Return how many channels join the decoder at ``level``."""
        if level in self.on or self.control in ("zero", "self"):
            return self.skips[level]
        return 0

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map the encoder's features, finest first, to (N, channels[-1], H, W)."""
        x = self.center(features[-1])
        for block, level in zip(self.blocks, self.levels, strict=True):
            height, width = features[level].shape[2:]
            joined = self._join(level, x, features[level]) if self._joined_channels(level) else None
            x = block(x, height, width, skip_connection=joined)
        return x

    def _join(self, level: int, x: Tensor, feature: Tensor) -> Tensor:
        """Return what joins the decoder at ``level``: the skip, or its stand-in of the same shape.

        A stand-in is made from the decoder's own path, so nothing of the encoder's feature passes.
        """
        if level in self.on:
            return feature
        if self.control == "zero":
            shape = (x.shape[0], self.skips[level], *feature.shape[2:])
            return torch.zeros(shape, dtype=x.dtype, device=x.device)
        up = F.interpolate(x, size=feature.shape[2:], mode="nearest")
        copies = -(-self.skips[level] // up.shape[1])
        return up.repeat(1, copies, 1, 1)[:, : self.skips[level]]


def decoder_cost(
    bottleneck: int, skips: Sequence[int], channels: Sequence[int], outputs: int
) -> tuple[int, float]:
    """Count the decoder and head: parameters, and multiply-adds for each pixel of the image.

    Args:
        bottleneck: channels of the encoder's deepest feature.
        skips: channels that join at each level, finest first.
        channels: output channels of each block, deepest first.
        outputs: output channels of the head.
    """
    parameters, multiply_adds = 0, 0.0
    below = bottleneck
    for level, out in zip(range(len(skips))[::-1], channels, strict=True):
        weights = 9 * out * (below + skips[level]) + 9 * out * out
        parameters += weights + 4 * out
        multiply_adds += weights / 4**level
        below = out
    head = 9 * below * outputs
    return parameters + head + outputs, multiply_adds + head


def widened_channels(
    bottleneck: int,
    skips: Sequence[int],
    channels: Sequence[int],
    on: frozenset[int],
    encoder_parameters: int,
    outputs: int,
) -> list[int]:
    """Widen the blocks that lost their skip until the network is as large as the one with every skip on.

    Parameters are matched; where dropping changes their number by less than 1 %, as at level 0, the
    multiply-adds are. Whole channels only; the closest match is returned.

    Args:
        bottleneck: channels of the encoder's deepest feature.
        skips: channels of the skip at each level, finest first, all of them.
        channels: output channels of each block with every skip on, deepest first.
        on: the levels that stay on.
        encoder_parameters: parameters of the encoder.
        outputs: output channels of the head.

    Returns:
        Output channels of each block, deepest first.
    """
    kept = [count if level in on else 0 for level, count in enumerate(skips)]
    lost = [len(skips) - 1 - level for level, count in enumerate(skips) if count and level not in on]
    if not lost:
        return list(channels)
    full = decoder_cost(bottleneck, skips, channels, outputs)
    dropped = decoder_cost(bottleneck, kept, channels, outputs)
    measure = 0 if (full[0] - dropped[0]) >= 0.01 * (full[0] + encoder_parameters) else 1

    def excess(candidate: Sequence[int]) -> float:
        return decoder_cost(bottleneck, kept, candidate, outputs)[measure] - full[measure]

    def scaled(factor: float) -> list[int]:
        return [round(c * factor) if i in lost else c for i, c in enumerate(channels)]

    low, high = 1.0, 2.0
    while excess(scaled(high)) < 0:
        high *= 2
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(scaled(middle)) < 0 else (low, middle)
    return _refined(scaled(low), lost, excess)


def _refined(channels: list[int], lost: Sequence[int], excess: Callable[[Sequence[int]], float]) -> list[int]:
    """Add or take single channels of the widened blocks while that brings the excess closer to zero."""
    while True:
        steps = [[*channels[:i], channels[i] + step, *channels[i + 1 :]] for i in lost for step in (1, -1)]
        best = min(steps, key=lambda candidate: abs(excess(candidate)))
        if abs(excess(best)) >= abs(excess(channels)):
            return channels
        channels = best
