"""Gradient norms against other ways to come by them."""

import pytest
import torch
from torch import nn

from unetseg.config import RunConfig
from unetseg.models.gradient_flow import Arrival, GradientFlow, flow_from_rows, gradient_flow
from unetseg.models.unet import build_model


def batch(size=32):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, size, size, generator=generator)
    target = (torch.rand(2, 1, size, size, generator=generator) < 0.2).float()
    return images, lambda logits: nn.functional.binary_cross_entropy_with_logits(logits, target)


def network(**changes):
    return build_model(RunConfig(**{"stages": 3, **changes})).train()


VARIANTS = [
    {},
    {"short": "preactivation", "skips": "^1", "merge": "add"},
    {"short": "highway", "short_decoder": True, "merge": "gate", "control": "zero", "skips": "0"},
    {"short": "dense", "merge": "attention"},
    {"encoder": "resnet18", "control": "self", "skips": "2,3"},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_norms_are_those_of_an_ordinary_backward_pass(changes):
    images, loss = batch()
    flow = gradient_flow(network(**changes), images, loss)
    model = network(**changes)
    loss(model(images)).backward()
    layers = {
        name: layer.weight.grad.norm().item()
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    }
    assert flow.layers.keys() == layers.keys()
    assert flow.layers == pytest.approx(layers, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("changes", VARIANTS[:4], ids=str)
def test_what_a_skip_brings_is_what_is_missing_without_it(changes):
    """Cut each way in turn, by hand: one stage's features go to the decoder or to the next stage only."""
    images, loss = batch()
    model = network(**changes)
    flow = gradient_flow(model, images, loss)
    for level in model.levels:
        for way in ("by_skip", "by_depth"):
            features = model.encoder(images)
            stage = features[level].detach().requires_grad_()
            later = [stage if way == "by_depth" else stage.detach()]
            for further in model.encoder.stages[level + 1 :]:
                later.append(further(later[-1]))
            later[0] = stage if way == "by_skip" else stage.detach()
            decoded = model.decoder([*features[:level], *later])
            value = loss(model.segmentation_head(decoded))
            (gradient,) = torch.autograd.grad(value, stage, allow_unused=True, materialize_grads=True)
            expected = pytest.approx(gradient.norm().item(), rel=1e-3, abs=1e-9)
            assert getattr(flow.levels[level], way) == expected, (level, way)


def test_nothing_comes_by_a_skip_that_is_off():
    flow = gradient_flow(network(skips="1"), *batch())
    assert flow.levels[0].by_skip == 0 and flow.levels[0].by_depth > 0
    assert flow.levels[1].by_skip > 0
    assert flow.levels[0].share == 0 and 0 < flow.levels[1].share < 1


def test_layers_come_in_the_order_of_the_forward_pass():
    model = network(merge="attention")
    names = list(gradient_flow(model, *batch()).layers)
    assert names[0] == "encoder.stem.0" and names[-1] == "segmentation_head.0"
    assert names.index("decoder.merges.1.from_up") < names.index("decoder.blocks.0.conv1.0")
    assert names.index("decoder.blocks.0.conv2.0") < names.index("decoder.merges.0.from_up")


def test_layers_that_get_no_gradient_are_dead():
    flow = gradient_flow(network(zero_init=True), *batch())
    inside = [f"encoder.stages.{level}.0.conv{number}" for level in range(3) for number in (1, 2)]
    assert flow.dead == inside


def test_a_plain_net_of_64_convolutions_explodes_where_a_residual_one_does_not():
    ratios = {
        short: gradient_flow(network(stages=4, blocks=8, short=short), *batch()).first_to_last
        for short in ("plain", "residual", "preactivation", "dense")
    }
    assert ratios.pop("plain") > 1000
    assert max(ratios.values()) < 100


def test_rows_and_back():
    flow = GradientFlow({"a": 1e-12, "b": 0.1}, {0: Arrival(0.25, 0.0), 2: Arrival(1 / 3, 5.0)})
    rows = [{key: str(value) for key, value in row.items()} for row in flow.rows()]
    assert flow_from_rows(rows) == flow


def test_a_network_keeps_neither_hooks_nor_gradients():
    model = network()
    gradient_flow(model, *batch())
    assert all(not layer._forward_pre_hooks for layer in model.modules())
    assert all(value.grad is None for value in model.parameters())
