"""Batch norm's statistics estimated anew: by hand, and through the command line."""

import json
import shutil

import numpy as np
import pytest
import torch

import unetseg
from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.recalibration import recalibrate
from unetseg.models.hardware import choose_hardware
from unetseg.runs import Run
from unetseg.training import checkpoints


class Small(torch.nn.Module):
    """One batch norm behind a fixed scaling."""

    stride = 1

    def __init__(self, norm=True):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(3) if norm else torch.nn.Identity()

    def forward(self, images):
        return self.norm(2 * images)


def network(model):
    return TorchNetwork(model, choose_hardware(RunConfig(device="cpu", precision="float32")))


def test_statistics_become_the_mean_over_batches_and_nothing_else_changes():
    batches = [
        np.random.default_rng(seed).normal(1, 2, (4, 8, 8, 3)).astype(np.float32) for seed in (0, 1, 2)
    ]
    model = Small()
    net = network(model)
    assert recalibrate(net, batches) == 12
    values = [2 * batch.reshape(-1, 3).astype(np.float64) for batch in batches]
    means = np.mean([each.mean(axis=0) for each in values], axis=0)
    variances = np.mean([each.var(axis=0, ddof=1) for each in values], axis=0)
    np.testing.assert_allclose(model.norm.running_mean, means, rtol=1e-4)
    np.testing.assert_allclose(model.norm.running_var, variances, rtol=1e-4)
    assert not model.norm.training and model.norm.momentum == 0.1
    assert model.norm.weight.tolist() == [1, 1, 1]
    again = network(Small())
    recalibrate(again, batches[:1])
    recalibrate(again, batches)
    assert torch.equal(again.model.norm.running_mean, model.norm.running_mean)  # what was there is forgotten


def test_without_batch_norm_or_with_too_small_images_the_net_stays_as_it_is():
    assert recalibrate(network(Small(norm=False)), [np.zeros((2, 4, 4, 3), np.float32)]) == 0
    model = Small()
    assert recalibrate(network(model), [np.ones((1, 1, 1, 3), np.float32)]) == 0
    assert model.norm.running_var.tolist() == [1, 1, 1] and not model.training


FIT = ["--stages", "2", "--size", "16", "--epochs", "2", "--batch-size", "3", "--precision", "float32"]


@pytest.fixture(scope="module")
def runs(discs, tmp_path_factory):
    """The same training twice, once with ``--recalibrate``."""
    folder = tmp_path_factory.mktemp("recalibrated")
    for name, flags in (("plain", []), ("anew", ["--recalibrate"])):
        assert main(["fit", *FIT, *flags, "--data", str(discs), "-o", str(folder / name)]) == 0
    return Run(folder / "plain"), Run(folder / "anew")


def test_a_run_is_tested_with_new_statistics_and_keeps_its_weights_and_what_changed(runs):
    plain, anew = runs
    before, after = (checkpoints.load(run.best)["state_dict"] for run in runs)
    different = {name for name in before if not torch.equal(before[name], after[name])}
    assert different and all("running" in name or "num_batches" in name for name in different)
    told = json.loads(anew.environment.read_text())["recalibration"]
    assert told["images"] == 6 and told["loss_before"] != told["loss_after"]
    assert "recalibration" not in json.loads(plain.environment.read_text())
    assert plain.config().identity() != anew.config().identity()
    assert plain.config().identity() == plain.config().changed(recalibrate=False).identity()
    predictor = unetseg.load(anew.path)
    assert torch.equal(
        predictor.model.state_dict()["encoder.stem.1.running_mean"].cpu(),
        after["encoder.stem.1.running_mean"],
    )


def test_a_run_that_was_stopped_before_its_test_ends_in_the_same_scores(runs, tmp_path):
    _, anew = runs
    copy = Run(tmp_path / "copy")
    shutil.copytree(anew.path, copy.path)
    copy.test.unlink()
    assert main(["fit", "--resume", str(copy.path)]) == 0
    assert copy.test_images.read_bytes() == anew.test_images.read_bytes()
    assert json.loads(copy.environment.read_text())["recalibration"]["images"] == 6


def test_the_log_says_what_changed(discs, tmp_path, capsys):
    assert main(["fit", *FIT, "--recalibrate", "--data", str(discs), "-o", str(tmp_path / "run")]) == 0
    assert (
        "batch norm's statistics estimated anew on 6 whole training images: their loss"
        in capsys.readouterr().out
    )
