"""Sequential studies: the plan, who goes on after a look, and what stands at the end."""

import numpy as np
import pytest

from unetseg.errors import UsageError
from unetseg.studies.analysis.looks import Plan, follow, going_on, looks_between
from unetseg.studies.analysis.means import difference_of_means
from unetseg.studies.analysis.verdicts import judge


@pytest.mark.parametrize(
    ("first", "last", "looks"),
    [
        (3, 10, (3, 4, 5, 7, 10)),
        (3, 8, (3, 4, 5, 7, 8)),
        (3, 20, (3, 4, 5, 7, 20)),
        (3, 6, (3, 4, 5, 6)),
        (3, 5, (3, 4, 5)),
        (5, 6, (5, 6)),
    ],
)
def test_a_range_of_seeds_means_these_looks(first, last, looks):
    assert looks_between(first, last) == looks


@pytest.mark.parametrize(("first", "last"), [(5, 3), (3, 3), (0, 4)])
def test_a_range_that_does_not_rise_is_refused(first, last):
    with pytest.raises(UsageError, match="two rising numbers"):
        looks_between(first, last)


@pytest.mark.parametrize("looks", [(), (3, 3), (5, 4), (0, 3)])
def test_looks_that_do_not_rise_are_refused(looks):
    with pytest.raises(UsageError, match="rising numbers of seeds"):
        Plan(looks, ("off",), "iou")


def test_each_look_tests_at_its_share_of_five_percent():
    assert Plan((3, 4, 5, 7, 10), ("off",), "iou").level == pytest.approx(0.01)
    assert Plan((5,), ("off",), "iou").level == 0.05


def test_what_departs_from_the_plan_is_named():
    plan = Plan((3, 4, 5), ("off", "self"), "iou")
    assert plan.departures(Plan((3, 4), ("off", "self"), "iou")) == ()
    assert plan.departures(Plan((6,), ("off", "new"), "dice", margin=0.1, seeds=(0, 1, 2, 9, 4, 5))) == (
        "6 seeds are none of the planned looks (3, 4, 5)",
        "the seeds are 0, 1, 2, 9, 4, 5, and 0, 1, 2, 3, 4 were planned",
        "arm self was planned and is left out",
        "arm new was not planned",
        "the primary metric is dice, and iou was planned",
        "the margin is 0.1, and 0.01 was planned",
    )


# Following a plan

LOOKS = (3, 4, 5, 7, 10)


class Study:
    """Scores of ten seeds an arm, which records who was looked at when."""

    def __init__(self, shifts, seed=0, spread=0.01):
        generator = np.random.default_rng(seed)

        def arm(shift):
            values = 0.6 + shift + spread * generator.standard_normal((10, 1))
            return values + 0.03 * generator.standard_normal((10, 30))

        self.baseline, self.arms = arm(0.0), {name: arm(shift) for name, shift in shifts.items()}
        self.asked = []

    def __call__(self, seeds, arms):
        self.asked.append((seeds, tuple(arms)))
        return {name: difference_of_means(self.arms[name][:seeds], self.baseline[:seeds]) for name in arms}

    def follow(self, looks=LOOKS, margin=0.02):
        return follow(looks, 0.05 / len(LOOKS), self, list(self.arms), margin)


def test_an_arm_that_differs_stops_and_the_others_go_on():
    study = Study({"far": -0.3, "close": 0.004, "other": 0.004}, spread=0.03)
    decisions = study.follow()
    assert study.asked[0] == (3, ("far", "close", "other"))
    assert study.asked[1] == (4, ("close", "other"))
    assert (decisions["far"].seeds, decisions["far"].judgement.verdict) == (3, "worse")
    assert decisions["close"].seeds == 10 and decisions["close"].judgement.verdict == "undecided"
    assert decisions["far"].difference.seeds == 3 and decisions["close"].difference.seeds == 10


def test_an_arm_that_stopped_stays_in_the_family_with_its_last_p():
    study = Study({"far": -0.3, "close": 0.02})
    decisions = study.follow()
    seeds = decisions["close"].seeds
    assert seeds > 3
    family = {
        "far": study(3, ["far"])["far"],
        "close": study(seeds, ["close"])["close"],
    }
    alone = judge(family, 0.02, level=0.01)
    assert decisions["close"].judgement == alone["close"]
    assert decisions["close"].judgement.comparisons == 2


def test_a_study_ends_when_all_is_decided():
    study = Study({"far": -0.3, "farther": 0.4})
    assert going_on(study.follow(), ["far", "farther"]) == []
    assert [seeds for seeds, _ in study.asked] == [3]


def test_equivalence_waits_for_five_seeds():
    decisions = Study({"same": 0.0}, spread=0.001).follow(margin=0.05)
    assert (decisions["same"].seeds, decisions["same"].judgement.verdict) == (5, "equivalent")


def test_a_plan_that_is_half_done_tests_at_the_level_of_the_whole():
    decisions = Study({"arm": 0.004}).follow(LOOKS[:2])
    assert decisions["arm"].seeds == 4 and decisions["arm"].judgement.level == pytest.approx(0.01)
    assert going_on(decisions, ["arm"]) == ["arm"]


def test_an_arm_of_which_a_run_failed_stays_with_what_was_said_of_it_last():
    study = Study({"close": 0.004, "failed": 0.004})

    def at_look(seeds, arms):
        return {name: each for name, each in study(seeds, arms).items() if name != "failed" or seeds < 5}

    decisions = follow(LOOKS, 0.01, at_look, ["close", "failed"], 0.001)
    assert (decisions["close"].seeds, decisions["failed"].seeds) == (10, 4)
    assert decisions["close"].judgement.comparisons == 2


def test_the_interval_of_an_arm_agrees_with_its_verdict_at_its_look():
    for seed in range(20):
        for decision in Study(dict.fromkeys("abc", 0.02), seed).follow(margin=None).values():
            difference = decision.difference
            excludes = difference.low > 0 or difference.high < 0
            assert excludes == (decision.judgement.verdict in ("better", "worse"))
