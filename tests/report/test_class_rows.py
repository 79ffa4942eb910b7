"""Rows of classes that not every image has, from masks to the pages."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main

SHAPE = (24, 32)


@pytest.fixture(autouse=True)
def masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cats in all of four images, a dog in one; ``right`` finds all, ``lost`` a dog where there is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unetseg.report.outputs.write_study_page", lambda *arguments, **options: None)
    for number in range(4):
        truth = np.zeros(SHAPE, np.uint8)
        truth[2 : 8 + number, 2:9] = 1
        truth[14:20, 14:24] = 2 * (number == 0)
        lost = np.where(truth == 2, 0, truth)
        lost[14:17, 2:6] = 2 * (number == 3)
        for folder, mask in {"truth": truth, "right": truth, "lost": lost}.items():
            Path(folder).mkdir(exist_ok=True)
            Image.fromarray(mask).save(f"{folder}/image{number}.png")
    Path("names.txt").write_text("background\ncat\ndog\n")


def test_evaluate_says_in_how_many_images_a_class_is_and_in_how_many_others_it_was_found(capsys):
    command = ["evaluate", "--predictions", "lost", "--reference", "truth", "--names", "names.txt"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "dog (in 1 of 4 images, predicted in 1 of the others)" in out
    block = out.split("dog (in")[1].splitlines()
    (iou,) = [line for line in block[:4] if line.startswith("IoU")]
    assert iou.split()[1:3] == ["0.000", "0.000"]


def test_a_study_has_the_mean_of_the_rows_and_a_table_of_where_each_class_is():
    command = ["compare", "right", "lost", "--reference", "truth", "--names", "names.txt", "-o", "out"]
    assert main(command) == 0
    report = Path("out/report.md").read_text(encoding="utf-8")
    assert "| Class | In images | Elsewhere, right | Elsewhere, lost |" in report
    assert "| dog | 1 of 4 | 0.0 | 1.0 |" in report
    (line,) = [line for line in report.splitlines() if line.startswith("- With the masks in lost, image IoU")]
    assert "0.500" in line  # cats are perfect, no dog is found: (1 + 0) / 2


def test_a_class_that_few_images_have_leaves_the_mean_of_classes_without_a_verdict():
    # What other images would give is unknown where one image alone has a dog, however many have cats.
    main(["compare", "right", "lost", "--reference", "truth", "--names", "names.txt", "-o", "out"])
    iou = next(
        metric
        for metric in json.loads(Path("out/summary.json").read_text())["metrics"]
        if (metric["key"], metric["class_name"]) == ("iou", "mean")
    )
    lost = iou["arms"]["lost"]
    assert lost["difference"]["mean"] == -0.5 and lost["difference"]["low"] is None
    assert lost["judgement"]["verdict"] == "not decidable"
    assert lost["judgement"]["reason"] == "only 1 image has dog, and an interval needs 10"


def test_the_files_of_a_study_have_no_score_where_a_class_is_not():
    main(["compare", "right", "lost", "--reference", "truth", "--names", "names.txt", "-o", "out"])
    with open("out/results.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["class"] == "dog"]
    assert [row["iou"] for row in rows] == ["1.0", "nan", "nan", "nan", "0.0", "nan", "nan", "nan"]
