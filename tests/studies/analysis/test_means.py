"""The analysis of two arms: against a regression written out, its limits, and what must not change it."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from unetseg.studies.analysis.means import (
    contrast,
    difference_of_means,
    difference_within_nets,
    mean_interval,
)
from unetseg.studies.analysis.statistics import (
    average,
    compare_means,
    equivalence_p,
    interval,
    variance_of_mean,
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


def expected(arm, baseline):
    """Mean, standard error and degrees of freedom as the module's formula has them, from mean squares."""
    images = arm.shape[1]
    between, spread = 0.0, 0.0
    for values in (arm, baseline):
        seeds = len(values)
        seed, _, rest = mean_squares_by_regression(values)
        between += (seed - rest) / (seeds * images)
        spread += (seed / (seeds * images)) ** 2 / (seeds - 1)
    of_images = np.var(arm.mean(axis=0) - baseline.mean(axis=0), ddof=1) / images
    variance = max(between, 0) + of_images
    freedom = variance**2 / (spread + of_images**2 / (images - 1))
    least = min(len(arm), len(baseline)) - 1
    freedom = min(max(freedom, min(least, images - 1)), 6 * least)
    return arm.mean() - baseline.mean(), math.sqrt(variance), freedom


@pytest.mark.parametrize(("seeds", "others", "images"), [(3, 3, 8), (5, 5, 4), (10, 10, 30), (3, 8, 12)])
def test_a_difference_agrees_with_a_regression_written_out(seeds, others, images):
    arm, baseline = scores(seeds, images, seed=1), scores(others, images, seed=2)
    mean, error, freedom = expected(arm, baseline)

    difference = difference_of_means(arm, baseline)

    assert difference.mean == pytest.approx(mean)
    assert difference.standard_error == pytest.approx(error)
    assert difference.degrees_of_freedom == pytest.approx(freedom)
    assert (difference.low, difference.high) == pytest.approx(stats.t.interval(0.95, freedom, mean, error))
    assert difference.p == pytest.approx(2 * stats.t.sf(abs(mean) / error, freedom))


def test_the_variance_is_that_of_the_model_on_average():
    """In 4,000 drawn studies the estimates average to the variance of the differences, and to the model's."""
    generator = np.random.default_rng(0)
    studies, seeds, images, by_seed, by_image, rest = 4000, 4, 20, 0.02, 0.03, 0.05

    def arm():
        values = rest * generator.standard_normal((studies, seeds, images))
        values += by_seed * generator.standard_normal((studies, seeds, 1))
        return values + by_image * generator.standard_normal((studies, 1, images))

    both = 0.2 * generator.standard_normal((studies, 1, images))  # how hard an image is: paired away
    found = compare_means(both + arm(), both + arm())
    truth = 2 * (by_seed**2 / seeds + by_image**2 / images + rest**2 / (seeds * images))
    assert np.var(found.mean) == pytest.approx(truth, rel=0.07)
    assert np.mean(found.standard_error**2) == pytest.approx(truth, rel=0.03)


def test_the_variance_is_worked_out_by_hand():
    # Seeds of the arm average 1, 2, 6 over two images: MS_seed = 2 × 7 = 14, and without interaction
    # MS_rest = 0. The baseline does not vary between seeds. The images' differences are 2 and 4:
    # v = 3 × 2 = 6, so V = 14 + 6 = 20, and the variance of the mean is 20 / 6.
    arm = np.array([[0.0, 2.0], [1.0, 3.0], [5.0, 7.0]])
    difference = difference_of_means(arm, np.zeros((3, 2)))
    assert difference.mean == 3.0
    assert difference.standard_error == pytest.approx(math.sqrt(20 / 6))
    assert difference.degrees_of_freedom == pytest.approx(400 / (14**2 / 2 + 6**2 / 1))


def test_where_images_do_not_differ_the_answer_is_welchs_test_over_seeds():
    arm, baseline = np.array([0.1, 0.3, -0.1, 0.2]), np.array([0.0, 0.5, 0.1, 0.2, 0.1])
    difference = difference_of_means(*(np.repeat(each[:, None], 20, axis=1) for each in (arm, baseline)))
    welch = stats.ttest_ind(arm, baseline, equal_var=False)
    assert difference.p == pytest.approx(welch.pvalue)
    assert difference.degrees_of_freedom == pytest.approx(welch.df)


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_give_the_t_test_over_images_and_say_that_seed_variance_is_unknown(seeds):
    arm, baseline = scores(seeds, 20, seed=1), scores(seeds, 20, seed=2)
    difference = difference_of_means(arm, baseline)
    assert difference.p == pytest.approx(stats.ttest_rel(arm.mean(0), baseline.mean(0)).pvalue)
    assert not difference.seed_variance_known
    assert difference.image_variance_known


