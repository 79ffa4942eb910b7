"""Studies through the command line: trained, interrupted, failing, and analysed."""

import csv
import itertools
import json
import os
import shutil
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest

import unetseg
from unetseg.config import RunConfig
from unetseg.data.datasets.open import open_data
from unetseg.planning.pace import Pace, measure_pace
from unetseg.report.html.page import typeset
from unetseg.training.task import SegmentationTask
from unetseg.utilities.progress import duration


def test_a_study_trains_every_arm_in_every_seed_and_leaves_its_report(study):
    assert study.code == 0, study.err
    assert sorted(path.parent.name for path in study.folder.glob("*/test.json")) == [
        *(f"{arm}-seed{seed}" for arm in ("off", "on") for seed in (0, 1)),
        *(f"rates-lr{rate}-seed{seed}" for rate in ("0.01", "1e-06") for seed in (0, 1)),
    ]
    assert {path.name for path in study.folder.iterdir() if path.is_file()} == {
        "report.html",
        "report.md",
        "results.csv",
        "study.yaml",
        "summary.json",
    }
    for sentence in study.summary["sentences"]:
        assert typeset(sentence) in study.out


def test_results_hold_one_row_an_image_and_run_a_column_a_metric_and_nothing_that_changes(study):
    lines = study.results.decode().splitlines()
    assert lines[0].startswith("arm,seed,split,class,image,") and "iou" in lines[0].split(",")
    rows = [*csv.DictReader(lines)]
    keys = [tuple(line.split(",")[:5]) for line in lines[1:]]
    assert len(set(keys)) == len(keys)
    assert {key[0] for key in keys} == {"on", "off", "rates"}  # the twin's run stands under "on"
    assert {key[4] for key in keys if key[2] == "test"} == {"test0", "test1", "test2"}
    assert {row["image"] for row in rows if row["train_loss"]} == {f"train{index}" for index in range(6)}
    assert str(study.folder) not in study.results.decode()


def test_results_hold_what_the_runs_scored(study):
    with (study.folder / "off-seed1/test_images.csv").open(newline="") as file:
        scored = [*csv.DictReader(file)]
    rows = [
        row
        for row in csv.DictReader(study.results.decode().splitlines())
        if (row["arm"], row["seed"], row["split"]) == ("off", "1", "test")
    ]
    assert [row["image"] for row in rows] == [row["image"] for row in scored]
    names = scored[0].keys() - {"image", "class", "diagonal"}
    for name in names:
        found, expected = ([float(row[name]) for row in each] for each in (rows, scored))
        assert found == pytest.approx(expected, rel=1e-12, nan_ok=True), name
    assert all(row["tp"].isdigit() for row in rows)  # pixels are whole


def test_a_study_that_is_done_is_not_trained_again(study, ablate, copied, arms):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*.ckpt")}
    again = ablate(arms)
    assert again.code == 0 and "8 of 8 runs are there already" in again.out
    assert before == {path: path.stat().st_mtime_ns for path in copied.rglob("*.ckpt")}
    assert again.results == study.results


@pytest.fixture
def unbroken(ablate, two, study, tmp_path):
    """The study of ``two`` as its runs were trained in one go; the file that it was read from, too."""
    shutil.copytree(study.folder, tmp_path / "unbroken")
    done = ablate(two, name="unbroken")
    assert "4 of 4 runs are there already" in done.out
    return done


@pytest.fixture
def interrupt(monkeypatch):
    """Send this process a signal at the n-th training step of a study, once."""

    def arm(signum, step):
        original, steps = SegmentationTask.training_step, []

        def training_step(task, batch, batch_idx):
            steps.append(batch_idx)
            if len(steps) == step:
                os.kill(os.getpid(), signum)
            return original(task, batch, batch_idx)

        monkeypatch.setattr(SegmentationTask, "training_step", training_step)

    return arm


