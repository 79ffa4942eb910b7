"""Which long skip each pixel of a mask relies on: the levels whose lesion alone gives it another class.

A lesion puts zeros in the place of one level's skip of the trained network and leaves the others on, as
``unetseg lesion`` does. It measures what this network relies on, not what one trained without would need.
"""

from collections.abc import Sequence

import numpy as np

from unetseg.errors import UsageError
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.predictor import Predictor
from unetseg.inference.substitute import SubstitutePredictor, unet_of
from unetseg.models.lesioned_unet import Lesion, LesionedUnet
from unetseg.models.replacements import zeros

NONE, SEVERAL = "none", "several"
_NONE_COLOUR, _SEVERAL_COLOUR = ("black", (0, 0, 0)), ("white", (255, 255, 255))
# By level. The first seven are those of Okabe and Ito (2008), told apart by colour-blind readers, too.
_LEVEL_COLOURS = (
    ("orange", (230, 159, 0)),
    ("sky blue", (86, 180, 233)),
    ("green", (0, 158, 115)),
    ("yellow", (240, 228, 66)),
    ("blue", (0, 114, 178)),
    ("red", (213, 94, 0)),
    ("pink", (204, 121, 167)),
    ("brown", (121, 85, 61)),
    ("violet", (110, 60, 160)),
    ("grey", (128, 128, 128)),
)


class ExplainingPredictor(SubstitutePredictor):
    """A run's predictor whose logits are those of the whole network, then those under each lesion in turn.

    The encoder runs once an image. The first of the variants is the network's own, bit by bit.

    Args:
        own: of one run, in PyTorch, with at least one long skip.

    Attributes:
        levels: whose skips are on, finest first.
        names: of a skip map's indices: ``none``, the levels, ``several``.
        map_colours: RGB of each.

    Raises:
        UsageError: if it is of several runs or in ONNX Runtime, or no skip is on.
    """

    def __init__(self, own: Predictor) -> None:
        _require_skips(own)
        model = unet_of(own)
        self.levels = sorted(model.active_levels)
        lesions: list[Lesion] = [frozenset(), *(frozenset({level}) for level in self.levels)]
        super().__init__(own, LesionedUnet(model, lesions, zeros))
        self.variants = len(lesions)
        self.names = (NONE, *map(str, self.levels), SEVERAL)
        self._named_colours = [_NONE_COLOUR, *(_LEVEL_COLOURS[level] for level in self.levels)]
        self._named_colours.append(_SEVERAL_COLOUR)
        self.map_colours = [colour for _, colour in self._named_colours]

    @property
    def legend(self) -> str:
        """What the colours of a skip map mean, in one line."""
        words = ["no level alone", *(f"level {level}" for level in self.levels), "several levels, each alone"]
        pairs = zip(self._named_colours, words, strict=True)
        return ", ".join(f"{colour} {word}" for (colour, _), word in pairs)

    def explain(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the whole network's logits, and the skip map.

        Args:
            logits: variants · outputs×H×W, as this predictor makes them.

        Returns:
            outputs×H×W float32, and H×W uint8: the index into ``names`` of the level whose lesion turns the
            pixel over.
        """
        intact, *lesioned = np.split(logits, self.variants)
        return intact, skip_map(self.mask(intact), [self.mask(each) for each in lesioned])


def skip_map(intact: np.ndarray, lesioned: Sequence[np.ndarray]) -> np.ndarray:
    """Return which of several masks alone differs from the intact one, pixel by pixel.

    Args:
        intact: H×W uint8 class indices.
        lesioned: one or more such masks.

    Returns:
        H×W uint8: 0 where none differs, i + 1 where only mask i does, ``len(lesioned) + 1`` where several do.
    """
    turned = np.zeros(intact.shape, np.uint8)
    for index, mask in enumerate(lesioned):
        differs = mask != intact
        turned[differs] = np.where(turned[differs] == 0, index + 1, len(lesioned) + 1)
    return turned


def _require_skips(own: Predictor) -> None:
    if len(own.members) > 1:
        raise UsageError(
            f"--explain-skips: is for one run, and {len(own.members)} were given; name one with --run"
        )
    (member,) = own.members
    if not isinstance(member.network, TorchNetwork):
        raise UsageError(
            f"--explain-skips: {member.name} runs in ONNX Runtime as one piece, so no skip can be switched "
            "off; name the run itself, or its .safetensors file"
        )
    if not unet_of(own).active_levels:
        raise UsageError(
            f"--explain-skips: {member.name} has no long skip to switch off; name a run that was trained "
            "with some"
        )
