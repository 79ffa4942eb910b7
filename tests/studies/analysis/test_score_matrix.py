"""Matrices over seeds and images: infinite distances, classes that are absent, ratios of sums."""

import math

import numpy as np
import pytest

from unetseg.studies.analysis.score_matrix import RunScores, count_infinite, score_matrix

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
