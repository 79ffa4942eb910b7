"""From p-values to words: Holm, equivalence, which verdict wins, and the sentences that a reader gets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unetseg.studies.analysis.statistics import contrast, paired_difference
from unetseg.studies.analysis.verdicts import contrast_sentence, holm, judge, sentence


def difference(mean, spread=0.01, seeds=3, images=60):
    """A difference of exactly that mean, all of its variance between images."""
    wave = spread * np.sqrt(2) * np.sin(2 * np.pi * np.arange(images) / images)
    values = mean + np.tile(wave, (seeds, 1))
    return paired_difference(values, np.zeros_like(values))


def verdict(difference, margin=0.01, **options):
    return judge({"arm": difference}, margin, **options)["arm"].verdict


# Holm


def test_holm_agrees_with_values_worked_out_by_hand():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 gives 0.02, 0.03, 0.06, 0.04.
    # Steps never fall, so the last is 0.06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_exceeds_one_and_leaves_a_single_value_as_it_is():
    assert holm([0.6, 0.9]).tolist() == [1.0, 1.0]
    assert holm([0.2]).tolist() == [0.2]
    assert holm([]).size == 0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_values_and_bonferronis_and_keeps_their_order(p_values):
    adjusted, raw = holm(p_values), np.array(p_values)
    assert (raw <= adjusted).all()
    assert (adjusted <= np.minimum(raw * raw.size, 1)).all()
    assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_holm_refuses_what_is_no_probability(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, wrong])


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
    judgement = judge({"arm": paired_difference(values, np.zeros_like(values))}, margin=0.01)["arm"]
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


def test_an_identical_arm_is_equivalent_at_any_margin():
    assert verdict(difference(0.0, spread=0.0), margin=1e-9) == "equivalent"


@pytest.mark.parametrize(
    ("mean", "spread", "expected"),
    [(0.1, 0.1, "better"), (0.001, 0.2, "undecided"), (0.0, 0.0, "equivalent")],
)
def test_without_a_margin_only_an_identical_arm_is_equivalent(mean, spread, expected):
    assert verdict(difference(mean, spread), margin=None) == expected
    assert verdict(difference(0.0, 0.001), margin=None) == "undecided"


def test_one_seed_and_one_image_leave_everything_undecided():
    assert verdict(paired_difference([[0.9]], [[0.1]])) == "undecided"


@pytest.mark.parametrize("margin", [0.0, -0.01, float("inf"), float("nan")])
def test_a_margin_that_is_no_positive_number_is_refused(margin):
    with pytest.raises(ValueError, match="margin"):
        verdict(difference(0.1), margin=margin)


@given(st.floats(-0.05, 0.05), st.floats(0, 0.1))
def test_swapping_the_arms_turns_better_into_worse_and_keeps_the_rest(mean, spread):
    mirrored = {"better": "worse", "worse": "better"}
    forward, backward = verdict(difference(mean, spread)), verdict(difference(-mean, spread))
    assert backward == mirrored.get(forward, forward)


# Sentences


def say(difference, margin=0.01, unit="", **options):
    judgement = judge({"arm": difference}, margin, **options)["arm"]
    return sentence("Without long skips (drop)", "test IoU", difference, judgement, unit=unit)


def test_a_fall_is_told_with_its_size_interval_sample_and_p():
    assert say(difference(-0.142, spread=0.1)) == (
        "Without long skips (drop), test IoU falls by 0.142 "
        "(95 % interval 0.116 to 0.168, 3 seeds × 60 images, p < 0.001): worse."
    )


def test_a_rise_of_a_distance_is_told_with_its_unit():
    told = say(difference(2.5, spread=1.0), margin=0.5, unit="px", higher_is_better=False)
    assert told.startswith(
        "Without long skips (drop), test IoU rises by 2.500 px (95 % interval 2.239 to 2.761,"
    )
    assert told.endswith(": worse.")


def test_equivalence_is_told_with_its_margin_and_its_own_p():
    assert say(difference(-0.001, spread=0.02)) == (
        "Without long skips (drop), test IoU changes by -0.0010 (95 % interval -0.0062 to +0.0042, "
        "3 seeds × 60 images, p = 0.702): equivalent within 0.01 (p < 0.001)."
    )


def test_a_difference_too_small_to_matter_is_told_as_measured():
    told = say(difference(0.004, spread=0.002))
    assert told.endswith("equivalent within 0.01 (p < 0.001), a difference measured but too small to matter.")


def test_without_a_margin_undecided_speaks_of_no_equivalence():
    assert say(difference(0.001, spread=0.2), margin=None).endswith(": undecided, no difference is shown.")


def test_undecided_says_that_neither_was_shown():
    told = say(difference(-0.01, spread=0.1))
    assert told.endswith(": undecided, neither a difference nor equivalence within 0.01 is shown.")


def test_one_seed_says_that_seed_variance_is_unknown():
    told = say(difference(-0.1, seeds=1))
    assert "1 seed × 60 images" in told
    assert told.endswith(": worse (variance between seeds unknown).")


def test_images_left_out_are_told():
    values = np.array([[0.1, np.nan, 0.2, 0.3]])
    assert "1 seed × 3 images, 1 left out as undefined" in say(paired_difference(values, np.zeros((1, 4))))


def test_an_identical_arm_is_told_as_such():
    assert say(difference(0.0, spread=0.0)) == (
        "Without long skips (drop), test IoU is the same in every image (3 seeds × 60 images): equivalent."
    )


def test_p_is_called_adjusted_where_several_arms_were_judged():
    arms = {"drop": difference(-0.142, 0.1), "zero": difference(-0.1, 0.1)}
    told = sentence("Without", "test IoU", arms["drop"], judge(arms, 0.01)["drop"])
    assert "adjusted p < 0.001" in told


@pytest.mark.parametrize(
    ("first", "second", "finding"),
    [
        (-0.14, -0.09, "boundary IoU loses more than IoU."),
        (-0.09, -0.14, "boundary IoU loses less than IoU."),
        (0.14, 0.09, "boundary IoU gains more than IoU."),
        (0.09, 0.14, "boundary IoU gains less than IoU."),
        (0.09, 0.0900001, "both change alike, within 0.01."),
    ],
)
def test_the_contrast_says_which_metric_moved_more(first, second, finding):
    first, second = difference(first, spread=0.02), difference(second, spread=0.01)
    judgement = judge({"arm": contrast(first, second)}, 0.01)["arm"]
    told = contrast_sentence("Without long skips", ("boundary IoU", "IoU"), first, second, judgement)
    assert told.endswith(finding)


def test_the_contrast_is_told_with_its_numbers():
    first, second = difference(-0.14, spread=0.3), difference(-0.12, spread=0.1)
    judgement = judge({"arm": contrast(first, second)}, 0.01)["arm"]
    assert contrast_sentence("Without long skips", ("boundary IoU", "IoU"), first, second, judgement) == (
        "Without long skips, boundary IoU changes by -0.140 and IoU by -0.120, -0.020 apart "
        "(95 % interval -0.072 to +0.032, 3 seeds × 60 images, p = 0.445): undecided which changes more."
    )
