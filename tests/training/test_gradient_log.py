"""``--log-gradients`` tells how the gradient flows, and changes nothing."""

import csv
import signal
from pathlib import Path

import pytest
import torch

from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.open import open_dataset
from unetseg.models.gradient_flow import gradient_flow
from unetseg.models.unet import build_model
from unetseg.training.gradient_log import read_gradients
from unetseg.training.task import SegmentationTask


@pytest.mark.parametrize("flags", [(), ("--encoder", "mit_b0", "--size", "32")], ids=["basic", "dropout"])
def test_a_run_that_is_recorded_ends_in_the_same_bits(fit, assert_same_bits, flags):
    without, recorded = fit(*flags, out="a"), fit(*flags, "--log-gradients", out="b")
    assert not without.run.gradients.exists() and recorded.run.gradients.is_file()
    assert_same_bits(without.run, recorded.run)


def test_there_is_a_record_before_training_and_after_every_epoch_and_a_picture_of_it(fit):
    recorded = fit("--log-gradients", "--skips", "off", "--stages", "3")
    flows = read_gradients(recorded.run)
    assert sorted(flows) == [0, 1, 2]
    assert len({flow.layers["encoder.stem.0"] for flow in flows.values()}) == 3
    assert all(flow.levels[level].by_skip == 0 for flow in flows.values() for level in (0, 1))
    assert recorded.run.gradients_plot.read_bytes().startswith(b"\x89PNG")


def test_the_first_record_is_that_of_the_first_weights_on_the_first_crops(fit):
    run = fit("--log-gradients").run
    config = run.config()
    model = build_model(config).train()
    data = SegmentationData(open_dataset(config.data), config, model.stride)
    task = SegmentationTask(model, config, data.dataset.classes)
    batch = data.fixed_batch()
    expected = gradient_flow(model, batch["image"], lambda logits: task.loss(logits, batch["mask"]))
    assert read_gradients(run)[0].layers == pytest.approx(expected.layers, rel=1e-4)


def test_a_resumed_record_is_that_of_the_unbroken_run(fit, interrupt):
    unbroken = fit("--log-gradients", "--epochs", "3", out="unbroken")
    interrupt(signal.SIGTERM, epoch=2)
    broken = fit("--log-gradients", "--epochs", "3", out="broken")
    with broken.run.gradients.open("a") as file:
        file.write("3,layer,encoder.stem.0,1.0\n")  # of an epoch that was lost
    resumed = fit(resume="broken")
    assert resumed.run.gradients.read_bytes() == unbroken.run.gradients.read_bytes()


def test_the_record_is_a_table_that_any_tool_reads(fit):
    with fit("--log-gradients").run.gradients.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert set(rows[0]) == {"epoch", "kind", "name", "norm"}
    assert {row["kind"] for row in rows} == {"layer", "by_skip", "by_depth"}
    assert all(float(row["norm"]) >= 0 for row in rows)


def test_without_its_file_a_run_still_resumes(fit, interrupt):
    interrupt(signal.SIGTERM, epoch=1)
    fit("--log-gradients", out="broken")
    Path("broken/gradients.csv").unlink()
    resumed = fit(resume="broken")
    assert resumed.code == 0 and sorted(read_gradients(resumed.run)) == [2]
    assert torch.load(resumed.run.last, weights_only=True)["epoch"] == 1
