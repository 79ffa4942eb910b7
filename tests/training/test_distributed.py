"""Training on two processes: each image counted once, each failure told in one line."""

import multiprocessing
import operator
import os
import signal

import lightning.pytorch as pl
import pytest
import torch

from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.open import open_dataset
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError
from unetseg.models.unet import build_model
from unetseg.training import checkpoints
from unetseg.training.distributed import Partner, partners
from unetseg.training.task import SegmentationTask

TWO = ("--trainer.devices", "2", "--trainer.strategy", "ddp")


def iou_of(task, batches):
    """Return the foreground IoU over the batches, computed in this process alone."""
    task.counts.zero_()
    with torch.inference_mode():
        for number, batch in enumerate(batches):
            task.validation_step(batch, number)
    hits, false_alarms, misses = (int(count) for count in task.counts[1])
    return hits / (hits + false_alarms + misses)


def test_two_processes_count_every_validation_image_once(fit, discs):
    done = fit(*TWO, "--epochs", "1", "--batch-size", "2", "--precision", "float32")
    assert done.code == 0 and "processes 2" in done.out and done.out.count("epoch 1/1") == 1
    (row,) = done.run.epochs()
    assert row["step"] == 1, "six training images make one step of two for each of two processes"

    content = checkpoints.load(done.run.best)
    config = done.run.config()
    model = build_model(config)
    model.load_state_dict(content["state_dict"])
    task = SegmentationTask(model.eval(), config, content["inference"]["classes"])
    settings = Preprocessing.from_dict(content["inference"]["preprocessing"])
    data = SegmentationData(open_dataset(str(discs)), config, model.stride, settings)
    batches = list(data.val_dataloader())
    assert [len(batch["mask"]) for batch in batches] == [2, 2, 1]
    assert row["val_iou"] == pytest.approx(iou_of(task, batches), abs=1e-6)
    assert iou_of(task, batches) != pytest.approx(iou_of(task, [*batches, batches[0]]), abs=1e-4)


def test_a_process_that_fails_is_told_by_the_first():
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False)
    told = pytest.raises(UnetsegError, match="process 2 of 2 failed: division by zero")
    with told, partners(trainer, operator.truediv, 1, 0):
        for process in multiprocessing.active_children():
            process.join()
        raise RuntimeError("Connection closed by peer")  # what the library says of it
    assert "LOCAL_RANK" not in os.environ and "WORLD_SIZE" not in os.environ


@pytest.mark.parametrize(("code", "reason"), [(0, None), (3, "exit code 3"), (-9, "exit code -9")])
def test_a_process_that_ends_without_a_word_is_told_by_its_exit_code(code, reason):
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    end = (os._exit, (code,)) if code >= 0 else (signal.raise_signal, (-code,))
    process = context.Process(target=end[0], args=end[1])
    process.start()
    process.join()
    sender.close()
    failure = Partner(1, process, receiver).failure()
    assert failure is None if reason is None else reason in failure


def test_an_error_of_the_first_process_is_its_own_and_ends_the_others():
    trainer = pl.Trainer(accelerator="cpu", devices=2, strategy="ddp", logger=False)
    with pytest.raises(UnetsegError, match="diverged"), partners(trainer, os.kill, os.getpid(), 0):
        raise UnetsegError("training diverged")


def test_a_single_process_starts_no_other():
    trainer = pl.Trainer(accelerator="cpu", devices=1, logger=False)
    with partners(trainer, operator.truediv, 1, 0):
        assert "LOCAL_RANK" not in os.environ
