"""Ratios of sums as values of images: against the jackknife written out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from unetseg.studies.analysis.means import mean_interval
from unetseg.studies.analysis.ratios import effective_images, influence_values, on_counted

counts = arrays.arrays(np.int64, (3, 6), elements=st.integers(0, 10**6))


@given(counts, counts)
def test_influence_values_average_to_the_ratio_of_the_sums(numerator, rest):
    denominator = numerator + rest
    denominator[:, 0] += 1
    ratio = numerator.sum(axis=1) / denominator.sum(axis=1)
    assert influence_values(numerator, denominator).mean(axis=1) == pytest.approx(ratio, abs=1e-12)


def test_influence_values_are_the_jackknifes_pseudo_values_about_the_ratio():
    intersection, union = np.array([10.0, 30.0, 5.0]), np.array([20.0, 40.0, 30.0])
    ratio = 45 / 90
    without_one = (45 - intersection) / (90 - union)
    pseudo = 3 * ratio - 2 * without_one
    assert influence_values([intersection], [union])[0] == pytest.approx(pseudo - pseudo.mean() + ratio)


def test_the_standard_error_of_a_dataset_ratio_is_the_jackknifes():
    generator = np.random.default_rng(3)
    union = generator.lognormal(5, 1, size=(1, 80))
    intersection = union * generator.uniform(0.5, 0.9, size=(1, 80))
    without_one = (intersection.sum() - intersection) / (union.sum() - union)
    jackknife = math.sqrt(79 / 80 * np.sum((without_one - without_one.mean()) ** 2))
    assert mean_interval(influence_values(intersection, union)).standard_error == pytest.approx(jackknife)


def test_images_of_one_size_give_the_variance_of_their_mean():
    intersection, union = np.array([[10.0, 30.0, 5.0, 20.0]]), np.full((1, 4), 40.0)
    values = influence_values(intersection, union)
    assert values == pytest.approx(intersection / 40)


@given(counts, counts)
def test_leaving_out_images_that_hold_nothing_is_the_ratio_of_the_others(numerator, rest):
    denominator = numerator + rest
    denominator[:, 0] += 1
    numerator[:, 3], denominator[:, 3] = 0, 0
    counted = (denominator > 0).any(axis=0)
    kept = on_counted(influence_values(numerator, denominator), counted)
    alone = influence_values(numerator[:, counted], denominator[:, counted])
    assert np.isnan(kept[:, ~counted]).all()
    assert kept[:, counted] == pytest.approx(alone, rel=1e-9, abs=1e-9)


def test_one_image_that_holds_everything_is_the_ratio():
    assert influence_values([[3, 0]], [[4, 0]]).tolist() == [[0.75, 0.75]]


def test_an_image_without_pixels_of_the_kind_does_not_move_the_ratio():
    assert influence_values([[3, 0, 2]], [[4, 0, 6]])[0, 1] == 0.5


def test_a_ratio_over_no_pixels_at_all_is_undefined_for_that_seed_only():
    values = influence_values([[0, 0], [1, 2]], [[0, 0], [2, 4]])
    assert np.isnan(values[0]).all()
    assert values[1] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("wrong", [[[-1, 2]], [[np.nan, 2]], [[1, 2, 3]]])
def test_counts_that_are_none_are_refused(wrong):
    with pytest.raises(ValueError, match=r"negative|shape"):
        influence_values(wrong, [[4, 4]])


def test_images_count_by_what_they_hold():
    assert effective_images([5, 5, 5, 5]) == pytest.approx(4)
    assert effective_images([1e6, 1, 1, 1, 0]) == pytest.approx(1, rel=1e-4)
    assert effective_images([[2, 2, 0], [4, 2, 0]]).tolist() == pytest.approx([2, 36 / 20])
