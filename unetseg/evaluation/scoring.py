"""One prediction against one reference: rows of scores. Free of torch, so that processes start fast."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from unetseg.data.masks import IGNORED
from unetseg.evaluation.strata import ObjectScore, pair_objects, pair_thickness_recall
from unetseg.metrics import (
    COUNT_KEYS,
    KEYS,
    OUTLINE_KEYS,
    MaskPair,
    image_diagonal,
    mask_pair,
    pair_scores,
)
from unetseg.metrics.checks import check_classes

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

    The mean leaves out classes of which no counted pixel of either mask is.

    Args:
        pair: the masks.
        classes: names; index 0 is the background.
        keys: the scores to compute, out of :data:`unetseg.metrics.KEYS`.

    Raises:
        ValueError: if the masks do not fit each other; says which.
    """
    check_classes(classes)
    diagonal = image_diagonal(pair.reference.shape)
    rows, objects, present = [], {}, []
    for name, masks in class_pairs(pair, classes).items():
        scores = pair_scores(masks, keys=keys)
        rows.append(
            {"image": pair.name, "class": name, "diagonal": diagonal, **scores, **thickness_columns(masks)}
        )
        objects[name] = pair_objects(masks)
        if sum(masks.counts):
            present.append(scores)
    if len(rows) > 1:
        rows.append({"image": pair.name, "class": "mean", "diagonal": diagonal, **_mean(present)})
    return ImageScores(rows, objects, bool((pair.reference == IGNORED).any()))


def class_pairs(pair: Pair, classes: Sequence[str]) -> dict[str, MaskPair]:
    """Return the masks of each foreground class against the rest, under its name."""
    counted = pair.valid
    ignored = pair.reference == IGNORED
    if ignored.any():
        counted = ~ignored if counted is None else counted & ~ignored
    found = {}
    for index, name in enumerate(classes[1:], start=1):
        prediction, reference = pair.prediction == index, pair.reference == index
        found[name] = mask_pair(
            prediction,
            reference,
            valid=counted,
            prediction_instances=_within(prediction, pair.prediction_instances),
            reference_instances=_within(reference, pair.reference_instances),
        )
    return found


def thickness_columns(masks: MaskPair) -> dict[str, int]:
    """Return, for each bin of thickness, the reference's skeleton pixels and how many the prediction hits."""
    columns = {}
    for name, (hits, pixels) in pair_thickness_recall(masks).items():
        columns[thickness_column(name, "hits")] = hits
        columns[thickness_column(name, "pixels")] = pixels
    return columns


def thickness_column(name: str, what: str) -> str:
    """Return the column of a bin of thickness: ``"1-2"`` and ``"hits"`` give ``thickness_1_2_hits``."""
    return f"thickness_{name.replace('-', '_').replace('>', 'over_')}_{what}"


def _within(mask: np.ndarray, instances: np.ndarray | None) -> np.ndarray | None:
    return None if instances is None else np.where(mask, instances, 0)


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    if not scores:
        return {}
    return {key: fmean(each[key] for each in scores) for key in scores[0] if key not in COUNT_KEYS}
