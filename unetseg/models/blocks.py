"""The blocks of our own encoder, one class for each kind of short skip.

Every block maps (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3×3 convolution that keeps the size (up to its stride) and leaves the bias to the norm."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


class Shortcut(nn.Sequential):
    """The identity where shapes agree; else pooling, then a 1×1 convolution (ResNet-D, He et al. 2019).

    Pooling first keeps the 1×1 convolution at stride 1: with stride 2, few channels and the
    channels-last format, its backward pass on the CPU corrupts memory in torch 2.15.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        layers: list[nn.Module] = []
        if stride > 1:
            layers.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if in_channels != out_channels:
            layers += [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    """Post-activation residual block: relu(F(x) + x), two 3×3 convolutions (He et al. 2015)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.shortcut = Shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(F(x) + x)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


BLOCKS: dict[str, Callable[..., nn.Module]] = {"residual": ResidualBlock}
