"""Validation now and then, as small sets with many epochs want it."""

import csv
import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from unetseg import plots
from unetseg.training.recorder import Recorder


def test_epochs_without_validation_say_so_and_the_best_is_among_the_others(fit):
    done = fit("--epochs", "5", "--trainer.check_val_every_n_epoch", "2")
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if line.startswith("epoch ")]
    assert ["validation IoU" in line for line in lines] == [False, True, False, True, False]
    with open(done.run.metrics, newline="") as file:
        scores = [float(row["val_iou"]) for row in csv.DictReader(file)]
    assert [math.isnan(score) for score in scores] == [True, False, True, False, True]
    best = max(score for score in scores if not math.isnan(score))
    assert f"validation IoU {best:.4f} (best)" in done.out


def test_curves_are_drawn_of_epochs_with_and_without_validation(tmp_path):
    rows = [{"epoch": epoch, "train_loss": 1 / epoch, "val_iou": math.nan} for epoch in range(1, 5)]
    plots.training_curves(rows, tmp_path / "none.png")
    rows[2]["val_iou"] = 0.5
    plots.training_curves(rows, tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "none.png").read_bytes()


def test_a_validation_without_objects_chooses_by_the_loss_and_says_so(fit, drawn):
    data = drawn()
    for number in range(5):
        (data / f"masks/val{number}.png").write_bytes(
            cv2.imencode(".png", np.zeros((40, 40), np.uint8))[1].tobytes()
        )
    done = fit("--epochs", "4", data=data)
    assert done.code == 0, done.err
    assert "note      the val split holds no foreground" in done.out
    lines = [line for line in done.out.splitlines() if line.startswith("epoch ")]
    assert all("validation IoU none, no object there" in line for line in lines)
    rows = done.run.epochs()
    assert all(math.isnan(row["val_iou"]) for row in rows)
    lowest = [
        row["train_loss"] <= min(each["train_loss"] for each in rows[: n + 1]) for n, row in enumerate(rows)
    ]
    assert ["(best)" in line for line in lines] == lowest


@pytest.mark.parametrize(
    ("epochs", "best", "risen"),
    [
        ([(0.5, 3.0), (0.6, 2.0), (0.6, 1.0)], 3, 2),
        ([(0.6, 1.0), (0.6, 2.0)], 1, 1),
        ([(0.6, 1.0), (0.6, 1.0)], 2, 1),
        ([(0.6, 1.0), (0.5, 0.1)], 1, 1),
        ([(math.nan, 2.0), (math.nan, 1.0), (math.nan, 1.5)], 2, 0),
    ],
)
def test_ties_go_to_the_lower_loss_then_to_the_later_epoch(epochs, best, risen):
    recorder = Recorder(SimpleNamespace(), SimpleNamespace(patience=None), {}, {}, print)
    for number, (iou, loss) in enumerate(epochs, start=1):
        recorder._take_if_better(iou, loss, number)
    assert (recorder.best_epoch, recorder.risen_epoch) == (best, risen)


def test_a_run_of_before_goes_on_with_the_loss_of_its_best_epoch():
    recorder = Recorder(SimpleNamespace(), SimpleNamespace(patience=None), {}, {}, print)
    rows = [{"epoch": 1, "train_loss": 0.7, "val_iou": 0.5}, {"epoch": 2, "train_loss": 0.6, "val_iou": 0.4}]
    recorder.load_state_dict({"rows": rows, "best_iou": 0.5, "best_epoch": 1})
    assert (recorder.best_loss, recorder.risen_epoch) == (0.7, 1)
