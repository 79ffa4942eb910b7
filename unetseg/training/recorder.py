"""The callback that keeps a run's folder: a row an epoch, the last state and the best weights."""

import csv
import io
import time
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl

from unetseg.files import write_text
from unetseg.runs import Run
from unetseg.training import checkpoints
from unetseg.training.task import SegmentationTask

Report = Callable[[str], None]


class Recorder(pl.Callback):
    """Writes ``metrics.csv``, ``best.ckpt`` and ``last.ckpt`` at the end of every epoch.

    The last state is saved after the best weights and carries the rows so far: a run that is killed
    anywhere goes on from a whole epoch, and writes again what came after it.

    Args:
        run: the folder to keep.
        inference: plain values stored beside the weights: all that inference must repeat.
        patience: epochs without a better validation IoU after which training stops; None for never.
        report: is given one line an epoch.
    """

    def __init__(self, run: Run, inference: dict[str, Any], patience: int | None, report: Report) -> None:
        self.run = run
        self.inference = inference
        self.patience = patience
        self.report = report
        self.rows: list[dict[str, float]] = []
        self.best_iou = -1.0
        self.best_epoch = 0
        self.started = time.perf_counter()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {"rows": self.rows, "best_iou": self.best_iou, "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over from the run that was interrupted."""
        self.rows = list(state_dict["rows"])
        self.best_iou = state_dict["best_iou"]
        self.best_epoch = state_dict["best_epoch"]

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the epoch that has just been trained and validated."""
        assert isinstance(pl_module, SegmentationTask)
        loss = pl_module.mean_loss()
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = trainer.current_epoch + 1
        iou = scores.get("val_iou", float("nan"))
        better = iou > self.best_iou
        if better:
            self.best_iou, self.best_epoch = iou, epoch
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        self.rows.append(
            {"epoch": epoch, "step": trainer.global_step, "lr": rate, "train_loss": loss, **scores}
        )
        if trainer.is_global_zero:
            if better:
                weights = {name: value.cpu() for name, value in pl_module.model.state_dict().items()}
                checkpoints.save(self.run.best, {"state_dict": weights, "inference": self.inference})
            write_text(self.run.metrics, _table(self.rows))
        trainer.save_checkpoint(self.run.last)
        seconds = time.perf_counter() - self.started
        self.report(
            f"epoch {epoch}/{trainer.max_epochs}  loss {loss:.4f}  validation IoU {iou:.4f}"
            f"{' (best)' if better else ''}  {seconds:.1f} s"
        )
        if self.patience is not None and epoch - self.best_epoch >= self.patience:
            trainer.should_stop = True
            self.report(f"no better validation IoU for {self.patience} epochs: stopping")


def _table(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[-1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: repr(value) if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    )
    return text.getvalue()
