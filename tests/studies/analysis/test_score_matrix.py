"""Matrices over seeds and images: infinite distances, classes that are absent, ratios of sums."""

import math

import numpy as np
import pytest

from unetseg.runs import Run
from unetseg.studies.analysis.score_matrix import (
    RunScores,
    count_infinite,
    image_scores,
    read_scores,
    score_matrix,
)
from unetseg.utilities.files import write_json, write_rows

DIAGONAL = 50.0


def row(image, name, iou, hd, tp, fp, fn):
    counts = {"tp": tp, "fp": fp, "fn": fn}
    return {"image": image, "class": name, "diagonal": DIAGONAL, "iou": iou, "hd": hd, **counts}


def mean_row(image, iou, hd):
    return {"image": image, "class": "mean", "diagonal": DIAGONAL, "iou": iou, "hd": hd}


def run(rows, classes=("a",), training=()):
    return RunScores("run", "test", "f", classes, tuple(rows), tuple(training))


def test_an_infinite_distance_counts_as_the_diagonal():
    runs = [run([row("x", "a", 0.5, 3.0, 1, 1, 0), row("y", "a", 0.0, math.inf, 0, 0, 4)])]
    assert score_matrix(runs, "hd", "a").tolist() == [[3.0, DIAGONAL]]
    assert count_infinite(runs, "hd", "a") == 1


def test_in_the_mean_over_classes_only_the_class_that_was_missed_counts_as_the_diagonal():
    rows = [
        row("x", "a", 0.5, 4.0, 2, 1, 1),
        row("x", "b", 0.0, math.inf, 0, 0, 9),
        row("x", "c", 1.0, 0.0, 0, 0, 0),  # in neither mask: no part of the mean
        mean_row("x", 0.25, math.inf),
    ]
    assert score_matrix([run(rows, ("a", "b", "c"))], "hd", "mean").tolist() == [[(4.0 + DIAGONAL) / 2]]
    assert score_matrix([run(rows, ("a", "b", "c"))], "iou", "mean").tolist() == [[0.25]]


def test_runs_are_aligned_by_name_whatever_their_order():
    first = run([row("x", "a", 0.1, 1, 1, 0, 0), row("y", "a", 0.2, 1, 1, 0, 0)])
    second = run([row("y", "a", 0.4, 1, 1, 0, 0), row("x", "a", 0.3, 1, 1, 0, 0)])
    assert score_matrix([first, second], "iou", "a").tolist() == [[0.1, 0.2], [0.3, 0.4]]


def test_the_mean_of_a_dataset_iou_is_over_the_classes_that_occur():
    rows = [
        row("x", "a", 0.5, 0, 2, 1, 1),
        row("y", "a", 0.5, 0, 4, 2, 2),
        row("x", "b", 0.2, 0, 1, 3, 1),
        row("y", "b", 1.0, 0, 0, 0, 0),
        row("x", "c", 1.0, 0, 0, 0, 0),
        row("y", "c", 1.0, 0, 0, 0, 0),
        mean_row("x", 0.5, 0),
        mean_row("y", 0.5, 0),
    ]
    runs = [run(rows, ("a", "b", "c"))]
    assert score_matrix(runs, "dataset_iou", "mean").mean() == pytest.approx((6 / 12 + 1 / 5) / 2)
    assert score_matrix(runs, "dataset_iou", "b").mean() == pytest.approx(1 / 5)
    assert score_matrix(runs, "dataset_iou", "c") is None


def three_images():
    """Class a is in x and y, class b in y alone, class c nowhere, though it was predicted in z."""
    return [
        row("x", "a", 0.8, 1.0, 4, 1, 0),
        row("x", "b", math.nan, math.nan, 0, 0, 0),
        row("x", "c", math.nan, math.nan, 0, 0, 0),
        mean_row("x", 0.8, 1.0),
        row("y", "a", 0.4, 3.0, 2, 1, 2),
        row("y", "b", 0.0, math.inf, 0, 0, 7),
        row("y", "c", math.nan, math.nan, 0, 0, 0),
        mean_row("y", 0.2, math.inf),
        row("z", "a", math.nan, math.nan, 0, 0, 0),
        row("z", "b", math.nan, math.nan, 0, 0, 0),
        row("z", "c", math.nan, math.nan, 0, 5, 0),
        mean_row("z", 0.0, math.inf),
    ]


