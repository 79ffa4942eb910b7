"""Every metric once more, straight from its definition: loops over pixels and all pairs, nothing shared."""

from itertools import product
from math import ceil, hypot, inf, nan
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


def distances(prediction, ground_truth, spacing=(1.0, 1.0), valid=None):
    """Both directions; only valid border pixels are measured, to the other's whole border."""
    keep = np.ones(ground_truth.shape, bool) if valid is None else valid
    first, second = border(prediction), border(ground_truth)
    return (
        nearest([point for point in first if keep[point]], second, spacing),
        nearest([point for point in second if keep[point]], first, spacing),
    )


def everywhere(valid, shape):
    return np.ones(shape, bool) if valid is None else valid


def share(part, whole, prediction, ground_truth, valid):
    """Where nothing is to be counted, whether the masks are the same there."""
    if whole:
        return part / whole
    return float(np.array_equal(prediction & valid, ground_truth & valid))


def no_ground_truth(ground_truth, valid):
    """Where there is none, nothing that asks for parts of it is defined."""
    return not (ground_truth & valid).any()


def one_is_empty(prediction, ground_truth, valid):
    return (prediction & valid).any() != (ground_truth & valid).any()


def boundary_iou(prediction, ground_truth, width=None, valid=None):
    valid = everywhere(valid, ground_truth.shape)
    if width is None:
        width = max(1, round(0.02 * hypot(*ground_truth.shape)))
    first, second = band(prediction, width), band(ground_truth, width)
    counted = set(pixels(valid))
    if one_is_empty(prediction, ground_truth, valid):
        return 0.0
    return share(
        len(first & second & counted), len((first | second) & counted), prediction, ground_truth, valid
    )


def boundary_f(prediction, ground_truth, radius=None, valid=None):
    valid = everywhere(valid, ground_truth.shape)
    if one_is_empty(prediction, ground_truth, valid):
        return 0.0
    if not ((prediction | ground_truth) & valid).any():
        return 1.0  # an edge beside the field of view belongs to what is outside it
    if radius is None:
        radius = ceil(0.008 * hypot(*ground_truth.shape))
    first, second = edges(prediction), edges(ground_truth)
    found, wanted = ([point for point in points if valid[point]] for points in (first, second))
    if not found and not wanted:
        return share(0, 0, prediction, ground_truth, valid)
    precision = np.mean(nearest(found, second) <= radius) if found else 1.0
    recall = np.mean(nearest(wanted, first) <= radius) if wanted else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def trimap_iou(prediction, ground_truth, width=3.0, spacing=(1.0, 1.0), valid=None):
    valid = everywhere(valid, ground_truth.shape)
    if no_ground_truth(ground_truth, valid):
        return nan
    if one_is_empty(prediction, ground_truth, valid):
        return 0.0
    inside, outside = pixels(ground_truth), pixels(~ground_truth)
    close = np.concatenate([nearest(inside, outside, spacing), nearest(outside, inside, spacing)]) <= width
    near = [
        point for point, is_close in zip(inside + outside, close, strict=True) if is_close and valid[point]
    ]
    both = sum(prediction[p] and ground_truth[p] for p in near)
    either = sum(prediction[p] or ground_truth[p] for p in near)
    return share(both, either, prediction, ground_truth, valid)


def summary_of_distances(summarise):
    """``summarise(both directions)``, 0 for two empty masks and infinite for one."""

    def measure(prediction, ground_truth, spacing=(1.0, 1.0), valid=None):
        valid = everywhere(valid, ground_truth.shape)
        if one_is_empty(prediction, ground_truth, valid):
            return inf
        sides = distances(prediction, ground_truth, spacing, valid)
        if not (prediction & valid).any() or not sum(map(len, sides)):
            return 0.0 if np.array_equal(prediction & valid, ground_truth & valid) else inf
        return summarise(sides)

    return measure


hd = summary_of_distances(lambda sides: max(side.max() for side in sides if len(side)))
hd95 = summary_of_distances(lambda sides: max(np.percentile(side, 95) for side in sides if len(side)))
assd = summary_of_distances(lambda sides: np.concatenate(sides).mean())


def nsd(prediction, ground_truth, tolerance, spacing=(1.0, 1.0), valid=None):
    valid = everywhere(valid, ground_truth.shape)
    if one_is_empty(prediction, ground_truth, valid):
        return 0.0
    if not (ground_truth & valid).any():
        return 1.0
    both = np.concatenate(distances(prediction, ground_truth, spacing, valid))
    return share(np.count_nonzero(both <= tolerance + 1e-6), len(both), prediction, ground_truth, valid)


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


def panoptic(prediction, ground_truth, valid=None):
    """(object recall, PQ)."""
    counted = set(pixels(everywhere(valid, ground_truth.shape)))
    guesses, targets = (
        [component & counted for component in components(mask) if component & counted]
        for mask in (prediction, ground_truth)
    )
    if not targets:
        return nan, nan
    ious = [len(g & t) / len(g | t) for g, t in product(guesses, targets)]
    matched = [iou for iou in ious if iou > 0.5]
    missed, invented = len(targets) - len(matched), len(guesses) - len(matched)
    recall = len(matched) / len(targets)
    return recall, sum(matched) / (len(matched) + invented / 2 + missed / 2)


def cldice(prediction, ground_truth, valid=None):
    """(clDice, skeleton recall), with scikit-image's skeletons of the whole images."""
    valid = everywhere(valid, ground_truth.shape)
    if no_ground_truth(ground_truth, valid):
        return nan, nan
    if one_is_empty(prediction, ground_truth, valid):
        return 0.0, 0.0
    first, second = (
        [point for point in pixels(skeletonize(mask)) if valid[point]] for mask in (prediction, ground_truth)
    )
    inside = (
        sum(bool(ground_truth[point]) for point in first),
        sum(bool(prediction[point]) for point in second),
    )
    recall = share(inside[1], len(second), prediction, ground_truth, valid)
    if not first and not second:
        return recall, recall
    shares = [
        part / len(points) if points else 1.0 for part, points in zip(inside, (first, second), strict=True)
    ]
    return (2 * shares[0] * shares[1] / sum(shares) if sum(shares) else 0.0), recall


@pytest.fixture(scope="session")
def brute():
    return SimpleNamespace(
        assd=assd,
        boundary_f=boundary_f,
        boundary_iou=boundary_iou,
        cldice=cldice,
        hd=hd,
        hd95=hd95,
        nsd=nsd,
        panoptic=panoptic,
        trimap_iou=trimap_iou,
    )
