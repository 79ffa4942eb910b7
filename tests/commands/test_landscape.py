"""``unetseg probe --landscape``: files, what they say, and what is refused."""

import csv
import json
from pathlib import Path

import pytest

from unetseg.cli import main

FEW = ("--steps", "3", "--directions", "3")


@pytest.fixture
def landscape(capsys):
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["probe", *words])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def two_runs(fit):
    fit(out="study/residual")
    fit("--short", "plain", "--seed", "1", "--augment", "full", out="plain")


def rows(path):
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def test_runs_are_shown_side_by_side(landscape, two_runs):
    code, out, _ = landscape("--landscape", "study/residual", "plain", *FEW, "--radius", "0.5", "-o", "out")
    assert code == 0 and "one batch of 3 crops of discs" in out
    assert Path("out/landscape.png").read_bytes().startswith(b"\x89PNG")
    points = rows("out/landscape.csv")
    summary = json.loads(Path("out/landscape.json").read_text())
    assert summary["radius"] == 0.5 and summary["steps"] == 3
    for name, path in (("residual", "study/residual"), ("plain", "plain")):
        own = [row for row in points if row["run"] == name]
        assert len(own) == 9 + 3 * 3
        found = summary["runs"][name]
        centres = [float(row["loss"]) for row in own if float(row["x"]) == 0 and float(row["y"] or 0) == 0]
        assert centres == [found["loss"]] * 4  # of the plane and of each line
        assert found["path"] == path and len(found["roughness"]["by_direction"]) == 3
        assert found["lowest"] == min(float(row["loss"]) for row in own)
        (line,) = [line for line in out.splitlines() if line.startswith(name)]
        assert f"{found['roughness']['mean']:.3f}" in line


def test_again_is_the_same_and_needs_no_folder(landscape, fit):
    fit()
    assert landscape("--landscape", "run", *FEW, "-o", "out")[0] == 0
    assert landscape("--landscape", "run", *FEW)[0] == 0
    (other,) = Path("checkpoints").iterdir()
    for name in ("landscape.png", "landscape.csv", "landscape.json"):
        assert (other / name).read_bytes() == (Path("out") / name).read_bytes()


def test_runs_of_one_name_go_by_their_paths(landscape, fit):
    fit(out="a/run")
    fit(out="b/run")
    assert landscape("--landscape", "a/run", "b/run", *FEW, "-o", "out")[0] == 0
    points = rows("out/landscape.csv")
    assert {row["run"] for row in points} == {"a/run", "b/run"}
    left, right = ([row["loss"] for row in points if row["run"] == name] for name in ("a/run", "b/run"))
    assert left == right  # equal trainings, equal crops, equal directions


def test_several_classes(landscape, fit, three_classes):
    fit(data=three_classes)
    assert landscape("--landscape", "run", *FEW, "-o", "out")[0] == 0


def test_losses_of_different_crops_are_not_compared(landscape, fit):
    fit()
    fit("--size", "32", out="large")
    code, out, err = landscape("--landscape", "run", "large", "-o", "out")
    assert code == 2 and out == "" and "run and large: differ in --size (16, 32)" in err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--landscape", "nowhere"], "nowhere: no run here"),
        (["short", "--landscape", "a", "--seeds", "0", "--cost"], "without short, --seeds, --cost"),
        (["--landscape", "a", "--run", "b", "--skips", "off"], "without --skips, --run"),
        (["--landscape", "a", "--steps", "8"], "--steps 8: must be odd"),
        (["--landscape", "a", "--directions", "1"], "--directions 1: must be at least 2"),
        (["--landscape", "a", "--radius", "-1"], "--radius -1: must be above 0"),
        (["--landscape", "a", "--radius", "nan"], "--radius nan: must be above 0"),
        (["--landscape"], "--landscape: expected at least one argument"),
        (["--steps", "7"], "--steps: goes with --landscape"),
    ],
)
def test_wrong_usage_is_one_line(landscape, words, line):
    code, out, err = landscape(*words)
    assert code == 2 and out == "" and line in err and err.count("\n") == 1


def test_a_run_that_is_given_twice_or_has_no_weights_is_named(landscape, fit):
    fit()
    code, _, err = landscape("--landscape", "run", "./run")
    assert code == 2 and "run: is given twice" in err
    Path("run/best.ckpt").unlink()
    code, _, err = landscape("--landscape", "run", "-o", "out")
    assert code == 1 and "run/best.ckpt: no such checkpoint" in err and err.count("\n") == 1


def test_nothing_is_overwritten(landscape, fit):
    fit()
    Path("out").mkdir()
    Path("out/landscape.csv").write_text("mine")
    code, out, err = landscape("--landscape", "run", *FEW, "-o", "out")
    assert code == 2 and out == "" and "out/landscape.csv: exists already" in err
    assert Path("out/landscape.csv").read_text() == "mine"
