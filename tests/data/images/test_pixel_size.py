"""How large a pixel is, as the programs write it that people have."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.data.images.pixel_size import PixelSize, read_pixel_size

PIXELS = np.zeros((6, 8), np.uint8)
METRES = [  # a map of 0.5 m × 2 m, of UTM 32N
    (33550, 12, 3, (0.5, 2.0, 0.0)),
    (33922, 12, 6, (0, 0, 0, 500_000, 5_000_000, 0)),
    (34735, 3, 20, (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632, 3076, 0, 1, 9001)),
]
DEGREES = [
    (33550, 12, 3, (0.1, 0.1, 0.0)),
    (33922, 12, 6, (0, 0, 0, 8, 50, 0)),
    (34735, 3, 12, (1, 1, 0, 2, 1024, 0, 1, 2, 2048, 0, 1, 4326)),
]


def of_map(tags):
    return {"extratags": [(code, kind, count, value, True) for code, kind, count, value in tags]}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {
                "ome": True,
                "metadata": {"axes": "YX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.5},
            },
            PixelSize(0.5, 0.25, "µm"),
        ),
        (
            {"imagej": True, "resolution": (4, 2), "metadata": {"unit": "micron"}},
            PixelSize(0.5, 0.25, "µm"),
        ),
        ({"imagej": True, "metadata": {"unit": "pixel"}, "resolution": (1, 1)}, None),
        ({"resolution": (254, 254), "resolutionunit": "INCH"}, PixelSize(0.1, 0.1, "mm")),
        ({"resolution": (100, 50), "resolutionunit": "CENTIMETER"}, PixelSize(0.2, 0.1, "mm")),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({}, None),
        (of_map(METRES), PixelSize(2.0, 0.5, "m")),
        (of_map(DEGREES), None),
    ],
    ids=["OME", "ImageJ", "ImageJ without", "inch", "centimetre", "screen", "nothing", "map", "degrees"],
)
def test_what_a_tiff_says(tmp_path, options, expected):
    path = tmp_path / ("a.ome.tif" if "ome" in options else "a.tif")
    tifffile.imwrite(path, PIXELS, **options)
    found = read_pixel_size(path)
    assert (found is None) == (expected is None)
    if expected is not None:
        assert (found.height, found.width) == pytest.approx((expected.height, expected.width))
        assert found.unit == expected.unit


def test_an_image_that_is_turned_has_its_sides_turned_too(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        PIXELS,
        resolution=(100, 50),
        resolutionunit="CENTIMETER",
        extratags=[(274, 3, 1, 6, True)],
    )
    assert read_pixel_size(tmp_path / "a.tif") == PixelSize(0.1, 0.2, "mm")


def test_another_format_says_nothing(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(254, 254))
    assert read_pixel_size(tmp_path / "a.png") is None


def test_text_that_is_none_costs_the_lengths_and_not_the_image(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.ome.tif", PIXELS, description="<OME xmlns='x'><Pixels PhysicalSizeX='many'/></OME>"
    )
    with pytest.warns(UserWarning, match="does not say plainly how large a pixel is"):
        assert read_pixel_size(tmp_path / "a.ome.tif") is None
