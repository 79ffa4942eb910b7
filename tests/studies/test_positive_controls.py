"""Where what should learn has not, nothing that rests on it is decided."""

import pytest

from unetseg.studies import trials
from unetseg.utilities.files import write_rows

ARMS = {"on": {}, "worse": {"lr": 0.1}, "close": {"lr": 0.2}}  # as the fixture ``trained`` draws them


@pytest.fixture
def collapsed(monkeypatch, trained):
    """Make the nets of some learning rates collapse: their loss stays, and they find nothing."""
    rates = set()
    draw = trials.attempt

    def attempt(config, run, report):
        draw(config, run, report)
        if config.lr in rates:
            write_rows(run.metrics, [{"epoch": 1, "train_loss": 1.25, "val_iou": 0.0}])
            write_rows(run.train_images, [{"image": "train0", "train_loss": 1.25}])
            empty = {"class": "disc", "diagonal": 9.0, "iou": 0.0, "tp": 0, "fp": 20, "fn": 30}
            write_rows(run.test_images, [{"image": f"test{index}"} | empty for index in range(20)])

    monkeypatch.setattr(trials, "attempt", attempt)
    return rates


def test_where_the_reference_learned_nothing_nothing_is_decided(ablate, collapsed):
    collapsed.add(0.3)
    done = ablate({"on": {"lr": 0.3}, "worse": {"lr": 0.1}, "close": {"lr": 0.2}}, seeds=3)
    judgement = done.metric("iou")["arms"]["worse"]["judgement"]
    assert judgement["verdict"] == "not decidable"
    assert judgement["reason"] == "on learned nothing in 3 of 3 runs"
    assert "not decidable, on learned nothing in 3 of 3 runs" in done.arm("close")["sentence"]
    assert "on, seed 1 learned nothing: training loss 1.25" in " ".join(done.summary["notes"])


def test_a_verdict_falls_with_its_positive_control_and_so_do_pairs(ablate, collapsed):
    collapsed.add(0.3)
    arms = {"pre": {}, "post": {"lr": 0.3}, "bare": {"lr": 0.1}, "other": {"lr": 0.2}}
    study = {"positive_control": {"bare": "post"}, "pairs": [["other", "post"], ["post", "other"]]}
    done = ablate(arms, seeds=3, study=study)
    verdicts = {name: each["judgement"] for name, each in done.metric("iou")["arms"].items()}
    assert verdicts["bare"]["verdict"] == "not decidable"
    assert (
        verdicts["post"]["verdict"] == "worse"
    )  # that an arm fails beside a reference that learned is a finding
    assert verdicts["other"]["verdict"] != "not decidable"
    pairs = {(pair["first"], pair["second"]): pair["judgement"]["verdict"] for pair in done.summary["pairs"]}
    assert pairs["other", "post"] == "not decidable" and pairs["post", "other"] == "worse"


def test_a_control_that_is_no_arm_is_answered_with_the_nearest(ablate, trained):
    refused = ablate(ARMS, seeds=3, study={"positive_control": {"worse": "no"}})
    assert (
        refused.code == 2 and "positive_control: 'no' is none of the arms; did you mean 'on'" in refused.err
    )


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ({"data": "pets"}, "unknown key 'data'; put it under 'base:'"),
        ({"seed": 3}, "unknown key 'seed'; the study's seeds are said by 'seeds: 5'"),
        ({"arms": ["on", "off"]}, "arms must hold 'name: {key: value}' lines"),
        ({"arms": {"on": {}, "off": {"data": "pets"}}}, "all arms share; put it under 'base:'"),
        ({"positive_control": {"worse": "worse"}}, "worse cannot be its own"),
        ({"looks": [3, 5], "seeds": 6}, "the last is at 5 seeds, and there are 6; let them end there"),
    ],
)
def test_what_stands_in_a_wrong_place_of_a_study_is_told_where_to_stand(ablate, trained, study, words):
    refused = ablate(ARMS, seeds=3, study=study)
    assert refused.code == 2 and words in refused.err
