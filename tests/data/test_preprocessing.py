"""One rule brings every image to the network and every logit back to the image's own size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetseg.data.preprocessing import Preprocessing, channel_statistics

PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["native", "longest:24", "longest:100"]))
def test_what_is_prepared_is_padded_to_the_stride_and_restored_to_its_own_size(height, width, scale):
    rule = Preprocessing(scale, *PLAIN)
    prepared = rule.prepare(noise(height, width), stride=16)
    assert prepared.shape[0] % 16 == prepared.shape[1] % 16 == 0
    assert rule.restore(prepared.transpose(2, 0, 1), height, width).shape == (3, height, width)


def test_at_native_scale_a_pixel_stays_in_its_place():
    image = noise(33, 50)
    rule = Preprocessing("native", *PLAIN)
    back = rule.restore(rule.prepare(image, 32).transpose(2, 0, 1), 33, 50)
    assert np.allclose(back.transpose(1, 2, 0) * 255, image)


@pytest.mark.parametrize(
    ("height", "width", "scaled"), [(200, 100, (50, 25)), (10, 20, (25, 50)), (1, 500, (1, 50))]
)
def test_the_longer_side_is_brought_to_the_given_length(height, width, scaled):
    rule = Preprocessing("longest:50", *PLAIN)
    assert rule.scaled_size(height, width) == scaled
    assert rule.scale_image(noise(height, width)).shape == (*scaled, 3)
    assert rule.scale_mask(noise(height, width)[..., 0]).shape == scaled


def test_scaling_a_mask_invents_no_label():
    mask = np.where(noise(60, 60)[..., 0] > 127, 7, 2).astype(np.uint8)
    assert set(np.unique(Preprocessing("longest:37", *PLAIN).scale_mask(mask))) <= {2, 7}


@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 9), st.sampled_from([4, 7, 16]))
def test_no_side_of_a_mask_is_preferred(height, width, seed, longest):
    mask = np.random.default_rng(seed).integers(0, 3, (height, width), dtype=np.uint8)
    rule = Preprocessing(f"longest:{longest}", *PLAIN)
    scaled = rule.scale_mask(mask)
    if longest < max(height, width):
        assert np.array_equal(rule.scale_mask(mask[:, ::-1])[:, ::-1], scaled)
        assert np.array_equal(rule.scale_mask(mask[::-1])[::-1], scaled)


@given(st.integers(1, 6), st.integers(0, 99), st.sampled_from([2, 3, 4]))
def test_a_smaller_mask_takes_the_class_that_covers_most_of_each_square(blocks, seed, factor):
    mask = np.random.default_rng(seed).integers(0, 3, (blocks * factor,) * 2, dtype=np.uint8)
    scaled = Preprocessing(f"longest:{blocks}", *PLAIN).scale_mask(mask)
    for row in range(blocks):
        for column in range(blocks):
            square = mask[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
            counts = np.bincount(square.ravel(), minlength=3)
            assert counts[scaled[row, column]] == counts.max()


def test_a_line_of_one_pixel_outlives_a_halving_and_void_stands_back():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, 3], mask[:, 6] = 1, 255
    scaled = Preprocessing("longest:4", *PLAIN).scale_mask(mask)
    assert scaled.tolist() == [[0, 1, 0, 0]] * 4


def test_centres_of_discs_stay_in_their_place():
    rows, columns = np.mgrid[:64, :64]
    rule = Preprocessing("longest:32", *PLAIN)
    offsets = []
    for seed in range(20):
        y, x, radius = np.random.default_rng(seed).uniform((20, 20, 6), (44, 44, 14))
        mask = ((rows - y) ** 2 + (columns - x) ** 2 < radius**2).astype(np.uint8)
        offsets.append(np.argwhere(rule.scale_mask(mask)).mean(0) - (np.argwhere(mask).mean(0) - 0.5) / 2)
    assert np.abs(np.mean(offsets, axis=0)).max() < 0.03


def test_image_and_mask_are_scaled_onto_each_other():
    mask = np.zeros((90, 60), np.uint8)
    mask[30:60, 20:40] = 255
    rule = Preprocessing("longest:45", *PLAIN)
    image = rule.scale_image(np.repeat(mask[..., None], 3, axis=2))
    assert (np.abs(image[..., 0].astype(int) - rule.scale_mask(mask)) <= 128).all()


def test_statistics_are_those_of_all_pixels_together():
    images = [noise(9, 5, seed) for seed in range(3)] + [noise(20, 11, 4)]
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    mean, deviation = channel_statistics(images)
    assert mean == pytest.approx(pixels.mean(axis=0), abs=1e-5)
    assert deviation == pytest.approx(pixels.std(axis=0), abs=1e-5)
    normalised = Preprocessing("native", mean, deviation).normalise(
        np.concatenate([i.reshape(1, -1, 3) for i in images], 1)
    )
    assert normalised.mean() == pytest.approx(0, abs=1e-3) and normalised.std() == pytest.approx(1, abs=1e-3)


def test_plain_values_out_and_in_again_are_the_same():
    rule = Preprocessing("longest:128", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert Preprocessing.from_dict(rule.to_dict()) == rule
