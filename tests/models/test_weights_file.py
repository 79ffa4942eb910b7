"""Encoder weights from a local file: whatever wraps them, they arrive; what does not fit is told."""

import shutil

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

from unetseg.cli import main
from unetseg.config import RunConfig, from_mapping
from unetseg.errors import UnetsegError, UsageError
from unetseg.models.encoder import build_encoder
from unetseg.models.pretrained import normalisation_of
from unetseg.models.weights_file import adapted
from unetseg.studies.plan import make_plan
from unetseg.studies.study_file import parse_study, study_yaml

RESNET = "tu-test_resnet"
FLAT = "tu-test_convnext"  # whose feature extractor writes stages_0 for stages.0


@pytest.fixture(scope="module")
def resnet():
    """Weights of a tiny resnet by timm's names, with a head."""
    torch.manual_seed(7)
    return timm.create_model("test_resnet").state_dict()


def wrapped(state, prefix):
    return {f"{prefix}{name}": value for name, value in state.items()}


def build(path, **changes):
    return build_encoder(RunConfig(**{"encoder": RESNET, "weights": str(path), **changes}))


@pytest.mark.parametrize(
    ("prefix", "keys"),
    [
        ("", ()),
        ("module.", ("state_dict",)),
        ("model.encoder.", ("epoch", "model")),
        ("encoder.", ("a", "b")),
    ],
)
def test_a_torch_file_is_unwrapped(tmp_path, resnet, prefix, keys):
    content = wrapped(resnet, prefix)
    for key in reversed(keys):
        content = {key: content, "other": 3, "first": {"of": torch.zeros(2)}}
    torch.save(content, tmp_path / "weights.pth")
    encoder = build(tmp_path / "weights.pth")
    loaded = encoder.state_dict()
    assert all(torch.equal(value, resnet[name.removeprefix("model.")]) for name, value in loaded.items())
    assert f" tensors of {RESNET}" in encoder.origin
    assert f"left out: {prefix}fc.bias, {prefix}fc.weight" in encoder.origin
    assert (f"prefix '{prefix}' dropped" in encoder.origin) == bool(prefix)


def test_a_safetensors_file_of_timm_reaches_an_encoder_that_names_its_stages_otherwise(tmp_path):
    torch.manual_seed(3)
    state = timm.create_model(FLAT.removeprefix("tu-")).state_dict()
    save_file(state, tmp_path / "model.safetensors")
    loaded = build(tmp_path / "model.safetensors", encoder=FLAT).state_dict()
    assert torch.equal(loaded["model.stages_1.blocks.0.norm.bias"], state["stages.1.blocks.0.norm.bias"])


def test_the_weights_of_another_encoder_are_refused_with_some_names(tmp_path, resnet):
    torch.save(resnet, tmp_path / "weights.pth")
    with pytest.raises(
        UnetsegError, match=r"holds \d+ of the \d+ tensors of tu-test_conv.*; it lacks .*; it has "
    ) as raised:
        build(tmp_path / "weights.pth", encoder=FLAT)
    assert "\n" not in str(raised.value)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"state_dict": print}, tmp_path / "weights.pth")
    with pytest.raises(UnetsegError, match="tensors and plain values alone"):
        build(tmp_path / "weights.pth")


def test_what_a_run_is_depends_on_the_content_and_not_on_the_place(tmp_path):
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / name).write_bytes(content)
    a, b, c = (RunConfig(encoder="resnet18", weights=str(tmp_path / name)) for name in "abc")
    assert a.identity() == b.identity() != c.identity()
    (tmp_path / "a").unlink()  # it is needed no more to know what the run is
    assert (
        from_mapping({"weights": a.weights, "encoder": "resnet18"}, "config.yaml").identity() == b.identity()
    )


def test_a_file_that_changed_since_is_no_longer_taken(tmp_path, resnet):
    torch.save(resnet, tmp_path / "weights.pth")
    config = RunConfig(encoder=RESNET, weights=str(tmp_path / "weights.pth"))
    (tmp_path / "weights.pth").write_bytes(b"other")
    with pytest.raises(UsageError, match="is no longer the file that was meant"):
        build_encoder(config)


def test_a_wrong_name_is_answered_with_the_right_one():
    with pytest.raises(UsageError, match=r"give imagenet, none, or a file .*did you mean 'imagenet'"):
        RunConfig(encoder="resnet18", weights="imagnet")


def test_the_normalisation_is_the_encoders_own(tmp_path):
    (tmp_path / "weights").write_bytes(b"of any")
    tiny, usual = (
        normalisation_of(RunConfig(encoder=name, weights=str(tmp_path / "weights")))
        for name in (RESNET, "tu-resnet18")
    )
    assert tiny.mean == tiny.deviation == (0.5, 0.5, 0.5)
    assert usual.mean == (0.485, 0.456, 0.406)
    assert normalisation_of(RunConfig(encoder=RESNET)) is None


def test_a_first_convolution_for_colours_serves_other_channels_too():
    colours = torch.rand(4, 3, 5, 5)
    one, five = (adapted(colours, torch.empty(4, count, 5, 5)) for count in (1, 5))
    assert torch.equal(one, colours.sum(1, keepdim=True))
    assert torch.allclose(five, colours[:, [0, 1, 2, 0, 1]] * 3 / 5)


def test_a_net_of_other_channels_takes_the_weights_of_colours(resnet, tmp_path):
    torch.save(resnet, tmp_path / "weights.pth")
    config = RunConfig(encoder=RESNET, weights=str(tmp_path / "weights.pth"))
    first = build_encoder(config, in_channels=1).state_dict()["model.conv1.0.weight"]
    assert torch.equal(first, resnet["conv1.0.weight"].sum(1, keepdim=True))


def test_a_run_needs_the_file_no_more_once_it_is_trained(fit, resnet, discs, tmp_path):
    file = tmp_path / "first.safetensors"
    save_file(resnet, file)
    trained = fit(
        "--encoder", RESNET, "--weights", str(file), "--stages", "5", "--size", "32", "--epochs", "1"
    )
    assert trained.code == 0, trained.err
    assert "normalise mean 0.5, 0.5, 0.5; deviation 0.5, 0.5, 0.5" in trained.out
    file.unlink()
    kept = torch.load(trained.run.best, weights_only=True)["inference"]["preprocessing"]
    assert kept["mean"] == kept["deviation"] == [0.5, 0.5, 0.5]
    assert main(["export", "run", "--format", "safetensors", "-o", "net.safetensors"]) == 0
    assert b"first.safetensors" not in (tmp_path / "net.safetensors").read_bytes()
    assert main(["predict", str(discs / "images/test0.png"), "-o", "masks", "--run", "net.safetensors"]) == 0
    assert main(["evaluate", "run"]) == 0


def test_arms_of_a_study_are_known_by_the_content_of_their_files(resnet, tmp_path):
    torch.save(resnet, tmp_path / "a")
    shutil.copyfile(tmp_path / "a", tmp_path / "b")
    studies = [
        parse_study(
            {
                "base": {"encoder": RESNET},
                "arms": {"scratch": {}, "pretrained": {"weights": str(tmp_path / name)}},
                "seeds": 1,
            },
            "study",
            "study.yaml",
        )
        for name in ("a", "b")
    ]
    text = study_yaml(studies[0])
    (tmp_path / "a").unlink()
    again = parse_study(yaml.safe_load(text), "study", "study.yaml")
    first, second = (make_plan(study, tmp_path / "study") for study in (again, studies[1]))
    assert [t.config.identity() for t in first.trials()] == [t.config.identity() for t in second.trials()]
