"""Shapes of masks: borders, bands, edges and distances, the few steps that several metrics share."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

BoolArray = NDArray[np.bool_]

_SQUARE = np.ones((3, 3), np.uint8)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_WINDOW = np.ones((2, 2), np.uint8)
# A dilation costs one step a kernel pixel; above this many, a distance transform is faster.
_LARGEST_KERNEL = 2000
# A k-d tree costs about 0.9 µs a point where both transforms cost 0.03 µs a pixel.
_PIXELS_PER_TREE_POINT = 30
# Distances are square roots: a radius given as 2 must take in a distance computed as 2.0000000001.
RADIUS_SLACK = 1e-6


@dataclass(frozen=True)
class DistanceMap:
    """Distance from every pixel to the nearest pixel of a target.

    Attributes:
        values: (H, W) float; pixels where ``scale`` is the spacing, else already in spacing units.
        scale: spacing units per unit of ``values``.
        in_pixels: whether ``values`` are square roots of integers (isotropic spacing).
    """

    values: NDArray[Any]
    scale: float
    in_pixels: bool

    def at(self, where: BoolArray) -> NDArray[np.float64]:
        """Distances in spacing units at the pixels of ``where`` ((H, W) bool), as float64."""
        found = self.values[where].astype(np.float64)
        if self.in_pixels:
            # OpenCV answers in float32. The squares are integers, which restores the digits below 2048
            # pixels; larger distances keep their seven.
            found = np.sqrt(np.rint(np.square(found)))
        return found * self.scale

    def within(self, radius: float) -> BoolArray:
        """The (H, W) pixels at most ``radius`` spacing units away."""
        return self.values <= (radius + RADIUS_SLACK) / self.scale


def distance_map(target: BoolArray, spacing: tuple[float, float] = (1.0, 1.0)) -> DistanceMap:
    """Euclidean distance from every pixel to the nearest true pixel of ``target``.

    Exact: OpenCV's ``DIST_MASK_PRECISE`` (Felzenszwalb & Huttenlocher 2012) where the spacing is
    isotropic, SciPy's ``distance_transform_edt`` (Maurer et al. 2003) where it is not. Nothing outside
    the array is a target; with no target at all every distance is infinite.

    Args:
        target: (H, W) bool.
        spacing: size of a pixel, (row, column).
    """
    if not target.any():
        return DistanceMap(np.full(target.shape, np.inf), 1.0, in_pixels=False)
    if spacing[0] == spacing[1]:
        values = cv2.distanceTransform(_bytes(~target), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return DistanceMap(values, float(spacing[0]), in_pixels=True)
    return DistanceMap(distance_transform_edt(~target, sampling=spacing), 1.0, in_pixels=False)


def mutual_distances(
    first: BoolArray, second: BoolArray, spacing: tuple[float, float] = (1.0, 1.0)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from each pixel of either set to the nearest pixel of the other, in spacing units.

    One distance transform a set where the sets are dense, and one k-d tree a set (Bentley 1975) where they
    are so sparse that transforming every pixel between them is slower. Both are exact.

    Args:
        first: (H, W) bool.
        second: (H, W) bool.
        spacing: size of a pixel, (row, column).

    Returns:
        Distances of ``first``'s pixels and of ``second``'s, row by row; infinite where the other is empty.
    """
    if (np.count_nonzero(first) + np.count_nonzero(second)) * _PIXELS_PER_TREE_POINT > first.size:
        return distance_map(second, spacing).at(first), distance_map(first, spacing).at(second)
    scale = spacing[0]  # whole pixels where the spacing is isotropic, so that both ways agree to the last bit
    points = [np.argwhere(pixels) * (1.0, spacing[1] / scale) for pixels in (first, second)]
    trees = [cKDTree(places) for places in points]
    return trees[1].query(points[0])[0] * scale, trees[0].query(points[1])[0] * scale


def near(target: BoolArray, radius: float, spacing: tuple[float, float] = (1.0, 1.0)) -> BoolArray:
    """Pixels at most ``radius`` spacing units from a true pixel of ``target``: a dilation by a disk.

    Args:
        target: (H, W) bool.
        radius: in spacing units.
        spacing: size of a pixel, (row, column).
    """
    rows, columns = (int((radius + RADIUS_SLACK) / size) for size in spacing)
    if (2 * rows + 1) * (2 * columns + 1) > _LARGEST_KERNEL:
        return distance_map(target, spacing).within(radius)
    down, across = np.ogrid[-rows : rows + 1, -columns : columns + 1]
    disk = np.hypot(down * spacing[0], across * spacing[1]) <= radius + RADIUS_SLACK
    return cv2.dilate(_bytes(target), disk.view(np.uint8)).view(np.bool_)


def border(mask: BoolArray) -> BoolArray:
    """Pixels of ``mask`` that a 4-neighbour erosion removes; outside the array is background."""
    return mask & ~_eroded(mask, _CROSS, 1)


def inner_band(mask: BoolArray, width: int) -> BoolArray:
    """Pixels of ``mask`` that ``width`` erosions by a 3×3 square remove; outside is background."""
    return mask & ~_eroded(mask, _SQUARE, width)


def edge_map(mask: BoolArray) -> BoolArray:
    """One-pixel edges as in DAVIS' ``seg2bmap``: pixels unlike their right, lower or lower-right neighbour.

    The image's border is no edge. Source: Perazzi et al. 2016 (DAVIS), after Martin et al. 2004 (BSDS).
    """
    # A pixel differs from one of the three exactly when its 2×2 window is not constant.
    source = _bytes(mask)
    highest = cv2.dilate(source, _WINDOW, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    lowest = cv2.erode(source, _WINDOW, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(highest != lowest)


def bounding_box(mask: BoolArray, margin: int = 0) -> tuple[slice, slice]:
    """(rows, columns) around the true pixels of ``mask``, ``margin`` wider where the array goes on.

    An all-false mask gives the whole array.
    """
    left, top, width, height = cv2.boundingRect(_bytes(mask))
    if not width:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    rows = slice(max(top - margin, 0), min(top + height + margin, mask.shape[0]))
    return rows, slice(max(left - margin, 0), min(left + width + margin, mask.shape[1]))


def _eroded(mask: BoolArray, kernel: NDArray[Any], times: int) -> BoolArray:
    source = _bytes(mask)
    eroded = cv2.erode(source, kernel, iterations=times, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return eroded.view(np.bool_)


def _bytes(mask: BoolArray) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask).view(np.uint8)
