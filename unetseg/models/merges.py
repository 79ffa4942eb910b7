"""Merges: how what comes over a long skip joins the decoder's own features.

Each maps the decoder's upsampled features (N, up, H, W) and the skip's (N, skip, H, W) to
(N, ``out_channels``, H, W).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from unetseg.models.blocks import Gate


class Concat(nn.Module):
    """Both, one after the other (Ronneberger et al. 2015)."""

    def __init__(self, up: int, skip: int) -> None:
        super().__init__()
        self.out_channels = up + skip

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        """Return [up, skip]."""
        return torch.cat([up, skip], dim=1)


class Add(nn.Module):
    """Their sum; a 1×1 convolution P brings the skip to the decoder's channels where they differ."""

    def __init__(self, up: int, skip: int) -> None:
        super().__init__()
        self.out_channels = up
        self.project = nn.Identity() if up == skip else nn.Conv2d(skip, up, 1, bias=False)

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        """Return up + P(skip)."""
        joined: Tensor = up + self.project(skip)
        return joined


class GatedSum(Add):
    """Their gated mean, T·P(skip) + (1 − T)·up, as in a highway block; T looks at both."""

    def __init__(self, up: int, skip: int) -> None:
        super().__init__(up, skip)
        self.gate = Gate(2 * up, up)

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        """Return T·P(skip) + (1 − T)·up."""
        projected = self.project(skip)
        joined: Tensor = up + self.gate(torch.cat([up, projected], dim=1)) * (projected - up)
        return joined


class Attention(nn.Module):
    """Concatenation, each pixel of the skip weighted: the Attention U-Net's gate (Oktay et al. 2018).

    The weight of a pixel is σ(ψ(relu(W_up·up + W_skip·skip))); the decoder's features decide it at the skip's
    own resolution.
    """

    def __init__(self, up: int, skip: int) -> None:
        super().__init__()
        self.out_channels = up + skip
        inner = max(1, skip // 2)
        self.from_up = nn.Conv2d(up, inner, 1)
        self.from_skip = nn.Conv2d(skip, inner, 1, bias=False)
        self.weight = Gate(inner, 1)

    def forward(self, up: Tensor, skip: Tensor) -> Tensor:
        """Return [up, weight·skip]."""
        weight = self.weight(torch.relu(self.from_up(up) + self.from_skip(skip)))
        return torch.cat([up, weight * skip], dim=1)


MERGES: dict[str, Callable[[int, int], nn.Module]] = {
    "concat": Concat,
    "add": Add,
    "gate": GatedSum,
    "attention": Attention,
}
