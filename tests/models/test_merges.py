"""How a long skip joins: each merge by its formula."""

import pytest
import torch
from torch import nn

from unetseg.models.merges import MERGES

UP, SKIP = 6, 4


@pytest.fixture
def joining():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, UP, 5, 7, generator=generator), torch.randn(2, SKIP, 5, 7, generator=generator)


@pytest.mark.parametrize("name", MERGES)
def test_a_merge_has_the_channels_that_it_announces(name, joining):
    merge = MERGES[name](UP, SKIP)
    assert merge(*joining).shape == (2, merge.out_channels, 5, 7)


def test_added_features_are_projected_only_where_channels_differ(joining):
    up, skip = joining
    merge = MERGES["add"](UP, SKIP)
    projected = torch.einsum("oi,nihw->nohw", merge.project.weight[:, :, 0, 0], skip)
    assert torch.allclose(merge(up, skip), up + projected, atol=1e-6)
    same = MERGES["add"](SKIP, SKIP)
    assert list(same.parameters()) == []
    assert torch.equal(same(up[:, :SKIP], skip), up[:, :SKIP] + skip)


@pytest.mark.parametrize(("bias", "taken"), [(-100.0, "up"), (100.0, "skip"), (0.0, "both")])
def test_a_gate_takes_the_skip_or_what_comes_from_below(bias, taken, joining):
    up, skip = joining
    merge = MERGES["gate"](UP, SKIP)
    nn.init.zeros_(merge.gate.weight)
    nn.init.constant_(merge.gate.bias, bias)
    projected = merge.project(skip)
    expected = {"up": up, "skip": projected, "both": (up + projected) / 2}[taken]
    assert torch.allclose(merge(up, skip), expected, atol=1e-6)


def test_a_gate_looks_at_both(joining):
    up, skip = joining
    merge = MERGES["gate"](UP, SKIP)
    joined = torch.cat([up, merge.project(skip)], dim=1)
    for changed in range(joined.shape[1]):
        other = joined.clone()
        other[:, changed] += 1
        assert not torch.equal(merge.gate(other), merge.gate(joined))


def test_attention_weighs_each_pixel_of_the_skip_alike_in_all_channels(joining):
    up, skip = joining
    merge = MERGES["attention"](UP, SKIP)
    joined = merge(up, skip)
    assert torch.equal(joined[:, :UP], up)
    weights = joined[:, UP:] / skip
    assert torch.allclose(weights, weights[:, :1].expand_as(weights), atol=1e-5)
    assert weights.min() > 0 and weights.max() < 1
    assert torch.allclose(weights[:, 0], by_hand(merge, up, skip), atol=1e-5)


def by_hand(merge, up, skip):
    """Additive attention, pixel by pixel: σ(ψᵀ relu(W_up·up + b + W_skip·skip) + b)."""
    from_up, from_skip, last = merge.from_up, merge.from_skip, merge.weight
    weights = torch.empty(up.shape[0], *up.shape[2:])
    for n, y, x in torch.cartesian_prod(*(torch.arange(size) for size in weights.shape)):
        inner = from_up.weight[:, :, 0, 0] @ up[n, :, y, x] + from_up.bias
        inner = (inner + from_skip.weight[:, :, 0, 0] @ skip[n, :, y, x]).clamp(min=0)
        weights[n, y, x] = 1 / (1 + torch.exp(-(last.weight[0, :, 0, 0] @ inner + last.bias[0])))
    return weights.detach()
