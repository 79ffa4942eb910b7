"""A run's predictor whose long skips are turned down by hand, one image after the other."""

from collections.abc import Mapping

import numpy as np

from unetseg.errors import UsageError
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.predictor import Predictor
from unetseg.inference.substitute import SubstitutePredictor, unet_of
from unetseg.models.replacements import Replace, zeros
from unetseg.models.scaled_unet import ScaledUnet


class LivePredictor(SubstitutePredictor):
    """Predicts an image again and again with other parts of its long skips; the encoder runs once an image.

    An image too large to go whole goes in the tiles of the run's own predictor, each of which is encoded
    again. For one thread at a time.

    Args:
        own: of one run, in PyTorch.

    Attributes:
        levels: whose skips are on, finest first.

    Raises:
        UsageError: if it is of several runs or in ONNX Runtime.
    """

    def __init__(self, own: Predictor) -> None:
        if len(own.members) > 1 or not isinstance(own.members[0].network, TorchNetwork):
            raise UsageError(f"{own}: skips can be turned down in one run, or its .safetensors file")
        model = unet_of(own)
        self.levels = sorted(model.active_levels)
        self._scaled = ScaledUnet(model)
        super().__init__(own, self._scaled)

    def logits_with(
        self, image: np.ndarray, scales: Mapping[int, float], replace: Replace = zeros
    ) -> np.ndarray:
        """Return logits, outputs×H×W float32 at the image's own size.

        Args:
            image: H×W×C as ``pixels`` has it read.
            scales: by level, the part of the skip that passes, 0 to 1; 1 where a level is not named.
            replace: what stands in for the rest.
        """
        self._scaled.scales, self._scaled.replace = dict(scales), replace
        (logits,) = self.logits([image])
        return logits