def test_a_stopped_study_goes_on_and_ends_in_the_same_bytes(ablate, interrupt, two, unbroken):
    interrupt(signal.SIGTERM, step=10)  # of 6 a run: in the second epoch of the second run
    stopped = ablate(two)
    assert stopped.code == 143
    assert "1 of 4 runs are done" in stopped.err and "the same command goes on" in stopped.err
    assert not (stopped.folder / "results.csv").exists()
    resumed = ablate(two)
    assert resumed.code == 0 and "1 of 4 runs are there already" in resumed.out
    assert resumed.results == unbroken.results


def test_a_study_killed_with_9_goes_on_and_ends_in_the_same_bytes(
    ablate, started, discs, tmp_path, two, unbroken
):
    process = started("ablate", str(unbroken.file), "-o", str(tmp_path / "mine"), "--data", str(discs))
    while not (tmp_path / "mine/off-seed0/last.ckpt").exists():
        assert process.is_alive()
        time.sleep(0.005)
    process.kill()
    process.join()
    assert not (tmp_path / "mine/results.csv").exists()
    resumed = ablate(two)
    assert resumed.code == 0 and resumed.results == unbroken.results


def test_a_failed_arm_is_reported_and_the_others_finish(ablate, two):
    done = ablate(two | {"mad": {"lr": 1e30}}, "--seeds", "1")
    assert done.code == 3
    assert "mad-seed0: failed: training diverged" in done.out
    assert [arm["name"] for arm in done.summary["arms"]] == ["on", "off"]
    (failure,) = done.summary["failures"]
    assert (failure["arm"], failure["seed"]) == ("mad", 0) and "diverged" in failure["reason"]
    assert "mad, seed 0 is missing: training diverged" in (done.folder / "report.md").read_text()


def test_a_value_that_fails_is_not_chosen(ablate):
    done = ablate({"on": {}, "off": {"skips": False, "lr": [1e30, 1e-2]}}, "--seeds", "1")
    assert done.code == 3
    assert done.arm("off")["chosen"] == {"lr": 1e-2}
    assert [tried["validation_iou"] is None for tried in done.arm("off")["candidates"]] == [True, False]


def test_without_its_reference_a_study_says_why_there_is_nothing_to_compare(ablate):
    done = ablate({"mad": {"lr": 1e30}, "on": {}}, "--seeds", "1")
    assert done.code == 1
    assert "without its reference mad" in done.err and "diverged" in done.err


def test_lists_are_chosen_by_the_mean_of_the_best_validation_iou(study):
    arm = study.arm("rates")
    means = []
    for rate in ("1e-06", "0.01"):
        runs = [study.folder / f"rates-lr{rate}-seed{seed}" / "metrics.csv" for seed in (0, 1)]
        best = [np.genfromtxt(path, delimiter=",", names=True)["val_iou"].max() for path in runs]
        means.append(np.mean(best))
    assert [tried["validation_iou"] for tried in arm["candidates"]] == pytest.approx(means)
    assert arm["chosen"] == {"lr": [1e-6, 1e-2][int(np.argmax(means))]} == {"lr": 1e-2}
    assert arm["config"]["lr"] == 1e-2 and "rates-lr0.01-seed0" in arm["runs"][0]["path"]


def test_arms_of_one_identity_are_one_run_with_no_difference(study):
    assert study.arm("twin")["same_as"] == "on"
    assert study.arm("twin")["runs"] == study.arm("on")["runs"]
    for metric in study.summary["metrics"]:
        difference = metric["arms"]["twin"]["difference"]
        assert (difference["mean"], difference["low"], difference["high"], difference["p"]) == (0, 0, 0, 1)
        assert metric["arms"]["twin"]["judgement"]["verdict"] == "equivalent"
    assert "In arm twin (skips on, control zero), the net is that of arm on" in study.out


