"""``unetseg evaluate RUN``: the figures of the run's own test, on any split or dataset of its classes."""

import csv
import os

import numpy as np
from PIL import Image

import unetseg
from unetseg.cli import main
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.evaluation.run import score_images
from unetseg.evaluation.scoring import ImageMasks
from unetseg.evaluation.summary import fingerprint, summarise


def without(found, *keys):
    return {key: value for key, value in found.items() if key not in keys}


def test_evaluating_a_run_gives_the_figures_that_its_training_closed_with(trained, evaluate):
    found = evaluate(of=("run",))
    assert (found.code, found.err) == (0, "")
    assert without(found.json, "rows") == trained.run.test_scores()
    with trained.run.test_images.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{key: str(value) for key, value in row.items()} for row in found.json["rows"]] == rows
    table = found.out.strip()
    assert "test split, 3 images" in table
    assert table in trained.out  # fit's closing table


def test_another_split_is_scored_on_its_images(trained, evaluate):
    found = evaluate("--split", "val", of=("run",))
    assert (found.json["split"], found.json["images"]) == ("val", 5)
    assert found.json["fingerprint"] != trained.run.test_scores()["fingerprint"]


def test_another_dataset_of_the_same_classes_is_scored(trained, evaluate, drawn):
    found = evaluate("--data", os.fspath(drawn(seed=5)), of=("run",))
    assert found.code == 0
    assert found.json["fingerprint"] != trained.run.test_scores()["fingerprint"]


def test_a_dataset_of_other_classes_is_refused(trained, evaluate, three_classes):
    found = evaluate("--data", os.fspath(three_classes), of=("run",))
    assert (found.code, found.out) == (2, "")
    assert "its classes (background, a, b) are not those of the run" in found.err


def test_a_wrong_split_is_answered_with_the_nearest(trained, evaluate):
    found = evaluate("--split", "tests", of=("run",))
    assert found.code == 2
    assert "choose from train, val, test; did you mean 'test'?" in found.err


def test_a_folder_that_is_no_run_is_refused(trained, evaluate):
    found = evaluate(of=("elsewhere",))
    assert (found.code, found.json) == (2, {})
    assert "elsewhere: no run here" in found.err


def test_several_classes_have_a_block_each_and_their_mean(fit, evaluate, three_classes):
    assert fit(data=three_classes).code == 0
    found = evaluate(of=("run",))
    assert list(found.json["classes"]) == ["a", "b"]
    assert {row["class"] for row in found.json["rows"]} == {"a", "b", "mean"}
    assert "mean of classes" in found.out


def test_from_python_the_same_figures_come_back(trained):
    expected = trained.run.test_scores()
    assert unetseg.evaluate("run") == unetseg.evaluate(trained.run, split="test") == expected
    assert unetseg.evaluate("run", split="train")["images"] == 6
    mask = np.eye(4, dtype=bool)
    assert unetseg.metrics.binary_scores(mask, mask)["iou"] == 1


def test_masks_that_predict_writes_score_as_the_run_does(trained, evaluate, discs, capsys):
    names = (discs / "test.txt").read_text().split()
    images = [os.fspath(discs / "images" / f"{name}.png") for name in names]
    assert main(["predict", *images, "-o", "guess", "--run", "run"]) == 0
    os.mkdir("truth")
    for name in names:
        os.symlink(discs / "masks" / f"{name}.png", f"truth/{name}.png")
    capsys.readouterr()
    masks, run = evaluate(), evaluate(of=("run",))
    assert masks.json["rows"] == [row | {"class": "foreground"} for row in run.json["rows"]]
    assert masks.json["fingerprint"] == run.json["fingerprint"]


def test_the_fingerprint_is_that_of_names_and_reference_files(tmp_path):
    for name, value in (("one", 1), ("same", 1), ("other", 2)):
        Image.fromarray(np.full((3, 4), value, np.uint8)).save(tmp_path / f"{name}.png")
    pair = [("a", tmp_path / "one.png"), ("b", tmp_path / "other.png")]
    assert fingerprint(pair) == fingerprint(reversed(pair))
    assert fingerprint(pair) == fingerprint([("a", tmp_path / "same.png"), pair[1]])
    assert fingerprint(pair) != fingerprint([("a", tmp_path / "other.png"), ("b", tmp_path / "one.png")])


def test_a_value_to_ignore_that_no_mask_holds_takes_no_score_along():
    dataset = SegmentationSet("cats", ("background", "cat"), ((0, 0, 0), (9, 9, 9)), 255, {})
    mask = np.zeros((20, 20), np.uint8)
    mask[5:12, 5:12] = 1
    marked = mask.copy()
    marked[4] = 255
    for truths, has_outlines in (([mask, mask], True), ([mask, marked], False)):
        jobs = [[ImageMasks(str(number), mask, truth)] for number, truth in enumerate(truths)]
        images = [scores for (scores,) in score_images(jobs, dataset, len(jobs))]
        rows = summarise(images, dataset.classes, "test", "any").rows
        assert [("hd95" in row) for row in rows] == [has_outlines] * 2
