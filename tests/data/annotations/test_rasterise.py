"""Outlines become pixels in one place: exactly along pixels' edges, with holes, in the objects' order."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco

from unetseg.data.annotations.objects import LabelledObject, Outline
from unetseg.data.annotations.rasterise import (
    ellipse,
    paint,
    rectangle,
    region,
    runs_of,
    runs_of_image,
)
from unetseg.data.annotations.vectorise import mask_objects

CLASSES = ["background", "cell", "nerve"]
NUMBERS = {"background": 0, "cell": 1, "nerve": 2}
MASKS = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))


def ring(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, float)


def whole(shape, height: int, width: int) -> np.ndarray:
    """Return a shape's pixels in an array of the image's size."""
    top, left, inside = region(shape, height, width)
    image = np.zeros((height, width), bool)
    image[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return image


def test_a_polygon_of_forty_by_thirty_has_1200_pixels():
    inside = whole(Outline((ring((10, 10), (50, 10), (50, 40), (10, 40)),)), 100, 100)
    assert inside.sum() == 1200 and inside[10:40, 10:50].all()


def test_a_ring_within_another_is_a_hole():
    outline = Outline((ring((0, 0), (9, 0), (9, 9), (0, 9)), ring((3, 3), (3, 6), (6, 6), (6, 3))))
    inside = whole(outline, 9, 9)
    assert inside.sum() == 81 - 9 and not inside[3:6, 3:6].any()


def test_where_objects_overlap_the_later_one_counts():
    below = LabelledObject("cell", (rectangle(0, 0, 6, 4),))
    above = LabelledObject("nerve", (rectangle(4, 0, 8, 4),))
    assert paint([below, above], 4, 8, NUMBERS)[0][0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert paint([above, below], 4, 8, NUMBERS)[0][0].tolist() == [1, 1, 1, 1, 1, 1, 2, 2]
    assert paint([below, above], 4, 8, NUMBERS)[1][0].tolist() == [1, 1, 1, 1, 2, 2, 2, 2]


def test_background_that_is_drawn_takes_away_what_lies_below():
    objects = [
        LabelledObject("cell", (rectangle(0, 0, 8, 4),)),
        LabelledObject("background", (rectangle(2, 1, 6, 3),)),
    ]
    mask, numbered = paint(objects, 4, 8, NUMBERS)
    assert mask.sum() == numbered.sum() == 32 - 8


def test_what_lies_outside_of_the_image_is_cut_off():
    assert whole(rectangle(-5, -5, 3, 2), 6, 6).sum() == 6
    assert not whole(rectangle(-9, -9, -2, -2), 6, 6).any()
    assert whole(rectangle(-30, -30, 40, 40), 6, 6).all()
    beyond = runs_of(np.ones((4, 4), bool), top=20, left=3)
    assert not whole(beyond, 6, 6).any()
    assert whole(runs_of(np.ones((4, 4), bool), top=-2, left=3), 6, 6).sum() == 2 * 3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40)), min_size=3, max_size=8))
def test_vertices_between_pixels_give_the_polygons_area(points):
    polygon = shapely.MultiPoint(points).convex_hull
    if polygon.geom_type != "Polygon":
        return
    outline = Outline((np.array(polygon.exterior.coords)[:-1],))
    assert abs(whole(outline, 40, 40).sum() - polygon.area) <= polygon.length + 1


def test_curves_are_drawn_as_such():
    assert whole(ellipse((50, 50), (30, 30)), 100, 100).sum() == pytest.approx(np.pi * 900, rel=0.005)
    upright = whole(ellipse((50, 50), (40, 10)), 100, 100)
    turned = whole(ellipse((50, 50), (40, 10), degrees=90), 100, 100)
    assert (turned != upright.T).mean() < 0.01


def test_a_positive_angle_turns_clockwise_on_the_screen():
    turned = whole(rectangle(10, 18, 50, 22, degrees=45), 60, 60)
    assert turned[32, 42] and turned[8, 18] and not turned[8, 42]


@settings(max_examples=40, deadline=None)
@given(MASKS)
def test_the_objects_of_a_mask_drawn_again_are_the_mask(mask):
    objects = list(mask_objects(mask, CLASSES))
    assert np.array_equal(paint(objects, *mask.shape, NUMBERS)[0], mask)


@settings(max_examples=40, deadline=None)
@given(MASKS)
def test_run_lengths_of_an_object_are_those_of_its_pixels(mask):
    for each in mask_objects(mask, CLASSES):
        (shape,) = each.shapes
        inside = whole(shape, *mask.shape)
        runs = runs_of_image(shape, *mask.shape)
        assert runs.counts == coco.encode(np.asfortranarray(inside, np.uint8))["counts"]
