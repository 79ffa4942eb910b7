"""A skip that is off is proved off by behaviour: perturb its level, and no bit of the output may change."""

import itertools
from functools import cache

import pytest
import segmentation_models_pytorch as smp
import torch

from unetseg.config import CONTROLS, MERGES, SHORTS, RunConfig
from unetseg.errors import UsageError
from unetseg.models import unet
from unetseg.models.encoder import build_encoder
from unetseg.models.initialise import initialise
from unetseg.models.unet import build_model
from unetseg.skip_levels import select_levels

FAMILIES = ("basic", "resnet18", "mit_b0", "densenet121")
LIBRARY_FAMILIES = FAMILIES[1:]


def network(encoder: str, **changes):
    return build_model(RunConfig(encoder=encoder, **changes)).eval()


@cache
def encoder_of(name: str, short: str):
    return build_encoder(RunConfig(encoder=name, short=short)).eval()


@cache
def features_of(name: str, short: str = "residual"):
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return encoder_of(name, short)(image)


@pytest.fixture
def shared_encoders(monkeypatch):
    """Build each encoder once: the decoders under test differ, no encoder."""
    monkeypatch.setattr(unet, "build_encoder", lambda config, *_: encoder_of(config.encoder, config.short))


def changed_levels(model, features):
    """Return the levels whose perturbation changes the output by at least one bit."""
    with torch.no_grad():
        before = model.decoder(features)
        changed = set()
        for level in model.levels:
            perturbed = list(features)
            perturbed[level] = features[level] + torch.randn_like(features[level])
            if not torch.equal(model.decoder(perturbed), before):
                changed.add(level)
    return changed


@pytest.mark.usefixtures("shared_encoders")
@pytest.mark.parametrize(("encoder", "control"), list(itertools.product(FAMILIES[:3], CONTROLS)))
def test_output_depends_on_a_level_exactly_if_it_is_on(encoder, control):
    levels = network(encoder).levels
    settings = ["on", "off", *(str(level) for level in levels), *(f"^{level}" for level in levels)]
    if encoder in LIBRARY_FAMILIES:  # which differ from ours in the channels alone
        settings = ["on", "off", str(levels[0]), str(levels[-1]), f"^{levels[1]}"]
    for skips in settings:
        model = network(encoder, skips=skips, control=control)
        expected = select_levels(skips, levels, encoder)
        assert changed_levels(model, features_of(encoder)) == expected, f"{encoder} {control} --skips {skips}"


@pytest.mark.usefixtures("shared_encoders")
@pytest.mark.parametrize(("merge", "control"), list(itertools.product(MERGES[1:], CONTROLS)))
def test_so_it_does_whatever_the_merge(merge, control):
    for skips in ("on", "1,3", "^1"):
        model = network("basic", skips=skips, control=control, merge=merge)
        assert changed_levels(model, features_of("basic")) == model.active_levels
    model = network("resnet18", skips="1,3", control=control, merge=merge)
    assert changed_levels(model, features_of("resnet18")) == {1, 3}


@pytest.mark.usefixtures("shared_encoders")
@pytest.mark.parametrize("short", SHORTS)
def test_so_it_does_whatever_the_short_skip(short):
    for skips, expected in (("on", {0, 1, 2, 3}), ("1", {1}), ("off", set())):
        model = network("basic", skips=skips, short=short, short_decoder=True)
        assert changed_levels(model, features_of("basic", short)) == expected


@pytest.mark.usefixtures("shared_encoders")
@pytest.mark.parametrize("encoder", [*LIBRARY_FAMILIES, "vgg11"])
def test_weights_start_equal_and_load_both_ways_between_ours_and_smp(encoder):
    ours = network(encoder)
    theirs = smp.Unet(encoder, encoder_weights=None).eval()
    initialise(theirs.decoder, seed=0, prefix="decoder")
    first = theirs.decoder.state_dict()
    assert all(torch.equal(first[name], value) for name, value in ours.decoder.state_dict().items())
    theirs.load_state_dict(ours.state_dict(), strict=True)
    image = torch.randn(2, 3, 32, 64)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image), atol=1e-6)
    again = network(encoder, seed=7)
    again.load_state_dict(theirs.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(again(image), ours(image))


@pytest.mark.usefixtures("shared_encoders")
@pytest.mark.parametrize("encoder", FAMILIES)
def test_equal_shapes_start_with_equal_weights_in_all_arms(encoder):
    reference = network(encoder).state_dict()
    for control in CONTROLS:
        arm = network(encoder, skips="off", control=control).state_dict()
        shared = [name for name in arm if name in reference and arm[name].shape == reference[name].shape]
        assert sum(name.startswith("decoder") for name in shared) >= 10 or control == "widen"
        assert all(torch.equal(arm[name], reference[name]) for name in shared)


def test_another_seed_gives_other_weights():
    first, second = network("basic").state_dict(), network("basic", seed=1).state_dict()
    convolutions = [name for name in first if first[name].ndim == 4]
    assert not any(torch.equal(first[name], second[name]) for name in convolutions)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoder": "resnet18"},
        {"merge": "add", "short": "plain"},
        {"merge": "gate", "short": "highway", "short_decoder": True},
        {"merge": "attention", "short": "preactivation"},
        {"short": "dense", "short_decoder": True},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())) or "default",
)
def test_no_parameter_is_left_without_a_gradient(changes, control):
    model = build_model(RunConfig(skips="1", control=control, **changes)).train()
    model(torch.randn(2, 3, 64, 64)).sum().backward()
    assert [name for name, value in model.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize("encoder", FAMILIES)
def test_any_image_size_keeps_its_size(encoder):
    model = network(encoder)
    with torch.no_grad():
        assert model(torch.randn(1, 3, 64, 96)).shape == (1, 1, 64, 96)


def test_level_zero_exists_only_in_our_own_encoder():
    assert network("basic").levels == [0, 1, 2, 3]
    assert network("resnet18").levels == [1, 2, 3, 4]
    assert network("mit_b0").levels == [2, 3, 4]


def test_a_level_that_is_not_there_is_refused_by_name():
    with pytest.raises(UsageError, match=r"mit_b0 has no level 1; its levels are 2, 3, 4"):
        network("mit_b0", skips="1,2")
