"""Metrics that ask for less than pixels in place: each by two routes that share nothing with the code."""

import warnings
from itertools import product
from math import hypot, inf

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage import measure, morphology

from unetseg.metrics import binary_scores, mask_pair
from unetseg.metrics.thickness import THICKNESS_BINS, have_widths, pair_widths, thickness_columns

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from monai.metrics import compute_surface_dice

check = settings(max_examples=40, deadline=None)
SPACINGS = st.sampled_from([(1.0, 1.0), (1.0, 2.0), (0.7, 0.3)])


@st.composite
def pairs(draw):
    """Two masks up to 20×20, neither empty: independent, or one and the same with some pixels wrong."""
    shape = draw(st.tuples(st.integers(1, 20), st.integers(1, 20)))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    block = draw(st.sampled_from([1, 2, 4]))
    coarse = tuple(-(-size // block) for size in shape)
    first, second = (
        np.kron(generator.random(coarse) < draw(st.sampled_from([0.1, 0.4, 0.7])), np.ones((block, block)))[
            : shape[0], : shape[1]
        ]
        > 0
        for _ in range(2)
    )
    if draw(st.booleans()):
        second = first ^ (generator.random(shape) < 0.1)
    assume(first.any() and second.any())
    return first, second


def score(key, *pair, **options):
    return binary_scores(*pair, metrics=[key], **options)[key]


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True)


def tensor(mask):
    return torch.from_numpy(np.ascontiguousarray(mask))[None, None].float()


def pixels(mask):
    return [(int(row), int(column)) for row, column in zip(*np.nonzero(mask), strict=True)]


# NSD by contour length


def contour(mask, spacing):
    """Every corner of pixels where a contour passes, and its length: by the number of pixels inside."""
    down, across = spacing
    found = []
    for row, column in product(range(mask.shape[0] + 1), range(mask.shape[1] + 1)):
        inside = [
            (r, c)
            for r, c in product((row - 1, row), (column - 1, column))
            if 0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and mask[r, c]
        ]
        if len(inside) in (1, 3):
            found.append((row, column, hypot(down, across) / 2))
        elif len(inside) == 2:
            (r, c), (other_r, other_c) = inside
            length = across if r == other_r else down if c == other_c else hypot(down, across)
            found.append((row, column, length))
    return np.array(found)


@check
@given(pairs(), SPACINGS, st.sampled_from([0.0, 1.0, 1.45, 2.9]))
def test_nsd_by_contour_length_agrees_with_brute_force(pair, spacing, tolerance):
    first, second = (contour(mask, spacing) for mask in pair)
    between = cdist(first[:, :2] * spacing, second[:, :2] * spacing)
    near = first[between.min(axis=1) <= tolerance + 1e-6, 2].sum()
    near += second[between.min(axis=0) <= tolerance + 1e-6, 2].sum()
    expected = near / (first[:, 2].sum() + second[:, 2].sum())
    assert score("nsd_length", *pair, spacing=spacing, tolerance=tolerance) == close(expected)


@check
@given(pairs(), SPACINGS)
def test_nsd_by_contour_length_agrees_with_monais_subvoxels(pair, spacing):
    padded = [tensor(np.pad(mask, 2)) for mask in pair]  # MONAI sees no outline at the image's border
    options = {"class_thresholds": [1.45], "include_background": True, "spacing": list(spacing)}
    expected = compute_surface_dice(*padded, use_subvoxels=True, **options).item()
    found = score("nsd_length", *pair, spacing=spacing, tolerance=1.45)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_slanted_outline_counts_by_its_length_and_not_by_its_pixels():
    # Of a half square, the slope is √2 times as long as a leg, but has as many border pixels.
    row, column = np.indices((40, 40))
    triangle = (row >= column) & (row < 30)
    shifted_slope = (row >= column + 6) & (row < 30)
    found = binary_scores(shifted_slope, triangle, tolerance=2.0)
    assert found["nsd_length"] < found["nsd"]


def test_a_contour_counts_where_a_counted_pixel_of_its_mask_touches_it():
    mask = np.zeros((10, 12), bool)
    mask[3:7, 3:9] = True
    wrong = mask.copy()
    wrong[3:7, 9:12] = True
    valid = np.zeros_like(mask)
    valid[:, :6] = True
    assert score("nsd_length", wrong, mask, valid=valid, tolerance=0.0) == 1
    assert score("nsd_length", wrong, mask, tolerance=0.0) < 1


# Recall and precision by width, within a tolerance


def shares(prediction, ground_truth):
    """Recall strict, recall within 2 px and precision within 2 px of all bins together."""
    found = pair_widths(mask_pair(prediction, ground_truth)).values()
    sums = {what: sum(getattr(each, what) for each in found) for what in next(iter(found))._fields}
    return sums


@check
@given(pairs())
def test_skeleton_pixels_within_the_tolerance_agree_with_brute_force(pair):
    prediction = pair[0]
    found = shares(*pair)
    skeletons = [pixels(morphology.skeletonize(mask)) for mask in pair]
    in_masks = [pixels(mask) for mask in pair]

    def near(points, others):
        return sum(any((r - a) ** 2 + (c - b) ** 2 <= 4 for a, b in others) for r, c in points)

    assert found["hits"] == sum(bool(prediction[point]) for point in skeletons[1])
    assert found["near"] == near(skeletons[1], in_masks[0])
    assert found["right"] == near(skeletons[0], in_masks[1])
    assert (found["predicted"], found["pixels"]) == tuple(map(len, skeletons))


@check
@given(pairs())
def test_skeleton_pixels_within_the_tolerance_agree_with_scipys_distances_in_every_bin(pair):
    prediction, ground_truth = pair
    found = pair_widths(mask_pair(*pair))

    def by_bin(mask, other):
        # Nothing outside the image is background.
        depth = ndimage.distance_transform_edt(mask) if not mask.all() else np.full(mask.shape, inf)
        width = 2 * ndimage.maximum_filter(depth, 3) - 0.5
        skeleton = morphology.skeletonize(mask)
        close_by = ndimage.distance_transform_edt(~other) <= 2
        lowest = -inf
        for name, widest in THICKNESS_BINS.items():
            here = skeleton & (width > lowest) & (width <= widest + 0.5)
            lowest = widest + 0.5
            yield name, int((here & close_by).sum()), int(here.sum())

    for name, near, total in by_bin(ground_truth, prediction):
        assert (found[name].near, found[name].pixels) == (near, total)
    for name, right, total in by_bin(prediction, ground_truth):
        assert (found[name].right, found[name].predicted) == (right, total)


def test_thin_lines_beside_their_place_are_found_within_the_tolerance_and_lost_without():
    truth = np.zeros((40, 60), bool)
    truth[[5, 15, 25, 35], 3:57] = True
    beside = np.roll(truth, 1, axis=0)
    invented = beside.copy()
    invented[10, 3:57] = True
    thin = pair_widths(mask_pair(invented, truth))["1-2"]
    assert thin.hits == 0 and thin.near == thin.pixels
    assert thin.right / thin.predicted == pytest.approx(4 / 5)


def test_widths_mean_something_for_lines_and_nothing_for_blobs():
    def row(mask):
        columns = thickness_columns(mask_pair(mask, mask))
        objects = measure.label(mask, connectivity=2).max()
        return columns | {"tp": mask.sum(), "fn": 0, "size_small_objects": objects}

    line, discs, square = np.zeros((3, 60, 60), bool)
    line[20:23, 2:58] = True
    for middle in ((15, 15), (40, 30)):
        discs |= np.hypot(*(np.indices(discs.shape) - np.array(middle)[:, None, None])) < 9
    square[10:40, 10:40] = True
    branched = square.copy()
    branched[25, 40:60] = True
    assert have_widths([row(branched)])
    assert have_widths([row(line)]) and not have_widths([row(discs)]) and not have_widths([row(square)])
    assert have_widths([row(line), row(line), row(np.zeros_like(line))])
    assert have_widths([{key: value for key, value in row(discs).items() if "size" not in key}])  # unknown


# Objects by their centre, and touching ones split


def labelled(mask):
    return measure.label(mask, connectivity=2)


def centre_by_loops(component, shape):
    outside = [
        (r, c)
        for r, c in product(range(-1, shape[0] + 1), range(-1, shape[1] + 1))
        if (r, c) not in component
    ]
    return max(sorted(component), key=lambda p: min((p[0] - r) ** 2 + (p[1] - c) ** 2 for r, c in outside))


@settings(max_examples=25, deadline=None)
@given(pairs())
def test_centres_agree_with_brute_force(pair):
    shares = []
    for mask, other in (pair[::-1], pair):
        labels = labelled(mask)
        components = [{*pixels(labels == label)} for label in range(1, labels.max() + 1)]
        shares.append(np.mean([bool(other[centre_by_loops(each, mask.shape)]) for each in components]))
    found = binary_scores(*pair, metrics=["centre_recall", "centre_precision"])
    assert [found["centre_recall"], found["centre_precision"]] == close(shares)


@check
@given(pairs(), SPACINGS)
def test_centres_agree_with_scipys_distances_object_by_object(pair, spacing):
    prediction, ground_truth = pair
    labels = labelled(ground_truth)
    hit = []
    for label in range(1, labels.max() + 1):
        depth = ndimage.distance_transform_edt(np.pad(labels == label, 1), spacing)[1:-1, 1:-1]
        row, column = pixels(depth >= depth.max() - 1e-9)[0]
        hit.append(prediction[row, column])
    assert score("centre_recall", *pair, spacing=spacing) == close(np.mean(hit))


def test_the_centre_of_a_bent_object_lies_inside_it():
    row, column = np.indices((40, 40))
    ring = np.abs(np.hypot(row - 20, column - 20) - 12) < 4
    crescent = ring & (column < 22)
    assert score("centre_recall", crescent, crescent) == 1


def split_by_loops(prediction, ground_truth, spacing):
    """Each pixel of a predicted object goes to the nearest of the true ones that the object covers."""
    targets, guesses = labelled(ground_truth), labelled(prediction)
    parts = {label: set() for label in range(1, targets.max() + 1)}
    for guess in range(1, guesses.max() + 1):
        covered = {int(targets[point]) for point in pixels(guesses == guess)} - {0}
        for point in pixels(guesses == guess):
            distance = {
                label: min(
                    ((point[0] - r) * spacing[0]) ** 2 + ((point[1] - c) * spacing[1]) ** 2
                    for r, c in pixels(targets == label)
                )
                for label in covered
            }
            for label in covered:
                if distance[label] <= min(distance.values()) + 1e-9:
                    parts[label].add(point)
    found = []
    for label, part in parts.items():
        true = {*pixels(targets == label)}
        found.append(2 * len(part & true) > len(part | true))
    return np.mean(found)


@settings(max_examples=25, deadline=None)
@given(pairs(), SPACINGS)
def test_split_objects_agree_with_brute_force(pair, spacing):
    assert score("split_recall", *pair, spacing=spacing) == close(split_by_loops(*pair, spacing))


@check
@given(pairs())
def test_split_objects_agree_with_one_distance_map_an_object(pair):
    prediction, ground_truth = pair
    targets, guesses = labelled(ground_truth), labelled(prediction)
    maps = np.array([ndimage.distance_transform_edt(targets != n) for n in range(1, targets.max() + 1)])
    got = np.zeros(maps.shape, bool)
    for guess in range(1, guesses.max() + 1):
        covered = np.unique(targets[(guesses == guess) & ground_truth]) - 1
        if covered.size:
            nearest = maps[covered] <= maps[covered].min(axis=0) + 1e-9
            got[covered] |= nearest & (guesses == guess)
    true = np.array([targets == n for n in range(1, targets.max() + 1)])
    ious = (got & true).sum(axis=(1, 2)) / (got | true).sum(axis=(1, 2))
    assert score("split_recall", *pair) == close(np.mean(ious > 0.5))


def touching_squares():
    mask = np.zeros((20, 44), bool)
    mask[4:16, 2:42] = True
    instances = np.zeros(mask.shape, int)
    for number in range(4):
        instances[4:16, 2 + 10 * number : 12 + 10 * number] = number + 1
    return mask, instances


def test_of_a_perfect_mask_touching_objects_are_found_once_they_are_split():
    mask, instances = touching_squares()
    found = binary_scores(mask, mask, ground_truth_instances=instances)
    assert (found["object_recall"], found["split_recall"], found["centre_recall"]) == (0, 1, 1)


def test_an_object_that_is_lost_among_touching_ones_stays_lost():
    mask, instances = touching_squares()
    prediction = mask & (instances != 2)
    found = binary_scores(prediction, mask, ground_truth_instances=instances)
    assert found["split_recall"] == found["centre_recall"] == 0.75


def test_what_is_drawn_beside_an_object_still_costs_it():
    square = np.zeros((30, 30), bool)
    square[10:16, 10:16] = True
    wide = np.zeros_like(square)
    wide[6:20, 6:20] = True
    assert score("split_recall", wide, square) == 0 and score("centre_recall", wide, square) == 1


def test_a_tie_among_more_neighbours_than_are_looked_at_still_counts_for_every_object():
    row, column = np.indices((61, 61))
    radius = np.hypot(row - 30, column - 30)
    ring = (radius >= 25) & (radius < 27)
    instances = np.where(ring, 1 + (column > 30), 0)
    instances[ring & (column == 30)] = 1
    prediction = radius < 27
    found = score("split_recall", prediction, ring, ground_truth_instances=instances)
    assert found == 0  # each half of the disc is more than a half ring


@check
@given(st.data(), st.tuples(st.integers(2, 16), st.integers(2, 16)))
def test_predicting_nothing_never_looks_better(data, shape):
    prediction, ground_truth = (data.draw(arrays(np.bool_, shape)) for _ in range(2))
    assume(ground_truth.any())
    keys = ("nsd_length", "centre_recall", "centre_precision", "split_recall")
    found = binary_scores(np.zeros(shape, bool), ground_truth, metrics=keys)
    assert set(found.values()) == {0}
    assert binary_scores(ground_truth, ground_truth, metrics=["nsd_length", "centre_recall"]) == {
        "nsd_length": 1,
        "centre_recall": 1,
    }
    assert min(binary_scores(prediction, ground_truth, metrics=keys).values()) >= 0
