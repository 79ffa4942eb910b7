"""Every format of labels: a mask written and read again is the mask, for readers of others, too."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import roifile
import scipy.ndimage
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unetseg.data.annotations.label_files import LabelFiles
from unetseg.data.annotations.label_formats import LABEL_FORMATS, recognise
from unetseg.data.annotations.objects import LabelSet
from unetseg.data.annotations.rasterise import paint

CLASSES = ["background", "cell", "nerve ü"]
COLOURS = [(0, 0, 0), (250, 20, 30), (40, 150, 60)]
MASKS = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))
NAMES_FILE = "names: [cell, nerve ü]\n"


@pytest.fixture
def mask() -> np.ndarray:
    """Two touching classes; a ring with a hole; two regions that touch at a corner."""
    mask = np.zeros((23, 31), np.uint8)
    mask[2:15, 3:17] = 1
    mask[15:20, 3:31] = 2
    mask[1:4, 20:24] = mask[4:6, 24:27] = 2
    return mask


def with_hole(mask: np.ndarray) -> np.ndarray:
    holed = mask.copy()
    holed[5:12, 6:14] = 0
    holed[7:9, 8:11] = 1
    return holed


def without_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of each region, smaller regions on top."""
    regions = []
    for index in (1, 2):
        labels, count = scipy.ndimage.label(mask == index)
        regions += [(scipy.ndimage.binary_fill_holes(labels == k), index) for k in range(1, count + 1)]
    filled = np.zeros_like(mask)
    for inside, index in sorted(regions, key=lambda region: -int(region[0].sum())):
        filled[inside] = index
    return filled


def write(folder: Path, format: str, mask: np.ndarray, name: str = "a") -> Path:
    chosen = LABEL_FORMATS[format]
    path = folder / f"{name}{chosen.suffix}"
    path.write_bytes(chosen.load().encode(mask, CLASSES, COLOURS, f"{name}.png"))
    if format == "yolo":
        (folder / "data.yaml").write_text(NAMES_FILE, encoding="utf-8")
    return path


def read(folder: Path, size: tuple[int, int]) -> LabelSet:
    recognised = recognise(LabelFiles(folder, size_of=lambda name: size))
    assert recognised is not None
    labels = recognised.read()
    assert labels.problems == []
    return labels


def painted(labels: LabelSet, size: tuple[int, int]) -> np.ndarray:
    (image,) = labels.images
    assert image.name == "a" and image.size == size
    numbers = {name: CLASSES.index(name) for name in labels.classes}
    return paint(image.objects, *size, numbers)[0]


@pytest.mark.parametrize("format", LABEL_FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=MASKS)
@pytest.mark.filterwarnings("ignore:.*hole.s. are filled")
def test_a_mask_written_and_read_is_the_mask(tmp_path, format, mask):
    write(tmp_path, format, mask)
    expected = without_holes(mask) if format == "yolo" else mask
    assert np.array_equal(painted(read(tmp_path, mask.shape), mask.shape), expected)


@pytest.mark.parametrize("format", LABEL_FORMATS)
def test_every_region_is_an_object_of_its_own(tmp_path, format, mask):
    write(tmp_path, format, mask)
    (image,) = read(tmp_path, mask.shape).images
    assert sorted(each.label for each in image.objects) == ["cell", "nerve ü", "nerve ü", "nerve ü"]


def test_yolo_says_how_many_holes_are_lost(tmp_path, mask):
    with pytest.warns(UserWarning, match=r"a\.png: 1 hole\(s\) are filled"):
        write(tmp_path, "yolo", with_hole(mask))


def polygons_of_labelme(path: Path, size: tuple[int, int]) -> list[tuple[str, shapely.Polygon]]:
    shapes = json.loads(path.read_text("utf-8"))["shapes"]
    return [(each["label"], shapely.Polygon(each["points"])) for each in shapes]


def polygons_of_yolo(path: Path, size: tuple[int, int]) -> list[tuple[str, shapely.Polygon]]:
    found = []
    for line in path.read_text().splitlines():
        number, *values = line.split()
        points = np.array(values, float).reshape(-1, 2) * size[::-1]
        found.append((CLASSES[int(number) + 1], shapely.Polygon(points)))
    return found


def polygons_of_cvat(path: Path, size: tuple[int, int]) -> list[tuple[str, shapely.Polygon]]:
    image = ElementTree.parse(path).find("image")
    assert (int(image.get("height")), int(image.get("width"))) == size
    return [
        (each.get("label"), shapely.Polygon([pair.split(",") for pair in each.get("points").split(";")]))
        for each in image.findall("polygon")
    ]


def polygons_of_qupath(path: Path, size: tuple[int, int]) -> list[tuple[str, shapely.Polygon]]:
    return [
        (each["properties"]["classification"]["name"], shapely.geometry.shape(each["geometry"]))
        for each in json.loads(path.read_text("utf-8"))["features"]
    ]


def polygons_of_imagej(path: Path, size: tuple[int, int]) -> list[tuple[str, shapely.Polygon]]:
    found = []
    for each in roifile.roiread(path):
        outer, *holes = each.coordinates(multi=True)
        found.append((CLASSES[each.group], shapely.Polygon(outer, holes)))
    return found


OTHERS = {
    "labelme": polygons_of_labelme,
    "yolo": polygons_of_yolo,
    "cvat": polygons_of_cvat,
    "qupath": polygons_of_qupath,
    "imagej": polygons_of_imagej,
}


@pytest.mark.parametrize("format", OTHERS)
def test_outlines_read_by_other_means_cover_the_pixels(tmp_path, format, mask):
    if format in ("qupath", "imagej"):
        mask = with_hole(mask)
    found = OTHERS[format](write(tmp_path, format, mask), mask.shape)
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    drawn = np.zeros_like(mask)
    for label, polygon in found:
        assert polygon.is_valid
        drawn[shapely.contains_xy(polygon, x, y)] = CLASSES.index(label)
    assert np.array_equal(drawn, mask)


def test_masks_of_labelme_and_cvat_keep_holes_for_other_readers(tmp_path, mask):
    import base64
    import io

    from PIL import Image

    holed = with_hole(mask)
    shapes = json.loads(write(tmp_path, "labelme", holed).read_text("utf-8"))["shapes"]
    (bitmap,) = [each for each in shapes if each["shape_type"] == "mask"]
    (left, top), (right, bottom) = bitmap["points"]
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(bitmap["mask"]))))
    assert pixels.dtype == bool and pixels.shape == (bottom - top + 1, right - left + 1)
    ring = holed[2:15, 3:17] == 1
    ring[5:7, 5:8] = False  # the island in its hole is an object of its own
    assert (left, top) == (3, 2) and np.array_equal(pixels, ring)

    image = ElementTree.parse(write(tmp_path, "cvat", holed)).find("image")
    (element,) = image.findall("mask")
    flat = []
    for number, count in enumerate(element.get("rle").split(", ")):
        flat += [number % 2] * int(count)
    place = [int(element.get(key)) for key in ("left", "top", "width", "height")]
    assert place == [3, 2, 14, 13] and np.array_equal(np.reshape(flat, (13, 14)), ring)
