"""Studies in folds: each seed draws a partition, and every image is scored by a net that never saw it."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetseg.cli import main
from unetseg.data.datasets.fold_split import fold_of, partition
from unetseg.data.datasets.open import open_dataset
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UsageError
from unetseg.runs import Run


def drawn_set(groups):
    """A set of one sample a group's name, all of them in its training split; None is no group."""
    samples = tuple(
        Sample(f"i{number:03}", Path("i"), Path("m"), group=group) for number, group in enumerate(groups)
    )
    return SegmentationSet("drawn", ("background", "disc"), ((0, 0, 0),) * 2, None, {"train": samples})


several = st.lists(st.one_of(st.none(), st.sampled_from("abcdefg")), min_size=12, max_size=40)


@settings(max_examples=60, deadline=None)
@given(several, st.integers(2, 5), st.integers(0, 9))
def test_folds_hold_every_image_once_and_keep_groups_whole_in_every_part(groups, folds, seed):
    dataset = drawn_set(groups)
    samples = dataset.splits["train"]
    if len({sample.group or sample.name for sample in samples}) < max(folds, 4):
        return
    tested = []
    for fold in range(folds):
        cut = fold_of(dataset, folds, fold, seed)
        parts = {part: {sample.name for sample in cut.splits[part]} for part in ("train", "val", "test")}
        assert sum(map(len, parts.values())) == len(samples) and all(parts.values())
        for group in set(groups) - {None}:
            members = {sample.name for sample in samples if sample.group == group}
            assert sum(bool(members & names) for names in parts.values()) == 1
        tested += parts["test"]
    assert sorted(tested) == [sample.name for sample in samples]


def test_each_seed_draws_its_own_partition_whatever_the_order_and_folds_are_alike_in_size():
    samples = list(drawn_set([None] * 23).splits["train"])
    first, again, other = (
        partition(given, 5, seed, "drawn") for given, seed in ((samples, 0), (samples[::-1], 0), (samples, 1))
    )
    assert first == again != other
    assert sorted(map(len, first)) == [4, 4, 5, 5, 5]


def test_too_few_images_for_the_folds_are_refused():
    with pytest.raises(
        UsageError, match=r"--folds 5: drawn has 4 images \(or groups of images\), and at least 5"
    ):
        fold_of(drawn_set([*"aabbccdd"]), 5, 0, 0)


@pytest.fixture(scope="module")
def folded(discs, tmp_path_factory, two_arms_in_folds):
    """A study of two arms and two seeds in two folds; each seed of an arm is two nets."""
    return two_arms_in_folds(tmp_path_factory.mktemp("studies") / "folded", discs)


def test_a_seeds_row_holds_every_image_of_the_set(folded, discs):
    assert folded.code == 0, folded.err
    names = {sample.name for part in open_dataset(str(discs)).splits.values() for sample in part}
    rows = [row for row in csv.DictReader(folded.results.decode().splitlines()) if row["iou"]]
    for arm in ("on", "off"):
        for seed in "01":
            images = [row["image"] for row in rows if (row["arm"], row["seed"]) == (arm, seed)]
            assert images == sorted(names)
    assert folded.metric("iou")["images"] == len(names)


def test_a_seeds_scores_are_those_of_its_folds_each_on_images_of_its_own(folded):
    for name in ("on-seed0", "off-seed1"):
        whole = Run(folded.folder / name)
        parts = [whole.fold(number) for number in range(2)]
        assert whole.finished and not whole.best.exists()
        tables = [list(csv.DictReader(run.test_images.open())) for run in (whole, *parts)]
        ious = [{row["image"]: float(row["iou"]) for row in table} for table in tables]
        assert ious[0] == ious[1] | ious[2] and not ious[1].keys() & ious[2].keys()
        counts = [
            sum(part.test_scores()["mean"]["dataset"][key] for part in parts) for key in ("tp", "fp", "fn")
        ]
        assert whole.test_iou == pytest.approx(counts[0] / sum(counts))
        for number, part in enumerate(parts):
            tested = {*json.loads(part.split.read_text())["test"]}
            assert tested == ious[number + 1].keys()
    partitions = [
        json.loads(Run(folded.folder / f"on-seed{seed}").fold(0).split.read_text())["test"] for seed in (0, 1)
    ]
    assert partitions[0] != partitions[1]


def test_the_page_says_what_the_verdict_holds_for(folded):
    (note,) = [
        note for note in folded.summary["notes"] if note.startswith("2 folds: each seed draws its own")
    ]
    assert "the verdict holds for this one data set" in note
    assert note in (folded.folder / "report.md").read_text()


def test_a_study_in_folds_goes_on_and_is_read_again(folded, capsys):
    before = folded.results
    assert main(["compare", str(folded.folder)]) == 0
    assert folded.results == before
    assert np.isfinite(folded.metric("train_loss")["arms"]["on"]["estimate"]["mean"])


def test_a_seed_that_was_cut_short_goes_on_with_the_folds_it_lacks(
    folded, discs, tmp_path, two_arms_in_folds
):
    copy = Path(shutil.copytree(folded.folder, tmp_path / "cut"))
    run = Run(copy / "off-seed1")
    run.test.unlink()
    kept = run.fold(0).best.read_bytes()
    shutil.rmtree(run.fold(1).path)
    again = two_arms_in_folds(copy, discs)
    assert (again.code, run.fold(0).best.read_bytes()) == (0, kept)
    assert again.results == folded.results


def test_a_run_in_folds_has_no_net_and_names_those_it_has(folded, capsys):
    assert main(["evaluate", str(folded.folder / "on-seed0")]) == 2
    assert "consists of folds, each with a net of its own; name one, such as" in capsys.readouterr().err
    (folded.folder / "on-seed0/test.json").rename("kept.json")
    assert main(["fit", "--resume", str(folded.folder / "on-seed0")]) == 1
    assert "go on with the study's 'unetseg ablate' command" in capsys.readouterr().err
    Path("kept.json").rename(folded.folder / "on-seed0/test.json")


def test_fit_has_no_folds(tmp_path, capsys):
    assert main(["fit", "--folds", "5"]) == 2
    (tmp_path / "own.yaml").write_text("folds: 5\n")
    assert main(["fit", "--config", str(tmp_path / "own.yaml")]) == 2
    assert "'folds' is of studies alone" in capsys.readouterr().err
