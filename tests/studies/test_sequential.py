"""Studies that look between: who goes on, when they end, and what makes them exploratory."""

import json
import os
import signal

import pytest
import yaml

from unetseg.studies.plan import make_plan
from unetseg.studies.study_file import load_study
from unetseg.training.task import SegmentationTask

ARMS = {"on": {"lr": 0.003}, "worse": {"lr": 0.1}, "close": {"lr": 0.2}}  # the fixture ``trained`` draws them


def seeds_of(done, arm):
    return len(done.arm(arm)["runs"])


def test_a_study_goes_on_with_undecided_arms_and_the_reference_only(ablate, trained):
    done = ablate(ARMS, "--seeds", "3..6")
    assert done.code == 0, done.err
    assert {name: seeds_of(done, name) for name in ARMS} == {"on": 6, "worse": 3, "close": 6}
    assert trained.count("worse-seed2") == 1 and "worse-seed3" not in trained
    assert len(trained) == 6 + 3 + 6
    assert "towards the look at 4 seeds: on, close" in done.out
    iou = done.metric("iou")["arms"]
    assert iou["worse"]["judgement"]["verdict"] == "worse" and iou["worse"]["difference"]["seeds"] == 3
    assert iou["close"]["judgement"]["level"] == pytest.approx(0.05 / 4)
    assert {
        row.split(",")[1] for row in done.results.decode().splitlines() if row.startswith("worse")
    } == set("012")


def test_a_study_ends_as_soon_as_all_is_decided(ablate, trained):
    done = ablate({"on": {}, "worse": {"lr": 0.1}}, "--seeds", "3..10")
    assert len(trained) == 6 and seeds_of(done, "on") == 3
    assert done.summary["plan"]["looks"] == [3, 4, 5, 7, 10] and done.summary["notes"] == []


def test_without_a_range_there_is_one_look(ablate, trained):
    done = ablate(ARMS, "--seeds", "4")
    assert {seeds_of(done, name) for name in ARMS} == {4}
    assert done.metric("iou")["arms"]["close"]["judgement"]["level"] == 0.05


def test_looks_in_the_file_overrule_the_range(ablate, trained):
    done = ablate(ARMS, study={"looks": [3, 8], "seeds": "3..8"})
    assert done.summary["plan"]["looks"] == [3, 8]
    assert {name: seeds_of(done, name) for name in ARMS} == {"on": 8, "worse": 3, "close": 8}


def test_a_stopped_arm_keeps_its_verdict_and_its_share_of_the_family(ablate, trained):
    done = ablate(ARMS, "--seeds", "3..6")
    arms = done.metric("iou")["arms"]
    assert arms["close"]["judgement"]["comparisons"] == arms["worse"]["judgement"]["comparisons"] == 2
    first = ablate(ARMS, "--seeds", "3..6", name="again")
    assert first.summary["metrics"] == done.summary["metrics"]


def test_the_clock_ends_a_study_at_a_whole_look_and_says_so_and_it_goes_on(ablate, trained):
    whole = ablate(ARMS, "--seeds", "3..6", name="whole")
    trained.clear()
    done = ablate(ARMS, "--seeds", "3..6", "--minutes", "1e-9")
    assert done.code == 0 and len(trained) == 9
    assert "ended by --minutes 1e-09: the next look, at 4 seeds" in done.out
    assert done.summary["notes"] == [
        "the plan is not at its end: close undecided, and the next look is at 4 seeds"
    ]
    rest = ablate(ARMS, "--seeds", "3..6")
    assert rest.results == whole.results and rest.summary["notes"] == []
    assert ablate(ARMS, "--minutes", "0").code == 2


def test_a_clock_that_can_end_nothing_is_told(ablate, trained):
    done = ablate(ARMS, "--seeds", "3", "--minutes", "5")
    assert done.code == 0 and "--minutes ends a study between two looks, and this one has one" in done.out


def test_a_study_that_was_stopped_between_looks_ends_in_the_same_bytes(ablate, monkeypatch):
    arms = {"on": {}, "off": {"skips": False}}
    unbroken = ablate(arms, "--seeds", "1..2", name="unbroken")
    assert unbroken.code == 0, unbroken.err
    original, steps = SegmentationTask.training_step, []

    def training_step(task, batch, batch_idx):
        steps.append(batch_idx)
        if len(steps) == 15:  # of 6 a run: in the third, after the first look
            os.kill(os.getpid(), signal.SIGTERM)
        return original(task, batch, batch_idx)

    monkeypatch.setattr(SegmentationTask, "training_step", training_step)
    assert ablate(arms, "--seeds", "1..2").code == 143
    resumed = ablate(arms, "--seeds", "1..2")
    assert resumed.code == 0 and resumed.results == unbroken.results


