"""Two averages over images, never mixed, and their interval."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from unetseg.metrics import (
    average_scores,
    binary_scores,
    class_mean_values,
    image_average,
    image_diagonal,
)


def square(side):
    mask = np.zeros((30, 40), bool)
    mask[:side, :side] = True
    return mask


def test_the_data_set_average_sums_counts_and_the_image_average_does_not():
    scores = [binary_scores(square(20), square(20)), binary_scores(square(1), square(2))]
    found = average_scores(scores, [50, 50])
    assert found.dataset["iou"] == pytest.approx(401 / 404)
    assert found.dataset["dice"] == pytest.approx(802 / 805)
    assert found.image["iou"].mean == pytest.approx((1 + 0.25) / 2)


def test_counts_are_summed_and_not_averaged():
    found = average_scores([binary_scores(square(2), square(2))], [50])
    assert "tp" not in found.image


def test_a_data_set_of_nothing_has_no_dataset_average_and_right_images():
    empty = np.zeros((3, 4), bool)
    found = average_scores([binary_scores(empty, empty)], [5])
    assert found.dataset == pytest.approx({"iou": np.nan, "dice": np.nan}, nan_ok=True)
    assert found.image["iou"].mean == 1


def test_an_image_that_does_not_define_a_score_is_no_part_of_its_average():
    empty = np.zeros((30, 40), bool)
    scores = [binary_scores(square(20), square(20)), binary_scores(empty, square(2))]
    with_empty = [*scores, binary_scores(empty, empty)]
    found = average_scores(with_empty, [50] * 3).image
    assert (found["object_recall"].mean, found["object_recall"].images) == (0.5, 2)
    assert found["object_recall"] == average_scores(scores, [50] * 2).image["object_recall"]
    assert (found["iou"].mean, found["iou"].images) == (pytest.approx(2 / 3), 3)


def test_a_score_that_no_image_defines_has_no_average():
    found = image_average([np.nan, np.nan], [1, 1])
    assert (found.images, found.low, found.missed) == (0, None, 0) and np.isnan(found.mean)


@settings(max_examples=50, deadline=None)
@given(
    arrays(
        float,
        st.tuples(st.integers(1, 4), st.integers(1, 6)),
        elements=st.one_of(st.just(np.nan), st.floats(0, 1)),
    )
)
def test_what_images_add_to_the_mean_of_classes_averages_to_the_mean_of_their_rows(scores):
    rows = [each[~np.isnan(each)].mean() for each in scores if not np.isnan(each).all()]
    values = class_mean_values(scores)
    assert np.array_equal(np.isnan(values), np.isnan(scores).all(axis=0))
    assume(rows)
    assert np.nanmean(values) == pytest.approx(np.mean(rows))


def test_what_an_image_adds_is_what_the_jackknife_finds_by_leaving_it_out():
    scores = np.array([[0.2, 0.9, np.nan, 0.4], [np.nan, 0.5, 0.1, np.nan]])
    rows = [each[~np.isnan(each)] for each in scores]
    whole = np.mean([row.mean() for row in rows])
    for image in range(4):
        moved = [
            (len(row) - 1) / len(row) * (row.mean() - np.nanmean(np.delete(each, image)))
            for each, row in zip(scores, rows, strict=True)
        ]
        assert class_mean_values(scores)[image] == pytest.approx(whole + 4 * np.mean(moved))


def test_the_interval_is_students():
    values = [0.5, 0.7, 0.9, 0.4, 0.65]
    found = image_average(values, [10] * 5)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_the_interval_ends_where_the_score_does():
    scores = [{"iou": 1.0, "hd": 0.0}, {"iou": 0.6, "hd": 40.0}]
    found = average_scores(scores, [50, 50]).image
    assert (found["iou"].low, found["iou"].high) == (0, 1)
    assert (found["hd"].low, found["hd"].high) == (0, pytest.approx(20 + 12.7062 * 20, rel=1e-4))


def test_the_interval_of_groups_is_that_of_leaving_each_group_out():
    generator = np.random.default_rng(0)
    groups = [*range(12), *generator.integers(0, 12, 30)]
    values = generator.random(42)
    found = image_average(values.tolist(), [1] * 42, groups=groups)
    without = [values[np.array(groups) != group].mean() for group in range(12)]
    error = np.sqrt(11 / 12 * np.square(np.array(without) - values.mean()).sum())
    half = stats.t.isf(0.025, 11) * error
    assert (found.low, found.high) == (pytest.approx(found.mean - half), pytest.approx(found.mean + half))
    assert (found.images, found.mean) == (42, pytest.approx(values.mean()))


def test_each_image_its_own_group_is_no_group_and_under_ten_groups_there_is_no_interval():
    values = np.random.default_rng(1).random(20).tolist()
    alone, plain = image_average(values, [1] * 20, groups=range(20)), image_average(values, [1] * 20)
    assert (alone.low, alone.high) == (pytest.approx(plain.low), pytest.approx(plain.high))
    few = image_average(values, [1] * 20, groups=[number % 9 for number in range(20)])
    assert (few.low, few.mean) == (None, plain.mean)


def test_one_image_has_no_interval():
    found = image_average([0.5], [10])
    assert (found.mean, found.low, found.high) == (0.5, None, None)


def test_missed_images_keep_the_median_honest_where_they_are_half():
    found = image_average([1.0, np.inf, np.inf], [10, 20, 30])
    assert (found.mean, found.median, found.missed) == (17, np.inf, 2)


def test_diagonals_are_in_the_unit_of_the_distances():
    assert image_diagonal((3, 4)) == 5
    assert image_diagonal((3, 4), (2.0, 2.0)) == 10


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: average_scores([], []), "at least one image"),
        (lambda: average_scores([{"iou": 1}, {"hd": 1}], [1, 1]), "image 1 have the keys"),
        (lambda: image_average([1.0], [1, 2]), "1 images, 2 diagonals"),
    ],
)
def test_what_cannot_be_averaged_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
