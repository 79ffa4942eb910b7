"""The decoder's plain block, the block at the bottleneck, and the head: those of smp's U-Net, made here.

Names and shapes of the parameters are smp's (segmentation_models_pytorch 0.6, decoders/unet/decoder.py and
base/heads.py), so weights load strictly both ways. Importing smp takes as long as importing torch: a net of
our own encoder does without.
"""

from torch import Tensor, nn

from unetseg.models.blocks import conv3x3


class ConvNormReLU(nn.Sequential):
    """A 3×3 convolution, its norm and ReLU: (N, in_channels, H, W) to (N, out_channels, H, W)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            conv3x3(in_channels, out_channels), nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)
        )


class DecoderBlock(nn.Module):
    """Two of them (smp's ``UnetDecoderBlock``); upsampling and joining are the decoder's."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNormReLU(in_channels, out_channels)
        self.conv2 = ConvNormReLU(out_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        output: Tensor = self.conv2(self.conv1(x))
        return output


class CenterBlock(nn.Sequential):
    """Two of them at the bottleneck, channels kept (smp's ``UnetCenterBlock``)."""

    def __init__(self, channels: int) -> None:
        super().__init__(ConvNormReLU(channels, channels), ConvNormReLU(channels, channels))


class SegmentationHead(nn.Sequential):
    """A 3×3 convolution to logits: (N, in_channels, H, W) to (N, outputs, H, W)."""

    def __init__(self, in_channels: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(in_channels, outputs, 3, padding=1))
