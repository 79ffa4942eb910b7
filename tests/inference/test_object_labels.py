"""Objects that touch are told apart, and what is one object stays one."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from unetseg.inference.object_labels import DEFAULT_DEPTH, drop_small_objects, label_objects
from unetseg.metrics import mask_pair
from unetseg.metrics.structure import object_recall

RADII = st.integers(4, 14)
CHAINS = st.lists(st.lists(RADII, min_size=2, max_size=4), min_size=1, max_size=3)


def draw_chains(chains: list[list[int]]) -> np.ndarray:
    """Number discs in rows, each touching the one before it: no pixel lies between them."""
    numbers = np.zeros((34 * len(chains), 4 * 29), np.uint16)
    count = 0
    for row, radii in enumerate(chains):
        x = 0
        for radius in radii:
            count += 1
            x += radius
            disc = cv2.circle(np.zeros(numbers.shape, np.uint8), (x, 34 * row + 16), radius, 1, -1)
            numbers[(disc > 0) & (numbers == 0)] = count
            x += radius + 1
    return numbers


@settings(max_examples=60)
@given(CHAINS)
def test_discs_that_touch_are_found_where_connected_components_run_together(chains):
    truth = draw_chains(chains)
    mask = (truth > 0).astype(np.uint8)
    found = label_objects(mask, DEFAULT_DEPTH)

    def recall(numbers: np.ndarray | None) -> float:
        pair = mask_pair(mask, mask, ground_truth_instances=truth, prediction_instances=numbers)
        return object_recall(pair)

    assert recall(found) >= 0.95
    assert recall(None) <= 0.5


@given(st.integers(1, 60))
def test_a_disc_stays_one_object(radius):
    disc = cv2.circle(np.zeros((130, 130), np.uint8), (60, 64), radius, 1, -1)
    assert np.array_equal(label_objects(disc, DEFAULT_DEPTH), disc)


@settings(max_examples=200)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 2)),
    st.none() | st.integers(0, 2**32 - 1),
    st.floats(0, 2),
)
def test_every_pixel_is_of_one_object_that_is_connected_and_of_one_class(mask, seed, depth):
    distance = None
    if seed is not None:
        distance = np.random.default_rng(seed).integers(0, 256, mask.shape, dtype=np.uint8)
    objects = label_objects(mask, depth, distance)
    assert np.array_equal(objects > 0, mask > 0)
    assert {*np.unique(objects)} | {0} == {*range(objects.max(initial=0) + 1)}
    for number in range(1, objects.max(initial=0) + 1):
        assert len({*mask[objects == number]}) == 1
        assert label(objects == number)[1] == 1


def test_a_learned_distance_parts_what_the_outline_does_not():
    mask = np.zeros((12, 42), np.uint8)
    mask[1:11, 1:41] = 1
    distance = np.zeros(mask.shape, np.uint8)
    distance[1:11, 1:41] = np.abs(np.linspace(-200, 200, 40)).astype(np.uint8)[::-1]
    assert label_objects(mask, DEFAULT_DEPTH).max() == 1
    objects = label_objects(mask, 0.2, distance)
    assert objects.max() == 2
    assert np.array_equal(objects[5, 1:41], np.repeat([1, 2], 20))
    assert label_objects(mask, 0.9, distance).max() == 1


def test_two_classes_that_touch_are_two_objects():
    mask = np.repeat(np.array([[1, 1, 1, 2, 2, 2]], np.uint8), 4, axis=0)
    assert np.array_equal(label_objects(mask, DEFAULT_DEPTH), mask)


def test_small_objects_are_dropped_and_the_others_numbered_anew():
    objects = np.array([[1, 1, 0, 2, 3, 3, 3]], np.int32)
    assert drop_small_objects(objects, 2).tolist() == [[1, 1, 0, 0, 2, 2, 2]]
    assert drop_small_objects(objects, 9).tolist() == [[0] * 7]
