"""Every metric of every class, who is compared with whom, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from unetseg.metrics.registry import METRICS
from unetseg.studies.analysis.arm_sentences import arm_sentences
from unetseg.studies.analysis.differences import analyse_contrast, analyse_metrics, analyse_pairs
from unetseg.studies.analysis.populations import few_counted, note
from unetseg.studies.analysis.question import ArmScores, Question
from unetseg.studies.analysis.score_matrix import RunScores

IMAGES = [f"image{index}" for index in range(12)]


def run(seed, classes=("a",), shift=0.0):
    """A run whose scores vary between images and are shifted as a whole, by twice as much at boundaries."""
    generator = np.random.default_rng(seed)
    rows = []
    for image in IMAGES:
        iou = 0.5 + 0.1 * generator.random()
        scores = {"iou": iou + shift, "boundary_iou": iou + 2 * shift}
        counts = {"tp": round(100 * iou), "fp": 30.0, "fn": 20.0}
        base = {"image": image, "diagonal": 9.0}
        rows += [base | {"class": name} | scores | counts for name in classes]
        if len(classes) > 1:
            rows.append(base | {"class": "mean"} | scores)
    losses = [{"image": f"t{index}", "train_loss": generator.random()} for index in range(5)]
    return RunScores(f"run{seed}", "test", "print", classes, tuple(rows), tuple(losses))


def arm(name, shift=0.0, same_as=None, classes=("a",), seeds=3):
    runs = tuple(run(seed, classes, shift) for seed in range(seeds))
    return ArmScores(name, f"With {name}", runs, same_as)


def analyse(arms, baseline="on", primary="iou", margin=0.01):
    question = Question(baseline, primary, margin)
    metrics = analyse_metrics(arms, question)
    return metrics, analyse_contrast(arms, metrics, question), question


def test_several_classes_have_their_mean_first_and_one_training_loss():
    metrics, _, _ = analyse([arm("on", classes=("a", "b")), arm("off", classes=("a", "b"))])
    keys = ["dataset_iou", "dataset_dice", "iou", "boundary_iou"]
    expected = [("mean", key) for key in [*keys, "train_loss"]]
    expected += [(name, key) for name in ("a", "b") for key in keys]
    assert [(metric.class_name, metric.key) for metric in metrics] == expected


def grouped(of, per_group):
    labels = tuple(f"p{number // per_group}" for number in range(len(IMAGES)))
    return replace(of, runs=tuple(replace(run, groups=labels) for run in of.runs))


def test_groups_are_the_unit_of_images_and_too_few_give_no_verdict():
    def iou(per_group):
        arms = [grouped(arm("on"), per_group), grouped(arm("off", -0.1), per_group)]
        metrics, (contrast,), _ = analyse(arms)
        return next(metric for metric in metrics if metric.key == "iou").arms["off"], contrast.arms["off"]

    alone, gap = iou(1)
    assert (alone.difference.groups, alone.verdict, gap.judgement.verdict) == (12, "worse", "worse")
    few, gap = iou(2)
    assert (few.difference.groups, few.verdict) == (6, "not decidable")
    assert few.judgement.reason == "6 groups, and an interval needs 10"
    assert gap.judgement.verdict == "not decidable"


def test_a_metric_that_one_arm_lacks_is_left_out():
    lacking = arm("off")
    for each in lacking.runs:
        for row in each.rows:
            del row["boundary_iou"]
    metrics, contrasts, _ = analyse([arm("on"), lacking])
    assert "boundary_iou" not in {metric.key for metric in metrics} and contrasts == ()


@pytest.mark.parametrize("order", [("on", "twin", "off", "again"), ("off", "again", "on", "twin")])
def test_arms_that_share_runs_count_once_among_the_comparisons(order):
    arms = {
        "on": arm("on"),
        "twin": arm("twin", same_as="on"),
        "off": arm("off", -0.1),
        "again": arm("again", -0.1, same_as="off"),
    }
    metrics, (contrast,), _ = analyse([arms[name] for name in order])
    iou = next(metric for metric in metrics if metric.key == "iou")
    assert iou.arms["on"].difference is None
    assert (iou.arms["twin"].difference.mean, iou.arms["twin"].verdict) == (0.0, "equivalent")
    assert iou.arms["off"].judgement == iou.arms["again"].judgement
    assert iou.arms["off"].judgement.comparisons == 1 and iou.arms["off"].verdict == "worse"
    assert list(contrast.arms) == ["off"]
    assert arm_sentences([arms["again"]], iou, exploratory=False) == [
        "With again, the net is that of arm off: one run, shown twice."
    ]


def test_the_reference_may_itself_be_an_arm_that_was_there_before():
    metrics, _, _ = analyse([arm("first"), arm("on", same_as="first"), arm("off", -0.1)])
    iou = next(metric for metric in metrics if metric.key == "iou")
    assert iou.arms["first"].difference.mean == 0 and iou.arms["off"].judgement.comparisons == 1
    (told,) = arm_sentences([arm("on", same_as="first")], iou, exploratory=False)
    assert told.endswith(": the reference.")


def test_a_boundary_that_loses_twice_as_much_as_the_overlap_is_said_to_lose_more():
    _, (contrast,), _ = analyse([arm("on"), arm("off", -0.1)])
    score = contrast.arms["off"]
    assert score.difference.mean == pytest.approx(-0.1)
    assert score.judgement.verdict == "worse" and "Boundary IoU loses more than image IoU" in score.sentence


def test_a_loss_that_falls_is_better():
    low = arm("off")
    for each in low.runs:
        for row in each.training:
            row["train_loss"] -= 2
    metrics, _, _ = analyse([arm("on"), low])
    assert metrics[-1].key == "train_loss" and metrics[-1].arms["off"].verdict == "better"
    assert metrics[-1].images == tuple(f"t{index}" for index in range(5))


def test_pairs_are_compared_with_each_other_and_adjusted_among_themselves():
    arms = [arm("on"), arm("off", -0.1), arm("far", -0.3)]
    question = Question("on", "iou", 0.01, (("far", "off"), ("off", "on"), ("off", "gone")))
    metrics = analyse_metrics(arms, question)
    first, second = analyse_pairs(arms, metrics, question)
    assert (first.first, first.second) == ("far", "off")
    assert first.difference.mean == pytest.approx(-0.2)
    assert first.judgement.verdict == "worse" and first.judgement.comparisons == 2
    (iou,) = (metric for metric in metrics if metric.key == "iou")
    assert second.difference.mean == iou.arms["off"].difference.mean
    assert first.sentence.startswith("With far (against off), image IoU falls by 0.200")


def test_pairs_of_another_primary_metric_are_told_in_iou_too():
    arms = [arm("on"), arm("off", -0.1)]
    question = Question("on", "train_loss", 0.05, (("off", "on"),))
    pairs = analyse_pairs(arms, analyse_metrics(arms, question), question)
    assert [pair.metric for pair in pairs] == ["train_loss", "iou"]


def test_a_net_that_predicts_a_width_in_few_images_has_no_verdict_on_its_precision():
    arms = [arm("on"), arm("off", -0.1), arm("add", -0.1)]
    column = "thickness_5_8_predicted"
    for each in arms:
        for run in each.runs:
            few = each.name == "off" and run is each.runs[0]
            for number, row in enumerate(run.rows):
                row |= {"thickness_5_8_right": 1.0, column: 0.0 if few and number > 5 else 2.0}
    metric = METRICS["precision_5_8"]
    assert few_counted(arms[0].runs, metric, "a") == few_counted(arms[2].runs, metric, "a") == ""
    assert few_counted(arms[1].runs, metric, "a").startswith("6 images that hold any of it in one of the")
    told = note({each.name: each.runs for each in arms}, metric, "a")
    assert told == f"12 to {2 * len(IMAGES)} skeleton pixels in 6 to {len(IMAGES)} images, by net"


def test_a_ratio_that_one_image_decides_has_no_verdict():
    arms = [arm("on"), arm("off", -0.1)]
    for each in arms:
        for run in each.runs:
            for row in run.rows[1:]:
                row |= {"tp": 1.0, "fp": 0.0, "fn": 1.0}
    metrics, _, _ = analyse(arms)
    (ratio,) = (metric for metric in metrics if metric.key == "dataset_iou")
    assert ratio.arms["off"].verdict == "not decidable"
    assert ratio.arms["off"].judgement.reason.startswith("one or two images hold most of it")
