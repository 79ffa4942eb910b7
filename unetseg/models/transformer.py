"""A transformer at the U-Net's bottleneck, whose norms and identity paths are under test.

Each pixel of the deepest feature is one token, as wide as the feature has channels. Arms that differ in the
place of the norm or in the residual connection have the same layers under the same names, and so the same
first weights; the norm that closes a pre-LN stack is all that comes on top.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD_CHANNELS = 32  # at least, of each head
LONGEST_WAVE = 10_000  # of the positions, in pixels over 2π (Vaswani et al. 2017)


class Transformer(nn.Module):
    """Encoder layers of a transformer over all pixels of a feature map (Vaswani et al. 2017).

    Args:
        channels: of the feature map.
        layers: how many.
        norm: ``pre``, before each sub-layer, with one more at the end, or ``post``, after it
            (Xiong et al. 2020).
        residual: whether each sub-layer's input is added to its output.
    """

    def __init__(self, channels: int, layers: int, norm: str = "pre", residual: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(channels, norm, residual) for _ in range(layers))
        self.norm = nn.LayerNorm(channels) if norm == "pre" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W), of any size, to the same shape and number format."""
        height, width = x.shape[2:]
        tokens = x.flatten(2).transpose(1, 2) + positions(height, width, x.shape[1], x.device)
        for layer in self.layers:
            tokens = layer(tokens)
        tokens = self.norm(tokens).to(x.dtype)  # under autocast the sums are float32
        image: Tensor = tokens.transpose(1, 2).unflatten(2, (height, width))
        return image


class TransformerLayer(nn.Module):
    """Self-attention, then two linear layers with a ReLU between them: two sub-layers, each with its norm.

    A sub-layer F maps x to x + F(LN(x)) with ``pre`` and to LN(x + F(x)) with ``post``; without the residual
    connection to F(LN(x)) and LN(F(x)). There is no dropout.

    Args:
        channels: of a token.
        norm: ``pre`` or ``post``.
        residual: whether x is added.
    """

    def __init__(self, channels: int, norm: str = "pre", residual: bool = True) -> None:
        super().__init__()
        self.pre = norm == "pre"
        self.residual = residual
        self.norm1 = nn.LayerNorm(channels)
        self.attention = SelfAttention(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.ReLU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, tokens, channels) to the same shape."""
        x = self._sublayer(self.attention, self.norm1, x)
        return self._sublayer(self.mlp, self.norm2, x)

    def _sublayer(self, transform: Callable[[Tensor], Tensor], norm: nn.Module, x: Tensor) -> Tensor:
        y = transform(norm(x) if self.pre else x)
        if self.residual:
            y = x + y
        return y if self.pre else norm(y)


class SelfAttention(nn.Module):
    """Multi-head self-attention.

    Queries, keys and values have linear layers of their own: each gets first weights, and shows its gradient,
    as any other layer does.

    Args:
        channels: of a token; shared out to as many heads as leave each ``HEAD_CHANNELS`` or more.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = head_count(channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.output = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, tokens, channels) to the same shape."""
        query, key, value = (self._by_head(layer(x)) for layer in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(query, key, value)
        output: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return output

    def _by_head(self, x: Tensor) -> Tensor:
        """Map (N, tokens, channels) to (N, heads, tokens, channels / heads)."""
        by_head: Tensor = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return by_head


def head_count(channels: int) -> int:
    """Return the most heads that divide ``channels`` and leave each of them ``HEAD_CHANNELS`` or more."""
    most = max(1, channels // HEAD_CHANNELS)
    return next(heads for heads in range(most, 0, -1) if channels % heads == 0)


def positions(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    """Return (height · width, channels): sines and cosines of the row, then of the column.

    They depend on a pixel's own row and column only, so they go on where an image is larger than those of the
    training.
    """
    columns = channels // 2
    by_row = _waves(height, channels - columns, device)[:, None].expand(-1, width, -1)
    by_column = _waves(width, columns, device)[None].expand(height, -1, -1)
    return torch.cat([by_row, by_column], dim=2).flatten(0, 1)


def _waves(count: int, channels: int, device: torch.device) -> Tensor:
    """Return (count, channels): half sines, half cosines, of wavelengths from 2π to 2π · LONGEST_WAVE."""
    exponents = torch.arange(0, channels, 2, device=device) / channels
    angles = torch.arange(count, device=device)[:, None] * LONGEST_WAVE**-exponents
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :channels]