def test_a_class_has_a_value_in_the_images_whose_reference_has_it():
    runs = [run(three_images(), ("a", "b", "c"))]
    assert score_matrix(runs, "iou", "a") == pytest.approx(np.array([[0.8, 0.4, np.nan]]), nan_ok=True)
    assert score_matrix(runs, "hd", "b") == pytest.approx(np.array([[np.nan, DIAGONAL, np.nan]]), nan_ok=True)
    assert score_matrix(runs, "iou", "c") is None
    assert score_matrix(runs, "dataset_iou", "c") is None


def test_the_mean_of_classes_is_the_mean_of_their_rows_and_each_image_has_its_influence():
    runs = [run(three_images(), ("a", "b", "c"))]
    values = score_matrix(runs, "iou", "mean")
    # Two images count: x moves class a alone, y moves a and is all of b.
    assert values == pytest.approx(np.array([[(0.8 + 0) / 2, (0.4 + 0) / 2, np.nan]]), nan_ok=True)
    assert np.nanmean(values) == pytest.approx((0.6 + 0.0) / 2)
    assert np.nanmean(score_matrix(runs, "hd", "mean")) == pytest.approx((2.0 + DIAGONAL) / 2)
    assert count_infinite(runs, "hd", "mean") == 1
    assert score_matrix(runs, "dataset_iou", "mean").mean() == pytest.approx((6 / 10 + 0 / 7) / 2)
    assert image_scores(runs, "iou", "mean").tolist() == [[0.8, 0.2, 0.0]]


def test_runs_of_earlier_versions_follow_the_same_rule(tmp_path):
    then = [
        each | {"iou": 1.0 - bool(each.get("fp"))} if math.isnan(each["iou"]) else each
        for each in three_images()
    ]
    old = Run(tmp_path)
    write_rows(old.test_images, then)
    write_json(old.test, {"split": "test", "fingerprint": "f", "classes": dict.fromkeys("abc")})
    now = [run(three_images(), ("a", "b", "c"))]
    for key, name in (("iou", "a"), ("iou", "mean"), ("hd", "mean")):
        assert np.array_equal(score_matrix([read_scores(old)], key, name), score_matrix(now, key, name), True)


def test_of_one_class_only_what_asks_for_parts_of_the_reference_is_undefined_in_earlier_versions(tmp_path):
    old = Run(tmp_path)
    write_rows(old.test_images, [row("x", "a", 1.0, 0.0, 0, 0, 0) | {"skeleton_recall": 1.0}])
    write_json(old.test, {"split": "test", "fingerprint": "f", "classes": {"a": {}}})
    (read,) = read_scores(old).rows
    assert read["iou"] == 1 and math.isnan(read["skeleton_recall"])


def test_strata_of_several_classes_are_no_one_population():
    rows = [row("x", name, 0.5, 0, 2, 1, 1) for name in "ab"] + [mean_row("x", 0.5, 0)]
    rows = [each | {"size_small_found": 1, "size_small_objects": 2} for each in rows]
    runs = [run(rows, ("a", "b"))]
    assert score_matrix(runs, "found_small", "mean") is None
    assert score_matrix(runs, "found_small", "a").tolist() == [[0.5]]


def test_scores_that_a_run_lacks_are_none():
    rows = [row("x", "a", 0.5, 0, 1, 1, 0)]
    assert score_matrix([run(rows)], "boundary_iou", "a") is None
    assert score_matrix([run(rows)], "train_loss", "a") is None


def test_training_losses_are_aligned_by_name_and_need_the_same_images():
    rows = [row("x", "a", 0.5, 0, 1, 1, 0)]
    losses = [{"image": name, "train_loss": value} for name, value in (("p", 0.1), ("q", 0.2))]
    runs = [run(rows, training=losses), run(rows, training=losses[::-1])]
    assert np.allclose(score_matrix(runs, "train_loss", "a"), [[0.1, 0.2]] * 2)
    assert score_matrix([runs[0], run(rows, training=losses[:1])], "train_loss", "a") is None
