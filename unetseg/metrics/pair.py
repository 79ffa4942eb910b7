"""Two masks under comparison, and everything that more than one metric derives from them."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix

from unetseg.metrics.checks import as_instances, as_mask, check_spacing
from unetseg.metrics.geometry import BoolArray, border, bounding_box, mutual_distances
from unetseg.metrics.thinning import skeleton, skeleton_again


@dataclass(frozen=True)
class ObjectOverlaps:
    """How the objects of two masks overlap, in counted pixels.

    Attributes:
        ground_truth_areas: (R,) int64, area of each ground-truth object.
        prediction_areas: (P,) int64, area of each predicted object.
        ground_truth_index: (N,) which ground-truth object takes part in each overlapping pair.
        prediction_index: (N,) which predicted object does.
        intersection: (N,) int64, pixels the two share.
    """

    ground_truth_areas: NDArray[np.int64]
    prediction_areas: NDArray[np.int64]
    ground_truth_index: NDArray[np.int64]
    prediction_index: NDArray[np.int64]
    intersection: NDArray[np.int64]

    @property
    def union(self) -> NDArray[np.int64]:
        """(N,) int64, pixels that at least one object of each pair covers."""
        areas = (
            self.ground_truth_areas[self.ground_truth_index] + self.prediction_areas[self.prediction_index]
        )
        return areas - self.intersection


@dataclass(frozen=True, eq=False)
class MaskPair:
    """A prediction and its ground truth, cropped to where either is; what derives from them is made once.

    Build it with :func:`mask_pair`, which checks and crops. Edges, skeletons and components come from the
    whole masks; ``valid`` then says which pixels are counted, so that it cuts no object in two and draws no
    edge of its own.

    Attributes:
        prediction: (h, w) bool, the crop.
        ground_truth: (h, w) bool, the crop.
        valid: (h, w) bool, the crop, or None where every pixel counts.
        shape: (H, W) of the image before the crop.
        spacing: size of a pixel, (row, column).
        prediction_instances: (h, w) integer ids, or None for 8-connected components.
        ground_truth_instances: (h, w) integer ids, or None for 8-connected components.
    """

    prediction: BoolArray
    ground_truth: BoolArray
    valid: BoolArray | None
    shape: tuple[int, int]
    spacing: tuple[float, float]
    prediction_instances: NDArray[np.integer] | None = None
    ground_truth_instances: NDArray[np.integer] | None = None

    def counted(self, mask: BoolArray) -> BoolArray:
        """The pixels of ``mask`` ((h, w) bool) that count."""
        return mask if self.valid is None else mask & self.valid

    def count(self, mask: BoolArray) -> int:
        """How many pixels of ``mask`` ((h, w) bool) count."""
        return int(np.count_nonzero(self.counted(mask)))

    def share(self, part: int, whole: int) -> float:
        """``part / whole``; where there is nothing to count, 1 if the masks agree and 0 if not."""
        return part / whole if whole else float(self.agree)

    @cached_property
    def counts(self) -> tuple[int, int, int]:
        """True positives, false positives and false negatives among the counted pixels."""
        both = self.count(self.prediction & self.ground_truth)
        return both, self.count(self.prediction) - both, self.count(self.ground_truth) - both

    @property
    def has_ground_truth(self) -> bool:
        """Whether any counted pixel is of the ground truth."""
        return bool(self.counts[0] + self.counts[2])

    @property
    def agree(self) -> bool:
        """Whether the masks are the same on every counted pixel."""
        return self.counts[1] == self.counts[2] == 0

    @cached_property
    def prediction_border(self) -> BoolArray:
        """Border pixels of the prediction."""
        return border(self.prediction)

    @cached_property
    def ground_truth_border(self) -> BoolArray:
        """Border pixels of the ground truth."""
        return border(self.ground_truth)

    @cached_property
    def border_distances(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nearest-border distances of the counted border pixels: prediction's and ground truth's."""
        borders = self.prediction_border, self.ground_truth_border
        first, second = mutual_distances(*borders, self.spacing)
        if self.valid is None:
            return first, second
        return first[self.valid[borders[0]]], second[self.valid[borders[1]]]

    @cached_property
    def prediction_skeleton(self) -> BoolArray:
        """Skeleton of the prediction (scikit-image's default: Zhang & Suen 1984)."""
        return skeleton(self.prediction)

    @cached_property
    def ground_truth_skeleton(self) -> BoolArray:
        """Skeleton of the ground truth (scikit-image's default: Zhang & Suen 1984)."""
        return skeleton_again(self.ground_truth)

    @cached_property
    def prediction_labels(self) -> NDArray[np.integer]:
        """(h, w) positive ids, one a predicted object."""
        return _object_labels(self.prediction, self.prediction_instances)

    @cached_property
    def ground_truth_labels(self) -> NDArray[np.integer]:
        """(h, w) positive ids, one an object of the ground truth."""
        return _object_labels(self.ground_truth, self.ground_truth_instances)

    @cached_property
    def objects(self) -> ObjectOverlaps:
        """Areas and overlaps of the objects; one without any counted pixel is left out."""
        predicted, present = self.prediction_labels, self.ground_truth_labels
        prediction_areas = _areas(predicted[self.counted(self.prediction)])
        ground_truth_areas = _areas(present[self.counted(self.ground_truth)])
        shared = self.counted(self.prediction & self.ground_truth)
        shape = ground_truth_areas.size, prediction_areas.size
        # A sparse matrix adds up entries at the same place: the contingency table of the two labellings.
        places = present[shared], predicted[shared]
        table = coo_matrix((np.ones(places[0].size, np.int64), places), shape).tocsr().tocoo()
        ground_truth_index, prediction_index = table.coords
        return ObjectOverlaps(
            ground_truth_areas[ground_truth_areas > 0],
            prediction_areas[prediction_areas > 0],
            _ranks(ground_truth_areas)[ground_truth_index],
            _ranks(prediction_areas)[prediction_index],
            table.data,
        )


