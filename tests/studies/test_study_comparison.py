"""Studies against each other, and a study by another metric."""

import pytest

import unetseg
from unetseg.cli import main
from unetseg.errors import UsageError

ARMS = {"on": {}, "worse": {"lr": 0.1}, "close": {"lr": 0.2}}  # as the fixture ``trained`` draws them


@pytest.fixture
def compare(capsys):
    def run(*words):
        code = main(["compare", *map(str, words)])
        return code, *capsys.readouterr()

    return run


def test_studies_are_compared_arm_by_arm_with_the_reference_of_the_first(ablate, trained, tmp_path):
    one = ablate({"on": {}, "worse": {"lr": 0.1}}, seeds=3, name="one")
    two = ablate({"a": {}, "same": {}, "close": {"lr": 0.2}}, study={"seeds": [7, 8, 9, 10, 11]}, name="two")
    results = unetseg.compare(one.folder, two.folder)
    assert [arm.name for arm in results.arms] == ["one: on", "one: worse", "two: a", "two: close"]
    verdicts = {name: score.verdict for name, score in results.metric("iou").arms.items()}
    assert verdicts["one: on"] is None and verdicts["one: worse"] == "worse"
    assert verdicts["two: a"] in ("equivalent", "undecided")
    assert (
        "3 against 5" not in results.arm("two: a").sentence
        and "5 against 3" in results.arm("two: a").sentence
    )
    assert any("no study planned this comparison" in note for note in results.notes)


def test_the_same_nets_of_two_studies_are_no_two_arms(ablate, trained):
    one = ablate(ARMS, seeds=3, name="one")
    two = ablate(ARMS, seeds=4, name="two")
    results = unetseg.compare(one.folder, two.folder)
    assert [arm.name for arm in results.arms] == ["one: on", "one: worse", "one: close"]
    assert "two: on is left out: some of its runs are those of one: on once more" in results.notes
    with pytest.raises(UsageError, match="a folder is named twice"):
        unetseg.compare(one.folder, one.folder)


def test_studies_and_runs_are_not_mixed(ablate, trained, compare):
    done = ablate(ARMS, seeds=3)
    code, _, err = compare(done.folder, done.folder / "on-seed0")
    assert code == 2 and "name studies only, or runs only" in err


def test_another_primary_metric_of_a_study_is_exploratory_and_leaves_its_report(
    ablate, trained, compare, tmp_path
):
    done = ablate(ARMS, seeds=3)
    before = (done.folder / "summary.json").read_bytes()
    code, out, _ = compare(done.folder, "--primary", "dataset_iou", "-o", tmp_path / "there")
    assert code == 0 and "the primary metric is dataset_iou, and iou was planned" in out
    assert "Exploratory" in (tmp_path / "there/report.md").read_text()
    assert (done.folder / "summary.json").read_bytes() == before


def test_power_is_shown_over_seeds_and_images(ablate, trained, compare):
    done = ablate(ARMS, seeds=3)
    code, out, _ = compare(done.folder, "--power")
    assert code == 0
    table = out.partition("is shown with power 0.8")[2].splitlines()
    head, first, *_, last = [line for line in table if line[:1].isdigit() or line.startswith("Seeds")]
    assert head.split() == [
        "Seeds",
        "an",
        "arm",
        *["10", "images", "20", "images", "40", "images", "80", "images"],
    ]
    numbers = [[float(number) for number in line.split()[1:]] for line in (first, last)]
    assert all(more < fewer for fewer, more in zip(*numbers, strict=True))
    assert numbers[0] == sorted(numbers[0], reverse=True)
