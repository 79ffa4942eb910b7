"""Roughness on surfaces whose answer is known, and slices against the loss computed in other ways."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unetseg.config import RunConfig
from unetseg.errors import UnetsegError
from unetseg.models.unet import build_model
from unetseg.probes.landscape.surface import filter_normalised, passes, roughness, slice_landscape

LINE = np.linspace(-1, 1, 33)
POSITIONS = [-1.0, -0.5, 0.0, 0.5, 1.0]
heights = st.lists(
    st.floats(0, 100, allow_subnormal=False).map(lambda x: round(x, 3)), min_size=3, max_size=30
)


def network(**changes):
    return build_model(RunConfig(**{"stages": 2, **changes})).eval()


def batch(size=16):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, size, size, generator=generator)
    target = (torch.rand(2, 1, size, size, generator=generator) < 0.2).float()
    return images, lambda logits: nn.functional.binary_cross_entropy_with_logits(logits, target)


@pytest.mark.parametrize(
    "surface",
    [
        lambda x, y: x**2 + y**2,
        lambda x, y: 3 * (x - 0.4) ** 2 + 0.01 * y**2 + 7,
        lambda x, y: 1 - np.exp(-9 * (x**2 + y**2)),  # not convex
        lambda x, y: 2 * x - y,
        lambda x, y: 0 * x + 5,
    ],
    ids=["paraboloid", "long paraboloid", "saturating bowl", "slope", "constant"],
)
def test_a_single_valley_is_not_rough(surface):
    for angle in np.linspace(0, np.pi, 7):
        assert roughness(surface(LINE * np.cos(angle), LINE * np.sin(angle))) == pytest.approx(0, abs=1e-9)


def test_ripples_make_a_paraboloid_rougher_and_rougher():
    found = [roughness(LINE**2 + amplitude * np.cos(25 * LINE)) for amplitude in (0, 0.05, 0.1, 0.2, 0.5, 5)]
    assert found[0] == 0 and found == sorted(set(found)) and found[-1] > 0.8


def test_ripple_alone_is_nearly_as_rough_as_can_be():
    assert 0.9 < roughness(np.cos(np.pi * np.arange(33))) <= 1


def test_a_line_by_hand():
    assert roughness([4, 1, 2, 0, 3]) == pytest.approx(1 - (4 + 3 - 0) / (3 + 1 + 2 + 3))


@given(heights, st.floats(0.1, 50), st.floats(-50, 50))
def test_neither_scale_nor_offset_nor_sense_matters(losses, scale, offset):
    found = roughness(losses)
    if np.ptp(losses) > 0.01:  # else it is lost in the offset's rounding
        assert roughness([scale * value + offset for value in losses]) == pytest.approx(found, abs=1e-6)
    assert roughness(losses[::-1]) == pytest.approx(found, abs=1e-9)
    assert 0 <= found <= 1


@given(heights, heights)
def test_whatever_falls_and_then_rises_is_not_rough(left, right):
    assert roughness([*sorted(left, reverse=True), *sorted(right)]) == pytest.approx(0, abs=1e-9)


def test_rounding_is_no_ripple():
    values = np.float32(1.25) + np.float32(1.2e-7) * np.random.default_rng(0).integers(0, 2, 17)
    assert roughness(values) == 0


@pytest.mark.parametrize(
    "changes", [{}, {"encoder": "resnet18"}, {"zero_init": True, "short": "preactivation"}]
)
def test_each_filter_of_a_direction_is_as_long_as_the_networks_own(changes):
    model = network(**changes)
    direction = filter_normalised(model, 0)
    weights = dict(model.named_parameters())
    assert direction.keys() == {name for name, weight in weights.items() if weight.dim() > 1}
    for name, drawn in direction.items():
        assert drawn.shape == weights[name].shape and not drawn.requires_grad
        torch.testing.assert_close(
            drawn.flatten(1).norm(dim=1), weights[name].detach().flatten(1).norm(dim=1)
        )


def test_a_direction_is_the_same_draw_in_every_network():
    plain, residual = (filter_normalised(network(short=short, seed=1), 3) for short in ("plain", "residual"))
    assert plain.keys() < residual.keys()
    for name, drawn in plain.items():
        torch.testing.assert_close(drawn, residual[name])  # the same first weights, so even the same length
    other = filter_normalised(network(short="plain", seed=1), 4)
    for name, drawn in plain.items():
        assert abs(nn.functional.cosine_similarity(drawn.flatten(), other[name].flatten(), dim=0)) < 0.5


def test_a_surface_that_is_known():
    """The squared distance from the weights, to which biases would add if they moved."""
    torch.manual_seed(0)
    model = nn.Linear(6, 4)
    at_start = copy.deepcopy(model)
    eye = torch.eye(6)
    found = slice_landscape(model, eye, lambda out: (out - at_start(eye)).square().sum(), POSITIONS, 3)
    drawn = [filter_normalised(model, number)["weight"] for number in range(3)]
    for i, y in enumerate(POSITIONS):
        for j, x in enumerate(POSITIONS):
            expected = float((x * drawn[0] + y * drawn[1]).square().sum())
            assert found.plane[i][j] == pytest.approx(expected, rel=1e-4, abs=1e-9)
    length = float(at_start.weight.detach().square().sum())
    for line in found.lines:
        assert line == pytest.approx([x * x * length for x in POSITIONS], rel=1e-4, abs=1e-9)
    assert found.centre == pytest.approx(0, abs=1e-9) and found.roughness == [0, 0, 0]


def test_the_centre_is_the_loss_of_the_network_in_training():
    model, (images, loss) = network(), batch()
    found = slice_landscape(model, images, loss, POSITIONS, 2)
    assert found.centre == pytest.approx(float(loss(model.train()(images)).detach()), rel=1e-5)
    assert found.plane[2][2] == found.lines[0][2] == found.lines[1][2]


def test_every_point_is_the_loss_of_moved_weights():
    model, (images, loss) = network(), batch()
    found = slice_landscape(model, images, loss, POSITIONS, 3)
    moved = copy.deepcopy(model).train()
    with torch.no_grad():
        for name, step in filter_normalised(model, 0).items():
            moved.get_parameter(name).add_(-0.5 * step + filter_normalised(model, 1)[name])
    assert found.plane[4][1] == pytest.approx(float(loss(moved(images)).detach()), rel=1e-4)
    assert found.lines[0] == found.plane[2] and found.lines[1] == [row[2] for row in found.plane]
    assert found.lines[2] != found.lines[0]


def test_the_length_of_a_filter_before_a_norm_does_not_matter():
    images, loss = batch()
    model, longer = network(), network()
    with torch.no_grad():
        for convolution in (longer.encoder.stages[1][0].conv1, longer.encoder.stages[0][0].conv2):
            convolution.weight.mul_(20)
    left, right = (slice_landscape(each, images, loss, POSITIONS, 2) for each in (model, longer))
    np.testing.assert_allclose(left.plane, right.plane, rtol=1e-3)


def test_the_network_is_left_as_it_was():
    images, loss = batch()
    model = network()
    model.decoder.train()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    first = slice_landscape(model, images, loss, POSITIONS, 2)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(module.track_running_stats for module in model.modules() if isinstance(module, nn.BatchNorm2d))
    assert slice_landscape(model, images, loss, POSITIONS, 2) == first


def test_a_loss_that_is_not_finite_is_told_with_its_distance_and_leaves_the_network_as_it_was():
    images, _ = batch()
    model = network()
    with pytest.raises(UnetsegError, match="the loss is nan at distance 1; give a smaller --radius"):
        slice_landscape(model, images, lambda logits: logits.sum() * math.nan, POSITIONS, 2)
    assert not any(module.training for module in model.modules())
    assert all(module.track_running_stats for module in model.modules() if isinstance(module, nn.BatchNorm2d))


def test_as_many_passes_as_are_announced():
    (images, loss), calls = batch(), []
    slice_landscape(network(), images, loss, POSITIONS, 4, lambda: calls.append(1))
    assert len(calls) == passes(len(POSITIONS), 4) == 35
