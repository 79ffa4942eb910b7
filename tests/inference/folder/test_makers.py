"""Masks of two runs, or of one under two settings, do not come into one folder without a word."""

import csv
from pathlib import Path
from xml.etree import ElementTree

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


@pytest.mark.parametrize(
    "flags",
    [
        ("--threshold", "0.3"),
        ("--tta", "flips"),
        ("--min-area", "5"),
        ("--tile", "16"),
        ("--tile", "16", "--overlap", "8"),
    ],
    ids=str,
)
def test_going_on_under_other_settings_is_refused(predict, two, flags):
    assert predict(*flags, images=two).code == 0
    assert predict("--continue", *flags).code == 0
    assert "would mix" in predict("--continue").line


@pytest.mark.parametrize(("first", "second"), [("tiff", "png"), ("png", "labelme"), ("geojson", "qupath")])
def test_going_on_in_another_format_is_refused(predict, two, files, first, second):
    assert predict("--format", first, images=two).code == 0
    before = files("masks")
    outcome = predict("--continue", "--format", second)
    assert outcome.code == 2 and files("masks") == before
    assert "would mix" in outcome.line and f"format {first}" in outcome.line
    assert predict("--continue", "--format", first).code == 0


def test_a_folder_of_before_that_names_no_format_goes_on(predict, two, table):
    assert predict("--format", "tiff", images=two).code == 0
    path = Path("masks/predictions.csv")
    path.write_text(path.read_text().replace(", format tiff", ""))
    assert predict("--continue", "--format", "tiff").code == 0
    assert "format tiff" not in table()["a.png"]["made_by"] and "format tiff" in table()["b.png"]["made_by"]


def test_the_file_for_all_masks_keeps_those_of_earlier_commands(predict, two):
    assert predict("--format", "cvat", images=two).code == 0
    assert predict("--format", "cvat", "--continue", images=("images/b.png",)).code == 0
    root = ElementTree.parse("masks/annotations.xml").getroot()
    assert [(each.get("id"), each.get("name")) for each in root.findall("image")] == [
        ("0", "a.png"),
        ("1", "b.png"),
    ]


@pytest.mark.parametrize("flag", ["--continue", "--overwrite"])
def test_a_file_of_the_users_is_not_taken_for_the_one_of_all_masks(predict, two, flag):
    Path("masks").mkdir()
    own = Path("masks/data.yaml")
    own.write_text("names: [mine]\ntrain: here\n")
    outcome = predict("--format", "yolo", flag, images=two)
    assert outcome.code == 2 and "masks/data.yaml: is not of an earlier 'unetseg predict'" in outcome.line
    assert own.read_text() == "names: [mine]\ntrain: here\n"
    own.unlink()
    assert predict("--format", "yolo", images=two).code == 0
    assert predict("--format", "yolo", flag, images=two).code == 0


def test_a_run_that_was_moved_is_the_same(predict, two, run):
    assert predict(images=two).code == 0
    Path("elsewhere").symlink_to(run.path)
    assert predict("--continue", runs=(Run(Path("elsewhere")),)).code == 0


def test_a_folder_of_before_goes_on_and_that_is_said(predict, two, table):
    assert predict(images=two).code == 0
    with open("masks/predictions.csv", newline="") as file:
        rows = [row[:-2] for row in csv.reader(file)]  # without the doubt and what made it
    with open("masks/predictions.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    outcome = predict("--continue")
    assert outcome.code == 0 and "does not say which run made 1 of its masks" in outcome.line
    assert table()["a.png"]["made_by"] == "" and "weights" in table()["b.png"]["made_by"]


def test_a_table_that_tells_what_made_its_masks_and_no_doubt_goes_on(predict, two, table):
    assert predict(images=two).code == 0
    with open("masks/predictions.csv", newline="") as file:
        rows = [[*row[:-2], row[-1]] for row in csv.reader(file)]
    with open("masks/predictions.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert predict("--continue").code == 0
    assert table()["a.png"]["doubt"] == "" and "weights" in table()["a.png"]["made_by"]
    assert 0 <= float(table()["b.png"]["doubt"]) <= 1