def test_one_seed_says_that_the_variance_between_seeds_is_unknown(ablate, copied, arms):
    done = ablate(arms, "--seeds", "1")
    assert "runs are there already" in done.out
    assert done.summary["notes"][0].startswith("one seed: intervals count the chance in images only")
    assert "1 seed × 3 images" in done.arm("off")["sentence"]
    assert "(variance between seeds unknown)" in done.arm("off")["sentence"]
    difference = done.metric("iou")["arms"]["off"]["difference"]
    assert not difference["seed_variance_known"]
    gaps = np.subtract(done.rows("iou", "off")[0], done.rows("iou", "on")[0])
    assert difference["standard_error"] == pytest.approx(gaps.std(ddof=1) / np.sqrt(3))


def test_a_part_of_the_arms_with_the_reference(ablate, copied, arms):
    done = ablate(arms, "--arms", "off")
    assert [arm["name"] for arm in done.summary["arms"]] == ["on", "off"]
    assert ablate(arms, "--arms", "of").code == 2


def test_a_dry_run_prints_the_plan_and_writes_nothing(ablate, arms):
    planned = ablate(arms, "--dry-run")
    assert planned.code == 0 and not planned.folder.exists()
    assert "--skips off --control self --lr 1e-06" in planned.out
    assert "8 of 8 runs are to be trained" in planned.out
    rows = {line.split()[0]: line for line in planned.out.splitlines() if "GMACs" not in line and line}
    assert "29,089" in rows["on"] and "26,785" in rows["off"]


def test_a_dry_run_measures_each_distinct_net_once(ablate, monkeypatch):
    measured = []

    def pace(config, dataset):
        measured.append(config.skips)
        return Pace(before=10.0, training=25.0, looking=5.0, whole=5.0, testing=30.0)

    monkeypatch.setattr("unetseg.studies.estimate.measure_pace", pace)
    arms = {"on": {}, "slow": {"lr": [0.1, 0.2]}, "long": {"epochs": 12}, "off": {"skips": False}}
    planned = ablate(arms, "--dry-run", "--epochs", "2")
    assert measured == ["on", "off"]
    assert f"a run takes {duration(120)} (on, slow, off); {duration(420)} (long)" in planned.out
    trained = [line.split()[0] for line in planned.out.splitlines() if "26,785" in line or "29,089" in line]
    assert trained == ["on", "slow", "slow", "long", "off"]


def test_the_time_of_a_run_counts_training_validation_and_testing_image_by_image(discs, monkeypatch):
    ticks = itertools.count()  # as if every measurement took a second
    monkeypatch.setattr("unetseg.planning.pace.time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    config = RunConfig(stages=2, size=16, data=str(discs), batch_size=3, recalibrate=False)
    pace = measure_pace(config, open_data(config))
    assert pace.before == pytest.approx(1)  # all were read, in one measurement
    assert pace.training == pytest.approx(6 / 9 + 1)  # three batches of three crops; saved once
    looking, scoring = pace.looking / 5, 1 / 3
    assert 1 / 9 <= looking <= 1 / 3
    assert (pace.whole, pace.testing) == pytest.approx((6 * looking, 3 * (looking + scoring)))
    once = pace.before + pace.testing
    assert pace.run_seconds(config.changed(epochs=4)) == pytest.approx(
        once + 4 * (pace.training + pace.looking) + pace.whole
    )
    seldom = config.changed(epochs=4, recalibrate=True, trainer={"check_val_every_n_epoch": 2})
    assert pace.run_seconds(seldom) == pytest.approx(
        once + 4 * pace.training + 2 * pace.looking + 4 * pace.whole
    )


def test_a_run_of_other_settings_in_the_folder_is_refused_before_anything_is_trained(ablate, copied, arms):
    before = (copied / "on-seed0/best.ckpt").read_bytes()
    refused = ablate(arms, "--lr", "0.5")
    assert (
        refused.code == 2 and "on-seed0: is a run of other settings (lr 0.006 there, 0.5 here)" in refused.err
    )
    assert (copied / "on-seed0/best.ckpt").read_bytes() == before


def test_a_folder_with_results_of_something_else_is_refused(ablate, tmp_path, two):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/results.csv").write_text("mine")
    refused = ablate(two)
    assert refused.code == 2 and "results.csv: exists already" in refused.err
    assert [path.name for path in refused.folder.iterdir()] == ["results.csv"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--skips", "off"], "--skips: every arm"),
        (["--workers", "0"], "--workers 0"),
        (["--seeds", "0"], "--seeds 0"),
        (["--seed", "3"], "unknown flag --seed"),
        (["--size", "17"], "--size 17: must be a multiple of 2"),
    ],
)
def test_wrong_flags_are_named_before_anything_is_written(ablate, flags, words):
    refused = ablate({"on": {"skips": True}, "off": {"skips": False}}, *flags)
    assert refused.code == 2 and words in refused.err and not refused.folder.exists()


