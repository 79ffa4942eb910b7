"""Another network in the place of a run's own sees the images, and their tiles, that the run's own sees."""

import numpy as np
import pytest
import torch
from torch import nn

from unetseg.inference.substitute import SubstitutePredictor


class Twice(nn.Module):
    """Returns a model's logits two times, and counts the pixels that it was given."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.stride = model.stride
        self.pixels = 0

    def forward(self, images):
        self.pixels += images[:, 0].numel()
        return torch.cat([self.model(images)] * 2, dim=1)


def test_a_whole_image_is_seen_once(predictor, picture):
    twice = Twice(predictor.model)
    (logits,) = SubstitutePredictor(predictor, twice).logits([picture(64, 96)])
    assert twice.pixels == 64 * 96  # and nothing to try the network out on
    expected = predictor.logits([picture(64, 96)])[0]
    assert np.array_equal(logits, np.concatenate([expected] * 2))


@pytest.mark.parametrize("pixels", [64**2, 10**6])
def test_a_large_image_is_cut_into_the_same_tiles(predictor, picture, pixels):
    predictor.whole_pixels = pixels
    expected = predictor.logits([picture(90, 150)])[0]
    substitute = SubstitutePredictor(predictor, Twice(predictor.model))
    assert substitute.tiling(90, 150) == predictor.tiling(90, 150)
    (logits,) = substitute.logits([picture(90, 150)])
    np.testing.assert_allclose(logits, np.concatenate([expected] * 2), atol=1e-6)
