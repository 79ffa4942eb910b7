"""The sentences that a reader gets."""

from dataclasses import replace

import numpy as np
import pytest

from unetseg.studies.analysis.means import contrast, difference_of_means
from unetseg.studies.analysis.sentences import caution_lines, contrast_sentence, sentence
from unetseg.studies.analysis.verdicts import judge, not_decidable


def difference(mean, spread=0.01, seeds=5, images=60):
    """A difference of exactly that mean, all of its variance between images."""
    wave = spread * np.sqrt(2) * np.sin(2 * np.pi * np.arange(images) / images)
    values = mean + np.tile(wave, (seeds, 1))
    return difference_of_means(0.5 + values, np.full_like(values, 0.5))


def say(difference, margin=0.01, unit="", **options):
    judgement = judge({"arm": difference}, margin, **options)["arm"]
    return sentence("Without long skips (drop)", "test IoU", difference, judgement, unit=unit)


def test_a_fall_is_told_with_its_size_interval_sample_and_p():
    assert say(difference(-0.142, spread=0.1)) == (
        "Without long skips (drop), test IoU falls by 0.142 "
        "(95 % interval 0.115 to 0.169, 5 seeds × 60 images, p < 0.001): worse."
    )


def test_a_rise_of_a_distance_is_told_with_its_unit():
    told = say(difference(2.5, spread=1.0), margin=0.5, unit="px", higher_is_better=False)
    assert told.startswith(
        "Without long skips (drop), test IoU rises by 2.500 px (95 % interval 2.231 to 2.769,"
    )
    assert told.endswith(": worse.")


def test_equivalence_is_told_with_its_margin_and_its_own_p():
    assert say(difference(-0.001, spread=0.02)) == (
        "Without long skips (drop), test IoU changes by -0.0010 (95 % interval -0.0064 to +0.0044, "
        "5 seeds × 60 images, p = 0.704): within 0.01 (p = 0.001), equivalent among runs that learn; "
        "a collapse rate up to 45 % (images: up to 4.9 %) is not excluded."
    )


def test_a_difference_too_small_to_matter_is_told_as_measured():
    told = say(difference(0.004, spread=0.002))
    assert "within 0.01 (p < 0.001), a difference measured but too small to matter, equivalent among" in told


def test_an_end_at_zero_that_is_excluded_is_told_as_such():
    found = replace(difference(-0.01, spread=0.02), high=float(np.nextafter(0.0, -1.0)))
    assert "(95 % interval above 0 to 0.0" in say(found)


def test_an_interval_of_several_looks_says_so():
    assert "(95 % interval over all looks " in say(difference(-0.142, spread=0.1), level=0.01)


def test_without_a_margin_undecided_speaks_of_no_equivalence():
    assert say(difference(0.001, spread=0.2), margin=None).endswith(": undecided, no difference is shown.")


def test_undecided_says_that_neither_was_shown():
    told = say(difference(-0.01, spread=0.1))
    assert told.endswith(": undecided, neither a difference nor equivalence within 0.01 is shown.")


def test_one_seed_says_that_seed_variance_is_unknown():
    told = say(difference(-0.1, seeds=1))
    assert "1 seed × 60 images" in told
    assert told.endswith(": for these nets only (variance between seeds unknown).")


def test_images_left_out_are_told():
    values = np.array([[0.1, np.nan, 0.2, 0.3]])
    assert "1 seed × 3 images, 1 left out as undefined" in say(difference_of_means(values, np.zeros((1, 4))))


def test_an_identical_arm_is_told_as_such():
    assert say(difference(0.0, spread=0.0)) == (
        "Without long skips (drop), test IoU is the same in every image (5 seeds × 60 images): equivalent."
    )


@pytest.mark.parametrize(
    ("seeds", "images", "rates"),
    [(5, 60, "45 % (images: up to 4.9 %)"), (10, 300, "26 % (images: up to 0.99 %)")],
)
def test_equivalence_says_which_failures_so_few_seeds_and_images_do_not_exclude(seeds, images, rates):
    told = say(difference(0.0, spread=0.001, seeds=seeds, images=images))
    assert told.endswith(f"equivalent among runs that learn; a collapse rate up to {rates} is not excluded.")


