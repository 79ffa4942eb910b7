"""Scores by thickness and by object size."""

import numpy as np
import pytest

from unetseg.metrics.strata import ObjectScore, object_areas_and_recall, size_strata
from unetseg.metrics.thickness import pool_thickness, thickness_recall

BIN_OF_WIDTH = dict.fromkeys([1, 2], "1-2") | dict.fromkeys([3, 4], "3-4")
BIN_OF_WIDTH |= dict.fromkeys([5, 6, 7, 8], "5-8") | dict.fromkeys([9, 10, 14], ">8")


def line(width, shape=(60, 120)):
    mask = np.zeros(shape, bool)
    mask[20 : 20 + width] = True
    return mask


@pytest.mark.parametrize(("width", "name"), BIN_OF_WIDTH.items())
@pytest.mark.parametrize("turned", [False, True])
def test_a_line_n_pixels_wide_lands_in_its_bin(width, name, turned):
    mask = line(width).T if turned else line(width)
    totals = {key: total for key, (_, total) in thickness_recall(mask, mask).items()}
    assert totals[name] >= 0.97 * sum(totals.values())  # a skeleton may end in a corner of the line
    assert totals[name] > 100


@pytest.mark.parametrize(("width", "name"), BIN_OF_WIDTH.items())
def test_a_diagonal_line_lands_in_its_bin(width, name):
    row, column = np.indices((120, 120))
    mask = np.abs(row - column) / np.sqrt(2) < width / 2
    middle = (row + column > 60) & (row + column < 178)  # away from the ends, which the image cuts askew
    totals = {key: total for key, (_, total) in thickness_recall(mask, mask, valid=middle).items()}
    assert totals[name] >= 0.95 * sum(totals.values()) > 0


def test_a_prediction_that_loses_the_thin_branch_loses_it_in_the_thin_bin_only():
    trunk = line(12)
    tree = trunk.copy()
    tree[32:55, 60] = True
    found = thickness_recall(trunk, tree)
    thin_covered, thin_total = found["1-2"]
    thick_covered, thick_total = found[">8"]
    assert thin_total >= 20
    assert thin_covered < 5
    assert thick_covered == thick_total > 90


def test_a_field_of_view_leaves_out_the_skeleton_beyond_it():
    valid = np.zeros((60, 120), bool)
    valid[:, 30:50] = True
    assert thickness_recall(line(1), line(1), valid=valid)["1-2"] == (20, 20)


def test_an_image_that_is_all_structure_is_thick():
    full = np.ones((20, 30), bool)
    found = thickness_recall(full, full)
    assert found[">8"][1] == sum(total for _, total in found.values()) > 0


def test_an_empty_ground_truth_has_no_skeleton():
    assert set(thickness_recall(line(3), np.zeros((60, 120), bool)).values()) == {(0, 0)}


def test_thickness_is_pooled_by_summing_pixels():
    images = [{"1-2": (1, 4), "3-4": (0, 0)}, {"1-2": (2, 3), ">8": (5, 5)}]
    assert pool_thickness(images) == {"1-2": (3, 7), "3-4": (0, 0), "5-8": (0, 0), ">8": (5, 5)}


@pytest.fixture
def objects():
    ground_truth = np.zeros((40, 60), bool)
    ground_truth[2:6, 2:6] = True  # 16 pixels, missed
    ground_truth[20:30, 20:30] = True  # 100 pixels, half of it found
    prediction = np.zeros_like(ground_truth)
    prediction[20:30, 20:25] = True
    return prediction, ground_truth


def test_every_ground_truth_object_has_its_area_iou_and_recall(objects):
    assert sorted(object_areas_and_recall(*objects)) == [(16, 0, 0), (100, 0.5, 0.5)]


def test_an_object_is_scored_by_the_best_of_the_predicted_ones(objects):
    prediction, ground_truth = objects
    prediction[20:30, 26:30] = True  # a second piece: best IoU stays 0.5, recall grows
    assert max(object_areas_and_recall(prediction, ground_truth)) == (100, 0.5, 0.9)


def test_touching_objects_are_separate_by_instances(objects):
    prediction, ground_truth = objects
    instances = ground_truth.astype(int)
    instances[20:30, 20:25] = 7
    instances[20:30, 25:30] = 8
    found = sorted(object_areas_and_recall(prediction, ground_truth, instances))
    assert found == [(16, 0, 0), (50, 0, 0), (50, 1, 1)]


def test_an_object_outside_the_field_of_view_is_left_out(objects):
    valid = np.ones((40, 60), bool)
    valid[:10] = False
    assert object_areas_and_recall(*objects, valid=valid) == [(100, 0.5, 0.5)]


def test_nothing_predicted_leaves_every_object_missed(objects):
    _, ground_truth = objects
    assert sorted(object_areas_and_recall(np.zeros_like(ground_truth), ground_truth)) == [
        (16, 0, 0),
        (100, 0, 0),
    ]
    assert object_areas_and_recall(ground_truth, np.zeros_like(ground_truth)) == []


def test_sizes_split_at_the_terciles_of_the_data_set():
    scores = [ObjectScore(area, 0.2 if area <= 3 else 0.8, 0.5) for area in range(1, 10)]
    found = size_strata(scores)
    assert [stratum.objects for stratum in found.values()] == [3, 3, 3]
    assert (found["small"].smallest, found["small"].largest) == (1, 3)
    assert (found["small"].found, found["large"].found) == (0, 1)
    assert found["medium"].mean_iou == pytest.approx(0.8)


def test_objects_of_equal_area_share_a_stratum():
    found = size_strata([ObjectScore(5, 1.0, 1.0)] * 4)
    assert [stratum.objects for stratum in found.values()] == [4]


def test_no_objects_make_no_strata():
    assert size_strata([]) == {}
