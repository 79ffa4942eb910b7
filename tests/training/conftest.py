"""Trainings that are interrupted where a test wants it."""

import os

import pytest

from unetseg.training.task import SegmentationTask


@pytest.fixture
def interrupt(monkeypatch):
    """Send this process a signal at a step of the training, once."""

    def arm(signum: int, epoch: int, batch: int = 1) -> None:
        step = SegmentationTask.training_step

        def training_step(task, batch_, batch_idx):
            if (task.current_epoch, batch_idx) == (epoch, batch):
                monkeypatch.setattr(SegmentationTask, "training_step", step)
                os.kill(os.getpid(), signum)
            return step(task, batch_, batch_idx)

        monkeypatch.setattr(SegmentationTask, "training_step", training_step)

    return arm
