"""Whatever breaks a training, one plain line says so and the last good checkpoint is there."""

import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest
import torch

from unetseg.data.scaled_samples import TrainingCrops
from unetseg.errors import UnetsegError
from unetseg.training import checkpoints
from unetseg.training.failures import explain
from unetseg.training.task import SegmentationTask


@pytest.fixture
def at_step(monkeypatch):
    """Do something as a step of the training begins, once."""

    def arm(action, epoch, batch=1):
        step = SegmentationTask.training_step

        def training_step(task, data, batch_idx):
            if (task.current_epoch, batch_idx) == (epoch, batch):
                monkeypatch.setattr(SegmentationTask, "training_step", step)
                action(task)
            return step(task, data, batch_idx)

        monkeypatch.setattr(SegmentationTask, "training_step", training_step)

    return arm


@pytest.fixture
def at_crop(monkeypatch):
    """Do something as a loader process draws the crops of an epoch; return a function that ends this."""
    draw = TrainingCrops.__getitem__

    def arm(action, epoch):
        def getitem(crops, item):
            if item[0] == epoch:
                action()
            return draw(crops, item)

        monkeypatch.setattr(TrainingCrops, "__getitem__", getitem)
        return lambda: monkeypatch.setattr(TrainingCrops, "__getitem__", draw)

    return arm


def finite(path):
    return all(bool(torch.isfinite(value).all()) for value in checkpoints.load(path)["state_dict"].values())


def spoil(task):
    with torch.no_grad():
        next(task.parameters()).fill_(torch.nan)


def test_a_loss_that_is_not_finite_stops_training_and_keeps_finite_weights(fit, at_step):
    at_step(spoil, epoch=1)
    stopped = fit("--epochs", "3")
    assert stopped.code == 1 and "diverged" in stopped.line and "epoch 2" in stopped.line
    assert finite(stopped.run.best) and finite(stopped.run.last)
    assert len(stopped.run.epochs()) == 1 and not stopped.run.test.exists()


def test_weights_that_are_not_finite_after_the_last_step_are_not_saved(fit, monkeypatch):
    def optimizer_step(task, epoch, batch_idx, optimizer, closure):
        optimizer.step(closure)
        if (epoch, batch_idx) == (1, 1):
            spoil(task)

    monkeypatch.setattr(SegmentationTask, "optimizer_step", optimizer_step)
    stopped = fit("--epochs", "2")
    assert stopped.code == 1 and "a weight is no longer finite" in stopped.line
    assert finite(stopped.run.best) and finite(stopped.run.last)


def test_an_absurd_learning_rate_diverges_in_plain_words(fit):
    stopped = fit("--lr", "1e30", "--warmup", "0")
    assert stopped.code == 1 and "diverged" in stopped.line and "--lr" in stopped.line
    assert not stopped.run.best.exists() or finite(stopped.run.best)


def test_a_loader_process_that_dies_is_one_plain_line(fit, at_crop, assert_same_bits):
    unbroken = fit(out="unbroken")
    mend = at_crop(lambda: os.kill(os.getpid(), signal.SIGKILL), epoch=1)
    stopped = fit("--workers", "1", out="broken")
    assert stopped.code == 1
    assert "a loader process died" in stopped.line and "--workers" in stopped.line
    mend()
    assert_same_bits(unbroken.run, fit("--workers", "0", resume="broken").run)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UnetsegError("images/a.png: cannot be read"), "unetseg: images/a.png: cannot be read"),
        (KeyError("a"), "unetseg: a loader process failed: KeyError: 'a'"),
    ],
)
def test_what_fails_in_a_loader_process_is_told_without_its_traceback(fit, at_crop, error, line):
    def fail():
        raise error

    at_crop(fail, epoch=0)
    stopped = fit("--workers", "1")
    assert stopped.code == 1 and stopped.line == line


def test_memory_that_runs_out_names_what_to_lower():
    for text in ("CUDA out of memory. Tried to allocate", "DefaultCPUAllocator: can't allocate memory"):
        assert "--batch-size" in str(explain(RuntimeError(text)))
    assert explain(RuntimeError("something else")) is None


@pytest.fixture
def largest_file():
    """Set how large a file may grow, in bytes; without a number, as large as before."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size=limits[0]: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_file_that_may_not_grow_leaves_the_checkpoint_before(fit, at_step, largest_file, assert_same_bits):
    unbroken = fit(out="unbroken")
    at_step(lambda task: largest_file(100_000), epoch=1)
    stopped = fit(out="broken")
    largest_file()
    assert stopped.code == 1 and "cannot be saved (File too large)" in stopped.line
    assert checkpoints.load(stopped.run.last)["epoch"] == 0 and checkpoints.load(stopped.run.best)
    assert_same_bits(unbroken.run, fit(resume="broken").run)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder):
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"0" * 4096):
                pass
        except OSError:
            pass


def test_a_full_disk_leaves_the_checkpoint_before(fit, at_step, small_disk, assert_same_bits):
    unbroken = fit(out="unbroken")
    at_step(lambda task: fill(small_disk), epoch=1)
    stopped = fit(out=str(small_disk / "run"))
    assert stopped.code == 1 and "No space left on device" in stopped.line and "--resume" in stopped.line
    assert checkpoints.load(stopped.run.last)["epoch"] == 0 and checkpoints.load(stopped.run.best)
    (small_disk / "filler").unlink()
    assert_same_bits(unbroken.run, fit(resume=str(small_disk / "run")).run)


def test_a_full_disk_behind_tmpdir_harms_no_run(fit, small_disk, monkeypatch):
    fill(small_disk)
    monkeypatch.setenv("TMPDIR", str(small_disk))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert fit().code == 0
    assert list(small_disk.iterdir()) == [small_disk / "filler"]


def test_a_folder_that_cannot_be_written_is_one_plain_line(fit):
    Path("run").write_text("a file in the way")
    refused = fit()
    assert refused.code == 2 and "run: cannot be made (File exists)" in refused.line
    assert Path("run").read_text() == "a file in the way"


@pytest.mark.parametrize("name", ["metrics.csv", "last.ckpt", "config.yaml"])
def test_a_folder_with_files_of_a_runs_names_is_left_alone(fit, name):
    Path("run").mkdir()
    (Path("run") / name).write_text("the user's own")
    refused = fit()
    assert refused.code == 2 and "give another -o" in refused.line
    assert (Path("run") / name).read_text() == "the user's own" and len(os.listdir("run")) == 1
