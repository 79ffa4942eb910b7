"""The blocks of our own encoder and decoder: two 3×3 convolutions each, and one kind of short skip.

Apart from the short skip they are equal: a convolution has the same name in all of them, and so the same
first weights. Every block maps (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3×3 convolution that keeps the size (up to its stride) and leaves the bias to the norm."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)


def pooling(stride: int) -> nn.AvgPool2d:
    """Return the mean over ``stride``×``stride`` pixels; odd sides are rounded up, as a convolution does."""
    return nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)


class Shortcut(nn.Sequential):
    """The identity where shapes agree; else pooling, then a 1×1 convolution (ResNet-D, He et al. 2019).

    Pooling first keeps the 1×1 convolution at stride 1: with stride 2, few channels and the
    channels-last format, its backward pass on the CPU corrupts memory in torch 2.15.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        layers: list[nn.Module] = []
        if stride > 1:
            layers.append(pooling(stride))
        if in_channels != out_channels:
            layers += [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
        super().__init__(*layers)


class Gate(nn.Conv2d):
    """A 1×1 convolution and a sigmoid: values between 0 and 1.

    Args:
        in_channels: of what it looks at.
        out_channels: how many gates.
        first_bias: of the convolution, before training: below 0 the gates start nearly closed.
    """

    def __init__(self, in_channels: int, out_channels: int, first_bias: float = 0.0) -> None:
        super().__init__(in_channels, out_channels, 1)
        self.first_bias = first_bias

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        return torch.sigmoid(super().forward(x))


class PlainBlock(nn.Module):
    """No short skip: relu(F(x)), where F is two convolutions, each with its norm."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.norm2 = nn.BatchNorm2d(out_channels)

    def transform(self, x: Tensor) -> Tensor:
        """Return F(x)."""
        y: Tensor = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return y

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(F(x))."""
        return torch.relu(self.transform(x))


class ResidualBlock(PlainBlock):
    """Post-activation residual block: relu(F(x) + x) (He et al. 2015)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, stride)
        self.shortcut = Shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(F(x) + x)."""
        return torch.relu(self.transform(x) + self.shortcut(x))

    def start_as_identity(self) -> None:
        """Zero the last norm of F, so that F(x) = 0 before training (Goyal et al. 2017)."""
        nn.init.zeros_(self.norm2.weight)


class PreactivationBlock(nn.Module):
    """Pre-activation residual block: F(x) + x, norm and ReLU before each convolution (He et al. 2016).

    Nothing stands on the identity's path, so a stack of them ends in a sum that was never activated:
    whoever else takes it puts it through :func:`activation`.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.shortcut = Shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return F(x) + x."""
        y = self.conv1(torch.relu(self.norm1(x)))
        y = self.conv2(torch.relu(self.norm2(y)))
        output: Tensor = y + self.shortcut(x)
        return output

    def start_as_identity(self) -> None:
        """Zero the last convolution of F, so that F(x) = 0 before training.

        Not its last norm: a ReLU follows there, whose gradient at 0 is 0, and F would never come alive.
        """
        nn.init.zeros_(self.conv2.weight)


class HighwayBlock(PlainBlock):
    """Gated: T(x)·relu(F(x)) + (1 − T(x))·x (Srivastava et al. 2015), with T a 1×1 gate a channel.

    The gates' first bias of −2 lets the block start by carrying.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__(in_channels, out_channels, stride)
        self.shortcut = Shortcut(in_channels, out_channels, stride)
        self.gate = Gate(out_channels, out_channels, first_bias=-2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return the gated mean of what is carried and what is new."""
        carried = self.shortcut(x)
        output: Tensor = carried + self.gate(carried) * (super().forward(x) - carried)
        return output


class DenseStage(nn.Module):
    """Concatenation: each layer sees the input and all layers before it (Huang et al. 2017).

    Layers are those of the plain block, convolution, norm and ReLU, so that the connection is all that
    differs; a 1×1 transition brings the whole to ``out_channels``. Each layer adds as few channels as
    make the stage as large as a residual one.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        blocks: half the number of layers.
        stride: the input is pooled by it.
    """

    def __init__(self, in_channels: int, out_channels: int, blocks: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.pool = pooling(stride) if stride > 1 else nn.Identity()
        self.layers = nn.ModuleList()
        channels = in_channels
        for growth in dense_growths(in_channels, out_channels, blocks):
            self.layers.append(_conv_norm_relu(conv3x3(channels, growth)))
            channels += growth
        self.transition = _conv_norm_relu(nn.Conv2d(channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        x = self.pool(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        output: Tensor = self.transition(x)
        return output


def _conv_norm_relu(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True))


def dense_growths(in_channels: int, out_channels: int, blocks: int) -> list[int]:
    """Return how many channels each layer of a dense stage adds.

    The first layers add one channel more than the others where that brings the stage's parameters closest
    to those of a residual stage.
    """
    layers = 2 * blocks
    wanted = _residual_parameters(in_channels, out_channels, blocks)

    def growths(total: int) -> list[int]:
        return [total // layers + (index < total % layers) for index in range(layers)]

    def excess(total: int) -> int:
        return _dense_parameters(in_channels, out_channels, growths(total)) - wanted

    total = layers
    while excess(total + 1) <= 0:
        total += 1
    return growths(min((total, total + 1), key=lambda each: abs(excess(each))))


def _residual_parameters(in_channels: int, out_channels: int, blocks: int) -> int:
    projection = (in_channels + 2) * out_channels if in_channels != out_channels else 0
    inner = 2 * blocks - 1
    return 9 * (in_channels + inner * out_channels) * out_channels + 4 * blocks * out_channels + projection


def _dense_parameters(in_channels: int, out_channels: int, growths: Sequence[int]) -> int:
    parameters, channels = 0, in_channels
    for growth in growths:
        parameters += (9 * channels + 2) * growth
        channels += growth
    return parameters + (channels + 2) * out_channels


BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "plain": PlainBlock,
    "residual": ResidualBlock,
    "preactivation": PreactivationBlock,
    "highway": HighwayBlock,
}


def build_stage(
    short: str, in_channels: int, out_channels: int, blocks: int = 1, stride: int = 1
) -> nn.Module:
    """Build blocks of one resolution, joined by one kind of short skip.

    Args:
        short: ``dense`` or a key of ``BLOCKS``.
        in_channels: of the input.
        out_channels: of the output.
        blocks: how many.
        stride: of the first.
    """
    if short == "dense":
        return DenseStage(in_channels, out_channels, blocks, stride)
    first = BLOCKS[short](in_channels, out_channels, stride)
    return nn.Sequential(first, *(BLOCKS[short](out_channels, out_channels) for _ in range(blocks - 1)))


def activation(channels: int) -> nn.Module:
    """Return norm and ReLU, for what leaves pre-activation blocks."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def start_as_identity(module: nn.Module) -> None:
    """Let every residual block below ``module`` start with F(x) = 0, in place."""
    for block in module.modules():
        if isinstance(block, (ResidualBlock, PreactivationBlock)):
            block.start_as_identity()
