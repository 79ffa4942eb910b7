"""What a plan can show: against simulated studies that the analysis itself judges."""

import subprocess
import sys

import numpy as np
import pytest

from unetseg.studies.analysis.means import difference_of_means
from unetseg.studies.analysis.power import (
    DEFAULT_SPREAD,
    Needed,
    Spread,
    needed_to_decide,
    smallest_difference,
)
from unetseg.studies.analysis.statistics import compare_means, two_sided_p
from unetseg.studies.analysis.verdicts import judge

SPREAD = Spread(seed=0.01, image=0.02, rest=0.03)


def draw(generator, studies, seeds, images, shift=0.0):
    """Scores of two arms by the model, the second shifted; images differ by more than anything else."""
    both = 0.2 * generator.standard_normal((studies, 1, images))
    arms = []
    for index in range(2):
        values = both + index * shift + SPREAD.rest * generator.standard_normal((studies, seeds, images))
        values += SPREAD.seed * generator.standard_normal((studies, seeds, 1))
        arms.append(values + SPREAD.image / np.sqrt(2) * generator.standard_normal((studies, 1, images)))
    return arms


@pytest.mark.parametrize(("seeds", "comparisons"), [(3, 1), (3, 4), (5, 9), (10, 4)])
def test_the_smallest_difference_is_shown_in_four_of_five_simulated_studies(seeds, comparisons):
    shift = smallest_difference(SPREAD, [seeds], 40, comparisons)
    baseline, arm = draw(np.random.default_rng(seeds), 2000, seeds, 40, shift)
    p = two_sided_p(compare_means(arm, baseline))
    assert (p < 0.05 / comparisons).mean() == pytest.approx(0.8, abs=0.03)


def test_the_smallest_difference_of_a_sequential_plan_is_shown_at_any_of_its_looks():
    looks = (3, 4, 6)
    shift = smallest_difference(SPREAD, looks, 40, 4)
    baseline, arm = draw(np.random.default_rng(1), 2000, 6, 40, shift)
    found = [
        two_sided_p(compare_means(arm[:, :seeds], baseline[:, :seeds])) < 0.05 / 3 / 4 for seeds in looks
    ]
    assert np.any(found, axis=0).mean() == pytest.approx(0.8, abs=0.03)


def test_more_seeds_images_or_power_and_fewer_arms_move_it_as_they_must():
    usual = smallest_difference(SPREAD, [5], 60, 4)
    assert smallest_difference(SPREAD, [10], 60, 4) < usual < smallest_difference(SPREAD, [5], 20, 4)
    assert smallest_difference(SPREAD, [5], 60, 1) < usual < smallest_difference(SPREAD, [5], 60, 9)
    assert usual < smallest_difference(SPREAD, [5], 60, 4, power=0.95)
    assert smallest_difference(SPREAD, [1, 2], 60, 4) == float("inf")


def test_the_spread_is_found_again_in_studies_that_were_drawn_with_it():
    baselines, arms = draw(np.random.default_rng(2), 200, 4, 50)
    found = Spread.of(map(difference_of_means, arms, baselines))
    assert (found.seed, found.image, found.rest) == pytest.approx((0.01, 0.02, 0.03), rel=0.1)


GROUPS = np.repeat(np.arange(12), 5)


def drawn_in_groups(studies, generator, seeds=4):
    """Two arms whose difference, and whose nets' errors, are those of whole groups of five images."""
    return [arm[..., GROUPS] for arm in draw(generator, studies, seeds, 12)]


def test_where_images_come_in_groups_the_spread_is_that_of_groups():
    baselines, arms = drawn_in_groups(300, np.random.default_rng(5))
    pairs = zip(arms, baselines, strict=True)
    found = Spread.of(difference_of_means(*pair, groups=GROUPS) for pair in pairs)
    assert (found.seed, found.image, found.rest) == pytest.approx((0.01, 0.02, 0.03), rel=0.15)


def test_where_images_come_in_groups_more_groups_are_asked_for():
    baseline, arm = drawn_in_groups(1, np.random.default_rng(5))
    moved = arm[0] - arm[0].mean() + baseline[0].mean() + 0.015
    difference = difference_of_means(moved, baseline[0], groups=GROUPS)
    alone = difference_of_means(moved[:, ::5], baseline[0][:, ::5])  # an image a group: the same information
    needed, same = (
        needed_to_decide(each, judge({"arm": each}, 0.01)["arm"], SPREAD) for each in (difference, alone)
    )
    assert difference.units == 12 and (needed.seeds, needed.images) == (same.seeds, same.images)
    assert str(needed) == str(same).replace("image", "group") and "more groups" in str(needed)


def test_the_spread_of_single_runs_is_unknown():
    with pytest.raises(ValueError, match="two seeds"):
        Spread.of([difference_of_means([[0.1, 0.2]], [[0.2, 0.4]])])


def close_call(mean, seeds=3, images=40):
    baseline, arm = draw(np.random.default_rng(3), 1, seeds, images)
    difference = difference_of_means(arm[0] - arm.mean() + baseline.mean() + mean, baseline[0])
    return difference, judge({"arm": difference}, 0.01)["arm"]


def test_the_seeds_that_would_decide_have_the_power_that_is_promised():
    difference, judgement = close_call(0.02)
    needed = needed_to_decide(difference, judgement, SPREAD)
    baseline, arm = draw(np.random.default_rng(4), 2000, 3 + needed.seeds, 40, 0.02)
    found = (two_sided_p(compare_means(arm, baseline)) < 0.05).mean()
    assert 0.75 < found < 0.92
    assert str(needed).startswith(f"about {needed.seeds} more seeds")


def test_a_difference_half_the_margin_is_decided_by_equivalence_or_not_at_all():
    difference, judgement = close_call(0.0, seeds=5)
    assert judgement.margin == 0.01
    needed = needed_to_decide(difference, judgement, SPREAD)
    assert needed.seeds is not None and needed.seeds > 5
    at_margin, judgement = close_call(0.01, seeds=5)
    assert needed_to_decide(at_margin, judgement, SPREAD).seeds > needed.seeds


def test_where_images_are_too_few_no_number_of_seeds_decides():
    difference, judgement = close_call(0.004, seeds=5, images=12)
    needed = needed_to_decide(difference, judgement, Spread(seed=0.0001, image=0.05, rest=0.01))
    assert needed.seeds is None and needed.images > 100
    assert str(needed) == f"about {needed.images:,} more images would decide it"
    assert str(Needed(None, None)) == "neither more seeds nor more images alone would decide it"


def test_power_needs_no_torch():
    code = "import sys, unetseg.studies.analysis.power; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert smallest_difference(DEFAULT_SPREAD, [3], 60, 9) < 0.09
