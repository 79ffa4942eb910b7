"""One prediction against one reference: rows of scores. Free of torch, so that processes start fast."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.metrics import (
    KEYS,
    OUTLINE_KEYS,
    class_pairs,
    image_diagonal,
    mean_over_classes,
    pair_scores,
)
from unetseg.metrics.strata import ObjectScore, pair_objects, thickness_columns

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


@dataclass(frozen=True)
class ImageScores:
    """Scores of one image.

    Attributes:
        rows: one a foreground class, and one for their mean where there are several classes.
        objects: the reference's objects of each foreground class.
        ignores: whether the reference leaves pixels out.
    """

    rows: list[Row]
    objects: dict[str, list[ObjectScore]]
    ignores: bool


def score_keys(ignores_pixels: bool) -> tuple[str, ...]:
    """Return the scores that the labels allow.

    Where labels leave pixels out round the outlines, no score of the outline means anything: a mask drawn
    too wide by the ignored band would score 1.
    """
    return tuple(key for key in KEYS if not (ignores_pixels and key in OUTLINE_KEYS))


def score_pair(pair: Pair, classes: Sequence[str], keys: Collection[str]) -> ImageScores:
    """Score each foreground class against the rest, and their mean.

    Args:
        pair: the masks.
        classes: names; index 0 is the background.
        keys: the scores to compute, out of :data:`unetseg.metrics.KEYS`.

    Raises:
        ValueError: if the masks do not fit each other; says which.
    """
    base = {"image": pair.name, "diagonal": image_diagonal(pair.reference.shape)}
    rows: list[Row] = []
    scores, objects, present = {}, {}, []
    for name, masks in class_pairs(
        pair.prediction,
        pair.reference,
        classes=classes,
        ignore_index=IGNORED,
        valid=pair.valid,
        prediction_instances=pair.prediction_instances,
        reference_instances=pair.reference_instances,
    ):
        scores[name] = pair_scores(masks, keys=keys)
        rows.append({**base, "class": name, **scores[name], **thickness_columns(masks)})
        objects[name] = pair_objects(masks)
        if any(masks.counts):
            present.append(name)
    if len(rows) > 1:
        rows.append({**base, "class": "mean", **mean_over_classes(scores, present)})
    return ImageScores(rows, objects, bool((pair.reference == IGNORED).any()))
