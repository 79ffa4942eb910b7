"""Classes one against the rest, and their mean."""

from math import inf

import numpy as np
import pytest

from unetseg.metrics import binary_scores, multiclass_scores

DISTANCES = ("hd", "hd95", "assd")
OUTLINE = ("boundary_iou", "boundary_f", "trimap_iou", "hd", "hd95", "assd", "nsd", "nsd_length")
CLASSES = ["background", "cat", "dog", "owl"]


@pytest.fixture
def maps():
    ground_truth = np.zeros((20, 30), np.uint8)
    ground_truth[2:10, 2:10] = 1
    ground_truth[12:18, 12:24] = 2
    prediction = ground_truth.copy()
    prediction[2:10, 8:10] = 0
    return prediction, ground_truth


def test_each_class_scores_as_its_own_mask_would(maps):
    prediction, ground_truth = maps
    found = multiclass_scores(prediction, ground_truth, classes=CLASSES)
    for index, name in enumerate(CLASSES[1:3], start=1):
        assert found[name] == binary_scores(prediction == index, ground_truth == index)


@pytest.mark.parametrize("predicted", [False, True])
def test_a_class_that_the_ground_truth_does_not_have_has_no_score(maps, predicted):
    prediction, ground_truth = maps
    prediction[0, 0] = 3 * predicted
    owl = multiclass_scores(prediction, ground_truth, classes=CLASSES)["owl"]
    assert [owl.pop(key) for key in ("tp", "fp", "fn")] == [0, predicted, 0]
    assert np.isnan([*owl.values()]).all()


def test_a_class_absent_from_both_maps_is_left_out_of_the_mean(maps):
    found = multiclass_scores(*maps, classes=CLASSES)
    assert found["mean"]["iou"] == pytest.approx((0.75 + 1) / 2)


def test_a_class_that_only_one_map_has_counts_as_missed(maps):
    prediction, ground_truth = maps
    prediction[0, 0] = 3
    found = multiclass_scores(prediction, ground_truth, classes=CLASSES)["mean"]
    assert found["iou"] == pytest.approx((0.75 + 1 + 0) / 3)
    assert found["hd"] == inf


def test_two_maps_of_background_agree_perfectly():
    # Left out of the mean over images, such an image would count for one model and not for another.
    nothing = np.zeros((5, 5), int)
    found = multiclass_scores(nothing, nothing, classes=CLASSES)["mean"]
    assert {found.pop(key) for key in DISTANCES} == {0}
    assert {found[key] for key in ("iou", "dice", "boundary_iou", "boundary_f", "nsd")} == {1}
    assert np.isnan([found[key] for key in ("trimap_iou", "cldice", "object_recall", "pq")]).all()


def test_ignored_pixels_count_neither_way(maps):
    prediction, ground_truth = maps
    ground_truth[2:10, 8:10] = 255
    found = multiclass_scores(
        prediction, ground_truth, classes=CLASSES, ignore_index=255, metrics=["iou", "fp", "fn"]
    )
    assert found["cat"] == {"iou": 1, "fp": 0, "fn": 0}
    prediction[2:10, 8:10] = 3
    again = multiclass_scores(prediction, ground_truth, classes=CLASSES, ignore_index=255, metrics=["iou"])
    assert again["mean"] == {"iou": 1}  # owls occur in ignored pixels only


def test_scores_of_the_outline_are_refused_where_labels_ignore_pixels(maps):
    # With the pixels round every outline ignored, a mask drawn 2 pixels too wide would be perfect.
    allowed = multiclass_scores(*maps, classes=CLASSES, ignore_index=255)["cat"]
    assert not allowed.keys() & set(OUTLINE)
    with pytest.raises(ValueError, match="metrics holds 'nsd', but a score of the outline"):
        multiclass_scores(*maps, classes=CLASSES, ignore_index=255, metrics=["iou", "nsd"])


def test_an_ignored_class_index_is_no_class(maps):
    prediction, ground_truth = maps
    found = multiclass_scores(
        prediction, ground_truth, classes=CLASSES, ignore_index=1, metrics=["tp", "fp", "fn"]
    )
    assert found["cat"] == {"tp": 0, "fp": 0, "fn": 0}


def test_instances_are_split_by_class(maps):
    prediction, ground_truth = maps
    instances = ground_truth.astype(int)
    instances[12:18, 18:24] = 9
    found = multiclass_scores(
        prediction, ground_truth, classes=CLASSES, ground_truth_instances=instances, metrics=["object_recall"]
    )
    assert found["cat"]["object_recall"] == 1
    assert found["dog"]["object_recall"] == 0  # two dogs, one blob over both
