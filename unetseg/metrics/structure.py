"""Whether thin parts and single objects survive."""

import numpy as np

from unetseg.metrics.geometry import BoolArray
from unetseg.metrics.pair import MaskPair
from unetseg.metrics.registry import EmptyMasks, Metric, registered


@registered(
    Metric(
        "cldice",
        "clDice",
        "structure",
        empty=EmptyMasks.REFERENCE,
        needs=("skeleton",),
        shown={"table": 10, "study": 12, "line": 6, "study figures": 6},
    )
)
def cldice(pair: MaskPair) -> float:
    """Centreline Dice: harmonic mean of each skeleton's share inside the other mask.

    Not defined (NaN) without ground truth; an empty prediction scores 0. Source: Shit et al. 2021, with
    scikit-image's ``skeletonize`` (Zhang & Suen 1984) in place of their soft skeleton.

    Examples:
        >>> line = np.zeros((5, 12), bool)
        >>> line[2, 1:11] = True
        >>> broken = line.copy()
        >>> broken[2, 5] = False
        >>> round(float(cldice(mask_pair(broken, line))), 3)
        0.947
    """
    predicted, present = pair.counted(pair.prediction_skeleton), pair.counted(pair.ground_truth_skeleton)
    if not predicted.any() and not present.any():
        return float(pair.agree)
    precision = _share_inside(predicted, pair.ground_truth)
    recall = _share_inside(present, pair.prediction)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@registered(
    Metric(
        "skeleton_recall",
        "skeleton recall",
        "structure",
        empty=EmptyMasks.REFERENCE,
        needs=("skeleton",),
        shown={"table": 11, "study": 13, "line": 7, "study images": 3, "run images": 4},
    )
)
def skeleton_recall(pair: MaskPair) -> float:
    """Share of the ground truth's skeleton inside the prediction: did the thin parts survive?

    Not defined (NaN) without ground truth; an empty prediction scores 0. Source: the topology sensitivity of
    Shit et al. 2021; Kirchhoff et al. 2024 train on it.

    Examples:
        >>> line = np.zeros((5, 12), bool)
        >>> line[2, 1:11] = True
        >>> broken = line.copy()
        >>> broken[2, 5] = False
        >>> skeleton_recall(mask_pair(broken, line))
        0.9
    """
    skeleton = pair.counted(pair.ground_truth_skeleton)
    return pair.share(int(np.count_nonzero(skeleton & pair.prediction)), int(np.count_nonzero(skeleton)))


@registered(
    Metric(
        "object_recall",
        "object recall",
        "structure",
        empty=EmptyMasks.REFERENCE,
        needs=("instances",),
        shown={"table": 12, "study": 14},
    )
)
def object_recall(pair: MaskPair) -> float:
    """Share of the ground truth's objects matched by a predicted object at IoU above 0.5.

    Objects are the given instances, else 8-connected components; above 0.5 a match is unique.
    Not defined (NaN) without ground truth; an empty prediction scores 0. Source: Kirillov et al. 2019, whose
    matching this is.

    Examples:
        >>> two = np.zeros((8, 16), bool)
        >>> two[2:6, 2:6] = two[2:6, 10:14] = True
        >>> one = two.copy()
        >>> one[:, 8:] = False
        >>> float(object_recall(mask_pair(one, two)))
        0.5
    """
    return np.count_nonzero(_matched(pair)) / pair.objects.ground_truth_areas.size


@registered(
    Metric(
        "pq",
        "PQ",
        "structure",
        empty=EmptyMasks.REFERENCE,
        needs=("instances",),
        shown={"table": 13, "study": 15, "line": 8},
    )
)
def pq(pair: MaskPair) -> float:
    """Panoptic quality: ΣIoU of the matched objects / (TP + ½·FP + ½·FN).

    Objects, matches and empty masks as in :func:`object_recall`. Source: Kirillov et al. 2019.

    Examples:
        >>> two = np.zeros((8, 16), bool)
        >>> two[2:6, 2:6] = two[2:6, 10:14] = True
        >>> one = two.copy()
        >>> one[:, 8:] = False
        >>> round(pq(mask_pair(one, two)), 3)
        0.667
    """
    objects, matched = pair.objects, _matched(pair)
    total = float((objects.intersection[matched] / objects.union[matched]).sum())
    # Each match takes one object of either side, so TP + ½·FP + ½·FN is half of all objects.
    return 2 * total / (objects.ground_truth_areas.size + objects.prediction_areas.size)


def _matched(pair: MaskPair) -> BoolArray:
    """(N,) which overlapping pairs of objects have an IoU above one half, decided in integers."""
    return 2 * pair.objects.intersection > pair.objects.union


def _share_inside(skeleton: BoolArray, mask: BoolArray) -> float:
    total = np.count_nonzero(skeleton)
    return np.count_nonzero(skeleton & mask) / total if total else 1.0
