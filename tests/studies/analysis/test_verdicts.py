"""From p-values to words: equivalence, which verdict wins, and what bars one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unetseg.studies.analysis.means import difference_of_means
from unetseg.studies.analysis.verdicts import equivalent_in_all, judge, not_decidable, same_runs


def difference(mean, spread=0.01, seeds=5, images=60):
    """A difference of exactly that mean, all of its variance between images."""
    wave = spread * np.sqrt(2) * np.sin(2 * np.pi * np.arange(images) / images)
    values = mean + np.tile(wave, (seeds, 1))
    return difference_of_means(0.5 + values, np.full_like(values, 0.5))


def verdict(difference, margin=0.01, **options):
    return judge({"arm": difference}, margin, **options)["arm"].verdict


# Verdicts


@pytest.mark.parametrize(
    ("mean", "spread", "expected"),
    [
        (+0.1, 0.1, "better"),
        (-0.1, 0.1, "worse"),
        (0.0, 0.01, "equivalent"),
        (0.0, 0.2, "undecided"),
    ],
)
def test_each_verdict_where_higher_is_better(mean, spread, expected):
    assert verdict(difference(mean, spread)) == expected


def test_a_distance_that_grows_is_worse():
    assert verdict(difference(2.0), margin=0.5, higher_is_better=False) == "worse"
    assert verdict(difference(-2.0), margin=0.5, higher_is_better=False) == "better"


def test_a_difference_that_is_significant_but_within_the_margin_is_equivalent():
    judgement = judge({"arm": difference(0.004, spread=0.002)}, margin=0.01)["arm"]
    assert judgement.verdict == "equivalent"
    assert judgement.significant


def test_a_difference_beyond_the_margin_whose_interval_reaches_into_it_is_not_equivalent():
    assert verdict(difference(0.011, spread=0.01), margin=0.01) == "better"


def test_equivalence_is_two_one_sided_t_tests():
    values = np.random.default_rng(0).normal(0.002, 0.02, size=(1, 40))
    judgement = judge({"arm": difference_of_means(values, np.zeros_like(values))}, margin=0.01)["arm"]
    above = stats.ttest_1samp(values[0], -0.01, alternative="greater").pvalue
    below = stats.ttest_1samp(values[0], 0.01, alternative="less").pvalue
    assert judgement.p_equivalence == pytest.approx(max(above, below))


def test_more_arms_make_a_difference_harder_to_claim():
    close_call = difference(0.03, spread=0.1)
    assert close_call.p < 0.05
    family = {"arm": close_call} | {f"other {index}": difference(0.0, 0.2) for index in range(4)}
    assert verdict(close_call) == "better"
    judgement = judge(family, margin=0.01)["arm"]
    assert judgement.verdict == "undecided"
    assert judgement.p_adjusted == pytest.approx(5 * close_call.p)


def test_an_arm_that_equals_the_baseline_everywhere_is_equivalent_at_any_margin():
    assert verdict(difference(0.0, spread=0.0), margin=1e-9) == "equivalent"


# What bars "equivalent", and what bars every verdict


def barred(difference, **options):
    judgement = judge({"arm": difference}, 0.01, **options)["arm"]
    assert judgement.within_margin
    return judgement.verdict, judgement.reason


def test_equivalence_needs_five_seeds():
    assert barred(difference(0.0, seeds=4)) == ("undecided", "5 seeds are needed")
    assert verdict(difference(0.0, seeds=5)) == "equivalent"


def test_a_seed_apart_from_the_others_bars_equivalence():
    values = 0.5 + 0.0001 * np.random.default_rng(0).normal(size=(5, 60))
    values[3] += 0.02
    found = difference_of_means(values, 0.504 + 0.0001 * np.random.default_rng(1).normal(size=(5, 60)))
    assert found.outlying == ((3,), ())
    judgement = judge({"arm": found}, 0.02)["arm"]
    assert (judgement.verdict, judgement.within_margin) == ("undecided", True)
    assert judgement.reason == "a seed lies apart from the others"


def test_a_heavy_skew_of_images_bars_equivalence():
    values = np.tile(0.001 * np.sin(np.arange(60.0)), (5, 1))
    values[:, 7] -= 0.1
    found = difference_of_means(0.5 + values, np.full_like(values, 0.5))
    assert barred(found) == ("undecided", "a few images differ far more than the others")


def test_where_all_is_zero_nothing_is_equivalent():
    zero = difference_of_means(np.zeros((5, 12)), np.zeros((5, 12)))
    assert barred(zero) == ("undecided", "both are 0 in every image")
    assert verdict(zero, higher_is_better=False) == "equivalent"  # a distance of 0 everywhere


def test_a_difference_within_the_margin_that_equivalence_is_barred_from_is_still_a_difference():
    assert barred(difference(-0.004, spread=0.002, seeds=3)) == ("worse", "5 seeds are needed")


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("mean", [0.0, 0.3])
def test_under_three_seeds_there_is_no_verdict(seeds, mean):
    assert verdict(difference(mean, seeds=seeds)) == "for these nets only"


def test_without_an_interval_nothing_is_decidable():
    scores = np.random.default_rng(0).uniform(0, 1, (2, 5, 9))
    few = difference_of_means(scores[0], scores[1] - 1, pooled=True)
    judgement = judge({"arm": few}, 0.01)["arm"]
    assert judgement.verdict == "not decidable"
    assert judgement.reason == "9 images that hold any of it, and an interval needs 10"


def test_a_verdict_that_rests_on_an_arm_which_failed_is_withdrawn():
    judgement = judge({"arm": difference(0.3)}, 0.01)["arm"]
    withdrawn = not_decidable(judgement, "its control post-ln learned nothing")
    assert (withdrawn.verdict, withdrawn.p_adjusted) == ("not decidable", judgement.p_adjusted)


def test_an_arm_of_the_baselines_own_runs_is_equivalent_with_one_seed():
    assert same_runs(0.01).verdict == same_runs(None).verdict == "equivalent"
    assert not same_runs(0.01).significant


# Families of equivalence


def test_equivalence_in_all_arms_is_adjusted_by_holm():
    near = difference(0.0062, spread=0.02)
    assert judge({"arm": near}, 0.01)["arm"].p_equivalence > 0.03
    family = {f"arm {index}": near for index in range(3)}
    judged = judge(family, 0.015)
    assert equivalent_in_all(judged.values())
    p = judge({"arm": near}, 0.0107)["arm"].p_equivalence
    assert 0.05 / 3 < p < 0.05
    judged = judge(family, 0.0107)
    assert {each.verdict for each in judged.values()} == {"equivalent"}
    assert judged["arm 1"].p_equivalence_adjusted == pytest.approx(3 * p)
    assert not equivalent_in_all(judged.values())


def test_one_undecided_arm_is_not_equivalent_in_all():
    judged = judge({"same": difference(0.0), "other": difference(0.0, spread=0.3)}, 0.01)
    assert not equivalent_in_all(judged.values()) and not equivalent_in_all([])


def test_a_stricter_level_for_each_of_several_looks_makes_every_claim_harder():
    close_call = difference(0.03, spread=0.1)
    assert 0.01 < close_call.p < 0.05
    assert verdict(close_call) == "better" and verdict(close_call, level=0.01) == "undecided"


@pytest.mark.parametrize(
    ("mean", "spread", "expected"),
    [(0.1, 0.1, "better"), (0.001, 0.2, "undecided"), (0.0, 0.0, "equivalent")],
)
def test_without_a_margin_only_an_identical_arm_is_equivalent(mean, spread, expected):
    assert verdict(difference(mean, spread), margin=None) == expected
    assert verdict(difference(0.0, 0.001), margin=None) == "undecided"


def test_one_seed_and_one_image_say_nothing_beyond_these_nets():
    assert verdict(difference_of_means([[0.9]], [[0.1]])) == "for these nets only"


@pytest.mark.parametrize("margin", [0.0, -0.01, float("inf"), float("nan")])
def test_a_margin_that_is_no_positive_number_is_refused(margin):
    with pytest.raises(ValueError, match="margin"):
        verdict(difference(0.1), margin=margin)


@given(st.floats(-0.05, 0.05), st.floats(0, 0.1))
def test_swapping_the_arms_turns_better_into_worse_and_keeps_the_rest(mean, spread):
    mirrored = {"better": "worse", "worse": "better"}
    forward, backward = verdict(difference(mean, spread)), verdict(difference(-mean, spread))
    assert backward == mirrored.get(forward, forward)
