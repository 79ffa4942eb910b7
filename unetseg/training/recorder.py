"""The callback that keeps a run's folder: a row an epoch, the last state and the best weights."""

import csv
import io
import math
import time
from typing import Any

import lightning.pytorch as pl

from unetseg.config import RunConfig
from unetseg.data.datasets.fingerprints import FINGERPRINTS
from unetseg.errors import UnetsegError
from unetseg.runs import Run
from unetseg.training import checkpoints
from unetseg.training.epoch_bar import epoch_name
from unetseg.training.task import SegmentationTask
from unetseg.utilities.files import write_json, write_text
from unetseg.utilities.progress import Report, duration


class Recorder(pl.Callback):
    """Writes the settings as training begins, and metrics and weights at the end of every epoch.

    The last state is saved after the best weights and carries the rows so far: a run that is killed
    anywhere goes on from a whole epoch, and writes again what came after it.

    Args:
        run: the folder to keep.
        config: the complete configuration.
        split: the names of the images in each split.
        inference: plain values stored beside the weights: all that inference must repeat.
        report: is given one line an epoch.
        fingerprints: of each sample's files.
    """

    def __init__(
        self,
        run: Run,
        config: RunConfig,
        split: dict[str, list[str]],
        inference: dict[str, Any],
        report: Report,
        fingerprints: dict[str, str] | None = None,
    ) -> None:
        self.run = run
        self.config = config
        self.split = split
        self.inference = inference
        self.report = report
        self.fingerprints = fingerprints
        self.rows: list[dict[str, float]] = []
        self.best_iou = -1.0
        self.best_loss = math.inf
        self.best_epoch = 0
        self.risen_epoch = 0  # the first that reached the best IoU: patience counts from there
        self.validated = False
        self.begun = self.started = time.perf_counter()  # of this process's training, of the epoch
        self.first_step = 0

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run must know."""
        return {
            "rows": self.rows,
            "best_iou": self.best_iou,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "risen_epoch": self.risen_epoch,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over from the run that was interrupted."""
        self.rows = list(state_dict["rows"])
        self.best_iou = state_dict["best_iou"]
        self.best_epoch = state_dict["best_epoch"]
        self.risen_epoch = state_dict.get("risen_epoch", self.best_epoch)  # not in older runs, nor the loss
        losses = {row["epoch"]: row.get("train_loss", math.inf) for row in self.rows}
        self.best_loss = state_dict.get("best_loss", losses.get(self.best_epoch, math.inf))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the settings, which nothing has refused; say where a resumed run goes on.

        One that had come to its end is not trained further.
        """
        if trainer.is_global_zero:
            write_text(self.run.config_file, self.config.to_yaml())
            write_json(self.run.split, self.split)
            if self.fingerprints is not None:
                write_json(self.run.path / FINGERPRINTS, self.fingerprints)
        self.begun, self.first_step = time.perf_counter(), trainer.global_step
        if self.rows:
            self.report(f"resume    after epoch {self.rows[-1]['epoch']}")
        if self._patience_is_spent():
            trainer.should_stop = True

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self.started = time.perf_counter()
        self.validated = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember that the scores at hand are this epoch's."""
        self.validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record the epoch that has just been trained and, as a rule, validated."""
        assert isinstance(pl_module, SegmentationTask)
        pl_module.check_weights()
        if trainer.is_global_zero and not self.run.config_file.is_file():
            raise UnetsegError(
                f"{self.run.path}: is no longer there: it was moved or deleted during the training, which "
                "ends without writing it anew"
            )
        row = self._row(trainer, pl_module)
        self.rows.append(row)
        iou, epoch = row["val_iou"], int(row["epoch"])
        better = self.validated and self._take_if_better(iou, row["train_loss"], epoch)
        if trainer.is_global_zero:
            if better or self.best_epoch == 0:  # without any validation the last weights are all there is
                weights = {name: value.cpu() for name, value in pl_module.model.state_dict().items()}
                checkpoints.save(self.run.best, {"state_dict": weights, "inference": self.inference})
            write_text(self.run.metrics, _table(self.rows))
        trainer.save_checkpoint(self.run.last)
        self._report_epoch(trainer, pl_module, row, better)
        if self._patience_is_spent():
            trainer.should_stop = True
            self.report(f"no better validation IoU for {self.config.patience} epochs: stopping")

    def _report_epoch(
        self, trainer: pl.Trainer, task: SegmentationTask, row: dict[str, float], better: bool
    ) -> None:
        seconds = time.perf_counter() - self.started
        iou = row["val_iou"]
        value = "none, no object there" if math.isnan(iou) else f"{iou:.4f}"
        score = f"  validation IoU {value}{' (best)' if better else ''}" if self.validated else ""
        left = self._left(trainer, task)
        self.report(f"{epoch_name(trainer)}  loss {row['train_loss']:.4f}{score}  {seconds:.1f} s{left}")

    def _left(self, trainer: pl.Trainer, task: SegmentationTask) -> str:
        """Return the time that is left at the speed so far; nothing after the last step."""
        done, planned = trainer.global_step, task.planned_steps or 0
        if done <= self.first_step or done >= planned or self._patience_is_spent():
            return ""
        speed = (time.perf_counter() - self.begun) / (done - self.first_step)
        limit = "" if self.config.patience is None else "at most "
        return f", {limit}{duration((planned - done) * speed)} left"

    def _take_if_better(self, iou: float, loss: float, epoch: int) -> bool:
        """Tell whether the epoch just validated is the best: by IoU, of equal ones by the training loss.

        Of equal losses it is the later epoch. An IoU of NaN, where validation has no object, is equal to all.
        """
        tie = math.isnan(iou) or iou == self.best_iou
        better = loss <= self.best_loss if tie else iou > self.best_iou
        if better:
            self.best_loss, self.best_epoch = loss, epoch
            if not tie:
                self.best_iou, self.risen_epoch = iou, epoch
        return better

    def _row(self, trainer: pl.Trainer, task: SegmentationTask) -> dict[str, float]:
        loss = task.mean_loss()
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        task.log_dict({"train_loss": loss, "lr": rate}, rank_zero_only=True)  # for loggers
        scores = {name: float(v) for name, v in trainer.callback_metrics.items() if name.startswith("val_")}
        if not self.validated:
            scores = {"val_iou": math.nan}
        return {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "lr": rate,
            "train_loss": loss,
            **scores,
        }

    def _patience_is_spent(self) -> bool:
        if self.config.patience is None or self.risen_epoch == 0:
            return False
        return self.rows[-1]["epoch"] - self.risen_epoch >= self.config.patience


def _table(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(text, fieldnames=list(names), restval="nan", lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {key: repr(value) if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    )
    return text.getvalue()
