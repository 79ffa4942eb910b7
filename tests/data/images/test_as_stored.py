"""Every channel of a file, no value scaled; and the range that belongs to a dataset, not to a container."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.images.as_stored import contents
from unetseg.data.images.decode import ImageError
from unetseg.data.images.pixel_rule import PixelRule
from unetseg.data.images.read import image_size, read_image
from unetseg.data.images.regions import open_region_reader

COUNTS = np.random.default_rng(0).integers(0, 4096, (40, 50, 5), np.uint16)
BYTES = COUNTS.astype(np.uint8)
FLOATS = (COUNTS / 7 - 100).astype(np.float32)
PAGES = np.ascontiguousarray(np.moveaxis(COUNTS, 2, 0))
NAMED = "".join(
    f'<Item name="DESCRIPTION" sample="{band}" role="description">{name}</Item>'
    for band, name in enumerate(("blue", "green", "red", "nir", "swir"))
)
GDAL = [(42112, "s", 0, f"<GDALMetadata>{NAMED}</GDALMetadata>", True)]


def tiff(array, **options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **{"photometric": "minisblack", **options})
    return buffer.getvalue()


def png(array):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


ALL = ("1", "2", "3", "4", "5")
FILES = {
    "16-bit PNG": (png(COUNTS[..., 0]), "uint16", ("1",), COUNTS[..., :1]),
    "8-bit RGB, the last first": (png(BYTES[..., :3]), "uint8", ("blue", "1"), BYTES[..., [2, 0]]),
    "RGBA with its alpha": (png(BYTES[..., :4]), "uint8", ("1", "2", "4"), BYTES[..., [0, 1, 3]]),
    "grey, repeated": (tiff(COUNTS[..., 0]), "uint16", None, COUNTS[..., [0, 0, 0]]),
    "RGB of 16 bits": (tiff(COUNTS[..., :3], photometric="rgb"), "uint16", None, COUNTS[..., :3]),
    "bands side by side": (tiff(COUNTS, planarconfig="contig"), "uint16", ALL, COUNTS),
    "bands by tiles": (tiff(COUNTS, planarconfig="contig", tile=(16, 16)), "uint16", ALL, COUNTS),
    "bands one after another": (
        tiff(PAGES, planarconfig="separate"), "uint16", ("5", "2"), COUNTS[..., [4, 1]],
    ),
    "bands that GDAL names": (
        tiff(COUNTS, planarconfig="contig", extratags=GDAL), "uint16", ("nir", "Red"), COUNTS[..., [3, 2]],
    ),
    "pages": (tiff(PAGES), "uint16", ("3", "1"), COUNTS[..., [2, 0]]),
    "pages that ImageJ calls channels": (
        tiff(PAGES, imagej=True, metadata={"axes": "CYX"}), "uint16", ALL, COUNTS,
    ),
    "OME": (
        tiff(PAGES, ome=True, metadata={"axes": "CYX", "Channel": {"Name": list("abcde")}}),
        "uint16", ("d", "a"), COUNTS[..., [3, 0]],
    ),
    "two bands": (tiff(COUNTS[..., :2], planarconfig="contig"), "uint16", ("2",), COUNTS[..., 1:2]),
    "floats": (tiff(FLOATS[..., 0]), "float32", ("1",), FLOATS[..., :1]),
    "signed": (
        tiff(COUNTS[..., 0].astype(np.int16) - 500), "float32", ("1",), COUNTS[..., :1] - np.float32(500),
    ),
    "white is 0": (
        tiff(BYTES[..., 0], photometric="miniswhite"), "uint8", ("1",), 255 - BYTES[..., :1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_channels_are_read_as_stored_whole_and_by_regions(tmp_path, name):
    content, values, channels, expected = FILES[name]
    path = tmp_path / "any"
    path.write_bytes(content)
    rule = PixelRule(values, channels)
    assert contents(path).values == values and image_size(path) == (40, 50)
    image = read_image(path, rule=rule)
    assert image.dtype == values and np.array_equal(image, expected)
    with open_region_reader(path, rule=rule) as reader:
        assert np.array_equal(reader.read(9, 3, 20, 30), expected[9:29, 3:33])


@pytest.mark.parametrize(
    ("name", "channels", "picture"),
    [("OME", 5, False), ("pages that ImageJ calls channels", 5, False), ("bands side by side", 5, False),
     ("pages", 1, True), ("RGBA with its alpha", 4, True), ("16-bit PNG", 1, True)],
)  # fmt: skip
def test_pages_are_channels_where_the_file_says_so(tmp_path, name, channels, picture):
    path = tmp_path / "any"
    path.write_bytes(FILES[name][0])
    found = contents(path)
    assert (found.channels, found.picture) == (channels, picture)


def test_pages_beside_the_channels_are_counted(tmp_path):
    path = tmp_path / "stack.tif"
    path.write_bytes(tiff(np.stack([PAGES, PAGES]), ome=True, metadata={"axes": "ZCYX"}))
    with pytest.warns(UserWarning, match="has 10 pages; 5 of them are its channels, the others are left out"):
        assert np.array_equal(read_image(path, rule=PixelRule("uint16", ALL)), COUNTS)


@pytest.mark.parametrize(
    ("name", "rule", "words"),
    [
        (
            "OME",
            PixelRule("uint16", ("f",)),
            r"has 5 channel\(s\) \(a, b, c, d, e\); the channels to read are f",
        ),
        (
            "16-bit PNG",
            PixelRule("uint16", ("1", "2")),
            r"has 1 channel\(s\) \(grey\); the channels to read are 1,2",
        ),
        (
            "16-bit PNG",
            PixelRule("uint16", ("alpha",)),
            r"has 1 channel\(s\) \(grey\); the channels to read are alpha",
        ),
        (
            "16-bit PNG",
            PixelRule("uint8", ("1",)),
            "holds values of 16 bits, where the images of",
        ),
        ("floats", PixelRule("uint16", ("1",)), "holds signed, large or floating-point values"),
        ("two bands", PixelRule("uint16"), "has 2 channels, where RGB or grey is expected"),
        ("OME", PixelRule("uint16"), "has 5 channels, where RGB or grey is expected"),
        ("bands side by side", PixelRule(), r"has 5 channels \(multispectral\)"),
    ],
)
def test_a_file_that_lacks_what_is_asked_for_says_what_it_has(tmp_path, name, rule, words):
    path = tmp_path / "any"
    path.write_bytes(FILES[name][0])
    with pytest.raises(ImageError, match=words):
        read_image(path, rule=rule)


@given(st.sampled_from([1, 16, 257]), st.integers(0, 500))
def test_a_range_makes_the_same_of_values_whatever_their_unit(factor, shift):
    image = COUNTS[..., :2] % 200
    moved = (image * factor + shift).astype(np.uint16)
    rules = [PixelRule("uint16", ("1", "2")).measure([each]) for each in (image, moved)]
    plain, other = (rule.to_unit(each) for rule, each in zip(rules, (image, moved), strict=True))
    assert plain.min() == 0 and plain.max() == 1 and np.allclose(plain, other, atol=1e-3)


@pytest.mark.parametrize("values", [np.full((4, 4, 1), 7, np.uint16), np.full((4, 4, 1), np.nan, np.float32)])
def test_a_range_of_nothing_divides_by_nothing(values):
    rule = PixelRule(values.dtype.name, ("1",)).measure([values])
    assert np.isfinite(rule.to_unit(values)).all()


def test_what_is_no_number_counts_for_no_range_and_becomes_the_lowest_value():
    image = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10, 1)
    holed = image.copy()
    holed[0, :5] = np.nan
    rule = PixelRule("float32", ("1",)).measure([holed])
    assert 0.04 < rule.range[0][0] < 0.06 and (rule.to_unit(holed)[0, :5] == 0).all()


def test_a_rule_survives_being_written_down():
    rule = PixelRule("float32", ("nir", "2"), ((0.1, 0.3), (-5.0, 7.0)))
    assert PixelRule.from_dict(rule.to_dict()) == rule


def test_channels_beyond_those_of_the_training_are_counted(tmp_path):
    path = tmp_path / "more.tif"
    path.write_bytes(tiff(COUNTS, photometric="minisblack", planarconfig="contig"))
    few = PixelRule("uint16", ("1", "2"))
    with pytest.warns(UserWarning, match="more.tif: has 5 channels, of which the first 2 are read"):
        assert np.array_equal(read_image(path, rule=few), COUNTS[:, :, :2])
