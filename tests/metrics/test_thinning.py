"""Skeletons made from the border inwards are scikit-image's, to the pixel."""

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import gaussian_filter
from skimage.morphology import skeletonize

from unetseg.metrics import mask_pair, thinning
from unetseg.metrics.thinning import skeleton, skeleton_again, thin_from_border

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.booleans())


def same(mask):
    return np.array_equal(thin_from_border(mask), skeletonize(mask))


def blobs(side, seed):
    return gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), side / 20) > 0


def test_a_pixel_goes_or_stays_as_scikit_image_has_it_whatever_its_neighbours_are():
    for number in range(512):
        assert same(np.array([number >> bit & 1 for bit in range(9)], bool).reshape(3, 3)), number


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_any_mask_thins_to_the_same_pixels(mask):
    assert same(mask)


@settings(max_examples=25, deadline=None)
@given(MASKS, st.integers(2, 6))
def test_any_mask_of_solid_parts_thins_to_the_same_pixels(mask, factor):
    assert same(mask.repeat(factor, 0).repeat(factor, 1))


@pytest.mark.parametrize(
    "mask",
    [
        np.ones((40, 31), bool),  # the image's border is everywhere
        np.zeros((5, 7), bool),
        np.zeros((0, 7), bool),
        np.ones((1, 9), bool),
        np.pad(np.zeros((9, 9), bool), 20, constant_values=True),  # a ring round a hole
        blobs(160, 0),
        blobs(256, 1),
    ],
)
def test_shapes_thin_to_the_same_pixels(mask):
    assert same(mask)


def test_many_objects_thin_as_each_would_alone():
    canvas = np.zeros((300, 300), np.uint8)
    for index in range(40):
        cv2.circle(canvas, (7 + index * 53 % 290, 9 + index * 31 % 290), 3 + index % 11, 1, -1)
    assert same(canvas > 0)


def test_a_mask_may_be_a_view_of_another_and_stays_as_it_was():
    whole = blobs(200, 2)
    view = whole[10:-10:2, 5:150].T
    before = whole.copy()
    assert same(view)
    assert np.array_equal(whole, before)


def test_solid_shapes_are_thinned_from_the_border_and_others_by_the_library(monkeypatch):
    asked = []
    monkeypatch.setattr(thinning, "skeletonize", lambda mask: asked.append(mask.shape) or skeletonize(mask))
    texture = np.random.default_rng(3).random((300, 300)) > 0.5
    for mask in (blobs(300, 4), texture, blobs(80, 5)):
        assert np.array_equal(skeleton(mask), skeletonize(mask))
    assert asked == [(300, 300), (80, 80)]  # the texture, the small mask


def test_scores_of_a_pair_use_these_skeletons():
    pair = mask_pair(blobs(300, 6), blobs(300, 7))
    assert np.array_equal(pair.prediction_skeleton, skeletonize(pair.prediction))
    assert np.array_equal(pair.ground_truth_skeleton, skeletonize(pair.ground_truth))


@settings(max_examples=60, deadline=None)
@given(MASKS, st.integers(0, 3), st.integers(0, 3))
def test_a_skeleton_that_is_kept_is_that_of_the_mask_wherever_it_is_cropped(mask, before, after):
    wider = np.pad(mask, ((before, after), (after, before)))
    for each in (mask, wider, mask):
        assert np.array_equal(skeleton_again(each), skeletonize(each))


def test_a_ground_truth_is_thinned_once_for_all_its_predictions(monkeypatch):
    thinned = []
    monkeypatch.setattr(thinning, "skeleton", lambda mask: thinned.append(mask.shape) or skeletonize(mask))
    truth, predictions = blobs(90, 7), [blobs(90, 8), np.zeros((90, 90), bool)]
    found = [mask_pair(each, truth) for each in predictions]
    cropped = [np.pad(pair.ground_truth_skeleton, 1).sum() for pair in found]
    assert cropped == [skeletonize(truth).sum()] * 2
    assert len(thinned) == 1


def test_what_is_kept_is_bounded_and_the_latest_stays(monkeypatch):
    monkeypatch.setattr(thinning, "_KEPT_BYTES", 3000)
    monkeypatch.setattr(thinning, "_kept", type(thinning._kept)())
    for seed in range(10):
        skeleton_again(blobs(90, seed))
        assert sum(each.nbytes for each in thinning._kept.values()) <= 3000
    assert len(thinning._kept) == 2
