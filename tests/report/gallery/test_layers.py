"""Pictures as data URIs: sizes, and kinds of error that everybody can tell apart."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from unetseg.report.gallery.error_map import CONFUSED, EXTRA, MISSED, NOTHING, RIGHT, UNCOUNTED
from unetseg.report.gallery.layers import COLOURS, layer_uri, photo_uri


def opened(uri):
    head, content = uri.split(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def pixels(kind):
    return np.asarray(opened(layer_uri(np.full((1, 1), kind, np.uint8), 24)).convert("RGBA"))


def luminance(colour):
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    parts = [value / 255 for value in colour[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_photograph_is_brought_to_the_side_and_never_enlarged():
    assert opened(photo_uri(np.zeros((100, 300, 3), np.uint8), 150)).size == (150, 50)
    assert opened(photo_uri(np.zeros((10, 30, 3), np.uint8), 150)).size == (30, 10)


def test_a_photograph_keeps_its_colours():
    image = np.full((32, 32, 3), (200, 60, 20), np.uint8)
    shown = np.asarray(opened(photo_uri(image, 64)).convert("RGB")).astype(int)
    assert np.abs(shown - image).max() < 12


def test_a_small_mask_is_enlarged_by_a_whole_factor_so_that_pixels_stay_square():
    kinds = np.full((3, 7), NOTHING, np.uint8)
    kinds[1, 2] = RIGHT
    layer = np.asarray(opened(layer_uri(kinds, 50)).convert("RGBA"))
    assert layer.shape[:2] == (21, 49)
    assert (layer[..., 3] > 0).sum() == 7 * 7
    assert (layer[7:14, 14:21, 3] > 0).all()


def test_a_large_mask_is_brought_to_the_side():
    assert opened(layer_uri(np.zeros((90, 300), np.uint8), 100)).size == (100, 30)


def test_what_is_neither_mask_nor_error_is_transparent():
    assert (pixels(NOTHING)[..., 3] == 0).all()
    assert 0 < pixels(RIGHT)[0, 0, 3] < 255


@pytest.mark.parametrize(
    ("kind", "colours"), [(RIGHT, 1), (UNCOUNTED, 2), (CONFUSED, 2), (EXTRA, 2), (MISSED, 2)]
)
def test_errors_have_a_pattern_and_right_pixels_none(kind, colours):
    assert len(np.unique(pixels(kind).reshape(-1, 4), axis=0)) == colours


def test_patterns_of_two_errors_differ():
    shapes = [(pixels(kind) != pixels(kind)[3, 3]).any(axis=2) for kind in (EXTRA, MISSED, CONFUSED)]
    assert all((one != other).any() for one, other in zip(shapes, shapes[1:] + shapes[:1], strict=True))


def test_missed_and_extra_differ_in_lightness_and_so_for_the_colour_blind():
    assert contrast(COLOURS[MISSED][0], COLOURS[EXTRA][0]) > 3
