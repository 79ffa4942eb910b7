"""Images read by region and written by tile rows: the same pixels, only the tiles that are needed."""

import os

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.images import regions as large
from unetseg.data.images.decode import ImageError
from unetseg.data.images.read import read_image, read_labels
from unetseg.data.images.regions import open_region_reader, write_tiled_tiff
from unetseg.data.images.tiff import TiffPicture
from unetseg.errors import UnetsegError, UsageError

COLOURS = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]

LAYOUTS = {
    "tiled": {"tile": (48, 32), "compression": "zlib"},
    "tiled raw": {"tile": (48, 32)},
    "tiled predictor": {"tile": (48, 32), "compression": "lzw", "predictor": True},
    "tiled planar": {"tile": (48, 32), "compression": "zlib", "planarconfig": "separate"},
    "strips": {"rowsperstrip": 7, "compression": "zlib"},
    "strips raw": {"rowsperstrip": 7},
    "one raw strip": {},
    "raw planar": {"planarconfig": "separate"},
    "big endian": {"byteorder": ">"},
    "one compressed strip": {"rowsperstrip": 10_000, "compression": "zlib"},
    "bigtiff": {"tile": (48, 32), "bigtiff": True},
}


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (131, 173, 3), dtype=np.uint8)


def save(path, rgb: np.ndarray, layout: str, dtype: type = np.uint8, **tags) -> None:
    options = {**LAYOUTS[layout], **tags}
    samples = rgb.astype(dtype) * (257 if dtype == np.uint16 else 1)
    if options.get("planarconfig") == "separate":
        samples = np.moveaxis(samples, 2, 0)
    tifffile.imwrite(path, samples, photometric="rgb", metadata=None, **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_regions_of_every_layout_are_those_of_the_whole_image(tmp_path, rgb, layout, dtype, monkeypatch):
    monkeypatch.setattr("unetseg.data.images.tiff._RAW_STRIP_BYTES", 5000)
    save(tmp_path / "a.tif", rgb, layout, dtype)
    assert np.array_equal(read_image(tmp_path / "a.tif"), rgb)
    with open_region_reader(tmp_path / "a.tif") as reader:
        assert (reader.height, reader.width) == rgb.shape[:2]
        for top, left, height, width in [(0, 0, 131, 173), (5, 9, 50, 60), (130, 172, 1, 1), (47, 31, 2, 2)]:
            region = reader.read(top, left, height, width)
            assert region.dtype == np.uint8 and region.flags.writeable
            assert np.array_equal(region, rgb[top : top + height, left : left + width])


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_region_of_any_orientation_is_that_of_the_whole_image(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.tif"
    stored = np.random.default_rng(1).integers(0, 256, (61, 85, 3), dtype=np.uint8)
    orientation = data.draw(st.integers(1, 8))
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, stored, photometric="rgb", tile=(16, 32), extratags=[tag])
    whole = read_image(path)
    with open_region_reader(path) as reader:
        assert (reader.height, reader.width) == whole.shape[:2]
        top = data.draw(st.integers(0, reader.height - 1))
        left = data.draw(st.integers(0, reader.width - 1))
        height = data.draw(st.integers(1, reader.height - top))
        width = data.draw(st.integers(1, reader.width - left))
        region = reader.read(top, left, height, width)
    assert np.array_equal(region, whole[top : top + height, left : left + width])


def test_kinds_of_pixels_are_converted_as_for_whole_images(tmp_path):
    values = np.random.default_rng(0).integers(0, 4, (70, 90), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "float.tif", values.astype(np.float32) / 3, tile=(16, 16))
    tifffile.imwrite(tmp_path / "grey.tif", values * 85, tile=(16, 16))
    tifffile.imwrite(tmp_path / "white.tif", values * 85, tile=(16, 16), photometric="miniswhite")
    tifffile.imwrite(tmp_path / "bits.tif", values > 1, rowsperstrip=8)
    write_tiled_tiff(tmp_path / "palette.tif", [values], 70, 90, colours=COLOURS)
    for name in ("float.tif", "grey.tif", "white.tif", "bits.tif", "palette.tif"):
        with open_region_reader(tmp_path / name) as reader:
            assert np.array_equal(reader.read(10, 11, 40, 50), read_image(tmp_path / name)[10:50, 11:61]), (
                name
            )


def test_other_formats_are_read_through_the_same_door(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    with open_region_reader(tmp_path / "a.png") as reader:
        assert np.array_equal(reader.read(3, 4, 20, 30), rgb[3:23, 4:34])


def test_only_the_tiles_that_a_region_touches_are_decoded_and_once(tmp_path, rgb, monkeypatch):
    save(tmp_path / "a.tif", rgb, "tiled")
    decoded = []
    original = TiffPicture.read_segment

    def counting(self, row, column):
        decoded.append((row, column))
        return original(self, row, column)

    monkeypatch.setattr(TiffPicture, "read_segment", counting)
    with open_region_reader(tmp_path / "a.tif") as reader:
        reader.read(40, 60, 20, 10)
        assert sorted(decoded) == [(0, 1), (0, 2), (1, 1), (1, 2)]
        reader.read(40, 60, 20, 10)
        assert len(decoded) == 4


def test_the_cache_holds_no_more_than_its_limit(tmp_path, rgb, monkeypatch):
    monkeypatch.setattr(large, "_CACHE_BYTES", 3 * 48 * 32 * 3)
    save(tmp_path / "a.tif", rgb, "tiled")
    with open_region_reader(tmp_path / "a.tif") as reader:
        assert np.array_equal(reader.read(0, 0, 131, 173), rgb)
        assert sum(segment.nbytes for segment in reader._cache.values()) <= 3 * 48 * 32 * 3


def test_a_tile_that_was_never_written_is_the_files_nodata_value(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiles = (np.full((16, 16), 9, np.uint8) if i else None for i in range(-1, 3))
        tiff.write(tiles, shape=(32, 32), dtype=np.uint8, tile=(16, 16), compression="zlib")
    with open_region_reader(tmp_path / "a.tif") as reader:
        region = reader.read(0, 0, 32, 32)
    assert np.array_equal(region, read_image(tmp_path / "a.tif"))
    assert region[20, 20].tolist() == [9, 9, 9] and region[0, 20].tolist() == [0, 0, 0]


@pytest.mark.parametrize("region", [(-1, 0, 5, 5), (0, 0, 132, 5), (0, 170, 5, 5), (0, 0, 0, 5)])
def test_a_region_outside_the_image_is_an_error(tmp_path, rgb, region):
    save(tmp_path / "a.tif", rgb, "tiled")
    with open_region_reader(tmp_path / "a.tif") as reader, pytest.raises(ValueError, match="131×173"):
        reader.read(*region)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_cut_off_file_is_refused_before_the_first_region(tmp_path, rgb, layout):
    save(tmp_path / "a.tif", rgb, layout)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(ImageError, match=r"a\.tif: is cut off"), open_region_reader(tmp_path / "a.tif"):
        pass


def test_a_damaged_tile_names_the_file_when_it_is_reached(tmp_path, rgb):
    save(tmp_path / "a.tif", rgb, "tiled")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        last = tiff.pages.first.dataoffsets[-1]
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[last : last + 40] = bytes(40)
    (tmp_path / "a.tif").write_bytes(data)
    with open_region_reader(tmp_path / "a.tif") as reader:
        assert np.array_equal(reader.read(0, 0, 40, 40), rgb[:40, :40])
        with pytest.raises(ImageError, match=r"a\.tif: is damaged"):
            reader.read(120, 165, 8, 8)


def test_an_error_of_the_callers_own_is_not_blamed_on_the_file(tmp_path, rgb):
    save(tmp_path / "a.tif", rgb, "tiled")
    with pytest.raises(KeyError), open_region_reader(tmp_path / "a.tif"):
        raise KeyError("the network's")


def test_a_single_strip_over_the_limit_is_refused_and_many_small_tiles_are_not(tmp_path, rgb):
    save(tmp_path / "strip.tif", rgb, "one compressed strip")
    save(tmp_path / "tiled.tif", rgb, "tiled")
    limit = 48 * 32
    with open_region_reader(tmp_path / "tiled.tif", max_pixels=limit) as reader:
        assert np.array_equal(reader.read(0, 0, 131, 173), rgb)
    strip = open_region_reader(tmp_path / "strip.tif", max_pixels=limit)
    with pytest.raises(ImageError, match="--max-pixels"), strip:
        pass


# --- writing --------------------------------------------------------------------------------------


@given(height=st.integers(1, 90), width=st.integers(1, 90), bands=st.integers(1, 60), coloured=st.booleans())
@settings(max_examples=40, deadline=None)
def test_labels_written_in_bands_of_any_height_come_back(tmp_path_factory, height, width, bands, coloured):
    path = tmp_path_factory.getbasetemp() / "bands.tif"
    labels = np.random.default_rng(height).integers(0, 4, (height, width), dtype=np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(large, "_TILE", 32)
        parts = (labels[top : top + bands] for top in range(0, height, bands))
        write_tiled_tiff(path, parts, height, width, colours=COLOURS if coloured else None)
    assert np.array_equal(read_labels(path), labels)
    if coloured:
        assert np.array_equal(read_image(path), np.array(COLOURS, np.uint8)[labels])


def test_the_file_is_tiled_and_compressed_and_other_software_reads_it(tmp_path):
    labels = np.tile(np.array([[0, 1], [2, 3]], np.uint8), (400, 300))
    write_tiled_tiff(tmp_path / "a.tif", [labels[:700], labels[700:]], 800, 600, colours=COLOURS)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages.first
        assert (
            page.is_tiled and page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE and not tiff.is_bigtiff
        )
    assert (tmp_path / "a.tif").stat().st_size < labels.nbytes / 20
    with Image.open(tmp_path / "a.tif") as image:
        assert image.mode == "P" and np.array_equal(np.asarray(image), labels)


def test_what_could_pass_four_gigabytes_is_written_as_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "_CLASSIC_TIFF_BYTES", 100)
    write_tiled_tiff(tmp_path / "a.tif", [np.ones((20, 20), np.uint8)], 20, 20)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_bigtiff
    assert np.array_equal(read_labels(tmp_path / "a.tif"), np.ones((20, 20), np.uint8))


def test_16_bit_bands_come_back_to_the_bit(tmp_path):
    grey = np.arange(65536, dtype=np.uint16).reshape(128, 512)
    write_tiled_tiff(tmp_path / "a.tif", [grey], 128, 512, dtype=np.uint16)
    assert np.array_equal(read_labels(tmp_path / "a.tif"), grey)


@pytest.mark.parametrize("rows", [19, 21, 0])
def test_too_few_or_too_many_rows_leave_the_old_file(tmp_path, rows):
    write_tiled_tiff(tmp_path / "a.tif", [np.ones((20, 20), np.uint8)], 20, 20)
    before = (tmp_path / "a.tif").read_bytes()
    with pytest.raises(UnetsegError, match=r"a\.tif"):
        write_tiled_tiff(tmp_path / "a.tif", [np.zeros((rows, 20), np.uint8)], 20, 20)
    assert (tmp_path / "a.tif").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.tif"]


def test_wrong_bands_names_and_colours_are_refused(tmp_path):
    band = np.full((4, 5), 3, np.uint8)
    for wrong in (band[:, :4], band.astype(np.uint16)):
        with pytest.raises(UnetsegError, match="does not fit"):
            write_tiled_tiff(tmp_path / "a.tif", [wrong], 4, 5)
    with pytest.raises(UnetsegError, match="label 3 cannot be written with 3 colours"):
        write_tiled_tiff(tmp_path / "a.tif", [band], 4, 5, colours=COLOURS[:3])
    with pytest.raises(UsageError, match=r"\.tif or \.tiff"):
        write_tiled_tiff(tmp_path / "a.png", [band], 4, 5)
    assert os.listdir(tmp_path) == []


def test_what_the_iterator_raises_comes_through_and_leaves_nothing(tmp_path):
    def bands():
        yield np.zeros((600, 20), np.uint8)
        raise RuntimeError("the network's")

    with pytest.raises(RuntimeError, match="the network's"):
        write_tiled_tiff(tmp_path / "a.tif", bands(), 1200, 20)
    assert os.listdir(tmp_path) == []


def test_a_name_that_is_not_utf8_is_written_and_read_by_region(tmp_path):
    path = tmp_path / os.fsdecode(b"bad\xff.tif")
    labels = np.ones((30, 40), np.uint8)
    write_tiled_tiff(path, [labels], 30, 40)
    with open_region_reader(path) as reader:
        assert reader.read(2, 3, 4, 5).tolist() == np.ones((4, 5, 3)).tolist()


def test_a_place_that_cannot_be_written_to_is_one_plain_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnetsegError, match=r"a\.tif: cannot be written"):
        write_tiled_tiff(tmp_path / "file" / "a.tif", [np.ones((4, 4), np.uint8)], 4, 4)
