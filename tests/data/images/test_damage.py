"""Files damaged inside: each kind of damage is drawn here, and each is named, never decoded past."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.images.decode import ImageError
from unetseg.data.images.read import image_size, read_image, read_labels, read_picture
from unetseg.data.images.regions import open_region_reader

HEIGHT, WIDTH = 60, 90
LABELS = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) // 11 % 5).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def png(kind: str) -> bytes:
    image = Image.fromarray(NOISE if kind == "RGB" else LABELS)
    if kind == "palette":
        image.putpalette([value for label in range(5) for value in (label * 40, 9, 200 - label * 40)])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def tiff(**options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, NOISE, photometric="rgb", metadata=None, **options)
    return buffer.getvalue()


TIFFS = {
    "strips": tiff(rowsperstrip=4),
    "one strip": tiff(),
    "big endian": tiff(rowsperstrip=4, byteorder=">"),
    "big": tiff(rowsperstrip=4, bigtiff=True),
    "deflate": tiff(compression="zlib", rowsperstrip=4, predictor=True),
    "tiles": tiff(compression="zlib", tile=(32, 32), predictor=True),
    "lzw": tiff(compression="lzw", rowsperstrip=4),
    "packbits": tiff(compression="packbits", rowsperstrip=4),
}


def flip(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def tag_places(data: bytes, *codes: int) -> list[int]:
    """The places of the values of the first of these tags that a TIFF has."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tags = file.pages.first.tags
        tag = next(tags[code] for code in codes if code in tags)
        return list(range(tag.valueoffset, tag.valueoffset + tag.valuebytecount))


