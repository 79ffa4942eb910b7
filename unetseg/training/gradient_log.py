"""The callback behind ``--log-gradients``: how the gradient flows, before training and after every epoch."""

import copy
import csv
import io
from itertools import groupby
from typing import Any

import lightning.pytorch as pl
import torch

from unetseg.data.loaders import Batch
from unetseg.models.gradient_flow import COLUMNS, GradientFlow, flow_curve, flow_from_rows, gradient_flow
from unetseg.models.unet import Unet
from unetseg.plots import gradient_panels
from unetseg.runs import Run
from unetseg.training.task import SegmentationTask
from unetseg.utilities.files import write_text

SHOWN = 5  # epochs in the picture


class GradientLog(pl.Callback):
    """Writes ``gradients.csv``: one forward and backward pass over the same batch for each epoch.

    A copy of the network is measured, in float32: the training ends in the same bits with and without it.

    Args:
        run: the folder to keep.
        batch: images and masks.
    """

    def __init__(self, run: Run, batch: Batch) -> None:
        self.run = run
        self.batch = batch
        self.epoch = -1  # the last one that is recorded
        self.text = ""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know: which rows are of epochs that it keeps."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over from the run that was interrupted."""
        self.epoch = state_dict["epoch"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the first weights; of a run that goes on, keep the rows of the epochs it has."""
        self.text = ",".join(("epoch", *COLUMNS)) + "\n"
        if self.epoch < 0:
            self._record(0, trainer, pl_module)
        elif self.run.gradients.is_file():
            rows = self.run.gradients.read_text().splitlines(keepends=True)[1:]
            self.text += "".join(row for row in rows if int(row.partition(",")[0]) <= self.epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the epoch that has just been trained."""
        self._record(trainer.current_epoch + 1, trainer, pl_module)

    def _record(self, epoch: int, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        assert isinstance(task, SegmentationTask)
        self.epoch = epoch
        if trainer.is_global_zero:
            text = io.StringIO()
            writer = csv.DictWriter(text, ("epoch", *COLUMNS), lineterminator="\n")
            writer.writerows({"epoch": epoch, **row} for row in _measure(task, self.batch).rows())
            self.text += text.getvalue()
            write_text(self.run.gradients, self.text)


def _measure(task: SegmentationTask, batch: Batch) -> GradientFlow:
    model = copy.deepcopy(task.model).train().requires_grad_()  # of an encoder that stands still, too
    assert isinstance(model, Unet)
    images, masks = (batch[name].to(task.device) for name in ("image", "mask"))
    with torch.random.fork_rng([task.device] if task.device.type == "cuda" else []):  # dropout draws from it
        return gradient_flow(model, images, lambda logits: task.loss(logits, masks))


def read_gradients(run: Run) -> dict[int, GradientFlow]:
    """Read what a run has recorded: by epoch, 0 before training."""
    with run.gradients.open(newline="") as file:
        by_epoch = groupby(csv.DictReader(file), key=lambda row: int(row["epoch"]))
        return {epoch: flow_from_rows(rows) for epoch, rows in by_epoch}


def plot_gradients(run: Run) -> None:
    """Draw the record of a run: a few of its epochs, the first and the last among them."""
    flows = read_gradients(run)
    epochs = sorted(flows)
    shown = [epochs[round(i * (len(epochs) - 1) / (SHOWN - 1))] for i in range(SHOWN)]
    labels = {epoch: f"after epoch {epoch}" if epoch else "before training" for epoch in shown}
    gradient_panels(
        [flow_curve(label, [flows[epoch]]) for epoch, label in labels.items()], run.gradients_plot
    )