def test_one_image_gives_welchs_test_over_seeds_and_says_that_image_variance_is_unknown():
    arm, baseline = scores(4, 1, seed=1), scores(4, 1, seed=2)
    difference = difference_of_means(arm, baseline)
    assert difference.p == pytest.approx(stats.ttest_ind(arm[:, 0], baseline[:, 0], equal_var=False).pvalue)
    assert not difference.image_variance_known


def test_one_seed_and_one_image_tell_nothing_about_chance():
    difference = difference_of_means([[0.7]], [[0.6]])
    assert (difference.low, difference.high, difference.p) == (-math.inf, math.inf, 1.0)


@pytest.mark.parametrize("seeds", [3, 5])
def test_degrees_of_freedom_stay_between_those_of_the_seeds_and_six_times_as_many(seeds):
    wide = np.random.default_rng(0).normal(size=(200, seeds, 40))
    by_seed = np.random.default_rng(1).normal(size=(200, seeds, 1))
    of_images = compare_means(
        wide, wide[:, ::-1] * 0 + np.random.default_rng(2).normal(size=(200, seeds, 40))
    )
    of_seeds = compare_means(100 * by_seed + wide, wide * 0)
    assert of_images.degrees_of_freedom.max() == 6 * (seeds - 1)
    assert of_seeds.degrees_of_freedom == pytest.approx(seeds - 1, rel=0.01)


@pytest.mark.parametrize("shape", [(3, 8), (1, 8), (3, 1), (1, 1)])
def test_an_arm_that_equals_its_baseline_differs_by_exactly_zero(shape):
    difference = difference_of_means(scores(*shape), scores(*shape))
    assert (difference.mean, difference.low, difference.high, difference.p) == (0.0, 0.0, 0.0, 1.0)
    assert difference.degrees_of_freedom >= 1
    assert difference.identical and not difference.all_zero


def test_a_difference_without_any_spread_is_certain():
    difference = difference_of_means(np.full((3, 4), 0.75), np.full((3, 4), 0.5))
    assert (difference.low, difference.high, difference.p) == (0.25, 0.25, 0.0)


def test_images_undefined_in_either_arm_are_left_out_of_both_and_counted():
    arm, reference = scores(3, 8, seed=1), scores(3, 8, seed=2)
    kept = difference_of_means(np.delete(arm, [2, 5], axis=1), np.delete(reference, [2, 5], axis=1))
    arm[1, 2] = np.nan
    reference[:, 5] = np.nan
    difference = difference_of_means(arm, reference)
    assert (difference.images, difference.images_dropped) == (6, 2)
    assert (difference.mean, difference.low, difference.p) == (kept.mean, kept.low, kept.p)


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        (np.full((3, 4), np.inf), "diagonal"),
        (np.full((3, 4), np.nan), "no image"),
        (np.zeros((4, 3)), "differ in images"),
        (np.zeros(3), "matrix"),
        (np.zeros((0, 4)), "matrix"),
    ],
)
def test_what_cannot_be_analysed_is_refused(arm, message):
    with pytest.raises(ValueError, match=message):
        difference_of_means(arm, np.zeros((3, 4)))


def test_confidence_outside_zero_to_one_is_refused():
    with pytest.raises(ValueError, match="confidence"):
        mean_interval(scores(), confidence=95)


def test_more_confidence_widens_the_interval():
    narrow, wide = mean_interval(scores(), confidence=0.9), mean_interval(scores(), confidence=0.99)
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_an_arms_own_mean_has_the_interval_of_its_difference_from_a_number_that_is_known():
    own, difference = mean_interval(scores()), difference_of_means(scores(), np.zeros((3, 8)))
    assert (own.mean, own.low, own.high) == pytest.approx((difference.mean, difference.low, difference.high))


def test_the_numbers_go_into_json_without_the_matrix():
    plain = difference_of_means([[0.7]], [[0.6]]).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False))["high"] is None
    assert plain["seed_variance_known"] is False
    assert "paired" not in plain


