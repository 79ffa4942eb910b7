"""Arms are of equal size where they claim to be."""

import pytest
import torch

from unetseg.config import RunConfig
from unetseg.models.cost import measure_cost
from unetseg.models.skips import decoder_cost
from unetseg.models.unet import build_model

SIZE = 96


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


def test_the_formula_behind_widening_counts_what_torch_counts():
    model = build_model(RunConfig())
    parameters, multiply_adds = decoder_cost(256, [16, 32, 64, 128], [128, 64, 32, 16], 1)
    parts = (model.decoder, model.segmentation_head)
    assert parameters == sum(p.numel() for part in parts for p in part.parameters())
    whole, first_half = measure_cost(model, SIZE).gmacs, measure_cost(_EncoderOnly(model.encoder), SIZE).gmacs
    assert multiply_adds * SIZE**2 / 1e9 == pytest.approx(whole - first_half)


class _EncoderOnly(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, images):
        return self.encoder(images)[-1]
