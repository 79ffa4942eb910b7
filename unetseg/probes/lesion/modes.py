"""What can stand in a switched-off skip's place: flag, text and computation derive from one record each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unetseg.data.datasets.samples import SegmentationSet
    from unetseg.inference.predictor import Predictor
    from unetseg.models.replacements import Replace

OUTPUTS = ("lesions.csv", "lesions.json", "lesions.png")
DELETED = "each block of the encoder deleted in turn"


@dataclass(frozen=True)
class LesionMode:
    """One way to switch long skips off.

    Attributes:
        name: as ``--mode`` takes it.
        sentence: what stands in a skip's place, above the tables.
        replacement: makes, from a run's predictor and its dataset, the function that replaces features.
    """

    name: str
    sentence: str
    replacement: "Callable[[Predictor, SegmentationSet], Replace]"


def _zeros(predictor: "Predictor", dataset: "SegmentationSet") -> "Replace":
    from unetseg.models.replacements import zeros

    return zeros


def _training_means(predictor: "Predictor", dataset: "SegmentationSet") -> "Replace":
    from unetseg.models.replacements import replace_by_means
    from unetseg.probes.lesion.feature_means import channel_means

    return replace_by_means(channel_means(predictor, dataset))


def _shuffled(predictor: "Predictor", dataset: "SegmentationSet") -> "Replace":
    from unetseg.models.replacements import shuffled

    return shuffled


MODES = {
    mode.name: mode
    for mode in (
        LesionMode("zero", "zeros in place of each long skip", _zeros),
        LesionMode("mean", "the channels' means in place of each long skip", _training_means),
        LesionMode("shuffle", "each long skip's features at shuffled positions", _shuffled),
    )
}
