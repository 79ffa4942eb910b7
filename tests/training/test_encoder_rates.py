"""An encoder that stands still for some epochs, or learns at a rate of its own."""

import signal

import pytest
import torch

from unetseg.models.unet import build_model


def encoder_of(path):
    state = torch.load(path, weights_only=True)["state_dict"]
    return {
        name.removeprefix("encoder."): value for name, value in state.items() if name.startswith("encoder.")
    }


def test_a_frozen_encoder_stays_as_it_was_its_batch_norm_too(fit):
    trained = fit("--freeze-encoder", "2")
    assert "the encoder that stays as it is has random weights" in trained.out
    first = build_model(trained.run.config()).encoder.state_dict()
    assert all(torch.equal(value, first[name]) for name, value in encoder_of(trained.run.best).items())


def test_after_these_epochs_it_learns_and_a_resumed_training_ends_in_the_same_bits(
    fit, interrupt, assert_same_bits
):
    flags = ("--freeze-encoder", "1", "--encoder-lr", "1e-4", "--epochs", "3")
    whole = fit(*flags, out="whole").run
    first = build_model(whole.config()).encoder.state_dict()
    learnt = torch.load(whole.last, weights_only=True)["state_dict"]
    assert not torch.equal(learnt["model.encoder.stem.0.weight"], first["stem.0.weight"])
    interrupt(signal.SIGINT, epoch=2)
    assert fit(*flags, out="cut").code == 130
    assert_same_bits(whole, fit(resume="cut").run)


def test_the_encoder_learns_at_its_own_rate(fit):
    run = fit("--encoder-lr", "1e-5", "--lr", "1e-2", "--warmup", "0.5").run
    others, encoder = torch.load(run.last, weights_only=True)["optimizer_states"][0]["param_groups"]
    assert (others["max_lr"], encoder["max_lr"]) == (1e-2, 1e-5)
    assert run.epochs()[-1]["lr"] == pytest.approx(others["lr"])
