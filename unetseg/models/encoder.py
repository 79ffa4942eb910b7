"""Encoders: our own, with a full-resolution level, and every encoder of smp and timm by name."""

from functools import partial

import torch
from torch import Tensor, nn

from unetseg.config import RunConfig
from unetseg.errors import UsageError, did_you_mean, one_line
from unetseg.models.blocks import build_stage, conv3x3
from unetseg.models.initialise import seed_for
from unetseg.models.pretrained import load_pretrained
from unetseg.models.weights_file import load_from_file


class BasicEncoder(nn.Module):
    """The instrument: a stem at full resolution and stages that halve it, every size free.

    Level k has stride 2^k and width · 2^k channels; level 0 is the stem's stage at full resolution.

    Args:
        width: channels at level 0.
        stages: number of levels, the deepest being the bottleneck.
        blocks: blocks a stage.
        short: the short skip of its blocks.
        in_channels: of the images.
    """

    def __init__(
        self,
        width: int = 16,
        stages: int = 5,
        blocks: int = 1,
        short: str = "residual",
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.out_channels = [width * 2**level for level in range(stages)]
        self.stem = nn.Sequential(conv3x3(in_channels, width), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.stages = nn.ModuleList()
        channels = width
        for level, out_channels in enumerate(self.out_channels):
            self.stages.append(
                build_stage(short, channels, out_channels, blocks, stride=1 if level == 0 else 2)
            )
            channels = out_channels

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map (N, C, H, W) to one feature map a level, finest first."""
        features = []
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


def build_encoder(config: RunConfig, in_channels: int = 3) -> nn.Module:
    """Build the encoder that ``config`` names, with weights that depend on the seed alone.

    Pretrained first convolutions adapt to other than three channels as smp and timm have it: of one channel
    the sum over colours, of others these in turn, scaled by three over their number.

    Returns:
        A module with ``out_channels`` (one count a level) that maps an image to a list of features, and with
        ``origin``, a line on what was read, where its weights come from a file.

    Raises:
        UsageError: if there is no encoder of that name.
        UnetsegError: if pretrained weights are asked for and cannot be had.
    """
    if config.encoder == "basic":
        return BasicEncoder(config.width, config.stages, config.blocks, config.short, in_channels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(config.seed, "encoder"))
        encoder = _library_encoder(config.encoder, config.weights, in_channels)
        if config.weights_file is not None:
            encoder.origin = load_from_file(encoder, config)  # type: ignore[assignment]
    return encoder


def channels_by_level(encoder: nn.Module) -> list[int]:
    """Return the channels that each level offers to the decoder, finest level first, bottleneck left out.

    smp lists the input image as level 0 and levels it does not have with 0 channels: both offer none.
    """
    channels = list(encoder.out_channels)  # type: ignore[arg-type]
    if not isinstance(encoder, BasicEncoder):
        channels[0] = 0
    return channels[:-1]


def _library_encoder(name: str, weights: str, in_channels: int) -> nn.Module:
    from segmentation_models_pytorch.encoders import get_encoder, get_encoder_names

    if name.startswith("tu-"):
        import timm

        known = {"tu-" + model for model in timm.list_models()}
        found = name.split(".", maxsplit=1)[0] in known
    else:
        known = {model for model in get_encoder_names() if not model.startswith("timm-")}
        found = name in get_encoder_names()
    if not found:
        hint = (
            did_you_mean(name, known | {"basic"})
            or "; take basic, an smp name such as resnet34, or tu- and a timm name"
        )
        raise UsageError(f"--encoder '{name}': no such encoder{hint}")
    build = partial(get_encoder, name, in_channels=in_channels, depth=5)
    try:
        encoder = build(weights=None)
    except Exception as error:
        raise UsageError(
            f"--encoder '{name}': cannot serve a U-Net of five levels ({one_line(error, 160)})"
        ) from error
    return load_pretrained(name, partial(build, weights=weights)) if weights == "imagenet" else encoder
