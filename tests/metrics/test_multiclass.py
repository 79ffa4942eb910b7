"""Classes one against the rest, and their mean."""

from math import inf

import numpy as np
import pytest

from unetseg.metrics import binary_scores, multiclass_scores

CLASSES = ["background", "cat", "dog", "owl"]


@pytest.fixture
def maps():
    reference = np.zeros((20, 30), np.uint8)
    reference[2:10, 2:10] = 1
    reference[12:18, 12:24] = 2
    prediction = reference.copy()
    prediction[2:10, 8:10] = 0
    return prediction, reference


def test_each_class_scores_as_its_own_mask_would(maps):
    prediction, reference = maps
    found = multiclass_scores(prediction, reference, classes=CLASSES)
    for index, name in enumerate(CLASSES[1:], start=1):
        assert found[name] == binary_scores(prediction == index, reference == index)


def test_a_class_absent_from_both_maps_is_left_out_of_the_mean(maps):
    found = multiclass_scores(*maps, classes=CLASSES)
    assert found["mean"]["iou"] == pytest.approx((0.75 + 1) / 2)


def test_a_class_that_only_one_map_has_counts_as_missed(maps):
    prediction, reference = maps
    prediction[0, 0] = 3
    found = multiclass_scores(prediction, reference, classes=CLASSES)["mean"]
    assert found["iou"] == pytest.approx((0.75 + 1 + 0) / 3)
    assert found["hd"] == inf


def test_a_map_of_background_has_no_mean():
    nothing = np.zeros((5, 5), int)
    found = multiclass_scores(nothing, nothing, classes=CLASSES)
    assert found["mean"] == {}
    assert found["cat"]["iou"] == 1


def test_ignored_pixels_count_neither_way(maps):
    prediction, reference = maps
    reference[2:10, 8:10] = 255
    found = multiclass_scores(
        prediction, reference, classes=CLASSES, ignore_index=255, keys=["iou", "fp", "fn"]
    )
    assert found["cat"] == {"iou": 1, "fp": 0, "fn": 0}
    prediction[2:10, 8:10] = 3
    assert "owl" in found
    again = multiclass_scores(prediction, reference, classes=CLASSES, ignore_index=255, keys=["iou"])
    assert again["mean"] == {"iou": 1}  # owls occur in ignored pixels only


def test_an_ignored_class_index_is_no_class(maps):
    prediction, reference = maps
    found = multiclass_scores(prediction, reference, classes=CLASSES, ignore_index=1, keys=["tp", "fp", "fn"])
    assert found["cat"] == {"tp": 0, "fp": 0, "fn": 0}


def test_instances_are_split_by_class(maps):
    prediction, reference = maps
    instances = reference.astype(int)
    instances[12:18, 18:24] = 9
    found = multiclass_scores(
        prediction, reference, classes=CLASSES, reference_instances=instances, keys=["object_recall"]
    )
    assert found["cat"]["object_recall"] == 1
    assert found["dog"]["object_recall"] == 0  # two dogs, one blob over both
