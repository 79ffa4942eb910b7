"""Two averages over images, never mixed, and their interval."""

import numpy as np
import pytest
from scipy import stats

from unetseg.metrics import average_scores, binary_scores, image_average, image_diagonal


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


def test_a_data_set_of_nothing_found_and_nothing_there_is_perfect():
    empty = np.zeros((3, 4), bool)
    assert average_scores([binary_scores(empty, empty)], [5]).dataset == {"iou": 1, "dice": 1}


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
        (lambda: image_average([0.5, np.nan], [1, 1]), "image 1 is"),
    ],
)
def test_what_cannot_be_averaged_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
