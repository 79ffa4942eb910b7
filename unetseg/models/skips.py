"""Long skips: a decoder in which every level can be left out, and what stands in for it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from unetseg.models.blocks import activation, build_stage
from unetseg.models.decoder_block import CenterBlock, DecoderBlock
from unetseg.models.merges import MERGES


class SkipDecoder(nn.Module):
    """smp's U-Net decoder, with each long skip switchable, and the way in which it joins.

    Blocks run from the deepest level to level 0. With all skips on and concatenated, names and shapes of the
    parameters are those of ``smp.Unet``'s decoder, so weights load strictly both ways.

    Args:
        bottleneck: channels of the encoder's deepest feature.
        skip_channels: channels of the skip at each level, finest first; 0 where the encoder has none.
        channels: output channels of each block, deepest first.
        active_levels: those whose skip is on.
        control: what stands in for a level that is off: drop, zero, widen or self.
        center: whether a block at the bottleneck comes first (smp gives one to VGG encoders).
        merge: how a skip, or its stand-in, joins: a key of ``MERGES``.
        short: the short skip of the blocks; smp's plain blocks if not given.
        raw: whether features come without norm and ReLU, as from pre-activation blocks.
    """

    def __init__(
        self,
        bottleneck: int,
        skip_channels: Sequence[int],
        channels: Sequence[int],
        active_levels: frozenset[int],
        control: str = "drop",
        center: bool = False,
        merge: str = "concat",
        short: str | None = None,
        raw: bool = False,
    ) -> None:
        super().__init__()
        self.skip_channels = list(skip_channels)
        self.active_levels = active_levels
        self.control = control
        self.out_channels = channels[-1]
        self.levels = list(range(len(skip_channels)))[::-1]
        self.center: nn.Module = CenterBlock(bottleneck) if center else nn.Identity()
        self.blocks = nn.ModuleList()
        # By level: what joins, and what is to be activated first. Other levels have none.
        self.merges = nn.ModuleDict()
        received = {len(skip_channels): bottleneck}
        received |= {level: skip_channels[level] for level in sorted(active_levels)}
        self.activations = nn.ModuleDict({str(k): activation(count) for k, count in received.items() if raw})
        below = bottleneck
        for level, out in zip(self.levels, channels, strict=True):
            if self._joins(level):
                joined = MERGES[merge](below, self.skip_channels[level])
                self.merges[str(level)] = joined
                below = joined.out_channels  # type: ignore[assignment]
            self.blocks.append(_block(below, out, short))
            below = out

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map the encoder's features, finest first, to (N, channels[-1], H, W)."""
        features = self.received(features)
        x: Tensor = self.center(features[-1])
        for level in self.levels:
            x = self.step(level, x, features)
        return x

    def received(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the encoder's features as they are taken: with norm and ReLU where they come without."""
        return [
            self.activations[str(level)](feature) if str(level) in self.activations else feature
            for level, feature in enumerate(features)
        ]

    def step(self, level: int, x: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Run one level: upsample what comes from below, join the skip or its stand-in, run the block.

        Args:
            level: that is reached.
            x: (N, C, h, w), from the level below.
            features: as ``received`` returned them; of those finer and coarser nothing is used.

        Returns:
            (N, out, H, W), of the level's size.
        """
        x = F.interpolate(x, size=features[level].shape[2:], mode="nearest")
        if str(level) in self.merges:
            x = self.merges[str(level)](x, self._joining(level, x, features))
        output: Tensor = self.blocks[self.levels.index(level)](x)
        return output

    def _joins(self, level: int) -> bool:
        """Tell whether anything joins the decoder at ``level``: its skip, or a stand-in of the same shape."""
        if not self.skip_channels[level]:
            return False
        if level in self.active_levels:
            return True
        match self.control:
            case "zero" | "self":
                return True
            case "drop" | "widen":
                return False
            case unknown:
                raise ValueError(f"control '{unknown}': must be drop, zero, widen or self")

    def _joining(self, level: int, up: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Return what joins the decoder at ``level``: the skip, or its stand-in of the same shape.

        A stand-in is made from the decoder's own path, so nothing of the encoder's feature passes.
        """
        if level in self.active_levels:
            return features[level]
        channels = self.skip_channels[level]
        match self.control:
            case "zero":
                shape = (up.shape[0], channels, *up.shape[2:])
                return torch.zeros(shape, dtype=up.dtype, device=up.device)
            case "self":
                copies = -(-channels // up.shape[1])
                return up.repeat(1, copies, 1, 1)[:, :channels]
            case _:
                raise ValueError(f"level {level}: nothing joins there under the control '{self.control}'")


def _block(in_channels: int, out_channels: int, short: str | None) -> nn.Module:
    if short is None:
        return DecoderBlock(in_channels, out_channels)
    closing = activation(out_channels) if short == "preactivation" else nn.Identity()
    return nn.Sequential(build_stage(short, in_channels, out_channels), closing)
