"""How much of two masks coincides."""

from unetseg.metrics.pair import MaskPair


def iou(pair: MaskPair) -> float:
    """Intersection over union: TP / (TP + FP + FN). Source: Jaccard 1912.

    Two empty masks score 1, one empty mask 0.
    """
    return iou_of_counts(*pair.counts)


def dice(pair: MaskPair) -> float:
    """Dice coefficient: 2·TP / (2·TP + FP + FN). Source: Dice 1945.

    Two empty masks score 1, one empty mask 0.
    """
    return dice_of_counts(*pair.counts)


def iou_of_counts(tp: float, fp: float, fn: float) -> float:
    """IoU of pixel counts, of one image or summed over many; 1 where all three are 0."""
    union = tp + fp + fn
    return tp / union if union else 1.0


def dice_of_counts(tp: float, fp: float, fn: float) -> float:
    """Dice of pixel counts, of one image or summed over many; 1 where all three are 0."""
    total = 2 * tp + fp + fn
    return 2 * tp / total if total else 1.0
