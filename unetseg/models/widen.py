"""The control ``widen``: a decoder without some of its skips, made as large as the one with all of them."""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import nn

from unetseg.models.decoder_block import SegmentationHead
from unetseg.models.skips import SkipDecoder

Build = Callable[[Sequence[int], frozenset[int]], SkipDecoder]


def decoder_cost(decoder: SkipDecoder, outputs: int) -> tuple[int, float]:
    """Count a decoder and its head: parameters, and multiply-adds for each pixel of the image.

    A convolution takes as many multiply-adds for each pixel of its level as it has weights; a pixel of
    level k is 4^k pixels of the image.

    Args:
        decoder: on any device, also ``meta``.
        outputs: output channels of the head.
    """
    head = SegmentationHead(decoder.out_channels, outputs)
    parts = [
        (decoder.center, len(decoder.skip_channels)),
        (head, 0),
        *zip(decoder.blocks, decoder.levels, strict=True),
    ]
    by_level = [*decoder.merges.items(), *decoder.activations.items()]
    parts += [(part, int(level)) for level, part in by_level]
    parameters = sum(parameter.numel() for part, _ in parts for parameter in part.parameters())
    return parameters, sum(_weights(part) / 4**level for part, level in parts)


def _weights(module: nn.Module) -> int:
    return sum(layer.weight.numel() for layer in module.modules() if isinstance(layer, nn.Conv2d))


def widened_channels(
    build: Build,
    channels: Sequence[int],
    active_levels: frozenset[int],
    encoder_parameters: int,
    outputs: int,
) -> list[int]:
    """Widen the blocks that lost their skip until the network is as large as the one with every skip on.

    Parameters are matched; where dropping changes their number by less than 1 %, as at level 0, the
    multiply-adds are. Whole channels only; the closest match is returned.

    Args:
        build: makes the decoder of given output channels, deepest first, and levels that are on.
        channels: output channels of each block with every skip on.
        active_levels: those whose skip stays on.
        encoder_parameters: parameters of the encoder.
        outputs: output channels of the head.

    Returns:
        Output channels of each block, deepest first.
    """

    @cache  # the search comes back to its candidates
    def cost(candidate: tuple[int, ...], levels: frozenset[int]) -> tuple[int, float]:
        with torch.device("meta"):
            return decoder_cost(build(candidate, levels), outputs)

    with torch.device("meta"):
        skip_channels = build(channels, active_levels).skip_channels
    levels = frozenset(level for level, count in enumerate(skip_channels) if count)
    lost = [len(skip_channels) - 1 - level for level in sorted(levels - active_levels)]
    if not lost:
        return list(channels)
    full, dropped = cost(tuple(channels), levels), cost(tuple(channels), active_levels)
    measure = 0 if abs(full[0] - dropped[0]) >= 0.01 * (full[0] + encoder_parameters) else 1

    def excess(candidate: Sequence[int]) -> float:
        return cost(tuple(candidate), active_levels)[measure] - full[measure]

    def scaled(factor: float) -> list[int]:
        return [round(c * factor) if i in lost else c for i, c in enumerate(channels)]

    low, high = 1.0, 2.0
    while excess(scaled(high)) < 0:
        high *= 2
    while sum(scaled(high)) - sum(scaled(low)) > 1 and high - low > 1e-9:
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