def mask_pair(
    prediction: ArrayLike,
    ground_truth: ArrayLike,
    *,
    valid: ArrayLike | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
    ground_truth_instances: ArrayLike | None = None,
    prediction_instances: ArrayLike | None = None,
) -> MaskPair:
    """Check two masks and crop them to their union's bounding box, with one pixel of background round it.

    Args:
        prediction: (H, W) bool, or integers 0 and 1.
        ground_truth: (H, W) bool, or integers 0 and 1.
        valid: (H, W) bool, the pixels to count; all of them if None.
        spacing: size of a pixel, (row, column).
        ground_truth_instances: (H, W) integers, positive exactly where ``ground_truth`` is true.
        prediction_instances: (H, W) integers, positive exactly where ``prediction`` is true.

    Raises:
        ValueError: for a wrong shape, dtype or value; says which.

    Examples:
        >>> square = np.zeros((8, 8), bool)
        >>> square[2:6, 2:6] = True
        >>> mask_pair(np.roll(square, 1, axis=1), square).counts  # of pixels: TP, FP, FN
        (12, 4, 4)
    """
    target = as_mask("ground_truth", ground_truth)
    guess = as_mask("prediction", prediction, target.shape)
    counted = None if valid is None else as_mask("valid", valid, target.shape)
    spacing = check_spacing(spacing)
    targets = guesses = None
    if ground_truth_instances is not None:
        targets = as_instances("ground_truth_instances", ground_truth_instances, "ground_truth", target)
    if prediction_instances is not None:
        guesses = as_instances("prediction_instances", prediction_instances, "prediction", guess)
    # The margin keeps the background next to an object in sight of edges and distances to the background.
    box = bounding_box(guess | target, margin=1)
    return MaskPair(
        prediction=guess[box],
        ground_truth=target[box],
        valid=None if counted is None else counted[box],
        shape=(target.shape[0], target.shape[1]),
        spacing=spacing,
        prediction_instances=None if guesses is None else guesses[box],
        ground_truth_instances=None if targets is None else targets[box],
    )


def _object_labels(mask: BoolArray, instances: NDArray[np.integer] | None) -> NDArray[np.integer]:
    """(h, w) positive ids, one an object of ``mask``, small enough to count by."""
    if instances is None:
        source = np.ascontiguousarray(mask).view(np.uint8)
        return np.asarray(cv2.connectedComponents(source, connectivity=8, ltype=cv2.CV_32S)[1], np.int32)
    if instances.max() <= mask.size:
        return instances.astype(np.int64)
    numbered: NDArray[np.integer] = np.unique(instances, return_inverse=True)[1].reshape(mask.shape)
    return numbered


def _areas(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """How often each id occurs; 0 for those that do not."""
    return np.bincount(labels, minlength=1).astype(np.int64)


def _ranks(areas: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number of each id among the ids that occur."""
    return np.cumsum(areas > 0) - 1
