"""What a mean does not tell: seeds apart from the others, skewed images, failures that did not happen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from unetseg.studies.analysis.cautions import (
    heavily_skewed,
    outlying_seeds,
    skewness_of_mean,
    undetected_rate,
)


@pytest.mark.parametrize("seeds", [3, 5, 8, 10, 16, 40])
def test_one_arm_in_a_hundred_is_flagged_whose_seeds_are_normal(seeds):
    arms = np.random.default_rng(seeds).standard_normal((20_000, seeds))
    assert outlying_seeds(arms).any(axis=1).mean() == pytest.approx(0.01, abs=0.006)


@pytest.mark.parametrize("collapsed", [1, 2, 3, 4])
def test_collapses_are_seen_up_to_almost_half_of_ten_seeds(collapsed):
    by_seed = 0.6 + 0.01 * np.random.default_rng(0).standard_normal(10)
    by_seed[:collapsed] = 0.3
    assert outlying_seeds(by_seed).tolist() == [True] * collapsed + [False] * (10 - collapsed)


def test_seeds_that_agree_but_for_one_and_seeds_that_all_agree():
    assert outlying_seeds(np.array([0.0, 0.0, 0.0, 0.4, 0.0])).tolist() == [False, False, False, True, False]
    assert not outlying_seeds(np.full(5, 0.4)).any() and not outlying_seeds(np.array([0.1, 0.9])).any()


@given(arrays.arrays(np.float64, 7, elements=st.floats(-1, 1)), st.sampled_from([-3.0, 0.5, 8.0]))
def test_neither_unit_nor_order_change_who_lies_apart(by_seed, factor):
    flagged = outlying_seeds(by_seed)
    if np.ptp(by_seed) > 1e-6:
        assert (
            outlying_seeds(factor * np.round(by_seed, 3)).sum() == outlying_seeds(np.round(by_seed, 3)).sum()
        )
    assert outlying_seeds(by_seed[::-1]).tolist() == flagged[::-1].tolist()


@pytest.mark.parametrize("images", [20, 60, 300])
def test_one_image_in_fifty_that_fails_is_a_heavy_skew(images):
    values = 0.05 * np.random.default_rng(images).standard_normal(images)
    values[: max(images // 50, 1)] -= 0.8
    assert heavily_skewed(values) and not heavily_skewed(values[max(images // 50, 1) :])


def test_images_that_fail_in_either_arm_are_seen_though_they_cancel():
    values = 0.02 * np.random.default_rng(0).standard_normal(300)
    values[:2], values[2:4] = -0.8, 0.8
    assert abs(skewness_of_mean(values)) < 0.1 and heavily_skewed(values)


@pytest.mark.parametrize("images", [6, 10, 60])
def test_normal_images_are_rarely_called_skewed(images):
    assert heavily_skewed(np.random.default_rng(0).standard_normal((20_000, images))).mean() < 0.02


def test_skewness_is_that_of_scipy_over_the_root_of_the_number():
    values = np.random.default_rng(0).lognormal(size=40)
    assert skewness_of_mean(values) == pytest.approx(stats.skew(values) / np.sqrt(40))
    by_group = (values - values.mean()).reshape(20, 2).sum(axis=1)
    groups = np.repeat(np.arange(20), 2)
    assert skewness_of_mean(values, groups) == pytest.approx(stats.skew(by_group) / np.sqrt(20))


def test_images_that_do_not_differ_are_not_skewed():
    assert skewness_of_mean(np.full(12, 0.3)) == 0 and not heavily_skewed(np.full(12, 0.3))


@pytest.mark.parametrize(("count", "rate"), [(3, 0.63), (5, 0.45), (10, 0.26)])
def test_so_few_runs_without_a_failure_leave_this_rate_possible(count, rate):
    assert undetected_rate(count) == pytest.approx(rate, abs=0.005)
    assert (1 - undetected_rate(count)) ** count == pytest.approx(0.05)