def test_within_the_margin_with_too_few_seeds_says_what_is_missing():
    assert say(difference(0.0, spread=0.001, seeds=3)).endswith(
        ": undecided, within 0.01 but not called equivalent: 5 seeds are needed."
    )
    assert say(difference(-0.004, spread=0.001, seeds=3)).endswith(
        ": worse, within 0.01 but not called equivalent: 5 seeds are needed."
    )


def test_a_metric_that_is_zero_everywhere_is_told_as_no_finding():
    zero = difference_of_means(np.zeros((5, 12)), np.zeros((5, 12)))
    assert say(zero).endswith(
        "is the same in every image (5 seeds × 12 images): undecided, both are 0 in every image."
    )


def test_what_has_no_interval_is_told_without_one():
    scores = np.random.default_rng(0).uniform(0, 1, (2, 5, 3))
    told = say(difference_of_means(*scores, pooled=True))
    assert "(no interval, 5 seeds × 3 images): not decidable, 3 images that hold any of it, and an" in told


def test_a_withdrawn_verdict_keeps_its_numbers_and_says_why():
    found = difference(0.3, spread=0.1)
    judgement = not_decidable(judge({"arm": found}, 0.01)["arm"], "its control learned nothing")
    told = sentence("With post-LN", "IoU", found, judgement)
    assert "95 % interval" in told and told.endswith(": not decidable, its control learned nothing.")


def test_groups_and_unequal_numbers_of_seeds_are_told():
    generator = np.random.default_rng(0)
    arm, baseline = generator.uniform(size=(3, 24)), generator.uniform(size=(8, 24))
    told = say(difference_of_means(arm, baseline, groups=[index // 2 for index in range(24)]))
    assert "3 against 8 seeds × 24 images in 12 groups" in told


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
    gap = contrast(first, second)
    judgement = judge({"arm": gap}, 0.01)["arm"]
    told = contrast_sentence("Without long skips", ("boundary IoU", "IoU"), first, second, gap, judgement)
    assert told.endswith(finding)


def test_the_contrast_is_told_with_its_numbers():
    first, second = difference(-0.14, spread=0.3), difference(-0.12, spread=0.1)
    gap = contrast(first, second)
    judgement = judge({"arm": gap}, 0.01)["arm"]
    assert contrast_sentence(
        "Without long skips", ("boundary IoU", "IoU"), first, second, gap, judgement
    ) == (
        "Without long skips, boundary IoU changes by -0.140 and IoU by -0.120, -0.020 apart "
        "(95 % interval -0.074 to +0.034, 5 seeds × 60 images, p = 0.450): undecided which changes more."
    )


def test_a_seed_apart_is_named_with_what_the_others_reach():
    generator = np.random.default_rng(0)
    arm, baseline = (0.6 + 0.01 * generator.standard_normal((5, 1)) + np.zeros(12) for _ in "ab")
    arm[2], baseline[4] = 0.1, 0.2
    lines = caution_lines(
        "off", "on", "image IoU", difference_of_means(arm, baseline), ((0, 1, 2, 5, 7), (0, 1, 2, 5, 7))
    )
    assert [line.partition(" lies apart from its other seeds: image IoU ")[::2] for line in lines] == [
        ("off, seed 2", f"0.100, their median {np.median(arm[[0, 1, 3, 4], 0]):.3f}"),
        ("on, seed 7", f"0.200, their median {np.median(baseline[:4, 0]):.3f}"),
    ]


def test_a_few_images_that_make_the_difference_are_told():
    values = np.full((3, 40), 0.5)
    failing = values.copy()
    failing[:, 3] = 0.0
    (line,) = caution_lines(
        "off", "on", "image IoU", difference_of_means(failing, values), ((0, 1, 2), (0, 1, 2))
    )
    assert line.startswith("off: a few images differ far more than the others from on in image IoU")
    assert caution_lines("off", "on", "image IoU", difference(0.1), (range(5), range(5))) == []
