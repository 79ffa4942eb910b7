"""Images that are unlike the training's are told by their contrast and brightness."""

import numpy as np
import pytest

from unetseg.data.appearance import appearance_of, summary_of, unlike

TRAINING = summary_of([(0.8, -0.2), (1.0, 0.0), (1.2, 0.3)])


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        ([(1.0, 0.0), (0.5, -1.0), (2.2, 1.2)], ""),
        ([(0.125, 0.0), (0.125, 0.1)], "all images are unlike the training's: contrast 8 times lower"),
        (
            [(1.0, 0.0), (4.0, 0.0), (1.0, 2.0)],
            "2 of 3 images are unlike the training's: contrast 4 times higher, brighter by 2 of its pixels'",
        ),
        ([(0.0, -3.0)], "times lower, darker by 3 of its pixels' deviation"),
        ([], ""),
    ],
)
def test_what_lies_beyond_the_training_is_told(looks, told):
    found = unlike(TRAINING, looks)
    assert told in found and bool(told) == bool(found)


def test_a_look_is_of_all_channels():
    image = np.zeros((4, 6, 3), np.float32)
    image[..., 1] = 3
    assert appearance_of(image) == pytest.approx((2**0.5, 1.0))
