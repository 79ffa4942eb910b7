"""Arms are of equal size where they claim to be."""

from functools import cache

import pytest
import torch

from unetseg.config import MERGES, SHORTS, RunConfig
from unetseg.models.blocks import build_stage
from unetseg.models.cost import measure_cost
from unetseg.models.hardware import Hardware
from unetseg.models.unet import build_model
from unetseg.models.widen import decoder_cost
from unetseg.probes.speed import MEASURED, WARM_UP, activation_bytes, time_passes

SIZE = 32


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@cache
def cost(**changes):
    return measure_cost(build_model(RunConfig(**changes)), SIZE)


@pytest.mark.parametrize("control", ["zero", "self"])
def test_stand_ins_keep_the_parameter_count(control):
    assert cost(skips="off", control=control).parameters == cost().parameters


@pytest.mark.parametrize("encoder", ["basic", "resnet18", "mit_b0"])
@pytest.mark.parametrize("skips", ["off", "^3", "3"])
def test_a_widened_net_has_the_parameters_of_the_full_one_within_one_percent(encoder, skips):
    full, widened = cost(encoder=encoder), cost(encoder=encoder, skips=skips, control="widen")
    assert widened.parameters == pytest.approx(full.parameters, rel=0.01)
    assert widened.parameters > cost(encoder=encoder, skips=skips).parameters


@pytest.mark.parametrize("skips", ["^0", "^1"])
def test_where_parameters_hardly_change_the_multiply_adds_are_matched_within_two_percent(skips):
    full, dropped = cost(), cost(skips=skips)
    assert dropped.parameters > 0.99 * full.parameters, "else parameters would be matched"
    assert cost(skips=skips, control="widen").gmacs == pytest.approx(full.gmacs, rel=0.02)


@pytest.mark.parametrize("skips", ["on", "1"])
@pytest.mark.parametrize("merge", MERGES)
def test_what_widening_counts_is_what_torch_counts(merge, skips):
    model = build_model(RunConfig(merge=merge, skips=skips, short="preactivation", short_decoder=True))
    counted, multiply_adds = decoder_cost(model.decoder, 1)
    assert counted == parameters(model.decoder) + parameters(model.segmentation_head)
    whole, first_half = measure_cost(model, SIZE).gmacs, measure_cost(_EncoderOnly(model.encoder), SIZE).gmacs
    assert multiply_adds * SIZE**2 / 1e9 == pytest.approx(whole - first_half)


@pytest.mark.parametrize("skips", ["off", "^0"])
@pytest.mark.parametrize("merge", MERGES[1:])
def test_widening_matches_the_full_net_of_the_same_merge(merge, skips):
    full, widened = cost(merge=merge), cost(merge=merge, skips=skips, control="widen")
    assert widened.parameters == pytest.approx(full.parameters, rel=0.01)
    if skips == "^0":
        assert widened.gmacs == pytest.approx(full.gmacs, rel=0.02)


@pytest.mark.parametrize("blocks", [1, 8])
def test_a_dense_net_has_the_parameters_of_the_residual_one(blocks):
    residual, dense = cost(blocks=blocks), cost(blocks=blocks, short="dense")
    assert dense.parameters == pytest.approx(residual.parameters, rel=0.05)
    assert dense.gmacs == pytest.approx(residual.gmacs, rel=0.05)


@pytest.mark.parametrize("width", [16, 48])
@pytest.mark.parametrize("blocks", [1, 3, 32])
def test_every_dense_stage_has_the_parameters_of_a_residual_one(width, blocks):
    for in_channels in (width, 2 * width):
        sizes = [
            sum(
                parameter.numel() for parameter in build_stage(short, in_channels, width, blocks).parameters()
            )
            for short in ("residual", "dense")
        ]
        assert sizes[1] == pytest.approx(sizes[0], rel=0.05)


def test_an_identity_costs_nothing_but_its_projections():
    plain, residual = cost(blocks=4, short="plain"), cost(blocks=4, short="residual")
    projections = sum(c * 2 * c + 2 * 2 * c for c in (16, 32, 64, 128))
    assert residual.parameters - plain.parameters == projections


def test_activations_are_what_autograd_keeps():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 5, 1)
    )
    image, hidden = (
        3 * SIZE**2,
        4 * SIZE**2,
    )  # both convolutions keep their input, the second that of the ReLU
    assert activation_bytes(model, SIZE) == 4 * (image + hidden)


def test_to_concatenate_all_layers_takes_more_memory_than_to_add_them():
    kept = {short: activation_bytes(build_model(RunConfig(blocks=4, short=short)), 32) for short in SHORTS}
    assert kept["dense"] > 1.5 * kept["residual"]
    assert kept["residual"] == pytest.approx(kept["plain"], rel=0.1)


def test_measuring_leaves_the_model_as_it_was():
    model = build_model(RunConfig(stages=2)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    activation_bytes(model, 16)
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_networks_that_are_timed_take_their_turn():
    models = [build_model(RunConfig(stages=2, short=short)) for short in ("plain", "residual")]
    turns = []
    for name, model in enumerate(models):
        model.register_forward_hook(lambda *_, name=name: turns.append(name))
    times = time_passes(models, torch.zeros(2, 3, 16, 16), Hardware("cpu", "float32", True))
    assert turns == [0, 1] * (WARM_UP + MEASURED)
    assert all(each.forward_ms > 0 and each.backward_ms > 0 for each in times)


class _EncoderOnly(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, images):
        return self.encoder(images)[-1]
