"""Lesions and deleted blocks: the same logits as one network after the other, with the encoder run once."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch import nn

from unetseg.config import RunConfig
from unetseg.models.lesioned_unet import LesionedUnet
from unetseg.models.replacements import replace_by_means, shuffled, zeros
from unetseg.models.unet import build_model
from unetseg.probes.lesion.block_deletion import BlockDeletions, find_blocks, without_block
from unetseg.probes.lesion.feature_means import FeatureMeans

LEVELS = (0, 1, 2)
EVERY = [frozenset(each) for size in range(4) for each in combinations(LEVELS, size)]


def net(**settings):
    """A small network whose norms have seen something, so that no lesion is hidden by zeros."""
    model = build_model(RunConfig(**{"stages": 4, **settings}), 2)
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.randn(2, 3, 16, 24))
    return model.eval()


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))


def counting(module):
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


def one_by_one(model, images, lesions, replace):
    """The logits under each lesion, each by a pass of its own: the joined feature replaced in a hook."""
    found = []
    for lesion in lesions:
        features = [*model.features(images)]
        received = model.decoder.received(features)
        for level in lesion:
            received[level] = replace(level, received[level])
        x = model.decoder.center(received[-1])
        for level in model.decoder.levels:
            x = model.decoder.step(level, x, received)
        found.append(model.segmentation_head(x))
    return found


@pytest.mark.parametrize("settings", [{}, {"merge": "gate"}, {"short": "preactivation"}, {"skips": "0,2"}])
@torch.inference_mode()
def test_all_lesions_at_once_are_each_by_itself(settings, images):
    model = net(**settings)
    lesions = [each for each in EVERY if each <= model.active_levels]
    together = LesionedUnet(model, lesions, zeros)(images).split(2, dim=1)
    for ours, theirs in zip(together, one_by_one(model, images, lesions, zeros), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(together[0], model(images))


@torch.inference_mode()
def test_a_lesion_of_zeros_is_the_net_whose_skip_was_replaced_by_zeros(images):
    model = net()
    ablated = build_model(RunConfig(stages=4, skips="0,2", control="zero"), 2).eval()
    ablated.load_state_dict(model.state_dict())
    lesioned = LesionedUnet(model, [frozenset({1})], zeros)(images)
    assert torch.equal(lesioned, ablated(images))


@torch.inference_mode()
def test_the_encoder_runs_once_and_deep_blocks_are_shared(images):
    model = net()
    encoder, *blocks = [counting(part) for part in (model.encoder, *model.decoder.blocks)]
    LesionedUnet(model, EVERY, zeros)(images)
    assert len(encoder) == 1
    assert [len(calls) for calls in blocks] == [2, 4, 8]  # deepest first


@torch.inference_mode()
def test_the_means_are_those_of_all_positions_of_all_images(images):
    model = net()
    means = FeatureMeans(model)
    for image in images:
        means(image[None])
    features = model.features(images)
    for level in LEVELS:
        expected = features[level].numpy().astype(np.float64).mean(axis=(0, 2, 3))
        assert np.allclose(means.means[level], expected, atol=1e-6)
    replaced = replace_by_means(means.means)(1, features[1])
    assert replaced.shape == features[1].shape
    assert (replaced == replaced[:1, :, :1, :1]).all()


def test_shuffled_features_are_the_same_pixels_at_other_places():
    feature = torch.randn(2, 5, 6, 7)
    moved = shuffled(1, feature)
    for before, after in zip(feature, moved, strict=True):
        pixels, places = ({tuple(p) for p in each.flatten(1).T.tolist()} for each in (before, after))
        assert pixels == places
    assert not torch.equal(moved, feature)
    assert torch.equal(moved, shuffled(1, feature)) and not torch.equal(moved, shuffled(2, feature))


@pytest.mark.parametrize("short", ["plain", "residual", "preactivation", "highway"])
@torch.inference_mode()
def test_a_deleted_block_hands_on_its_input_and_comes_back(short, images):
    model = net(short=short, blocks=2)
    blocks, fixed = find_blocks(model)
    assert blocks == ["stages.0.0", *(f"stages.{stage}.1" for stage in range(4))]
    assert fixed == [f"stages.{stage}.0" for stage in (1, 2, 3)]
    whole = model(images)
    parts = BlockDeletions(model, blocks)(images).split(2, dim=1)
    assert torch.equal(parts[0], whole) and torch.equal(model(images), whole)
    model.encoder.stages[2][1] = nn.Identity()
    assert torch.equal(parts[1 + blocks.index("stages.2.1")], model(images))


def test_a_block_comes_back_after_an_error():
    model = net(blocks=2)
    block = model.encoder.stages[1][1]
    with pytest.raises(RuntimeError), without_block(model.encoder, "stages.1.1"):
        assert isinstance(model.encoder.stages[1][1], nn.Identity)
        raise RuntimeError
    assert model.encoder.stages[1][1] is block


@pytest.mark.parametrize(("settings", "count"), [({"encoder": "resnet18"}, 5), ({"short": "dense"}, 0)])
def test_which_encoders_have_blocks_to_delete(settings, count):
    assert len(find_blocks(build_model(RunConfig(**settings)).eval())[0]) == count
