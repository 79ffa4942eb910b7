"""Empty masks: one rule, and nobody gains by predicting nothing, averages included."""

from math import inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unetseg.metrics import average_scores, binary_scores, image_diagonal, scored_keys

EMPTY = np.zeros((12, 20), bool)
FULL = np.ones((12, 20), bool)
SPECK = EMPTY.copy()
SPECK[3, 4] = True
DISTANCE_KEYS = ("hd", "hd95", "assd")
COUNT_KEYS = ("tp", "fp", "fn")
# What asks for parts of the ground truth, and so means nothing without any.
PART_KEYS = ("trimap_iou", "cldice", "skeleton_recall", "object_recall", "pq")
PART_KEYS += ("split_recall", "centre_recall", "centre_precision")
SCORE_KEYS = [key for key in scored_keys() if key not in DISTANCE_KEYS and key not in COUNT_KEYS]
OVERLAP_KEYS = [key for key in SCORE_KEYS if key not in PART_KEYS]


def test_two_empty_masks_agree_perfectly():
    found = binary_scores(EMPTY, EMPTY)
    assert {found[key] for key in OVERLAP_KEYS} == {1}
    assert {found[key] for key in DISTANCE_KEYS} == {0}
    assert np.isnan([found[key] for key in PART_KEYS]).all()


@pytest.mark.parametrize(
    ("prediction", "ground_truth"), [(EMPTY, SPECK), (SPECK, EMPTY), (EMPTY, FULL), (FULL, EMPTY)]
)
def test_one_empty_mask_has_no_overlap_and_is_infinitely_far(prediction, ground_truth):
    found = binary_scores(prediction, ground_truth)
    assert {found[key] for key in OVERLAP_KEYS} == {0}
    assert {found[key] for key in DISTANCE_KEYS} == {inf}
    parts = [found[key] for key in PART_KEYS]
    assert parts == [0] * len(parts) if ground_truth.any() else np.isnan(parts).all()


def test_two_full_masks_agree_perfectly():
    found = binary_scores(FULL, FULL)
    assert {found[key] for key in SCORE_KEYS} == {1}
    assert {found[key] for key in DISTANCE_KEYS} == {0}


def test_an_empty_field_of_view_leaves_nothing_to_get_wrong():
    found = binary_scores(SPECK, FULL, valid=EMPTY)
    assert {found[key] for key in OVERLAP_KEYS} == {1}


def test_a_missed_image_counts_with_its_diagonal_and_is_reported():
    scores = [binary_scores(SPECK, SPECK), binary_scores(EMPTY, SPECK), binary_scores(SPECK, SPECK)]
    diagonal = image_diagonal(EMPTY.shape)
    found = average_scores(scores, [diagonal] * 3).image["hd"]
    assert found.mean == pytest.approx(diagonal / 3)
    assert found.missed == 1
    assert found.median == 0


def worse_or_equal(nothing, something):
    for key in SCORE_KEYS:
        assert nothing[key] <= something[key], key
    for key in DISTANCE_KEYS:
        assert nothing[key] >= something[key], key


@settings(max_examples=100, deadline=None)
@given(st.data(), st.tuples(st.integers(1, 12), st.integers(1, 12)), st.booleans())
def test_predicting_nothing_never_looks_better_than_predicting_something(data, shape, limited):
    prediction, ground_truth = (data.draw(arrays(np.bool_, shape)) for _ in range(2))
    valid = data.draw(arrays(np.bool_, shape)) if limited else np.ones(shape, bool)
    assume((ground_truth & valid).any())
    nothing = binary_scores(np.zeros(shape, bool), ground_truth, valid=valid)
    something = binary_scores(prediction, ground_truth, valid=valid)
    worse_or_equal(nothing, something)

    perfect = binary_scores(ground_truth, ground_truth, valid=valid)
    sizes = [image_diagonal(shape)] * 2
    lazy, busy = average_scores([nothing, perfect], sizes), average_scores([something, perfect], sizes)
    for average in ("mean", "median"):
        worse_or_equal(
            {key: getattr(value, average) for key, value in lazy.image.items()},
            {key: getattr(value, average) for key, value in busy.image.items()},
        )
    never = average_scores([nothing, nothing], sizes)
    assert never.dataset == {"iou": 0, "dice": 0}  # so no other model's can be lower
    assert lazy.image["hd"].missed >= busy.image["hd"].missed


def test_what_lies_beside_the_field_of_view_leaves_no_edge_in_it():
    prediction, ground_truth = np.zeros((6, 6), bool), np.zeros((6, 6), bool)
    prediction[3, 3] = True  # its edge reaches the pixels above it and to its left
    valid = np.ones((6, 6), bool)
    valid[3, 3] = False
    scores = binary_scores(prediction, ground_truth, valid=valid)
    assert scores["boundary_f"] == scores["boundary_iou"] == scores["iou"] == 1.0
