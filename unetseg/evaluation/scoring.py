"""One prediction against one reference: rows of scores. Free of torch, so that processes start fast."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unetseg.data.augment import IGNORED
from unetseg.metrics import KEYS, OUTLINE_KEYS, image_diagonal, multiclass_scores

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """What one image's scores are computed from.

    Attributes:
        name: of the image.
        prediction: H×W uint8 class indices.
        reference: H×W uint8 class indices, 255 where not counted.
        valid: H×W bool, the field of view, or None.
        reference_instances: H×W integers, or None.
        prediction_instances: H×W integers, or None.
    """

    name: str
    prediction: np.ndarray
    reference: np.ndarray
    valid: np.ndarray | None = None
    reference_instances: np.ndarray | None = None
    prediction_instances: np.ndarray | None = None


def score_keys(ignores_pixels: bool) -> tuple[str, ...]:
    """Return the scores that the labels allow.

    Where labels leave pixels out round the outlines, no score of the outline means anything: a mask drawn
    too wide by the ignored band would score 1.
    """
    return tuple(key for key in KEYS if not (ignores_pixels and key in OUTLINE_KEYS))


def score_pair(pair: Pair, classes: Sequence[str], keys: Collection[str]) -> list[Row]:
    """Return one row for each foreground class, and one for their mean where there are several."""
    ignores = bool((pair.reference == IGNORED).any())
    scores = multiclass_scores(
        pair.prediction,
        pair.reference,
        classes=classes,
        ignore_index=IGNORED if ignores else None,
        valid=pair.valid,
        reference_instances=pair.reference_instances,
        prediction_instances=pair.prediction_instances,
        keys=keys,
    )
    mean = scores.pop("mean")
    if len(scores) > 1:
        scores["mean"] = mean
    diagonal = image_diagonal(pair.reference.shape)
    return [
        {"image": pair.name, "class": name, "diagonal": diagonal, **values} for name, values in scores.items()
    ]
