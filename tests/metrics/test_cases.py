"""Small drawn masks whose scores a reader can check by hand."""

from math import inf, sqrt

import numpy as np
import pytest

from unetseg.metrics import binary_scores


def blank(height=40, width=60):
    return np.zeros((height, width), bool)


def square(top, left, side, shape=(40, 60)):
    mask = blank(*shape)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize("shift", [1, 3])
def test_a_shifted_square_is_as_far_off_as_the_shift(shift):
    found = binary_scores(square(10, 10 + shift, 12), square(10, 10, 12))
    assert found["iou"] == pytest.approx((12 - shift) / (12 + shift))
    assert found["hd"] == shift
    assert found["hd95"] == shift


def test_a_shift_of_one_pixel_costs_more_boundary_iou_than_iou():
    found = binary_scores(square(10, 11, 20), square(10, 10, 20))
    assert 1 - found["boundary_iou"] > 3 * (1 - found["iou"])


def test_a_mask_without_its_thin_branches_keeps_iou_and_loses_skeleton_recall():
    trunk = blank()
    trunk[5:35, 5:25] = True
    tree = trunk.copy()
    tree[10, 25:55] = tree[30, 25:55] = True
    found = binary_scores(trunk, tree)
    assert found["iou"] > 0.9
    assert found["skeleton_recall"] < 0.4


def test_concentric_squares_are_apart_by_the_diagonal_of_the_rim():
    found = binary_scores(square(12, 12, 8), square(10, 10, 12))
    assert found["hd"] == pytest.approx(2 * sqrt(2))
    assert found["nsd"] < 1  # the corners of the outer square


def test_a_thin_line_shifted_by_one_has_no_overlap_and_no_centreline_but_a_near_border():
    first, second = blank(), blank()
    first[10, 5:50] = True
    second[11, 5:50] = True
    found = binary_scores(first, second, tolerance=1)
    assert (found["iou"], found["nsd"], found["cldice"]) == (0, 1, 0)


def test_a_gap_in_a_line_costs_skeleton_recall_by_its_length_and_splits_the_object():
    line = blank()
    line[20, 10:50] = True
    broken = line.copy()
    broken[20, 28:32] = False
    found = binary_scores(broken, line)
    assert found["skeleton_recall"] == pytest.approx(36 / 40)
    assert found["cldice"] == pytest.approx(2 * 0.9 / 1.9)
    assert found["object_recall"] == 0  # two halves of 18 of 40 pixels


def test_an_object_at_the_images_border_has_a_border_there():
    corner = square(0, 0, 10)
    # Without a border along the image's rim, the inner square's corner would be 9 from the nearest.
    assert binary_scores(square(0, 0, 9), corner, metrics=["hd"])["hd"] == pytest.approx(sqrt(2))
    found = binary_scores(square(0, 0, 2), corner, boundary_width=1)
    assert found["boundary_iou"] == pytest.approx(3 / 37)  # 3 of its 4 pixels lie in the other's rim of 36


def test_trimap_and_boundary_f_have_no_edge_at_the_images_border():
    left_half = blank()
    left_half[:, :30] = True
    hole_at_the_rim = left_half.copy()
    hole_at_the_rim[15:20, 0:5] = False
    found = binary_scores(hole_at_the_rim, left_half)
    assert found["trimap_iou"] == 1
    assert found["boundary_f"] < 1
    assert binary_scores(np.ones((9, 9), bool), np.ones((9, 9), bool))["boundary_f"] == 1


def test_an_exact_match_with_a_far_speck_has_a_huge_hd_and_an_hd95_of_zero():
    ground_truth = square(2, 2, 30)
    prediction = ground_truth.copy()
    prediction[38, 58] = True
    found = binary_scores(prediction, ground_truth)
    assert found["hd"] == pytest.approx(sqrt(7**2 + 27**2))
    assert found["hd95"] == 0


def test_single_pixels_3_4_apart_are_5_apart():
    found = binary_scores(square(10, 10, 1), square(13, 14, 1))
    assert (found["hd"], found["hd95"], found["assd"]) == (5, 5, 5)


def test_spacing_is_row_then_column():
    first, second = square(10, 10, 1), square(13, 14, 1)
    assert binary_scores(first, second, spacing=(10, 1))["hd"] == pytest.approx(sqrt(30**2 + 4**2))
    assert binary_scores(first, second, spacing=(0.5, 0.5))["hd"] == 2.5


def test_nsd_takes_in_a_border_exactly_at_the_tolerance():
    first, second = square(10, 10, 1), square(11, 12, 1)
    assert binary_scores(first, second, tolerance=sqrt(5))["nsd"] == 1
    assert binary_scores(first, second, tolerance=2.2)["nsd"] == 0


def test_touching_nuclei_are_told_apart_by_instances_only():
    ground_truth = square(10, 10, 10) | square(10, 20, 10)
    instances = square(10, 10, 10) * 1 + square(10, 20, 10) * 2
    prediction = square(10, 10, 10)
    assert binary_scores(prediction, ground_truth)["object_recall"] == 0  # one object, half of it found
    assert binary_scores(prediction, ground_truth, ground_truth_instances=instances)["object_recall"] == 0.5


def test_an_iou_of_exactly_one_half_is_no_match():
    assert binary_scores(square(10, 10, 1), square(10, 10, 1) | square(10, 11, 1))["pq"] == 0


def test_a_field_of_view_counts_only_its_pixels():
    ground_truth = square(10, 10, 10)
    prediction = ground_truth | square(30, 40, 5)
    valid = ~square(25, 35, 15)
    found = binary_scores(prediction, ground_truth, valid=valid)
    assert (found["iou"], found["pq"], found["hd"], found["fp"]) == (1, 1, 0, 0)


def test_a_field_of_view_invents_no_edge_and_cuts_no_object_in_two():
    ring = square(5, 5, 30) & ~square(10, 10, 20)
    valid = blank()
    valid[:, 15:30] = True  # leaves two bars of the ring
    shifted = np.roll(ring, 1, axis=0)
    found = binary_scores(shifted, ring, valid=valid)
    assert found["hd"] == 1
    assert binary_scores(ring, ring, valid=valid)["object_recall"] == 1
    assert binary_scores(ring & ~valid | square(5, 5, 30) & valid, ring, valid=valid)["boundary_f"] < 1


def test_what_lies_beyond_the_field_of_view_is_a_missed_object_there():
    ground_truth = square(10, 10, 5)
    prediction = square(10, 30, 5)
    valid = blank()
    valid[:, :20] = True
    found = binary_scores(prediction, ground_truth, valid=valid)
    assert (found["hd"], found["nsd"], found["iou"]) == (inf, 0, 0)


def test_only_the_wanted_keys_come_back_and_in_their_usual_order():
    assert list(binary_scores(blank(), blank(), metrics={"nsd", "iou"})) == ["iou", "nsd"]


def test_integers_0_and_1_do_for_masks():
    mask = square(10, 10, 5)
    assert binary_scores(mask.astype(np.uint8), mask.astype(int)) == binary_scores(mask, mask)


def test_default_widths_are_shares_of_the_whole_images_diagonal():
    first, second = (square(20, left, 60, shape=(300, 400)) for left in (20, 24))  # a diagonal of 500
    default = binary_scores(first, second)
    assert default["boundary_iou"] == binary_scores(first, second, boundary_width=10)["boundary_iou"]
    assert default["boundary_iou"] != binary_scores(first, second, boundary_width=9)["boundary_iou"]
    assert (default["boundary_f"], default["nsd"] < 1) == (1, True)
    assert binary_scores(first, second, edge_radius=3)["boundary_f"] < 1
