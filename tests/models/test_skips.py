"""A skip that is off is proved off by behaviour: perturb its level, and the output may not change by one bit."""

import itertools

import pytest
import segmentation_models_pytorch as smp
import torch

from unetseg.config import CONTROLS, RunConfig, select_levels
from unetseg.errors import UsageError
from unetseg.models.unet import build_model

FAMILIES = ("basic", "resnet18", "mit_b0", "densenet121")
LIBRARY_FAMILIES = FAMILIES[1:]


def network(encoder: str, **changes):
    return build_model(RunConfig(encoder=encoder, **changes)).eval()


@pytest.fixture(scope="module")
def features():
    """Features of one image by each encoder, computed once: the decoders under test differ, the encoder not."""
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return {encoder: network(encoder).encoder(image) for encoder in FAMILIES}


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


@pytest.mark.parametrize(("encoder", "control"), itertools.product(FAMILIES, CONTROLS))
def test_output_depends_on_a_level_exactly_if_it_is_on(encoder, control, features):
    levels = network(encoder).levels
    settings = ["on", "off", *(str(level) for level in levels), *(f"^{level}" for level in levels)]
    for skips in settings:
        model = network(encoder, skips=skips, control=control)
        expected = select_levels(skips, levels, encoder)
        assert changed_levels(model, features[encoder]) == expected, f"{encoder} {control} --skips {skips}"


@pytest.mark.parametrize("encoder", [*LIBRARY_FAMILIES, "vgg11"])
def test_weights_load_both_ways_between_ours_and_smp(encoder):
    ours = network(encoder)
    theirs = smp.Unet(encoder, encoder_weights=None).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    image = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image), atol=1e-6)
    again = network(encoder, seed=7)
    again.load_state_dict(theirs.state_dict(), strict=True)
    with torch.no_grad():
        assert torch.equal(again(image), ours(image))


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


@pytest.mark.parametrize("encoder", ["basic", "resnet18"])
@pytest.mark.parametrize("control", CONTROLS)
def test_no_parameter_is_left_without_a_gradient(encoder, control):
    model = build_model(RunConfig(encoder=encoder, skips="1", control=control)).train()
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
