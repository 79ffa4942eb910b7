"""Every metric once more, straight from its definition: loops over pixels and all pairs, nothing shared."""

from itertools import product
from math import ceil, hypot, inf
from types import SimpleNamespace

import numpy as np
import pytest
from skimage.morphology import skeletonize


def pixels(mask):
    return [(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)]


def lies_in(mask, row, column):
    return 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and bool(mask[row, column])


def border(mask):
    steps = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    return [(r, c) for r, c in pixels(mask) if not all(lies_in(mask, r + dr, c + dc) for dr, dc in steps)]


def band(mask, width):
    reach = range(-width, width + 1)
    return {
        (r, c)
        for r, c in pixels(mask)
        if not all(lies_in(mask, r + dr, c + dc) for dr, dc in product(reach, reach))
    }


def edges(mask):
    found = []
    for row, column in np.ndindex(mask.shape):
        below, right = min(row + 1, mask.shape[0] - 1), min(column + 1, mask.shape[1] - 1)
        others = {bool(mask[row, right]), bool(mask[below, column]), bool(mask[below, right])}
        if others != {bool(mask[row, column])}:
            found.append((row, column))
    return found


def nearest(points, others, spacing=(1.0, 1.0)):
    if not points or not others:
        return np.full(len(points), np.inf)
    between = np.array(points)[:, None, :] - np.array(others)[None, :, :]
    return np.sqrt(((between * np.array(spacing)) ** 2).sum(axis=2)).min(axis=1)


def distances(prediction, reference, spacing=(1.0, 1.0), valid=None):
    """Both directions; only valid border pixels are measured, to the other's whole border."""
    keep = np.ones(reference.shape, bool) if valid is None else valid
    first, second = border(prediction), border(reference)
    return (
        nearest([point for point in first if keep[point]], second, spacing),
        nearest([point for point in second if keep[point]], first, spacing),
    )


def boundary_iou(prediction, reference, width=None):
    if width is None:
        width = max(1, round(0.02 * hypot(*reference.shape)))
    first, second = band(prediction, width), band(reference, width)
    return len(first & second) / len(first | second) if first | second else 1.0


def boundary_f(prediction, reference, radius=None):
    if prediction.any() != reference.any():
        return 0.0
    if radius is None:
        radius = ceil(0.008 * hypot(*reference.shape))
    first, second = edges(prediction), edges(reference)
    if not first and not second:
        return 1.0
    precision = np.mean(nearest(first, second) <= radius) if first else 1.0
    recall = np.mean(nearest(second, first) <= radius) if second else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def trimap_iou(prediction, reference, width=3.0, spacing=(1.0, 1.0)):
    if prediction.any() != reference.any():
        return 0.0
    inside, outside = pixels(reference), pixels(~reference)
    close = np.concatenate([nearest(inside, outside, spacing), nearest(outside, inside, spacing)]) <= width
    near = [point for point, is_close in zip(inside + outside, close, strict=True) if is_close]
    both = sum(prediction[p] and reference[p] for p in near)
    either = sum(prediction[p] or reference[p] for p in near)
    return both / either if either else float(np.array_equal(prediction, reference))


def hausdorff(prediction, reference, spacing=(1.0, 1.0), percentile=100):
    if prediction.any() != reference.any():
        return inf
    if not reference.any():
        return 0.0
    return max(np.percentile(side, percentile) for side in distances(prediction, reference, spacing))


def assd(prediction, reference, spacing=(1.0, 1.0)):
    if prediction.any() != reference.any():
        return inf
    return np.concatenate(distances(prediction, reference, spacing)).mean() if reference.any() else 0.0


def nsd(prediction, reference, tolerance, spacing=(1.0, 1.0)):
    if not prediction.any() and not reference.any():
        return 1.0
    return np.mean(np.concatenate(distances(prediction, reference, spacing)) <= tolerance + 1e-6)


def components(mask):
    left, found = set(pixels(mask)), []
    while left:
        todo = [left.pop()]
        component = set(todo)
        while todo:
            row, column = todo.pop()
            around = {(row + dr, column + dc) for dr, dc in product((-1, 0, 1), repeat=2)} & left
            left -= around
            component |= around
            todo += around
        found.append(component)
    return found


def panoptic(prediction, reference):
    """(object recall, PQ)."""
    guesses, targets = components(prediction), components(reference)
    if not guesses and not targets:
        return 1.0, 1.0
    ious = [len(g & t) / len(g | t) for g, t in product(guesses, targets)]
    matched = [iou for iou in ious if iou > 0.5]
    missed, invented = len(targets) - len(matched), len(guesses) - len(matched)
    recall = len(matched) / len(targets) if targets else 0.0
    return recall, sum(matched) / (len(matched) + invented / 2 + missed / 2)


def cldice(prediction, reference):
    """(clDice, skeleton recall), with scikit-image's skeletons of the whole images."""
    first, second = pixels(skeletonize(prediction)), pixels(skeletonize(reference))
    if not first or not second:
        return (1.0, 1.0) if len(first) == len(second) else (0.0, 0.0)
    precision = sum(bool(reference[point]) for point in first) / len(first)
    recall = sum(bool(prediction[point]) for point in second) / len(second)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0, recall


@pytest.fixture(scope="session")
def brute():
    return SimpleNamespace(
        assd=assd,
        boundary_f=boundary_f,
        boundary_iou=boundary_iou,
        cldice=cldice,
        distances=distances,
        hausdorff=hausdorff,
        nsd=nsd,
        panoptic=panoptic,
        trimap_iou=trimap_iou,
    )
