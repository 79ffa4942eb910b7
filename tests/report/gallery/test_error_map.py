"""What is right and wrong in a mask, and where its outline is worst."""

import numpy as np
import pytest

from unetseg.report.gallery.error_map import (
    CONFUSED,
    EXTRA,
    MISSED,
    NOTHING,
    RIGHT,
    UNCOUNTED,
    boundary_of,
    error_kinds,
    is_error,
    worst_window,
)


@pytest.mark.parametrize(
    ("predicted", "wanted", "kind"),
    [
        (0, 0, NOTHING),
        (1, 1, RIGHT),
        (2, 2, RIGHT),
        (1, 0, EXTRA),
        (0, 2, MISSED),
        (1, 2, CONFUSED),
        (1, 255, UNCOUNTED),
        (0, 255, UNCOUNTED),
    ],
)
def test_each_pixel_has_its_kind(predicted, wanted, kind):
    masks = (np.full((2, 3), value, np.uint8) for value in (predicted, wanted))
    assert (error_kinds(*masks) == kind).all()


def test_pixels_outside_the_field_of_view_are_not_counted():
    ones = np.ones((2, 2), np.uint8)
    kinds = error_kinds(ones, ones, np.array([[True, False], [True, True]]))
    assert kinds.tolist() == [[RIGHT, UNCOUNTED], [RIGHT, RIGHT]]


def test_only_missed_extra_and_confused_pixels_are_errors():
    kinds = np.array([[NOTHING, UNCOUNTED, RIGHT, CONFUSED, EXTRA, MISSED]], np.uint8)
    assert is_error(kinds).tolist() == [[False, False, False, True, True, True]]


def test_the_boundary_is_three_pixels_wide_on_both_sides():
    ground_truth = np.zeros((3, 20), np.uint8)
    ground_truth[:, 10:] = 1
    assert np.flatnonzero(boundary_of(ground_truth)[1]).tolist() == [7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("value", [0, 1])
def test_a_mask_without_an_outline_has_no_boundary(value):
    assert not boundary_of(np.full((5, 5), value, np.uint8)).any()


def test_ignored_pixels_make_no_boundary():
    ground_truth = np.zeros((5, 8), np.uint8)
    ground_truth[:, 4:] = 255
    assert not boundary_of(ground_truth).any()


def test_the_worst_window_holds_the_most_errors():
    errors = np.zeros((30, 40), bool)
    errors[3, 3] = True
    errors[20:24, 31:35] = True
    left, top, width, height = worst_window(errors, 6)
    assert (width, height) == (6, 6)
    assert errors[top : top + height, left : left + width].sum() == 16
    assert (left, top) == (30, 19)  # as much room on either side


def test_the_worst_window_is_cut_to_a_small_image():
    assert worst_window(np.ones((4, 9), bool), 6) == (0, 0, 6, 4)
