"""The crossed analysis: against a regression written out, its limits, and what must not change its answer."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from unetseg.studies.analysis.statistics import (
    contrast,
    crossed_mean,
    equivalence_p,
    influence_values,
    interval,
    mean_interval,
    paired_difference,
)


def scores(seeds=3, images=8, seed=0):
    generator = np.random.default_rng(seed)
    by_seed, by_image = generator.normal(size=(seeds, 1)), generator.normal(size=(1, images))
    return 0.7 + 0.02 * by_seed + 0.1 * by_image + 0.03 * generator.normal(size=(seeds, images))


def mean_squares_by_regression(values):
    """Mean squares of seeds, images and rest from the residuals of nested least-squares fits on dummies."""
    seeds, images = values.shape
    row, column = np.indices(values.shape).reshape(2, -1)
    constant = np.ones((values.size, 1))
    of_seeds, of_images = row[:, None] == np.arange(seeds), column[:, None] == np.arange(images)

    def residual(*factors):
        design = np.hstack([constant, *factors]).astype(float)
        fitted = design @ np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
        return np.sum((values.ravel() - fitted) ** 2)

    full = residual(of_seeds, of_images)
    return (
        (residual(of_images) - full) / (seeds - 1),
        (residual(of_seeds) - full) / (images - 1),
        full / ((seeds - 1) * (images - 1)),
    )


@pytest.mark.parametrize(("seeds", "images"), [(2, 2), (3, 8), (5, 4), (10, 30)])
def test_difference_agrees_with_a_regression_written_out(seeds, images):
    arm, reference = scores(seeds, images, seed=1), scores(seeds, images, seed=2)
    seed, image, rest = mean_squares_by_regression(arm - reference)
    mean_square = max(seed + image - rest, seed, image)
    terms = seed**2 / (seeds - 1) + image**2 / (images - 1) + rest**2 / ((seeds - 1) * (images - 1))
    freedom = max(mean_square**2 / terms, min(seeds, images) - 1)
    error = math.sqrt(mean_square / (seeds * images))
    mean = arm.mean() - reference.mean()

    difference = paired_difference(arm, reference)

    assert difference.mean == pytest.approx(mean)
    assert difference.standard_error == pytest.approx(error)
    assert difference.degrees_of_freedom == pytest.approx(freedom)
    assert (difference.low, difference.high) == pytest.approx(stats.t.interval(0.95, freedom, mean, error))
    assert difference.p == pytest.approx(2 * stats.t.sf(abs(mean) / error, freedom))


def test_variance_combines_mean_squares_worked_out_by_hand():
    # Mean 5. Seed means 3, 7: MS_seed = 2 * (4 + 4) / 1 = 16.
    # Image means 4, 6: MS_image = 2 * (1 + 1) / 1 = 4.
    # What remains is 1, -1, -1, 1: MS_rest = 4 / 1 = 4. So (16 + 4 - 4) / 4 = 4, a standard error of 2.
    difference = paired_difference([[3.0, 3.0], [5.0, 9.0]], np.zeros((2, 2)))
    assert (difference.mean, difference.standard_error) == (5.0, 2.0)
    assert difference.degrees_of_freedom == 1.0


@pytest.mark.parametrize(
    ("seed", "image", "rest", "mean_square", "freedom"),
    [
        (10, 8, 2, 16, 256 / (100 / 2 + 64 / 3 + 4 / 6)),  # the unbiased combination
        (1, 8, 4, 8, 64 / (1 / 2 + 64 / 3 + 16 / 6)),  # seeds differ less than the rest explains
        (8, 1, 4, 8, 2),  # images do; 1.8 degrees of freedom are raised to seeds - 1
        (2, 2, 4, 2, 2),  # both do
    ],
)
def test_the_variance_never_falls_below_what_one_factor_alone_asks_for(
    seed, image, rest, mean_square, freedom
):
    of_seed = np.array([[1.0], [-1.0], [0.0]]) / math.sqrt(2)
    of_image = np.array([[1.0, -1.0, 1.0, -1.0]]) / 2
    values = of_seed * math.sqrt(seed * 2 / 4) + of_image * math.sqrt(image * 3 / 3)
    values = values + of_seed * of_image * math.sqrt(rest * 6)
    assert mean_squares_by_regression(values) == pytest.approx((seed, image, rest))
    crossed = crossed_mean(values)
    assert crossed.standard_error**2 * 12 == pytest.approx(mean_square)
    assert crossed.degrees_of_freedom == pytest.approx(freedom)


def test_where_images_do_not_differ_the_answer_is_the_t_test_over_seeds():
    by_seed = np.array([0.1, 0.3, -0.1, 0.2])
    difference = paired_difference(np.repeat(by_seed[:, None], 20, axis=1), np.zeros((4, 20)))
    assert difference.p == pytest.approx(stats.ttest_1samp(by_seed, 0).pvalue)
    assert difference.degrees_of_freedom == pytest.approx(3)


def test_one_seed_gives_the_t_test_over_images_and_says_that_seed_variance_is_unknown():
    arm, reference = scores(1, 20, seed=1), scores(1, 20, seed=2)
    difference = paired_difference(arm, reference)
    assert difference.p == pytest.approx(stats.ttest_rel(arm[0], reference[0]).pvalue)
    assert not difference.seed_variance_known
    assert difference.image_variance_known


def test_one_image_gives_the_t_test_over_seeds_and_says_that_image_variance_is_unknown():
    arm, reference = scores(4, 1, seed=1), scores(4, 1, seed=2)
    difference = paired_difference(arm, reference)
    assert difference.p == pytest.approx(stats.ttest_rel(arm[:, 0], reference[:, 0]).pvalue)
    assert not difference.image_variance_known


def test_one_seed_and_one_image_tell_nothing_about_chance():
    difference = paired_difference([[0.7]], [[0.6]])
    assert (difference.low, difference.high, difference.p) == (-math.inf, math.inf, 1.0)


@pytest.mark.parametrize("shape", [(3, 8), (1, 8), (3, 1), (1, 1)])
def test_an_arm_that_equals_its_reference_differs_by_exactly_zero(shape):
    difference = paired_difference(scores(*shape), scores(*shape))
    assert (difference.mean, difference.low, difference.high, difference.p) == (0.0, 0.0, 0.0, 1.0)
    assert difference.degrees_of_freedom >= 1


def test_a_difference_without_any_spread_is_certain():
    difference = paired_difference(np.full((3, 4), 0.75), np.full((3, 4), 0.5))
    assert (difference.low, difference.high, difference.p) == (0.25, 0.25, 0.0)


def test_images_undefined_in_either_arm_are_left_out_of_both_and_counted():
    arm, reference = scores(3, 8, seed=1), scores(3, 8, seed=2)
    kept = paired_difference(np.delete(arm, [2, 5], axis=1), np.delete(reference, [2, 5], axis=1))
    arm[1, 2] = np.nan
    reference[:, 5] = np.nan
    difference = paired_difference(arm, reference)
    assert (difference.images, difference.images_dropped) == (6, 2)
    assert (difference.mean, difference.low, difference.p) == (kept.mean, kept.low, kept.p)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (np.full((3, 4), np.inf), "diagonal"),
        (np.full((3, 4), np.nan), "no image"),
        (np.zeros((4, 3)), "shape"),
        (np.zeros(3), "matrix"),
        (np.zeros((0, 4)), "matrix"),
    ],
)
def test_what_cannot_be_analysed_is_refused(arm, message):
    with pytest.raises(ValueError, match=message):
        paired_difference(arm, np.zeros((3, 4)))


def test_confidence_outside_zero_to_one_is_refused():
    with pytest.raises(ValueError, match="confidence"):
        mean_interval(scores(), confidence=95)


def test_more_confidence_widens_the_interval():
    narrow, wide = mean_interval(scores(), confidence=0.9), mean_interval(scores(), confidence=0.99)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_an_arms_own_mean_has_the_interval_of_its_difference_from_zero():
    own, difference = mean_interval(scores()), paired_difference(scores(), np.zeros((3, 8)))
    assert (own.mean, own.low, own.high) == (difference.mean, difference.low, difference.high)


def test_the_numbers_go_into_json_without_the_matrix():
    plain = paired_difference([[0.7]], [[0.6]]).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False))["high"] is None
    assert plain["seed_variance_known"] is False
    assert "paired" not in plain


def test_studies_along_leading_axes_are_analysed_each_by_itself():
    studies = np.stack([scores(seed=seed) for seed in range(6)]).reshape(2, 3, 3, 8)
    together = crossed_mean(studies)
    alone = crossed_mean(studies[1, 2])
    for stacked, single in zip(together, alone, strict=True):
        assert stacked.shape == (2, 3)
        assert stacked[1, 2] == pytest.approx(single)


# Influence values


counts = arrays.arrays(np.int64, (3, 6), elements=st.integers(0, 10**6))


@given(counts, counts)
def test_influence_values_average_to_the_ratio_of_the_sums(numerator, rest):
    denominator = numerator + rest
    denominator[:, 0] += 1
    ratio = numerator.sum(axis=1) / denominator.sum(axis=1)
    assert influence_values(numerator, denominator).mean(axis=1) == pytest.approx(ratio, abs=1e-12)


def test_influence_values_follow_the_formula_by_image_iou():
    intersection, union = np.array([[10.0, 30.0, 5.0]]), np.array([[20.0, 40.0, 30.0]])
    ratio, iou = 45 / 90, intersection / union
    assert influence_values(intersection, union) == pytest.approx(ratio + (iou - ratio) * union / 30)


def test_the_standard_error_of_a_dataset_ratio_is_close_to_the_jackknife():
    generator = np.random.default_rng(3)
    union = generator.lognormal(5, 1, size=(1, 80))
    intersection = union * generator.uniform(0.5, 0.9, size=(1, 80))
    without_one = (intersection.sum() - intersection) / (union.sum() - union)
    jackknife = math.sqrt(79 / 80 * np.sum((without_one - without_one.mean()) ** 2))
    estimate = mean_interval(influence_values(intersection, union))
    assert estimate.standard_error == pytest.approx(jackknife, rel=0.1)


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


# Contrast


def test_the_contrast_is_the_difference_of_differences_in_each_seed_and_image():
    boundary = paired_difference(scores(seed=1), scores(seed=2))
    overlap = paired_difference(scores(seed=3), scores(seed=4))
    expected = paired_difference(scores(seed=1) - scores(seed=2), scores(seed=3) - scores(seed=4))
    gap = contrast(boundary, overlap)
    assert (gap.mean, gap.low, gap.high, gap.p) == (expected.mean, expected.low, expected.high, expected.p)


def test_the_contrast_leaves_out_an_image_undefined_in_one_metric():
    undefined = scores(seed=1)
    undefined[0, 3] = np.nan
    gap = contrast(paired_difference(undefined, scores(seed=2)), paired_difference(scores(), scores(seed=3)))
    assert (gap.images, gap.images_dropped) == (7, 1)


def test_a_contrast_over_other_images_is_refused():
    with pytest.raises(ValueError, match="same seeds and images"):
        contrast(paired_difference(scores(), scores(seed=1)), paired_difference(scores(3, 7), scores(3, 7)))


# What must not change the answer

numbers = st.floats(-1, 1, allow_subnormal=False).map(lambda value: round(value, 3))
studies = st.tuples(st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: arrays.arrays(np.float64, shape, elements=numbers)
)


def as_numbers(difference):
    return [difference.mean, difference.low, difference.high, difference.p, difference.standard_error]


def close(values):
    return pytest.approx(values, rel=1e-6, abs=1e-9)


def has_spread(values):
    """Rounding errors decide the p-value of a difference that is constant over all seeds and images."""
    return np.ptp(values) > 1e-6 or not values.any()


@given(studies, st.floats(-10, 10))
def test_shifting_both_arms_changes_nothing(values, shift):
    # Quarters keep the shifted differences free of rounding, which would decide where nothing else varies.
    values, shift = np.round(4 * values) / 4, round(4 * shift) / 4
    before = paired_difference(values, np.zeros_like(values))
    assert as_numbers(paired_difference(values + shift, np.full_like(values, shift))) == as_numbers(before)


@given(studies)
def test_swapping_the_arms_mirrors_the_interval_and_keeps_p(values):
    there = paired_difference(values, np.zeros_like(values))
    back = paired_difference(np.zeros_like(values), values)
    assert (back.mean, back.low, back.high, back.p) == (-there.mean, -there.high, -there.low, there.p)


@given(studies.filter(has_spread), st.randoms(use_true_random=False))
def test_the_order_of_seeds_and_images_does_not_matter(values, random):
    seeds, images = (random.sample(range(size), size) for size in values.shape)
    zero = np.zeros_like(values)
    shuffled = paired_difference(values[seeds][:, images], zero)
    assert as_numbers(shuffled) == close(as_numbers(paired_difference(values, zero)))


@given(studies)
def test_no_number_is_ever_undefined_and_the_mean_lies_in_its_interval(values):
    difference = paired_difference(values, np.zeros_like(values))
    assert not np.isnan(as_numbers(difference)).any()
    assert difference.low <= difference.mean <= difference.high
    assert 0 <= difference.p <= 1


@given(studies.filter(has_spread))
def test_p_is_below_five_percent_exactly_where_the_interval_excludes_zero(values):
    difference = paired_difference(values, np.zeros_like(values))
    assert (difference.p < 0.05) == (difference.low > 0 or difference.high < 0)


@given(studies.filter(has_spread), st.floats(0.01, 2))
def test_equivalence_holds_exactly_where_the_ninety_percent_interval_lies_within_the_margin(values, margin):
    crossed = crossed_mean(values)
    low, high = interval(crossed, 0.9)
    assert (equivalence_p(crossed, margin) < 0.05) == (max(-low, high) < margin)
