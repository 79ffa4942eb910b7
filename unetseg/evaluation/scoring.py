"""One prediction against one ground truth: rows of scores. Free of torch, so that processes start fast."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.evaluation.rows import MEAN, Row
from unetseg.metrics import class_pairs, image_diagonal, mean_over_classes, without_reference
from unetseg.metrics.registry import Metric
from unetseg.metrics.score import metric_scores
from unetseg.metrics.strata import ObjectScore, pair_objects
from unetseg.metrics.thickness import thickness_columns


@dataclass(frozen=True)
class ImageMasks:
    """What one image's scores are computed from.

    Attributes:
        name: of the image.
        prediction: H×W uint8 class indices.
        ground_truth: H×W uint8 class indices, 255 where not counted.
        valid: H×W bool, the field of view, or None.
        ground_truth_instances: H×W integers, or None.
        prediction_instances: H×W integers, or None.
        group: of images that belong together, or None.
    """

    name: str
    prediction: np.ndarray
    ground_truth: np.ndarray
    valid: np.ndarray | None = None
    ground_truth_instances: np.ndarray | None = None
    prediction_instances: np.ndarray | None = None
    group: str | None = None


@dataclass(frozen=True)
class ImageScores:
    """Scores of one image.

    Attributes:
        rows: one a foreground class, and one for their mean where there are several classes.
        objects: the ground truth's objects of each foreground class.
        ignores: whether the ground truth leaves pixels out.
        counts: whether any pixel counts; an image where none does is no evidence, whatever its rows hold.
    """

    rows: list[Row]
    objects: dict[str, list[ObjectScore]]
    ignores: bool
    counts: bool = True


def score_masks(masks: ImageMasks, classes: Sequence[str], metrics: Sequence[Metric]) -> ImageScores:
    """Score each foreground class against the rest, and their mean.

    Args:
        masks: of the image.
        classes: names; index 0 is the background.
        metrics: to compute: the records, which processes that this runs in need not have registered.

    Raises:
        ValueError: if the masks do not fit each other; says which.
    """
    base: Row = {"image": masks.name, "diagonal": image_diagonal(masks.ground_truth.shape)}
    if masks.group is not None:
        base["group"] = masks.group
    rows: list[Row] = []
    scores, objects, present = {}, {}, []
    for name, pair in class_pairs(
        masks.prediction,
        masks.ground_truth,
        classes=classes,
        ignore_index=IGNORED,
        valid=masks.valid,
        prediction_instances=masks.prediction_instances,
        ground_truth_instances=masks.ground_truth_instances,
    ):
        scores[name] = metric_scores(pair, metrics)
        defined = scores[name]
        if not pair.has_ground_truth:
            defined = without_reference(defined, metrics, len(classes) - 1)
        rows.append({**base, "class": name, **defined, **thickness_columns(pair)})
        objects[name] = pair_objects(pair)
        if any(pair.counts):
            present.append(name)
    if len(rows) > 1:
        rows.append({**base, "class": MEAN, **mean_over_classes(scores, present)})
    ignored = masks.ground_truth == IGNORED
    counted = ~ignored if masks.valid is None else masks.valid & ~ignored
    return ImageScores(rows, objects, bool(ignored.any()), bool(counted.any()))
