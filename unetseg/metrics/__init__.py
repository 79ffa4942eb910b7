"""Masks into numbers: plain numpy in, floats out."""

# The rooms whose functions are metrics: what is registered there is known wherever any of this is used.
from unetseg.metrics import boundary, contour, overlap, registry, strata, structure, thickness, touching
from unetseg.metrics.averages import (
    Averages,
    ImageAverage,
    average_scores,
    class_mean_values,
    image_average,
    image_diagonal,
)
from unetseg.metrics.multiclass import class_pairs, mean_over_classes, multiclass_scores, without_reference
from unetseg.metrics.pair import MaskPair, mask_pair
from unetseg.metrics.score import binary_scores, pair_scores, scored_keys

__all__ = [
    "Averages",
    "ImageAverage",
    "MaskPair",
    "average_scores",
    "binary_scores",
    "boundary",
    "class_mean_values",
    "class_pairs",
    "contour",
    "image_average",
    "image_diagonal",
    "mask_pair",
    "mean_over_classes",
    "multiclass_scores",
    "overlap",
    "pair_scores",
    "registry",
    "scored_keys",
    "strata",
    "structure",
    "thickness",
    "touching",
    "without_reference",
]
