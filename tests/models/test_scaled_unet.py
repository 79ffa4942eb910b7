"""Long skips turned down by hand: at 1 the net itself, at 0 a lesion, and nothing runs that need not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unetseg.config import RunConfig
from unetseg.models.lesioned_unet import LesionedUnet
from unetseg.models.replacements import replace_by_means, shuffled, zeros
from unetseg.models.scaled_unet import ScaledUnet
from unetseg.models.unet import build_model

LEVELS = (0, 1, 2)
MEANS = {
    level: torch.randn(16 * 2**level, generator=torch.Generator().manual_seed(level)) for level in LEVELS
}
REPLACEMENTS = {"zeros": zeros, "mean": replace_by_means(MEANS), "shuffled": shuffled}


def net(**options):
    """A small network whose norms have seen something, so that no change is hidden by zeros."""
    model = build_model(RunConfig(**{"stages": 4, **options}), 2)
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.randn(2, 3, 16, 24))
    return model.eval()


def counting(module):
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.fixture(scope="module")
def model():
    return net()


@pytest.fixture(scope="module")
def images():
    return torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("options", [{}, {"merge": "gate"}, {"short": "preactivation"}, {"skips": "0,2"}])
@torch.inference_mode()
def test_with_every_skip_whole_it_is_the_net_itself(options, images):
    model = net(**options)
    scaled = ScaledUnet(model)
    assert torch.equal(scaled(images), model(images))
    scaled.scales = dict.fromkeys(LEVELS, 1.0)
    assert torch.equal(scaled(images), model(images))


@pytest.mark.parametrize("replace", REPLACEMENTS.values(), ids=REPLACEMENTS)
@pytest.mark.parametrize("level", LEVELS)
@torch.inference_mode()
def test_a_skip_at_nothing_is_its_lesion(model, images, replace, level):
    scaled = ScaledUnet(model)
    scaled.replace, scaled.scales = replace, {level: 0.0}
    assert torch.equal(scaled(images), LesionedUnet(model, [frozenset({level})], replace)(images))


@torch.inference_mode()
def test_a_skip_in_part_is_mixed_with_what_stands_in(model, images):
    scaled = ScaledUnet(model)
    scaled.replace, scaled.scales = shuffled, {1: 0.25}
    features = model.decoder.received(model.features(images))
    features[1] = 0.25 * features[1] + 0.75 * shuffled(1, features[1])
    x = model.decoder.center(features[-1])
    for level in model.decoder.levels:
        x = model.decoder.step(level, x, features)
    assert torch.equal(scaled(images), model.segmentation_head(x))


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(LEVELS), st.sampled_from((0.0, 0.3, 1.0)), st.sampled_from([*REPLACEMENTS])
        ),
        max_size=4,
    )
)
def test_what_was_kept_never_shows(model, images, moves):
    live, scales = ScaledUnet(model), dict[int, float]()
    with torch.inference_mode():
        for level, scale, name in moves:
            scales[level] = scale
            fresh = ScaledUnet(model)
            for each in (live, fresh):
                each.scales, each.replace = {**scales}, REPLACEMENTS[name]
            assert torch.equal(live(images), fresh(images))


@torch.inference_mode()
def test_the_encoder_runs_once_an_image_and_only_the_blocks_that_a_change_reaches(images):
    model = net()
    scaled = ScaledUnet(model)
    scaled(images)
    encoder, *blocks = [counting(part) for part in (model.encoder, *model.decoder.blocks)]
    scaled.scales = {0: 0.5}
    scaled(images)
    assert [len(calls) for calls in (encoder, *blocks)] == [0, 0, 0, 1]  # deepest block first
    scaled.scales = {0: 0.5, 2: 0.0}
    scaled(images)
    assert [len(calls) for calls in (encoder, *blocks)] == [0, 1, 1, 2]
    scaled(images + 1)
    assert [len(calls) for calls in (encoder, *blocks)] == [1, 2, 2, 3]


@torch.inference_mode()
def test_another_image_is_seen_and_nothing_of_the_last_one_is_left(model, images):
    scaled = ScaledUnet(model)
    scaled.scales = {1: 0.5}
    scaled(images)
    fresh = ScaledUnet(model)
    fresh.scales = {1: 0.5}
    assert torch.equal(scaled(images.flip(3)), fresh(images.flip(3)))
    scaled.forget()
    assert torch.equal(scaled(images.flip(3)), fresh(images.flip(3)))
