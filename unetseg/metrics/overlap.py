"""How much of two masks coincides."""

from math import inf

from unetseg.metrics.pair import MaskPair
from unetseg.metrics.registry import EmptyMasks, Metric, register, registered

register(
    Metric(
        "dataset_iou",
        "dataset IoU",
        "overlap",
        numerator=("tp",),
        denominator=("tp", "fp", "fn"),
        dataset_of="iou",
        shown={"study": 1, "line": 1, "study figures": 2, "run findings": 1, "lesions": 3},
    )
)
register(
    Metric(
        "dataset_dice",
        "dataset Dice",
        "overlap",
        numerator=("tp", "tp"),
        denominator=("tp", "tp", "fp", "fn"),
        dataset_of="dice",
        shown={"study": 2, "lesions": 4},
    )
)


@registered(
    Metric(
        "iou",
        "image IoU",
        "overlap",
        short="IoU",
        empty=EmptyMasks.OVERLAP,
        shown={
            "table": 1,
            "study": 3,
            "study figures": 1,
            "study images": 1,
            "study terminal": 1,
            "run findings": 2,
            "run images": 1,
            "lesions": 1,
            "lesion table": 1,
        },
    )
)
def iou(pair: MaskPair) -> float:
    """Intersection over union: TP / (TP + FP + FN). Source: Jaccard 1912.

    Two empty masks score 1, one empty mask 0.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(iou(shifted), 3)
        0.6
    """
    tp, fp, fn = pair.counts
    return tp / (tp + fp + fn)


@registered(
    Metric(
        "dice",
        "image Dice",
        "overlap",
        short="Dice",
        empty=EmptyMasks.OVERLAP,
        shown={"table": 2, "study": 4, "line": 2},
    )
)
def dice(pair: MaskPair) -> float:
    """Dice coefficient: 2·TP / (2·TP + FP + FN). Source: Dice 1945.

    Two empty masks score 1, one empty mask 0.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(dice(shifted), 3)
        0.75
    """
    tp, fp, fn = pair.counts
    return 2 * tp / (2 * tp + fp + fn)


@registered(Metric("tp", "true positives", "counts", unit="pixels", highest=inf))
def tp(pair: MaskPair) -> float:
    """Counted pixels in both masks.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(tp(shifted), 3)
        12.0
    """
    return float(pair.counts[0])


@registered(Metric("fp", "false positives", "counts", unit="pixels", highest=inf))
def fp(pair: MaskPair) -> float:
    """Counted pixels in the prediction alone.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(fp(shifted), 3)
        4.0
    """
    return float(pair.counts[1])


@registered(Metric("fn", "false negatives", "counts", unit="pixels", highest=inf))
def fn(pair: MaskPair) -> float:
    """Counted pixels in the ground truth alone.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> shifted = mask_pair(np.roll(square, 1, axis=1), square)
        >>> round(fn(shifted), 3)
        4.0
    """
    return float(pair.counts[2])
