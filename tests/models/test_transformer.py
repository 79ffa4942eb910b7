"""The transformer at the bottleneck: layers, positions at any size, norms and identities."""

import pytest
import torch
from torch import nn

from unetseg.config import RunConfig
from unetseg.models.transformer import Transformer, TransformerLayer, head_count, positions
from unetseg.models.unet import build_model

CHANNELS = 64


@pytest.fixture
def tokens():
    return torch.randn(2, 12, CHANNELS, generator=torch.Generator().manual_seed(0))


def torch_layer(ours, pre):
    """Return torch's own encoder layer with the weights of ours."""
    theirs = nn.TransformerEncoderLayer(
        CHANNELS, ours.attention.heads, 4 * CHANNELS, dropout=0.0, batch_first=True, norm_first=pre
    )
    attention = ours.attention
    with torch.no_grad():
        parts = (attention.query, attention.key, attention.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
    for there, here in (
        (theirs.self_attn.out_proj, attention.output),
        (theirs.linear1, ours.mlp[0]),
        (theirs.linear2, ours.mlp[2]),
        (theirs.norm1, ours.norm1),
        (theirs.norm2, ours.norm2),
    ):
        there.load_state_dict(here.state_dict())
    return theirs.train()  # evaluation takes a fused path


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_layer_is_torchs_own(norm, tokens):
    torch.manual_seed(0)
    ours = TransformerLayer(CHANNELS, norm)
    nn.init.normal_(ours.norm1.weight)
    nn.init.normal_(ours.norm2.bias)
    assert torch.allclose(ours(tokens), torch_layer(ours, norm == "pre")(tokens), atol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_without_the_residual_connection_nothing_of_the_input_passes_a_dead_sublayer(norm, tokens):
    for residual in (True, False):
        layer = TransformerLayer(CHANNELS, norm, residual)
        for dead in (layer.attention.output, layer.mlp[2]):
            nn.init.zeros_(dead.weight)
            nn.init.zeros_(dead.bias)
        out = layer(tokens)
        if not residual:
            assert torch.equal(out, torch.zeros_like(out))
        elif norm == "pre":
            assert torch.equal(out, tokens)  # a clean identity path
        else:
            once = nn.functional.layer_norm(tokens, (CHANNELS,))
            assert torch.allclose(out, nn.functional.layer_norm(once, (CHANNELS,)), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 2)])
def test_any_size_keeps_its_shape(size):
    net = Transformer(CHANNELS, 2)
    x = torch.randn(2, CHANNELS, *size)
    assert net(x).shape == x.shape


def test_a_pixels_position_is_its_own_row_and_column_whatever_the_size():
    small, large = (positions(*size, 16, torch.device("cpu")) for size in ((3, 4), (6, 9)))
    assert torch.equal(small.view(3, 4, 16), large.view(6, 9, 16)[:3, :4])
    assert len(large.unique(dim=0)) == 6 * 9
    by_row, by_column = large.view(6, 9, 16).split(8, dim=2)
    assert (by_row == by_row[:, :1]).all() and (by_column == by_column[:1]).all()


def test_every_pixel_sees_every_other():
    net = Transformer(CHANNELS, 1)
    x = torch.randn(1, CHANNELS, 4, 4, requires_grad=True)
    net(x)[0, 0, 0, 0].backward()
    assert (x.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize(("channels", "heads"), [(16, 1), (64, 2), (96, 3), (80, 2), (512, 16)])
def test_heads_share_the_channels_out(channels, heads):
    assert head_count(channels) == heads


def test_arms_of_other_norms_and_identities_start_from_the_same_weights():
    base = RunConfig(stages=2, bottleneck="transformer", bottleneck_layers=2)
    states = [
        build_model(base.changed(norm=norm, bottleneck_residual=residual)).state_dict()
        for norm in ("pre", "post")
        for residual in ("on", "off")
    ]
    shared = states[2].keys()
    assert all(torch.equal(states[2][name], state[name]) for state in states for name in shared)
    plain = build_model(RunConfig(stages=2)).state_dict()
    assert all(torch.equal(plain[name], states[0][name]) for name in plain)


def test_it_stands_before_the_decoder_and_leaves_the_skips_alone():
    model = build_model(RunConfig(stages=3, bottleneck="transformer", bottleneck_layers=1)).eval()
    images = torch.randn(1, 3, 16, 16)
    plain, given = model.encoder(images), model.features(images)
    assert all(torch.equal(here, there) for here, there in zip(plain[:-1], given[:-1], strict=True))
    assert torch.equal(given[-1], model.bottleneck(plain[-1]))


def test_it_serves_encoders_of_the_libraries():
    config = RunConfig(encoder="resnet18", bottleneck="transformer", bottleneck_layers=1)
    assert build_model(config).eval()(torch.zeros(1, 3, 64, 96)).shape == (1, 1, 64, 96)