# What was planned, and what was not


@pytest.mark.parametrize(
    ("arms", "flags", "study", "words"),
    [
        (ARMS, ("--seeds", "4"), {}, "4 seeds are none of the planned looks (3)"),
        (ARMS, ("--arms", "worse"), {}, "arm close was planned and is left out"),
        (ARMS | {"new": {"lr": 0.3}}, (), {}, "arm new was not planned"),
        (ARMS, (), {"primary": "dataset_iou"}, "the primary metric is dataset_iou, and iou was planned"),
        (ARMS, (), {"margin": 0.2}, "the margin is 0.2, and 0.01 was planned"),
        (ARMS, (), {"seeds": [0, 1, 7]}, "the seeds are 0, 1, 7, and 0, 1, 2 were planned"),
    ],
)
def test_what_is_changed_after_the_plan_is_exploratory_and_said_why(
    ablate, trained, arms, flags, study, words
):
    first = ablate(ARMS, seeds=3)
    assert first.summary["exploratory"] == [] and "exploratory" not in first.out
    done = ablate(arms, *flags, seeds=3, study=study)
    assert done.code == 0, done.err
    assert done.summary["exploratory"] == [words]
    assert f"the verdicts will be exploratory: {words}" in done.out
    sentence = done.arm("worse")["sentence"]
    assert sentence.endswith("; exploratory, not as planned.")
    report = (done.folder / "report.md").read_text()
    assert "Exploratory" in report and words in report
    kept = yaml.safe_load((done.folder / "study.yaml").read_text())["plan"]
    assert (kept["seeds"], kept["family"], kept["primary"]) == ([0, 1, 2], ["worse", "close"], "iou")


def test_fewer_of_the_planned_looks_are_as_planned(ablate, trained):
    ablate(ARMS, "--seeds", "3..5", "--minutes", "1e-9")
    done = ablate(ARMS, "--seeds", "3..4")
    assert done.summary["exploratory"] == []
    assert done.metric("iou")["arms"]["close"]["judgement"]["level"] == pytest.approx(0.05 / 3)


def test_before_anything_was_seen_another_plan_may_be_made(ablate, trained, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr("unetseg.studies.trials.attempt", lambda *_: "no power")
        assert ablate(ARMS, "--seeds", "3").code == 1
    done = ablate(ARMS, "--seeds", "3..5")
    assert done.summary["exploratory"] == [] and done.summary["plan"]["looks"] == [3, 4, 5]


def test_a_study_of_before_plans_is_read_and_held_against_what_it_was(ablate, trained):
    first = ablate(ARMS, seeds=3)
    file = first.folder / "study.yaml"
    values = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({key: values[key] for key in values if key not in ("plan", "looks")}))
    again = ablate(ARMS, seeds=3)
    assert again.summary["exploratory"] == [] and again.results == first.results
    file.write_text(yaml.safe_dump({key: values[key] for key in values if key not in ("plan", "looks")}))
    assert len(ablate(ARMS, seeds=5).summary["exploratory"]) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threshold": 0.02}, "threshold 0.02: of 1 looks each has 0.05"),
        ({"primary": "iuo"}, "did you mean 'iou'"),
        ({"loks": [3]}, "did you mean 'looks'"),
    ],
)
def test_a_plan_that_does_not_hold_together_is_refused(ablate, trained, change, words):
    file = ablate(ARMS, seeds=3).folder / "study.yaml"
    values = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(values | {"plan": values["plan"] | change}))
    refused = ablate(ARMS, seeds=3)
    assert refused.code == 2 and words in refused.err


def test_an_undecided_arm_says_what_would_decide_it(ablate, trained):
    done = ablate(ARMS, seeds=3)
    assert (
        "more seeds" in done.arm("close")["sentence"] and "would decide it" in done.arm("close")["sentence"]
    )
    assert "would decide it" not in done.arm("worse")["sentence"]


def test_the_plan_is_kept_with_its_threshold(ablate, trained):
    folder = ablate(ARMS, "--seeds", "3..5").folder
    assert yaml.safe_load((folder / "study.yaml").read_text())["plan"] == {
        "looks": [3, 4, 5],
        "threshold": pytest.approx(0.05 / 3),
        "seeds": [0, 1, 2, 3, 4],
        "family": ["worse", "close"],
        "primary": "iou",
        "margin": 0.01,
    }
    assert make_plan(load_study(folder / "study.yaml"), folder).study.departures == ()
    assert json.loads((folder / "summary.json").read_text())["plan"]["looks"] == [3, 4, 5]
