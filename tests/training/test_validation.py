"""Validation now and then, as small sets with many epochs want it."""

import csv
import math

from unetseg import plots


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