def test_studies_along_leading_axes_are_analysed_each_by_itself():
    arms = np.stack([scores(seed=seed) for seed in range(6)]).reshape(2, 3, 3, 8)
    baseline = scores(seed=9)
    together, alone = compare_means(arms, baseline), compare_means(arms[1, 2], baseline)
    for stacked, single in zip(together, alone, strict=True):
        assert stacked.shape == (2, 3)
        assert stacked[1, 2] == pytest.approx(single)
    assert average(arms).mean[1, 2] == pytest.approx(arms[1, 2].mean())


# Groups of images


def test_groups_of_one_size_give_the_test_over_group_means():
    generator = np.random.default_rng(1)
    labels = [f"patient {index // 4}" for index in range(48)]
    arm, baseline = (generator.normal(size=(1, 48)) + np.repeat(generator.normal(size=12), 4) for _ in "ab")
    difference = difference_of_means(arm, baseline, groups=labels)
    by_group = (arm - baseline).reshape(12, 4).mean(axis=1)
    assert difference.p == pytest.approx(stats.ttest_1samp(by_group, 0).pvalue)
    assert (difference.groups, difference.degrees_of_freedom) == (12, 11)


def test_the_variance_by_groups_is_the_jackknife_that_leaves_out_one_group_at_a_time():
    generator = np.random.default_rng(2)
    groups = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 3, 3, 4])
    values = generator.normal(size=12)
    without = np.array([values[groups != group].mean() for group in range(5)])
    sizes = np.bincount(groups)
    # Leaving out a group of n images moves the mean by its deviations' sum over the other images.
    moved = without - values.mean()
    assert moved == pytest.approx(
        [-(values[groups == g] - values.mean()).sum() / (12 - sizes[g]) for g in range(5)]
    )
    assert variance_of_mean(values, groups) == pytest.approx(4 / 5 * np.sum(moved**2))


def test_images_that_are_each_their_own_group_change_nothing():
    arm, baseline = scores(4, 15, seed=1), scores(4, 15, seed=2)
    alone = difference_of_means(arm, baseline)
    grouped = difference_of_means(arm, baseline, groups=list(range(15)))
    assert as_numbers(grouped) == close(as_numbers(alone))


def test_images_that_repeat_their_group_do_not_make_a_difference_surer():
    arm, baseline = scores(5, 12, seed=1), scores(5, 12, seed=2)
    repeated = [np.repeat(each, 5, axis=1) for each in (arm, baseline)]
    once = difference_of_means(arm, baseline)
    grouped = difference_of_means(*repeated, groups=np.repeat(np.arange(12), 5).tolist())
    assert as_numbers(grouped) == close(as_numbers(once))
    assert difference_of_means(*repeated).standard_error < once.standard_error


def test_under_ten_groups_there_is_no_interval():
    difference = difference_of_means(scores(3, 12), scores(3, 12, seed=1), groups=list("aabbccddeeff"))
    assert difference.without_interval == "6 groups, and an interval needs 10"
    assert (difference.low, difference.p, difference.as_dict()["high"]) == (-math.inf, 1.0, None)


def test_groups_must_be_named_for_every_image():
    with pytest.raises(ValueError, match="2 groups are named for 8 images"):
        difference_of_means(scores(), scores(), groups=["a", "b"])


# The range of a metric, and nets that are paired


def test_an_interval_ends_where_the_metric_does():
    own = mean_interval([[0.0, 0.1], [1.0, 0.9], [0.2, 0.1]], limits=(0, 1))
    assert (own.low, own.high) == (0.0, 1.0)
    arm, baseline = (
        np.array([[1.0, 0.9], [0.1, 0.0], [0.9, 1.0]]),
        np.array([[0.0, 0.1], [0.0, 0.1], [0, 0.1]]),
    )
    assert difference_of_means(arm, baseline, limits=(0, 1)).high == 1.0
    assert difference_of_means(arm, baseline).high > 1.0


def test_what_is_done_to_nets_is_compared_within_each_net():
    intact = scores(4, 10, seed=1) + 10 * np.arange(4)[:, None]
    changed = intact - 0.1 + 0.01 * scores(4, 10, seed=2)
    within = difference_within_nets(changed, intact)
    found = mean_interval(changed - intact)
    assert (within.mean, within.low, within.high) == (found.mean, found.low, found.high)
    assert within.p < 1e-6 and difference_of_means(changed, intact).p > 0.9


# Contrast


