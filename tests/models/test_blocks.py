"""Blocks that differ in their short skip, and in nothing else."""

import pytest
import torch
from torch import nn

from unetseg.config import SHORTS, RunConfig
from unetseg.models.blocks import (
    HighwayBlock,
    PlainBlock,
    PreactivationBlock,
    ResidualBlock,
    build_stage,
    dense_growths,
    start_as_identity,
)
from unetseg.models.initialise import initialise
from unetseg.models.unet import build_model


def features(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def built(kind, *sizes):
    block = kind(*sizes)
    initialise(block, 0, "block")
    return block


@pytest.mark.parametrize("training", [True, False])
def test_a_preactivation_block_whose_last_weights_are_zero_is_exactly_the_identity(training):
    block = built(PreactivationBlock, 16, 16).train(training)
    nn.init.zeros_(block.conv2.weight)
    x = features(2, 16, 8, 8)
    assert torch.equal(block(x), x)


def test_a_residual_block_that_starts_as_the_identity_is_the_identity_of_activated_features():
    block = built(ResidualBlock, 16, 16)
    start_as_identity(block)
    x = features(2, 16, 8, 8)
    assert torch.equal(block(x), x.relu())


def test_without_what_it_transforms_each_block_is_its_shortcut():
    x = features(2, 16, 9, 9)
    for kind in (ResidualBlock, PreactivationBlock):
        block = built(kind, 16, 32, 2).eval()
        start_as_identity(block)
        shortcut = block.shortcut(x)
        assert shortcut.shape == (2, 32, 5, 5)
        assert torch.equal(block(x), shortcut.relu() if kind is ResidualBlock else shortcut)


def test_a_highway_block_carries_or_transforms_as_its_gates_say():
    x = features(2, 16, 8, 8)
    highway, plain = built(HighwayBlock, 16, 16).eval(), built(PlainBlock, 16, 16).eval()
    nn.init.zeros_(highway.gate.weight)
    nn.init.constant_(highway.gate.bias, -100.0)
    assert torch.allclose(highway(x), x)
    nn.init.constant_(highway.gate.bias, 100.0)
    assert torch.allclose(highway(x), plain(x), atol=1e-6)


def test_a_highway_block_starts_by_carrying():
    block = built(HighwayBlock, 16, 16)
    assert torch.equal(block.gate.bias, torch.full((16,), -2.0))
    assert block.gate(features(4, 16, 32, 32).relu()).mean() < 0.25


def test_a_dense_stage_keeps_its_input_up_to_the_transition():
    stage = built(build_stage, "dense", 16, 32, 2, 2).eval()
    x = features(1, 16, 8, 8)
    seen = []
    stage.transition.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    assert stage(x).shape == (1, 32, 4, 4)
    assert seen[0].shape[1] == 16 + sum(dense_growths(16, 32, 2))
    assert torch.equal(seen[0][:, :16], nn.functional.avg_pool2d(x, 2))


@pytest.mark.parametrize("short", SHORTS)
def test_a_residual_and_every_other_net_share_the_first_weights_of_equal_layers(short):
    reference = build_model(RunConfig(stages=3, blocks=2)).state_dict()
    arm = build_model(RunConfig(stages=3, blocks=2, short=short)).state_dict()
    convolutions = [name for name in reference if name.endswith(("conv1.weight", "conv2.weight"))]
    if short != "dense":
        assert len(convolutions) == 12 and set(convolutions) <= set(arm)
    shared = [name for name in arm if name in reference and arm[name].shape == reference[name].shape]
    assert "encoder.stem.0.weight" in shared
    assert all(torch.equal(arm[name], reference[name]) for name in shared)


@pytest.mark.parametrize("short", ["residual", "preactivation"])
def test_a_net_that_starts_as_the_identity_comes_alive(short):
    """The first step moves the zeroed layer, the second everything before it."""
    model = build_model(RunConfig(stages=2, short=short, zero_init=True)).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        model(features(2, 3, 16, 16)).square().mean().backward()
        optimiser.step()
    assert [name for name, value in model.named_parameters() if not value.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("short", SHORTS)
def test_thirty_two_blocks_a_stage_run(short):
    model = build_model(RunConfig(stages=2, blocks=32, short=short)).train()
    convolutions = [layer for layer in model.encoder.stages.modules() if isinstance(layer, nn.Conv2d)]
    assert sum(layer.kernel_size == (3, 3) for layer in convolutions) == 128
    assert torch.isfinite(model(features(2, 3, 16, 16))).all()


def test_the_short_skip_reaches_the_decoder_only_if_asked():
    def kinds(part, **changes):
        model = build_model(RunConfig(stages=2, short="highway", **changes))
        return {type(module) for module in getattr(model, part).modules()}

    assert HighwayBlock in kinds("encoder") and HighwayBlock not in kinds("decoder")
    assert HighwayBlock in kinds("decoder", short_decoder=True)
