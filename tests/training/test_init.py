"""--init starts from another run's weights, with new classes if need be."""

import signal

import torch

from unetseg.training import checkpoints

STILL = ("--epochs", "1", "--lr", "1e-12", "--weight-decay", "0", "--precision", "float32")
HEAD = "segmentation_head."


def weights(run):
    state = checkpoints.load(run.best)["state_dict"]
    return {name: value for name, value in state.items() if name.endswith(("weight", "bias"))}


def test_the_same_classes_start_from_all_weights_and_the_normalisation(fit, drawn):
    first = fit(out="first").run
    second = fit("--init", "first", *STILL, out="second", data=drawn(seed=7))
    assert "weights and normalisation of first" in second.out and "anew" not in second.out
    old, new = weights(first), weights(second.run)
    assert all(torch.allclose(old[name], new[name], atol=1e-9) for name in old | new)
    settings = [checkpoints.load(run.best)["inference"]["preprocessing"] for run in (first, second.run)]
    assert settings[0] == settings[1]


def test_other_classes_start_from_all_but_the_head(fit, three_classes):
    first = fit(out="first").run
    second = fit("--init", "first", *STILL, out="second", data=three_classes)
    assert second.code == 0 and "the head starts anew" in second.out
    old, new = weights(first), weights(second.run)
    assert all(torch.allclose(old[name], new[name], atol=1e-9) for name in old if not name.startswith(HEAD))
    assert new[f"{HEAD}0.weight"].shape[0] == 3


def test_the_scale_rule_is_the_new_runs_own(fit):
    fit(out="first")
    second = fit("--init", "first", "--epochs", "1", "--scale", "longest:32", out="second")
    assert checkpoints.load(second.run.best)["inference"]["preprocessing"]["scale"] == "longest:32"


def test_resuming_does_not_need_the_run_it_began_with(fit, interrupt, assert_same_bits):
    first = fit(out="first")
    unbroken = fit("--init", "first", out="unbroken")
    interrupt(signal.SIGTERM, epoch=1)
    assert fit("--init", "first", out="broken").code == 143
    first.run.path.rename("moved")
    assert_same_bits(unbroken.run, fit(resume="broken").run)


def test_another_network_is_refused_by_what_differs_before_a_file_is_read(fit, monkeypatch):
    fit(out="first")
    monkeypatch.setattr("unetseg.experiment.require_sound", None)
    refused = fit("--init", "first", "--width", "32", "--blocks", "2", out="second")
    assert refused.code == 2 and not refused.run.path.exists()
    assert "width 16 there, 32 here, blocks 1 there, 2 here" in refused.line


def test_what_is_no_run_or_not_local_is_refused(fit):
    missing = fit("--init", "nowhere")
    assert missing.code == 2 and "nowhere" in missing.line and not missing.run.path.exists()
    remote = fit("--init", "https://example.org/run")
    assert remote.code == 2 and "local folders only" in remote.line and not remote.run.path.exists()
