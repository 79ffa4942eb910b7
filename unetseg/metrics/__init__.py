"""Masks into numbers: plain numpy in, floats out."""

from unetseg.metrics.averages import (
    Averages,
    ImageAverage,
    average_scores,
    highest_score,
    image_average,
    image_diagonal,
)
from unetseg.metrics.multiclass import class_pairs, mean_over_classes, multiclass_scores
from unetseg.metrics.pair import MaskPair, mask_pair
from unetseg.metrics.score import (
    COUNT_KEYS,
    DISTANCE_KEYS,
    KEYS,
    OUTLINE_KEYS,
    SKELETON_KEYS,
    binary_scores,
    pair_scores,
)

__all__ = [
    "COUNT_KEYS",
    "DISTANCE_KEYS",
    "KEYS",
    "OUTLINE_KEYS",
    "SKELETON_KEYS",
    "Averages",
    "ImageAverage",
    "MaskPair",
    "average_scores",
    "binary_scores",
    "class_pairs",
    "highest_score",
    "image_average",
    "image_diagonal",
    "mask_pair",
    "mean_over_classes",
    "multiclass_scores",
    "pair_scores",
]
