"""Comparisons of runs that exist and of folders of masks."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import stats

import unetseg
from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.data.annotations.label_formats import LABEL_FORMATS
from unetseg.report.html.page import typeset
from unetseg.report.study_gallery import study_gallery
from unetseg.studies.comparison import differing_settings, short_names


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Compare in a fresh folder: ``compare("a", "b")`` returns exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main(["compare", *map(str, words)])
        return code, *capsys.readouterr()

    return run


def runs_of(study, *names):
    return [study.folder / name for name in names]


def test_runs_that_differ_in_the_seed_are_one_arm_and_agree_with_the_study(study):
    results = unetseg.compare(*runs_of(study, "on-seed0", "off-seed0", "off-seed1", "on-seed1"))
    assert [arm.name for arm in results.arms] == ["skips on", "skips off, control drop"]
    assert results.seeds == (0, 1) and results.baseline == "skips on"
    ours = results.metric("iou").arms["skips off, control drop"].difference
    of_study = study.metric("iou")["arms"]["off"]["difference"]
    alone = {"low", "high"}  # the study's interval holds together with another arm's
    assert {key: ours.as_dict()[key] for key in of_study.keys() - alone} == {
        key: of_study[key] for key in of_study.keys() - alone
    }
    assert results.arms[1].parameters == study.arm("off")["parameters"]


def test_the_command_writes_the_report_where_it_says(compare, study):
    code, out, _ = compare(*runs_of(study, "on-seed0", "off-seed0"), "-o", "there")
    assert code == 0 and "one seed: intervals count the chance in images only" in out
    assert f"report: {Path('there/report.html')}" in out
    assert {path.name for path in Path("there").iterdir()} == {"report.md", "results.csv", "summary.json"}
    code, out, _ = compare(*runs_of(study, "on-seed0", "off-seed0"))
    assert code == 0 and len(list(Path("checkpoints").glob("compare-*/report.md"))) == 1


def test_nothing_is_overwritten(compare, study):
    Path("there").mkdir()
    Path("there/results.csv").write_text("mine")
    code, _, err = compare(*runs_of(study, "on-seed0", "off-seed0"), "-o", "there")
    assert code == 2 and "there/results.csv: exists already" in err
    assert [path.name for path in Path("there").iterdir()] == ["results.csv"]


def test_a_study_is_compared_as_it_is_and_its_report_written_anew(compare, study, copied):
    (copied / "results.csv").unlink()
    code, out, _ = compare(copied)
    assert code == 0 and typeset(study.arm("off")["sentence"]) in out
    assert (copied / "results.csv").read_bytes() == study.results


def test_of_an_unfinished_study_the_arms_that_are_done_are_compared(compare, copied):
    shutil.rmtree(copied / "off-seed1")
    code, out, _ = compare(copied)
    assert code == 3 and "off, seed 1 is missing: not trained to its end yet" in out


def test_a_study_keeps_its_own_question(compare, copied):
    code, _, err = compare(copied, "--margin", "0.1")
    assert code == 2 and "its own metric and margin" in err


def test_arms_of_different_numbers_of_seeds_count_with_all_that_they_have(study):
    results = unetseg.compare(*runs_of(study, "on-seed1", "on-seed0", "off-seed1"))
    assert results.seeds == (0, 1)
    assert [[run.seed for run in arm.runs] for arm in results.arms] == [[0, 1], [1]]
    on = np.mean(study.rows("iou", "on"))
    assert results.metric("iou").arms["skips on"].estimate.mean == pytest.approx(on)
    assert any("skips on 0, 1; skips off, control drop 1 (seeds are not paired)" in n for n in results.notes)


def test_single_runs_of_different_seeds_are_compared_and_said(study):
    results = unetseg.compare(*runs_of(study, "on-seed0", "off-seed1"))
    assert any("the arms were trained with different seeds" in note for note in results.notes)
    gaps = np.subtract(study.rows("iou", "off")[1], study.rows("iou", "on")[0])
    assert results.metric("iou").arms["skips off, control drop"].difference.mean == pytest.approx(gaps.mean())


def test_arms_of_several_seeds_that_share_none_are_compared(compare, study):
    config = study.folder / "off-seed1"
    other = Path(shutil.copytree(config, "off-seed7"))
    (other / "config.yaml").write_text((config / "config.yaml").read_text().replace("seed: 1", "seed: 7"))
    code, out, _ = compare(*runs_of(study, "on-seed0", "on-seed1"), other)
    assert code == 0 and "1 against 2 seeds" in out and "skips off, control drop 7" in out


def test_a_run_that_is_named_twice_is_shown_once(study, tmp_path):
    copy = shutil.copytree(study.folder / "on-seed0", tmp_path / "copy")
    results = unetseg.compare(*runs_of(study, "on-seed0"), copy, *runs_of(study, "off-seed0"))
    assert len(results.arms) == 2 and results.seeds == (0,)
    assert any("copy is" in note and "one identity" in note for note in results.notes)


def test_one_arm_is_nothing_to_compare(compare, study):
    code, _, err = compare(*runs_of(study, "on-seed0", "on-seed1"))
    assert code == 2 and "differ in more than the seed" in err


def test_another_primary_metric_has_its_own_margin(study):
    results = unetseg.compare(*runs_of(study, "on-seed0", "off-seed0"), primary="assd", margin=0.5)
    assert results.metric("assd").margin == 0.5 and results.metric("iou").margin is None
    assert "ASSD" in results.arms[1].sentence and " px" in results.arms[1].sentence


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--primary", "iuo"), "did you mean 'iou'"),
        (("--margin", "0"), "--margin 0"),
        (("--key", "x"), "--key: goes with --reference"),
    ],
)
def test_wrong_flags_are_named(compare, study, flags, words):
    code, _, err = compare(*runs_of(study, "on-seed0", "off-seed0"), *flags)
    assert code == 2 and words in err and not Path("checkpoints").exists()


def rewritten(run, folder, rows=lambda rows: rows, fingerprint=None):
    """A copy of a run with other scores, as if it had been tested elsewhere."""
    copy = Path(shutil.copytree(run, folder))
    table = list(csv.DictReader((copy / "test_images.csv").read_text().splitlines()))
    with (copy / "test_images.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        writer.writerows(rows(table))
    if fingerprint:
        own = (copy / "test.json").read_text()
        was = own.partition('"fingerprint": "')[2].partition('"')[0]
        (copy / "test.json").write_text(own.replace(was, fingerprint))
    return copy


def without_columns(run, folder, *names):
    """A copy of a run that was scored before some metrics were added."""
    return rewritten(
        run,
        folder,
        lambda rows: [{key: value for key, value in row.items() if key not in names} for row in rows],
    )


def test_a_metric_that_runs_were_scored_without_is_named_with_what_tests_them_anew(compare, study):
    old = [without_columns(run, run.name, "nsd_length") for run in runs_of(study, "on-seed0", "off-seed0")]
    code, _, err = compare(*old, "--primary", "nsd_length")
    assert code == 2 and "(nsd_length) is missing in off-seed0, on-seed0" in err and "fit --resume" in err
    code, out, _ = compare(*old, "-o", "there")
    assert code == 0 and "not compared" not in out  # they agree: nothing is left out that one of them has


def test_what_is_not_compared_since_one_run_lacks_it_is_said(compare, study):
    on, off = runs_of(study, "on-seed0", "off-seed0")
    code, out, _ = compare(on, without_columns(off, "old", "nsd_length", "split_recall"), "-o", "there")
    assert code == 0 and "not compared, as old was scored without: " in out
    assert "nsd_length" not in {
        row["key"] for row in json.loads(Path("there/summary.json").read_text())["metrics"]
    }


@pytest.mark.parametrize(
    ("key", "words"),
    [("train_loss", "old lack it"), ("object_recall", "not defined in any image")],
)
def test_why_runs_cannot_be_compared_in_a_metric_is_said(compare, study, key, words):
    on, off = runs_of(study, "on-seed0", "off-seed0")
    old = rewritten(off, "old", lambda rows: [row | {"object_recall": "nan"} for row in rows])
    (old / "train_images.csv").unlink()
    code, _, err = compare(on, old, "--primary", key)
    assert code == 2 and words in err


def test_runs_tested_on_other_images_are_refused_with_the_reason(compare, study):
    other = rewritten(study.folder / "off-seed0", "other", lambda rows: rows[:-1], "another")
    code, _, err = compare(study.folder / "on-seed0", other)
    assert code == 2 and "different images (2 test images there, 3 here; other lacks test2)" in err


def test_runs_tested_against_other_masks_are_refused_with_the_reason(compare, study):
    other = rewritten(study.folder / "off-seed0", "other", fingerprint="another")
    code, _, err = compare(study.folder / "on-seed0", other)
    assert code == 2 and "same names but other references" in err


def test_a_run_that_is_not_finished_is_named(compare, study):
    shutil.copytree(study.folder / "off-seed0", "half")
    Path("half/test.json").unlink()
    code, _, err = compare(study.folder / "on-seed0", "half")
    assert code == 2 and "unetseg fit --resume half" in err


def test_arms_are_named_by_what_they_do_not_share():
    configs = [
        RunConfig(skips="on", lr=0.1, control="zero"),
        RunConfig(skips="off", lr=0.1),
        RunConfig(skips="off", lr=0.2, seed=3, device="cpu"),
    ]
    assert differing_settings(configs) == [
        {"skips": "on", "lr": 0.1},
        {"skips": "off", "control": "drop", "lr": 0.1},
        {"skips": "off", "control": "drop", "lr": 0.2},
    ]


# Folders of masks


def draw(folder, shift):
    """Masks of one square each, moved to the right."""
    folder.mkdir(parents=True)
    for index in range(4):
        mask = np.zeros((30, 40), np.uint8)
        mask[8 + index : 20, 5 + shift * index : 20 + shift * index] = 255
        cv2.imwrite(str(folder / f"{index}.png"), mask)
    return folder


@pytest.fixture
def masks(tmp_path):
    return {name: draw(tmp_path / name / "out", shift) for name, shift in (("truth", 0), ("a", 1), ("b", 2))}


def test_folders_of_masks_are_arms_with_one_seed(masks):
    results = unetseg.compare(masks["a"], masks["b"], reference=masks["truth"])
    assert [arm.name for arm in results.arms] == ["a/out", "b/out"] and results.seeds == (0,)
    assert results.arms[1].sentence.startswith("With the masks in b/out, image IoU")
    # A square 15 wide, moved by s, has (15 - s) / (15 + s) of the union.
    iou = {step: [(15 - step * index) / (15 + step * index) for index in range(4)] for step in (1, 2)}
    assert results.metric("iou").values["b/out"].tolist() == [pytest.approx(iou[2])]
    found = results.metric("iou").arms["b/out"].difference
    expected = stats.ttest_rel(iou[2], iou[1])
    assert (found.mean, found.p) == pytest.approx((np.mean(iou[2]) - np.mean(iou[1]), expected.pvalue))
    assert not found.seed_variance_known and any(note.startswith("one seed") for note in results.notes)


def test_the_command_compares_folders(compare, masks):
    code, out, _ = compare(masks["a"], masks["b"], "--reference", masks["truth"], "-o", "there")
    assert code == 0 and "With the masks in b/out" in out
    with open("there/results.csv", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if (row["arm"], row["image"]) == ("a/out", "3")]
    assert (row["seed"], row["split"], row["class"]) == ("0", "", "foreground")
    assert float(row["iou"]) == pytest.approx(12 / 18)


def test_folders_of_labels_are_arms_like_folders_of_masks(compare, masks, tmp_path, monkeypatch):
    drawn = []

    def draw_pictures(results, path, progress, masks):
        drawn.append(study_gallery(results, None, masks))

    monkeypatch.setattr("unetseg.report.outputs.write_study_page", draw_pictures)
    for arm, format in (("a", "coco"), ("b", "labelme"), ("truth", "cvat")):
        chosen = LABEL_FORMATS[format]
        (tmp_path / "labels" / arm).mkdir(parents=True)
        for path in masks[arm].iterdir():
            mask = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 0).astype(np.uint8)
            written = chosen.load().encode(mask, ["background", "leaf"], [(0, 0, 0), (9, 9, 9)], path.name)
            (tmp_path / "labels" / arm / f"{path.stem}{chosen.suffix}").write_bytes(written)
    arms = [str(tmp_path / "labels" / arm) for arm in ("a", "b")]
    reference = str(tmp_path / "labels" / "truth")
    results = unetseg.compare(*arms, reference=reference, output=tmp_path / "report")
    same = unetseg.compare(masks["a"], masks["b"], reference=masks["truth"])
    assert [arm.name for arm in results.arms] == ["a", "b"]
    assert results.metric("iou").values["b"].tolist() == same.metric("iou").values["b/out"].tolist()
    assert any(note.startswith(f"predictions {arms[0]}: COCO: 4 image(s)") for note in results.notes)
    assert len(drawn) == 1 and results.data == reference
    assert "/unetseg-" not in (tmp_path / "report" / "report.md").read_text()
    damaged = tmp_path / "labels" / "b" / "2.json"
    damaged.write_text('{"shapes": [')
    code, _, err = compare(*arms, "--reference", reference)
    assert code == 2 and f"{damaged}: is damaged" in err


def test_a_missing_mask_is_named(compare, masks):
    (masks["b"] / "2.png").unlink()
    code, _, err = compare(masks["a"], masks["b"], "--reference", masks["truth"])
    assert code == 2 and "references without a prediction (1): 2.png" in err


def test_one_folder_is_nothing_to_compare(compare, masks):
    code, _, err = compare(masks["a"], "--reference", masks["truth"])
    assert code == 2 and "two folders" in err


def test_folders_are_named_by_as_little_as_tells_them_apart():
    assert short_names([Path("x/a"), Path("x/b")]) == ["a", "b"]
    assert short_names([Path("x/a/out"), Path("x/b/out")]) == ["a/out", "b/out"]