def test_the_training_loss_is_that_of_whole_training_images(study, discs):
    from unetseg.data.datasets.open import open_dataset

    run = study.folder / "on-seed0"
    predictor = unetseg.load(run)
    predictor.temperature = 1.0  # the loss is that of the net's own probabilities
    dataset = open_dataset(str(discs))
    expected = []
    for sample in dataset.splits["train"]:
        probability = predictor.probabilities(dataset.image(sample))[-1].astype(np.float64).ravel()
        mask = dataset.mask(sample).ravel()
        likelihood = np.where(mask == 1, probability, 1 - probability)
        dice = 2 * (probability * mask).sum() / (probability.sum() + mask.sum())
        expected.append(-np.log(likelihood).mean() + 1 - dice)
    assert study.rows("train_loss", "on")[0] == pytest.approx(expected, rel=1e-3)


def test_python_offers_the_same(study, copied):
    results = unetseg.ablate(study.file, output=copied, data=study.arm("on")["config"]["data"])
    assert (copied / "results.csv").read_bytes() == study.results
    values = results.metric("iou").values["off"]
    assert values == pytest.approx(np.array(study.rows("iou", "off")), rel=1e-12)  # the file has 13 digits
    summary = json.loads((copied / "summary.json").read_text())
    assert summary["sentences"] == study.summary["sentences"] == list(results.sentences)


def test_the_study_is_kept_as_it_was_asked_for(study):
    text = (study.folder / "study.yaml").read_text()
    assert "epochs: 3" in text and "control: self" in text and "name: tiny" in text


def test_a_study_says_in_the_help_of_its_verb_what_may_be_studied(capsys):
    from unetseg.cli import main

    assert main(["ablate", "--help"]) == 0
    assert "long" in (text := capsys.readouterr().out) and "levels" in text and "--dry-run" in text


def test_studies_estimate_the_statistics_of_batch_norm_anew_and_say_what_it_changes(study):
    assert "recalibrate: true" in (study.folder / "on-seed0/config.yaml").read_text()
    (note,) = [note for note in study.summary["notes"] if "--recalibrate" in note]
    told = [
        json.loads((study.folder / run / "environment.json").read_text())["recalibration"]
        for run in (
            "on-seed0",
            "on-seed1",
            "off-seed0",
            "off-seed1",
            "rates-lr0.01-seed0",
            "rates-lr0.01-seed1",
        )
    ]
    most = max((each["loss_after"] - each["loss_before"] for each in told), key=abs)
    assert f"changed by {most:+.3f} at most" in note


def test_a_study_of_before_goes_on_as_it_was(ablate, tmp_path):
    """Its runs have no such key, nor has its study.yaml."""
    arms = {"on": {}, "off": {"skips": False}}
    begun = ablate(arms, "--no-recalibrate", seeds=1)
    for file in [begun.folder / "study.yaml", *begun.folder.glob("*/config.yaml")]:
        kept = [line for line in file.read_text().splitlines() if "recalibrate" not in line]
        file.write_text("\n".join(kept) + "\n")
    again = ablate(arms, seeds=1)
    assert again.code == 0, again.err
    assert "2 of 2 runs are there already" in again.out and again.results == begun.results
    assert "batch norm is tested with the statistics that training left" in again.out
    assert ablate(arms, "--recalibrate", seeds=1).code == 2