def test_the_contrast_is_the_difference_of_what_both_metrics_of_each_net_are_apart():
    boundary = difference_of_means(scores(seed=1), scores(seed=2))
    overlap = difference_of_means(scores(seed=3), scores(seed=4))
    expected = difference_of_means(scores(seed=1) - scores(seed=3), scores(seed=2) - scores(seed=4))
    gap = contrast(boundary, overlap)
    assert (gap.mean, gap.low, gap.high, gap.p) == (expected.mean, expected.low, expected.high, expected.p)


def test_the_contrast_leaves_out_an_image_undefined_in_one_metric():
    undefined = scores(seed=1)
    undefined[0, 3] = np.nan
    gap = contrast(
        difference_of_means(undefined, scores(seed=2)), difference_of_means(scores(), scores(seed=3))
    )
    assert (gap.images, gap.images_dropped) == (7, 1)


def test_a_contrast_over_other_images_is_refused():
    with pytest.raises(ValueError, match="same seeds and images"):
        contrast(
            difference_of_means(scores(), scores(seed=1)), difference_of_means(scores(3, 7), scores(3, 7))
        )


# What must not change the answer

numbers = st.floats(-1, 1, allow_subnormal=False).map(lambda value: round(value, 3))
pairs = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(
        arrays.arrays(np.float64, (shape[0], shape[2]), elements=numbers),
        arrays.arrays(np.float64, (shape[1], shape[2]), elements=numbers),
    )
)


def as_numbers(difference):
    return [difference.mean, difference.low, difference.high, difference.p, difference.standard_error]


def close(values):
    return pytest.approx(values, rel=1e-6, abs=1e-9)


def has_spread(pair):
    """Rounding errors decide the p-value of a difference that hardly varies."""
    return compare_means(*pair).standard_error > 1e-6


@given(pairs, st.floats(-10, 10))
def test_shifting_both_arms_changes_nothing(pair, shift):
    # Quarters keep the shifted differences free of rounding, which would decide where nothing else varies.
    arm, baseline, shift = np.round(4 * pair[0]) / 4, np.round(4 * pair[1]) / 4, round(4 * shift) / 4
    before = difference_of_means(arm, baseline)
    assert as_numbers(difference_of_means(arm + shift, baseline + shift)) == close(as_numbers(before))


@given(pairs.filter(has_spread), st.sampled_from([-100.0, 0.5, 3.0]))
def test_another_unit_scales_the_difference_and_keeps_p(pair, factor):
    there, scaled = difference_of_means(*pair), difference_of_means(factor * pair[0], factor * pair[1])
    ends = sorted((factor * there.low, factor * there.high))
    assert [scaled.mean, scaled.low, scaled.high] == close([factor * there.mean, *ends])
    assert scaled.p == close(there.p)


@given(pairs)
def test_swapping_the_arms_mirrors_the_interval_and_keeps_p(pair):
    there, back = difference_of_means(*pair), difference_of_means(*pair[::-1])
    assert as_numbers(back) == close([-there.mean, -there.high, -there.low, there.p, there.standard_error])


@given(pairs.filter(has_spread), st.randoms(use_true_random=False))
def test_the_order_of_each_arms_seeds_and_of_the_images_does_not_matter(pair, random):
    images = random.sample(range(pair[0].shape[1]), pair[0].shape[1])
    shuffled = [values[random.sample(range(len(values)), len(values))][:, images] for values in pair]
    for there, here in zip(compare_means(*pair), compare_means(*shuffled), strict=True):
        assert here == close(there)


@given(pairs)
def test_no_number_is_ever_undefined_and_the_mean_lies_in_its_interval(pair):
    difference = difference_of_means(*pair)
    assert not np.isnan(as_numbers(difference)).any()
    assert difference.low <= difference.mean <= difference.high
    assert 0 <= difference.p <= 1


@given(pairs.filter(has_spread))
def test_p_is_below_five_percent_exactly_where_the_interval_excludes_zero(pair):
    difference = difference_of_means(*pair)
    assert (difference.p < 0.05) == (difference.low > 0 or difference.high < 0)


@given(pairs.filter(has_spread), st.floats(0.01, 2))
def test_equivalence_holds_exactly_where_the_ninety_percent_interval_lies_within_the_margin(pair, margin):
    comparison = compare_means(*pair)
    low, high = interval(comparison, 0.1)
    assert (equivalence_p(comparison, margin) < 0.05) == (max(-low, high) < margin)
