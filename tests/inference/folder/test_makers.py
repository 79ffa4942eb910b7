"""Masks of two runs, or of one under two settings, do not come into one folder without a word."""

import csv
from pathlib import Path

import pytest

from unetseg.runs import Run


@pytest.fixture
def two(images, picture):
    from PIL import Image

    for name in ("a", "b"):
        Image.fromarray(picture(20, 30)).save(images / f"{name}.png")
    return ("images/a.png",)


def test_going_on_with_another_run_is_refused_and_both_are_named(predict, two, files, run, make_run):
    other = make_run(seed=1)
    assert predict(images=two).code == 0
    before = files("masks")
    outcome = predict("--continue", runs=(other,))
    assert outcome.code == 2 and files("masks") == before
    assert str(run.path) in outcome.line and str(other.path) in outcome.line
    assert "masks: 1 of its masks" in outcome.line and "--overwrite" in outcome.line
    assert predict("--overwrite", runs=(other,)).code == 0
    assert predict("--continue", runs=(other,)).code == 0


@pytest.mark.parametrize("flags", [("--threshold", "0.3"), ("--tta", "flips"), ("--min-area", "5")])
def test_going_on_under_other_settings_is_refused(predict, two, flags):
    assert predict(*flags, images=two).code == 0
    assert predict("--continue", *flags).code == 0
    assert "would mix" in predict("--continue").line


def test_a_run_that_was_moved_is_the_same(predict, two, run):
    assert predict(images=two).code == 0
    Path("elsewhere").symlink_to(run.path)
    assert predict("--continue", runs=(Run(Path("elsewhere")),)).code == 0


def test_a_folder_of_before_goes_on_and_that_is_said(predict, two, table):
    assert predict(images=two).code == 0
    with open("masks/predictions.csv", newline="") as file:
        rows = [row[:-1] for row in csv.reader(file)]
    with open("masks/predictions.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    outcome = predict("--continue")
    assert outcome.code == 0 and "does not say which run made 1 of its masks" in outcome.line
    assert table()["a.png"]["made_by"] == "" and "weights" in table()["b.png"]["made_by"]
