"""The U-Net whose connections can be switched on and off."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from unetseg.config import RunConfig
from unetseg.errors import UsageError
from unetseg.models.blocks import start_as_identity
from unetseg.models.decoder_block import SegmentationHead
from unetseg.models.encoder import BasicEncoder, build_encoder, channels_by_level
from unetseg.models.initialise import initialise, initialise_head
from unetseg.models.skips import SkipDecoder
from unetseg.models.transformer import Transformer
from unetseg.models.widen import widened_channels
from unetseg.skip_levels import select_levels
from unetseg.utilities.channel_lists import split_channels

SMP_DECODER_CHANNELS = (256, 128, 64, 32, 16)


class Unet(nn.Module):
    """Encoder, bottleneck, decoder with switchable long skips, and a head that returns logits.

    Attributes:
        levels: the skip levels that the encoder has.
        active_levels: those of them whose skip is on.
        in_channels: of the images.
        stride: the coarsest stride; inputs whose sides it divides are the fastest.
        outputs: of the head that are logits; where objects are learned, the depth in them follows.
    """

    def __init__(
        self,
        encoder: nn.Module,
        bottleneck: nn.Module,
        decoder: SkipDecoder,
        outputs: int,
        in_channels: int = 3,
        objects: bool = False,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.encoder = encoder
        self.bottleneck = bottleneck
        self.decoder = decoder
        self.segmentation_head = SegmentationHead(decoder.out_channels, outputs + objects)
        self.outputs = outputs
        self.levels = [level for level, count in enumerate(decoder.skip_channels) if count]
        self.active_levels = decoder.active_levels
        self.stride = 2 ** len(decoder.skip_channels)

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, C, H, W) to logits (N, outputs, H, W), perhaps with the depth."""
        logits: Tensor = self.segmentation_head(self.decoder(self.features(images)))
        return logits

    def features(self, images: Tensor) -> list[Tensor]:
        """Map normalised images (N, C, H, W) to what the decoder is given: one map a level, finest first.

        The deepest has been through the bottleneck.
        """
        *finer, deepest = self.encoder(images)
        return [*finer, self.bottleneck(deepest)]


def build_model(config: RunConfig, outputs: int = 1, in_channels: int | None = None) -> Unet:
    """Build the network that ``config`` describes, with its first weights.

    Args:
        config: the run's configuration; only its model part and the seed matter.
        outputs: channels of the logits, as ``output_channels`` gives them. Where objects are learned, one
            more follows: how deep in its object a pixel lies, from 0 to 1.
        in_channels: of the images; as many as the configuration names, or 3, if not given.

    Raises:
        UsageError: if the encoder is unknown or has not the levels that are named.
    """
    in_channels = in_channels or len(split_channels(config.channels) or "RGB")
    encoder = build_encoder(config, in_channels)
    skip_channels = channels_by_level(encoder)
    available = [level for level, count in enumerate(skip_channels) if count]
    active_levels = select_levels(config.skips, available, config.encoder)
    deepest = int(encoder.out_channels[-1])  # type: ignore[index]
    bottleneck = _bottleneck(config, deepest)
    channels = _decoder_channels(encoder, skip_channels)

    def decoder_of(channels: Sequence[int], active_levels: frozenset[int]) -> SkipDecoder:
        return SkipDecoder(
            deepest,
            skip_channels,
            channels,
            active_levels,
            config.control,
            center=config.encoder.startswith("vgg"),
            merge=config.merge,
            short=config.short if config.short_decoder else None,
            raw=config.short == "preactivation",
        )

    if config.control == "widen":
        count = sum(parameter.numel() for part in (encoder, bottleneck) for parameter in part.parameters())
        channels = widened_channels(decoder_of, channels, active_levels, count, outputs + config.objects)
    decoder = decoder_of(channels, active_levels)
    model = Unet(encoder, bottleneck, decoder, outputs, in_channels, config.objects)
    if isinstance(encoder, BasicEncoder):
        initialise(encoder, config.seed, "encoder")
    initialise(bottleneck, config.seed, "bottleneck")
    initialise(decoder, config.seed, "decoder")
    initialise_head(model.segmentation_head, config.seed, "segmentation_head")
    if config.zero_init:
        start_as_identity(model)
    return model


def output_channels(classes: int) -> int:
    """Return the channels of the logits for so many classes, the background among them.

    One foreground class has one, its logit against the background; several have one a class, the background's
    too.
    """
    return 1 if classes == 2 else classes


def skip_levels(config: RunConfig) -> list[int]:
    """Return the skip levels of the encoder that ``config`` names, finest first; its weights do not matter.

    Raises:
        UsageError: if the encoder is unknown.
    """
    channels = channels_by_level(build_encoder(config.changed(weights="none")))
    return [level for level, count in enumerate(channels) if count]


def _bottleneck(config: RunConfig, channels: int) -> nn.Module:
    if config.bottleneck == "none":
        return nn.Identity()
    return Transformer(channels, config.bottleneck_layers, config.norm, config.bottleneck_residual == "on")


def _decoder_channels(encoder: nn.Module, skip_channels: list[int]) -> list[int]:
    """Return the blocks' output channels, deepest first: smp's own, or the basic encoder's mirrored."""
    return skip_channels[::-1] if isinstance(encoder, BasicEncoder) else list(SMP_DECODER_CHANNELS)


def load_weights(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load ``state`` strictly into ``model``."""
    with torch.no_grad():
        model.load_state_dict(state, strict=True)


def check_size(config: RunConfig, model: Unet) -> None:
    """Raise a UsageError unless the network can halve crops of the configured size."""
    if config.size % model.stride:
        below, above = (
            config.size // model.stride * model.stride,
            -(-config.size // model.stride) * model.stride,
        )
        nearest = f"{below} or {above}" if below else f"{above}"
        raise UsageError(
            f"--size {config.size}: must be a multiple of {model.stride} for this encoder; try {nearest}"
        )
