"""Pretrained weights from a hub's cache that the test draws, and what is said where there is none."""

import json
import socket

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import encoders, get_encoder

from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.errors import UnetsegError, UsageError
from unetseg.models.encoder import build_encoder
from unetseg.models.unet import build_model

RESNET18 = encoders["resnet18"]["pretrained_settings"]["imagenet"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, beside a hub that refuses every connection."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        yield tmp_path / "hub"


@pytest.fixture
def no_waiting(monkeypatch):
    """Make a pause between two tries an error."""

    def refuse(seconds):
        raise AssertionError(f"waits {seconds} s to try again")

    monkeypatch.setattr("time.sleep", refuse)


@pytest.fixture
def stored(cache):
    """Weights of a resnet18, as huggingface_hub lays them down after a download."""
    torch.manual_seed(7)
    state = get_encoder("resnet18", weights=None).state_dict()
    folder = cache / f"models--{RESNET18['repo_id'].replace('/', '--')}" / "snapshots" / RESNET18["revision"]
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"mean": [0.485, 0.456, 0.406], "std": [0.2, 0.2, 0.2]}))
    save_file(state, folder / "model.safetensors")
    return folder, state


def test_weights_in_the_cache_reach_the_encoder_without_network(stored):
    encoder = build_model(RunConfig(encoder="resnet18", weights="imagenet")).encoder
    loaded = encoder.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in stored[1].items())


def test_without_pretrained_weights_the_encoder_is_another(stored):
    loaded = build_encoder(RunConfig(encoder="resnet18")).state_dict()
    assert not torch.equal(loaded["conv1.weight"], stored[1]["conv1.weight"])


@pytest.mark.parametrize("name", ["resnet18", "tu-resnet18"])
def test_offline_it_fails_at_once_and_says_how_to_get_the_file(cache, no_waiting, name):
    repository = "timm/resnet18.a1_in1k" if name.startswith("tu-") else "smp-hub/resnet18.imagenet"
    folder = cache / f"models--{repository.replace('/', '--')}"
    with pytest.raises(UnetsegError, match=f"hf download {repository}.*cache folder to {folder}") as raised:
        build_encoder(RunConfig(encoder=name, weights="imagenet"))
    assert "\n" not in str(raised.value)


def test_offline_the_command_line_prints_one_line_and_begins_nothing(
    cache, no_waiting, discs, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    flags = ["--encoder", "resnet18", "--weights", "imagenet", "-o", "run"]
    assert main(["fit", "--data", str(discs), *flags]) == 1
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_damaged_file_in_the_cache_is_named(stored):
    weights = stored[0] / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UnetsegError, match=f"after deleting {stored[0].parents[1]}"):
        build_encoder(RunConfig(encoder="resnet18", weights="imagenet"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dpn92", r"smp has for dpn92 only imagenet\+5k"),
        ("tu-seresnet18", "no weights of tu-seresnet18 on the hub"),
    ],
)
def test_an_encoder_without_such_weights_is_refused(cache, name, message):
    with pytest.raises(UsageError, match=message):
        build_encoder(RunConfig(encoder=name, weights="imagenet"))