def entry_places(data: bytes, code: int) -> int:
    """The place of a tag's entry in the directory."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return file.pages.first.tags[code].offset


def refusal(path: Path, data: bytes) -> str:
    """The one line that reading the file ends with, or an empty string; a doubt counts."""
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_image(path)
    except (ImageError, UserWarning) as error:
        line = str(error)
        assert line.startswith(str(path)) and "\n" not in line and ";" in line
        return line
    return ""


# --- PNG -------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["palette", "grey", "RGB"]))
def test_no_bit_of_a_png_can_change_unseen(tmp_path_factory, data, kind):
    whole = png(kind)
    place = data.draw(st.integers(8, len(whole) - 1))
    path = tmp_path_factory.getbasetemp() / "bit.png"
    assert refusal(path, flip(whole, place, data.draw(st.integers(0, 7))))


@pytest.mark.parametrize("kind", ["palette", "grey", "RGB"])
def test_a_png_with_zeros_for_half_of_its_pixels_is_damaged(tmp_path, kind):
    whole = png(kind)
    path = tmp_path / "a.png"
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 2 - 12) + whole[-12:])
    for reader in (read_image, read_labels):
        with pytest.raises(ImageError, match=r"a\.png: is damaged .*; save or copy it again"):
            reader(path)


def test_what_follows_the_end_of_a_png_is_no_damage(tmp_path):
    (tmp_path / "a.png").write_bytes(png("grey") + b"appended by another program")
    assert np.array_equal(read_labels(tmp_path / "a.png"), LABELS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_behind_the_pixels_turns_a_png_as_exif_before_them(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    whole = png("RGB")
    (tmp_path / "after.png").write_bytes(whole[:-12] + chunk + whole[-12:])
    (tmp_path / "before.png").write_bytes(whole[:33] + chunk + whole[33:])
    after, before = (read_image(tmp_path / name) for name in ("after.png", "before.png"))
    assert np.array_equal(after, before)
    assert image_size(tmp_path / "after.png") == after.shape[:2]
    assert read_labels(tmp_path / "after.png").shape == after.shape
    assert (after.shape[:2] == (WIDTH, HEIGHT)) == (orientation > 4)


# --- JPEG ------------------------------------------------------------------------------------------


def jpeg(mode: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


JPEGS = {
    "RGB": jpeg("RGB"),
    "grey": jpeg("L"),
    "CMYK": jpeg("CMYK"),
    "progressive": jpeg("RGB", progressive=True),
    "subsampled": jpeg("RGB", subsampling="4:2:0"),
    "restarts": jpeg("RGB", restart_marker_rows=1),
}


def half(whole: bytes) -> bytes:
    """A JPEG whose second half is zeros but for its end."""
    middle = len(whole) // 2
    return whole[:middle] + bytes(len(whole) - middle - 2) + whole[-2:]


@pytest.mark.parametrize("kind", JPEGS)
def test_an_image_of_jpeg_that_is_damaged_inside_is_read_whole_and_named(tmp_path, kind):
    path = tmp_path / "a.jpg"
    assert refusal(path, JPEGS[kind]) == ""
    path.write_bytes(half(JPEGS[kind]))
    with pytest.warns(UserWarning, match=r"a\.jpg: is damaged inside and is read as far as it decodes; save"):
        assert read_image(path).shape == (HEIGHT, WIDTH, 3)
    assert read_picture(path).damage


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_is_cut_off_is_an_error(tmp_path, kind):
    path = tmp_path / "a.jpg"
    for length in (len(JPEGS[kind]) // 2, len(JPEGS[kind]) - 40):
        path.write_bytes(JPEGS[kind][:length])
        with pytest.raises(ImageError, match=r"cut off.*; save or copy it again"):
            read_image(path)


@pytest.mark.parametrize("kind", [each for each in JPEGS if each != "CMYK"])  # decoded by Pillow, which minds
def test_a_jpeg_that_lacks_only_the_mark_of_its_end_is_whole(tmp_path, kind):
    assert refusal(tmp_path / "a.jpg", JPEGS[kind][:-2]) == ""


@pytest.mark.parametrize("kind", ["RGB", "grey", "CMYK"])
def test_a_mask_of_jpeg_that_is_damaged_inside_is_an_error(tmp_path, kind):
    path = tmp_path / "a.jpg"
    path.write_bytes(half(JPEGS[kind]))
    with pytest.raises(ImageError, match=r"is damaged .*; save or copy it again"):
        read_labels(path, lossy=True)
    path.write_bytes(JPEGS["grey"])
    assert read_labels(path, lossy=True).shape == (HEIGHT, WIDTH)


@pytest.mark.parametrize("kind", JPEGS)
def test_pixels_of_a_jpeg_are_those_of_pillow(tmp_path, kind):
    (tmp_path / "a.jpg").write_bytes(JPEGS[kind])
    expected = np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))
    assert np.array_equal(read_image(tmp_path / "a.jpg"), expected)


def test_bytes_behind_a_jpeg_are_no_damage(tmp_path):
    assert refusal(tmp_path / "a.jpg", JPEGS["RGB"] + b"appended by a camera") == ""


def test_a_header_that_the_decoder_does_not_know_is_a_doubt_and_no_error(tmp_path):
    path = tmp_path / "a.jpg"
    whole = JPEGS["RGB"]
    place = whole.index(b"JFIF\0") + 5  # the major revision
    path.write_bytes(whole[:place] + b"\x07" + whole[place + 1 :])
    with pytest.warns(UserWarning, match=r"a\.jpg: is an unusual JPEG \(.*JFIF revision number 7"):
        pixels = read_image(path)
    path.write_bytes(whole)
    assert np.array_equal(pixels, read_image(path))


# --- TIFF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", TIFFS)
@pytest.mark.parametrize("codes", [(273, 324), (279, 325)], ids=["offsets", "byte counts"])
def test_a_strip_or_tile_that_lies_elsewhere_is_damage(tmp_path, layout, codes):
    whole = TIFFS[layout]
    places = tag_places(whole, *codes)
    for place in {places[0], places[len(places) // 2], places[-1]}:
        for bit in range(8):
            assert refusal(tmp_path / "a.tif", flip(whole, place, bit)), (place, bit)


@pytest.mark.parametrize("layout", [each for each in TIFFS if each != "tiles"])  # whose last may end anywhere
def test_a_size_that_the_file_cannot_hold_is_damage(tmp_path, layout):
    for code in (256, 257):
        for place in tag_places(TIFFS[layout], code):
            for bit in range(8):
                assert refusal(tmp_path / "a.tif", flip(TIFFS[layout], place, bit)), (code, place, bit)


@pytest.mark.parametrize("layout", TIFFS)
def test_a_tag_that_becomes_another_or_of_another_type_changes_no_pixel_unseen(tmp_path, layout):
    whole = TIFFS[layout]
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        codes = list(file.pages.first.tags.keys())
    for code in codes:
        for byte in range(4):  # the code and the type
            for bit in range(8):
                damaged = flip(whole, entry_places(whole, code) + byte, bit)
                if not refusal(tmp_path / "a.tif", damaged):
                    assert np.array_equal(read_image(tmp_path / "a.tif"), NOISE), (code, byte, bit)


def test_a_compressed_tile_with_a_checksum_is_checked(tmp_path):
    whole = TIFFS["tiles"]
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        page = file.pages.first
        places = [
            (start + end) // 2
            for start, end in zip(
                page.dataoffsets, np.add(page.dataoffsets, page.databytecounts), strict=True
            )
        ]
    for place in places:
        assert refusal(tmp_path / "a.tif", flip(whole, place, 3))


def test_a_small_file_whose_tile_would_fill_the_memory_is_refused_before_it_is_decoded(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.zeros((64, 64, 3), np.uint8),
        photometric="rgb",
        tile=(64, 64),
        compression="zlib",
    )
    whole = (tmp_path / "a.tif").read_bytes()
    for code in (322, 323):
        place = tag_places(whole, code)[0]
        whole = whole[:place] + struct.pack("<H", 16384) + whole[place + 2 :]
    assert "tiles are 16384 pixels a side" in refusal(tmp_path / "a.tif", whole)
    with pytest.raises(ImageError, match="tiles are 16384"), open_region_reader(tmp_path / "a.tif"):
        pass


def test_a_compressed_strip_cannot_stand_for_more_than_its_codec_can_pack(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((64, 64), np.uint8), compression="zlib", rowsperstrip=64)
    whole = (tmp_path / "a.tif").read_bytes()
    for code in (256, 257, 278):
        place = tag_places(whole, code)[0]
        whole = whole[:place] + struct.pack("<H", 8000) + whole[place + 2 :]
    assert "more than its compressed bytes can stand for" in refusal(tmp_path / "a.tif", whole)


@pytest.mark.parametrize(
    "options", [{"tile": (32, 32)}, {"tile": (32, 32), "compression": "zlib"}, {"rowsperstrip": 8}]
)
def test_a_file_in_which_no_tile_was_written_is_zeros(tmp_path, options):
    path = tmp_path / "sparse.tif"
    tifffile.imwrite(path, np.ones((64, 96), np.uint8), photometric="minisblack", **options)
    whole = bytearray(path.read_bytes())
    for codes in ((273, 324), (279, 325)):
        for place in tag_places(bytes(whole), *codes):
            whole[place] = 0
    path.write_bytes(whole)
    assert np.array_equal(read_image(path), np.zeros((64, 96, 3), np.uint8))
    assert np.array_equal(read_labels(path), np.zeros((64, 96), np.uint8))
    with open_region_reader(path) as reader:
        assert not reader.read(3, 5, 40, 50).any()


@pytest.mark.parametrize("layout", TIFFS)
def test_a_whole_tiff_raises_no_doubt(tmp_path, layout):
    assert refusal(tmp_path / "a.tif", TIFFS[layout]) == ""
    assert np.array_equal(read_image(tmp_path / "a.tif"), NOISE)


def test_tiles_that_share_their_bytes_are_no_damage(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), tile=(32, 32), compression="zlib")
    whole = bytearray(path.read_bytes())
    places = tag_places(bytes(whole), 324)
    for start in range(4, len(places), 4):
        whole[places[start] : places[start] + 4] = whole[places[0] : places[0] + 4]
    path.write_bytes(whole)
    assert not read_image(path).any()


def test_a_library_s_words_on_a_file_come_as_a_warning_with_its_name(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, NOISE, photometric="rgb", metadata=None)
    whole = path.read_bytes()
    place = tag_places(whole, 296)[0]  # the unit of the resolution, 1 to 3
    path.write_bytes(whole[:place] + b"\x09" + whole[place + 1 :])
    with pytest.warns(UserWarning, match=r"a\.tif: is unusual or damaged \(.*\); look at it"):
        assert np.array_equal(read_image(path), NOISE)
