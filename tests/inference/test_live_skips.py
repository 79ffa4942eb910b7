"""Skips turned down by hand: what the run itself, and its lesions, say of an image, whole or in tiles."""

import numpy as np
import pytest

from unetseg.errors import UsageError
from unetseg.inference.live_skips import LivePredictor
from unetseg.inference.loading import load_models
from unetseg.inference.substitute import SubstitutePredictor
from unetseg.models.lesioned_unet import LesionedUnet
from unetseg.models.replacements import shuffled, zeros


@pytest.mark.parametrize("pixels", [10**6, 48**2], ids=["whole", "in tiles"])
def test_at_one_it_is_the_run_and_at_nothing_its_lesion(make_run, picture, pixels):
    own = load_models([make_run(stages=3)], "cpu")
    own.whole_pixels, own.reach = pixels, 8
    live, image = LivePredictor(own), picture(60, 70)
    assert live.levels == [0, 1]
    assert np.array_equal(live.logits_with(image, {0: 1.0, 1: 1.0}), own.logits([image])[0])
    for level in (1, 0):
        lesioned = SubstitutePredictor(own, LesionedUnet(own.model, [frozenset({level})], shuffled))
        found = live.logits_with(image, {level: 0.0}, shuffled)
        assert np.array_equal(found, lesioned.logits([image])[0])


def test_the_encoder_runs_once_an_image(make_run, picture):
    own = load_models([make_run(stages=3)], "cpu")
    live, image = LivePredictor(own), picture(64, 64)
    calls = []
    live.logits_with(image, {})
    own.model.encoder.register_forward_hook(lambda *_: calls.append(1))
    for scale in (0.0, 0.5, 1.0):
        live.logits_with(image, {0: scale, 1: 1 - scale}, zeros)
    assert calls == []
    live.logits_with(picture(64, 64, 1), {})
    assert calls == [1]


def test_a_mean_of_several_runs_is_refused(make_run, run):
    with pytest.raises(UsageError, match="in one run"):
        LivePredictor(load_models([run, make_run()], "cpu"))
