"""A run is written by one process, on the data that it began with, and ends with a line where that fails."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from unetseg.data import loaders
from unetseg.training.task import SegmentationTask
from unetseg.utilities.locks import LOCK, one_writer


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != LOCK}


@pytest.fixture
def broken(fit, interrupt):
    """An interrupted run on data of its own, and those."""

    def make(data):
        interrupt(signal.SIGTERM, epoch=1)
        assert fit(out="broken", data=data).code == 143
        return Path("broken")

    return make


def test_a_run_that_another_process_goes_on_with_is_left_alone(fit, broken, drawn):
    run = broken(drawn())
    before = contents(run)
    with one_writer(run):
        refused = fit(resume="broken")
    assert refused.code == 1 and "broken: another process is writing there" in refused.line
    assert contents(run) == before
    assert fit(resume="broken").code == 0


def test_a_second_training_into_one_folder_writes_nothing(fit):
    Path("run").mkdir()
    with one_writer("run"):
        refused = fit()
    assert refused.code == 1 and "run: another process is writing there" in refused.err
    assert not Path("run").exists() or os.listdir("run") == []


def test_a_run_leaves_no_lock_behind(fit):
    assert not (fit().run.path / LOCK).exists()


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_run_does_not_go_on_with_files_that_have_changed(fit, broken, drawn, kind):
    data = drawn()
    run = broken(data)
    before = contents(run)
    shutil.copyfile(data / kind / "train1.png", data / kind / "train0.png")
    refused = fit(resume="broken")
    assert refused.code == 2
    assert "1 images or masks of own are no longer those that this run began with: train0" in refused.err
    assert contents(run) == before


def test_data_that_were_moved_are_named_with_data(fit, broken, drawn, assert_same_bits):
    data = drawn()
    unbroken = fit(out="unbroken", data=data)
    broken(data)
    moved = data.rename(data.with_name("moved"))
    lost = fit(resume="broken")
    assert (
        lost.code == 2
        and "broken: its data" in lost.line
        and "--data PATH says where they lie now" in lost.line
    )
    resumed = fit("--data", str(moved), resume="broken")
    assert resumed.code == 0
    assert_same_bits(unbroken.run, resumed.run)
    assert resumed.run.config().data == str(moved)


def test_a_run_from_before_the_fingerprints_says_what_was_compared(fit, broken, drawn):
    run = broken(drawn())
    (run / "fingerprints.json").unlink()
    resumed = fit(resume="broken")
    assert resumed.code == 0 and "only names were compared" in resumed.out


def test_a_run_whose_folder_goes_during_the_training_ends_with_one_line(fit, monkeypatch):
    step = SegmentationTask.training_step

    def training_step(task, data, batch_idx):
        if task.current_epoch == 1:
            shutil.rmtree("run", ignore_errors=True)
        return step(task, data, batch_idx)

    monkeypatch.setattr(SegmentationTask, "training_step", training_step)
    ended = fit("--epochs", "4")
    assert ended.code == 1 and "run: is no longer there: it was moved or deleted" in ended.line
    assert not Path("run").exists()


# --- loader processes ------------------------------------------------------------------------------


def test_too_little_shared_memory_is_told_before_the_training(fit, monkeypatch):
    monkeypatch.setattr(loaders.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1000, 0, 1000))
    refused = fit("--workers", "1")
    assert refused.code == 1 and "is too small for batches of" in refused.err
    assert "docker run --shm-size" in refused.err and "--workers 0" in refused.err
    assert not refused.run.config_file.exists()


def test_shared_memory_that_runs_out_later_ends_the_training_with_one_line(fit, monkeypatch):
    def share(tensor):
        raise RuntimeError(
            "unable to allocate shared memory(shm) for file </torch_7>: No space left on device (28)"
        )

    monkeypatch.setattr(torch.Tensor, "share_memory_", share)
    ended = fit("--workers", "1")
    assert ended.code == 1 and "the loader's shared memory (/dev/shm" in ended.line


def test_a_batch_that_cannot_be_sent_ends_the_training_instead_of_a_wait(fit, monkeypatch):
    collate = loaders.collate
    monkeypatch.setattr(loaders, "collate", lambda items: {**collate(items), "not to be pickled": lambda: 0})
    ended = fit("--workers", "1")
    assert ended.code == 1 and "a loader process died" in ended.line


def test_batches_travel_as_bytes_and_arrive_as_numbers(fit, monkeypatch):
    seen = []
    normalised = loaders.normalised

    def look(batch, preprocessing):
        seen.append((batch["image"].dtype, batch["mask"].dtype))
        return normalised(batch, preprocessing)

    monkeypatch.setattr(loaders, "normalised", look)
    assert fit("--workers", "1", "--epochs", "1").code == 0
    assert set(seen) == {(torch.uint8, torch.uint8)}


# --- one value a channel ---------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [("--batch-size", "1"), ("--batch-size", "1", "--short", "plain")])
def test_batch_norm_of_one_value_is_refused_before_the_training(fit, flags):
    refused = fit("--stages", "5", "--size", "16", *flags)
    assert refused.code == 2
    assert "one value a channel at --size 16 and a batch of one: take --size 32 or more" in refused.err
    assert not Path("run").exists()
    assert fit("--stages", "5", "--size", "32", "--epochs", "1", *flags).code == 0
