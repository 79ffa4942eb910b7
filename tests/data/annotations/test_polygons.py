"""Outlines of masks against shapely and SciPy: valid, of the right area, and the mask again when drawn."""

from itertools import product

import numpy as np
import pytest
import scipy.ndimage
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely.geometry import Polygon

from unetseg.data.annotations import polygons
from unetseg.data.annotations.polygons import mask_polygons


def outlines(mask: np.ndarray) -> list[Polygon]:
    return [Polygon(outer, holes) for outer, *holes in mask_polygons(mask)]


def draw(found: list[Polygon], height: int, width: int) -> np.ndarray:
    """Return how many polygons cover each pixel's middle."""
    y, x = np.mgrid[:height, :width] + 0.5
    return sum((shapely.contains_xy(polygon, x, y) for polygon in found), np.zeros((height, width), int))


def check(mask: np.ndarray) -> None:
    """Check all that ``mask_polygons`` promises of any mask."""
    found = outlines(mask)
    assert all(polygon.is_valid for polygon in found)
    assert np.array_equal(draw(found, *mask.shape), mask > 0)
    regions, count = scipy.ndimage.label(mask)  # by sides
    assert sorted(polygon.area for polygon in found) == sorted(np.bincount(regions.ravel(), minlength=1)[1:])
    assert len(found) == count
    for polygon in found:
        assert polygon.exterior.is_ccw and not any(hole.is_ccw for hole in polygon.interiors)


def test_every_mask_of_three_by_four_pixels():
    for values in product((0, 1), repeat=12):
        check(np.array(values, np.uint8).reshape(3, 4))


@settings(deadline=None, max_examples=150)
@given(arrays(np.bool_, st.tuples(st.integers(1, 25), st.integers(1, 25))))
def test_random_masks(mask):
    check(mask)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.6, 0.9])
def test_noise_whose_regions_touch_and_nest(share):
    check(np.random.default_rng(7).random((60, 70)) < share)


def test_nested_rings_each_keep_their_own_hole():
    mask = np.zeros((19, 19), np.uint8)
    for inset in range(0, 10, 2):
        mask[inset : 19 - inset, inset : 19 - inset] = 1
        mask[inset + 1 : 18 - inset, inset + 1 : 18 - inset] = 0
    assert [len(polygon.interiors) for polygon in outlines(mask)] == [1] * 5
    check(mask)


def test_bands_of_rows_join_without_a_seam(monkeypatch):
    mask = np.random.default_rng(3).random((41, 30)) < 0.55
    whole = mask_polygons(mask)
    for rows in (1, 2, 7, 40, 41):
        monkeypatch.setattr(polygons, "_BAND", rows)
        assert mask_polygons(mask) == whole


def test_rings_are_closed_and_hold_corners_only():
    mask = np.ones((5, 8), np.uint8)
    assert mask_polygons(mask) == [[[(0, 0), (8, 0), (8, 5), (0, 5), (0, 0)]]]


def test_pixels_that_touch_at_a_corner_are_two_polygons():
    assert sorted(polygon.bounds for polygon in outlines(np.eye(2))) == [(0, 0, 1, 1), (1, 1, 2, 2)]


def test_a_hole_that_touches_the_outline_at_a_corner_stays_valid():
    mask = np.ones((4, 4), np.uint8)
    mask[0, 0] = mask[1, 1] = 0
    (polygon,) = outlines(mask)
    assert polygon.is_valid and polygon.area == 14 and len(polygon.interiors) == 1


def test_an_empty_mask_has_no_polygon():
    assert mask_polygons(np.zeros((3, 3), np.uint8)) == []
