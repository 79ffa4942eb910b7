"""A trained network whose long skips can each be turned down, again and again on the same image."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from unetseg.models.replacements import Replace, zeros
from unetseg.models.unet import Unet


class ScaledUnet(nn.Module):
    """A network that is handed each long skip only in part: s · feature + (1 − s) · what stands in for it.

    What the encoder made of the last images is kept, and what the decoder made of it level by level. So on
    the same images only those blocks run again that a change of the parts reaches: the encoder never does.

    Args:
        model: trained.

    Attributes:
        scales: by level, the part s of its feature that passes, 0 to 1; 1 where a level is not named. With
            all at 1 the logits are the network's own, bit by bit; at 0 a level is a lesion, as
            ``LesionedUnet`` makes them.
        replace: maps a level and what comes over its skip, (N, C, H, W), to what stands in its place.
    """

    def __init__(self, model: Unet) -> None:
        super().__init__()
        self.model = model
        self.stride = model.stride
        self.in_channels = model.in_channels
        self.scales: Mapping[int, float] = {}
        self.replace: Replace = zeros
        self._images: Tensor | None = None
        self._features: list[Tensor] = []
        self._stand_ins: dict[tuple[int, Replace], Tensor] = {}
        self._reached: dict[int, tuple[tuple[object, ...], Tensor]] = {}  # by level: of which settings, and x

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits (N, outputs, H, W) under the scales of now."""
        if self._images is None or not torch.equal(self._images, images):
            self._encode(images)
        decoder = self.model.decoder
        x, settings = decoder.center(self._features[-1]), tuple[object, ...]()
        for level in decoder.levels:
            settings = (*settings, self._setting(level))
            kept = self._reached.get(level)
            if kept is None or kept[0] != settings:
                kept = settings, decoder.step(level, x, self._joining(level))
                self._reached[level] = kept
            x = kept[1]
        logits: Tensor = self.model.segmentation_head(x)[:, : self.model.outputs]
        return logits

    def forget(self) -> None:
        """Let go of the last images and all that was kept of them."""
        self._images = None
        self._features = []
        self._stand_ins.clear()
        self._reached.clear()

    def _encode(self, images: Tensor) -> None:
        self.forget()
        self._features = self.model.decoder.received(self.model.features(images))
        self._images = images

    def _setting(self, level: int) -> object:
        """Return what the decoder's block at a level depends on, but for what comes from below."""
        scale = self.scales.get(level, 1.0) if level in self.model.active_levels else 1.0
        return None if scale == 1 else (scale, self.replace)

    def _joining(self, level: int) -> list[Tensor]:
        """Return the features, with that of a level in the part that passes."""
        features = [*self._features]
        if self._setting(level) is not None:
            feature, scale = features[level], self.scales[level]
            key = level, self.replace
            if key not in self._stand_ins:
                self._stand_ins[key] = self.replace(level, feature)
            # Not lerp: at 0 what stands in must come out as it is, whatever the feature holds.
            stand_in = self._stand_ins[key]
            features[level] = stand_in if scale == 0 else scale * feature + (1 - scale) * stand_in
        return features
