"""Whether single objects are found, where IoU above one half asks too much: small ones, and touching ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import cKDTree

from unetseg.metrics.geometry import RADIUS_SLACK, BoolArray, border, distance_map
from unetseg.metrics.pair import MaskPair
from unetseg.metrics.registry import EmptyMasks, Metric, registered

# Nearest neighbours that are looked at for ties: as many pixels as a circle of the grid mostly holds.
_NEIGHBOURS = 16


@registered(
    Metric(
        "split_recall",
        "object recall, touching ones split",
        "structure",
        empty=EmptyMasks.REFERENCE,
        needs=("instances",),
        shown={"table": 14, "study": 16},
    )
)
def split_recall(pair: MaskPair) -> float:
    """Share of the ground truth's objects found at IoU above 0.5, once touching predictions are split.

    A mask of classes cannot part objects that touch: of a perfect one, none is found. So a predicted object
    that covers several true ones is cut between them, each of its pixels going to the nearest (to each of
    them where several are), and all parts that a true object gets are its prediction. Objects as in
    :func:`~unetseg.metrics.structure.object_recall`, which does not split. Not defined (NaN) without ground
    truth; an empty prediction scores 0.

    Examples:
        >>> objects = np.zeros((8, 16), int)
        >>> objects[2:6, 2:8], objects[2:6, 8:14] = 1, 2
        >>> pair = mask_pair(objects > 0, objects > 0, ground_truth_instances=objects)
        >>> split_recall(pair)
        1.0
    """
    objects = pair.objects
    areas = objects.ground_truth_areas
    hits = np.bincount(objects.ground_truth_index, weights=objects.intersection, minlength=areas.size)
    # A part adds to the union only by its pixels beside the ground truth: those inside belong to one object.
    extra = _extra_pixels(pair)
    return float(np.count_nonzero(2 * hits > areas + extra) / areas.size)


@registered(
    Metric(
        "centre_recall",
        "objects whose centre is found",
        "structure",
        empty=EmptyMasks.REFERENCE,
        needs=("instances",),
        shown={"table": 15, "study": 17},
    )
)
def centre_recall(pair: MaskPair) -> float:
    """Share of the ground truth's objects whose centre the prediction covers.

    The centre is the object's counted pixel farthest from all that is not the object, the image's outside
    included, the first one row by row; unlike the centroid it lies inside. Objects are the given instances,
    else 8-connected components. Not defined (NaN) without ground truth; an empty prediction scores 0.
    Source: the localisation criterion "point inside mask" of Maier-Hein et al. 2024 (Metrics Reloaded).

    Examples:
        >>> two = np.zeros((8, 16), bool)
        >>> two[2:6, 2:6] = two[2:6, 10:14] = True
        >>> one = two.copy()
        >>> one[:, 8:] = False
        >>> float(centre_recall(mask_pair(one, two)))
        0.5
    """
    return _share_of_centres(pair, pair.ground_truth_labels, pair.ground_truth, pair.prediction)


@registered(
    Metric(
        "centre_precision",
        "objects whose centre is right",
        "structure",
        empty=EmptyMasks.REFERENCE,
        needs=("instances",),
        shown={"table": 16, "study": 18},
    )
)
def centre_precision(pair: MaskPair) -> float:
    """Share of the predicted objects whose centre the ground truth covers.

    Centres, objects and empty masks as in :func:`centre_recall`.

    Examples:
        >>> two = np.zeros((8, 16), bool)
        >>> two[2:6, 2:6] = two[2:6, 10:14] = True
        >>> one = two.copy()
        >>> one[:, 8:] = False
        >>> float(centre_precision(mask_pair(one, two)))
        1.0
    """
    return _share_of_centres(pair, pair.prediction_labels, pair.prediction, pair.ground_truth)


def _share_of_centres(
    pair: MaskPair, labels: NDArray[np.integer], mask: BoolArray, other: BoolArray
) -> float:
    counted = pair.counted(mask)
    found = []
    for label, box in enumerate(find_objects(labels), 1):
        if box and (asked := counted[box] & (labels[box] == label)).any():
            depth = distance_map(~np.pad(labels[box] == label, 1), pair.spacing).values[1:-1, 1:-1]
            found.append(other[box].ravel()[np.argmax(np.where(asked, depth, -1.0))])
    return np.count_nonzero(found) / len(found)


def _extra_pixels(pair: MaskPair) -> NDArray[np.float64]:
    """(R,) pixels beside the ground truth that each of its objects gets from the predictions over it."""
    objects = pair.objects
    ids = np.unique(pair.ground_truth_labels[pair.counted(pair.ground_truth)])
    beside = pair.counted(pair.prediction & ~pair.ground_truth)
    extra = np.zeros(objects.ground_truth_areas.size)
    edges = border(pair.ground_truth) | _touching(pair.ground_truth_labels)
    names = np.unique(pair.prediction_labels[pair.counted(pair.prediction)])
    sizes = np.bincount(pair.prediction_labels[beside], minlength=int(names.max(initial=0)) + 1)
    for number in np.unique(objects.prediction_index):
        covered = objects.ground_truth_index[objects.prediction_index == number]
        label = names[number]
        if not sizes[label]:
            continue
        if covered.size == 1:
            extra[covered] += sizes[label]
            continue
        near_edges = edges & np.isin(pair.ground_truth_labels, ids[covered])
        owners = np.searchsorted(ids, pair.ground_truth_labels[near_edges])
        pixels = beside & (pair.prediction_labels == label)
        points, targets = (np.argwhere(each) * pair.spacing for each in (pixels, near_edges))
        extra += _nearest_owners(points, targets, owners, extra.size)
    return extra


def _touching(labels: NDArray[np.integer]) -> BoolArray:
    """Pixels of objects next to a pixel of another object: outlines that no background shows."""
    found = np.zeros(labels.shape, np.bool_)
    for first, second in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = labels[first] != labels[second]
        found[first] |= differ
        found[second] |= differ
    return found & (labels > 0)


def _nearest_owners(
    points: NDArray[Any], targets: NDArray[Any], owners: NDArray[np.integer], count: int
) -> NDArray[np.integer]:
    """(count,) how many points are nearest to a target of each owner; ties count for every owner."""
    tree = cKDTree(targets)
    wanted = min(_NEIGHBOURS, len(targets))
    distances, found = (each.reshape(len(points), wanted) for each in tree.query(points, wanted))
    nearest = distances <= distances[:, :1] + RADIUS_SLACK
    which, rank = np.nonzero(nearest)
    claims = [which * count + owners[found[which, rank]]]
    if wanted < len(targets):  # there may be more ties than were looked at
        for point in np.flatnonzero(nearest.all(axis=1)):
            every = tree.query_ball_point(points[point], distances[point, 0] + RADIUS_SLACK)
            claims.append(point * count + owners[every])
    return np.bincount(np.unique(np.concatenate(claims)) % count, minlength=count)
