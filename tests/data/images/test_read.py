"""Whole files: every kind that is read, every kind that is refused, and damaged ones of all kinds."""

import io
import logging
import os
import random
import struct
import threading
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.images.decode import ImageError, naming
from unetseg.data.images.read import image_size, read_image, read_labels
from unetseg.data.images.write import write_grey16, write_image, write_labels
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.current_file import reading
from unetseg.utilities.files import plain_write_errors

COLOURS = [(0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)]


@pytest.fixture
def rgb() -> np.ndarray:
    """A smooth picture of odd size, so that lossy formats stay near it."""
    y, x = np.mgrid[0:37, 0:53]
    return np.stack([x * 4, y * 6, 255 - x * 2 - y * 2], axis=2).clip(0, 255).astype(np.uint8)


@pytest.fixture
def labels() -> np.ndarray:
    return (np.arange(37 * 53).reshape(37, 53) // 7 % 4).astype(np.uint8)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def message(path: Path, reader=read_image) -> str:
    with pytest.raises(ImageError) as caught:
        reader(path)
    text = str(caught.value)
    assert "\n" not in text and text.isprintable() and ";" in text
    return text


# --- kinds that are read ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_lossless_formats_give_back_the_exact_pixels(tmp_path, rgb, name):
    Image.fromarray(rgb).save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    read = read_image(tmp_path / name)
    assert read.dtype == np.uint8 and np.array_equal(read, rgb)
    assert read.flags.writeable and read.flags.c_contiguous


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_jpeg_pixels_equal_those_of_another_decoder(tmp_path, rgb, options):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", quality=95, **options)
    other = cv2.imdecode(np.frombuffer((tmp_path / "a.jpg").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(read_image(tmp_path / "a.jpg"), other[:, :, ::-1])


def test_the_content_and_not_the_suffix_tells_the_format(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(read_image(tmp_path / "a.jpg"), rgb)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (33, 31)])
def test_tiny_and_odd_sizes_keep_their_size(tmp_path, shape):
    grey = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape)
    for name in ("a.png", "a.jpg", "a.tif", "a.bmp", "a.gif", "a.webp"):
        Image.fromarray(grey).save(tmp_path / name)
        assert read_image(tmp_path / name).shape == (*shape, 3)
        assert image_size(tmp_path / name) == shape


def test_16_bit_grey_is_scaled_by_65535(tmp_path):
    grey = np.array([[0, 128, 129, 256, 257, 32768, 65535]], np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", grey)
    Image.fromarray(grey).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        assert read_image(tmp_path / name)[0, :, 0].tolist() == [0, 0, 1, 1, 1, 128, 255]


def test_16_bit_rgb_is_scaled_by_65535(tmp_path, rgb):
    wide = rgb.astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", wide[:, :, ::-1])[1].tobytes())
    tifffile.imwrite(tmp_path / "a.tif", wide, photometric="rgb")
    assert np.array_equal(read_image(tmp_path / "a.png"), rgb)
    assert np.array_equal(read_image(tmp_path / "a.tif"), rgb)


def test_12_bit_tiff_is_scaled_by_4095(tmp_path):
    samples = np.array([[0, 2048, 4095, 16]], np.uint16)
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in samples.reshape(-1, 2).tolist()
    )
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(iter([packed]), shape=(1, 4), dtype=np.uint16, bitspersample=12, rowsperstrip=1)
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 128, 255, 1]


def test_grey_is_repeated_and_alpha_dropped(tmp_path, rgb):
    alpha = np.full(rgb.shape[:2], 9, np.uint8)
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([rgb[:, :, 0], alpha])).save(tmp_path / "la.png")
    tifffile.imwrite(tmp_path / "rgba.tif", np.dstack([rgb, alpha]), photometric="rgb", extrasamples=[2])
    assert np.array_equal(read_image(tmp_path / "rgba.png"), rgb)
    assert np.array_equal(read_image(tmp_path / "rgba.tif"), rgb)
    assert np.array_equal(read_image(tmp_path / "la.png"), np.repeat(rgb[:, :, :1], 3, axis=2))


def test_palette_with_transparency_gives_its_colours_without_a_warning(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png", transparency=b"\x00\x80\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(tmp_path / "a.png").tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]


def test_palette_tiff_gives_its_colours(tmp_path):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").tolist() == [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]]


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_one_bit_becomes_black_and_white(tmp_path, name):
    Image.fromarray(np.array([[False, True, True]])).save(tmp_path / name)
    assert read_image(tmp_path / name)[0, :, 0].tolist() == [0, 255, 255]
    assert read_labels(tmp_path / name).tolist() == [[0, 1, 1]]


@pytest.mark.parametrize("options", [{}, {"compression": "group4"}])
def test_bilevel_tiff_with_white_as_zero_is_read_by_its_colour(tmp_path, options):
    white = np.tile([[False, True]], (4, 8))
    tags = {262: 0}  # PhotometricInterpretation: WhiteIsZero
    Image.fromarray(~white).save(tmp_path / "a.tif", tiffinfo=tags, **options)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        if tiff.pages.first.photometric != tifffile.PHOTOMETRIC.MINISWHITE:
            tiff.pages.first.tags[262].overwrite(0)
    with Image.open(tmp_path / "a.tif") as image:
        expected = np.asarray(image.convert("L"))
    assert np.array_equal(read_image(tmp_path / "a.tif")[:, :, 0], expected)
    assert np.array_equal(read_labels(tmp_path / "a.tif"), expected // 255)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_is_converted(tmp_path, name):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / name)
    pixel = read_image(tmp_path / name)[4, 4]
    assert pixel[0] > 250 and pixel[1] < 5 and pixel[2] < 5


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_compressed_tiffs_are_read(tmp_path, rgb, compression):
    Image.fromarray(rgb).save(tmp_path / "a.tif", compression=compression)
    difference = read_image(tmp_path / "a.tif").astype(int) - rgb
    assert np.abs(difference).max() <= (0 if compression != "jpeg" else 40)
    assert np.abs(difference).mean() < 3


def test_planar_and_big_endian_tiffs_are_read(tmp_path, rgb):
    planes = np.moveaxis(rgb, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "b.tif", rgb.astype(np.uint16) * 257, photometric="rgb", byteorder=">")
    assert np.array_equal(read_image(tmp_path / "a.tif"), rgb)
    assert np.array_equal(read_image(tmp_path / "b.tif"), rgb)


def test_of_a_pyramid_the_first_level_is_read_without_a_warning(tmp_path, rgb):
    full = np.tile(rgb, (4, 4, 1))
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(full, subifds=1, tile=(64, 64), photometric="rgb")
        tiff.write(full[::2, ::2], subfiletype=1, tile=(64, 64), photometric="rgb")
    with tifffile.TiffWriter(tmp_path / "flat.tif") as tiff:
        tiff.write(full[::2, ::2], subfiletype=1, photometric="rgb")
        tiff.write(full, photometric="rgb")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read_image(tmp_path / "a.tif"), full)
        assert np.array_equal(read_image(tmp_path / "flat.tif"), full)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.tif", "a.png"])
def test_of_frames_and_pages_the_first_is_read_with_one_line_of_warning(tmp_path, name):
    frames = [Image.new("RGB", (9, 7), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
    with pytest.warns(UserWarning, match=rf"{name}: has 3 (frames|pages); the first is used") as caught:
        read = read_image(tmp_path / name)
    assert len(caught) == 1
    assert read.shape == (7, 9, 3) and read[3, 4].tolist() == [250, 0, 0]


# --- orientation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_as_pillow_turns_it(tmp_path, rgb, labels, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "a.jpg", "a.webp"):
        Image.fromarray(rgb).save(tmp_path / name, exif=exif, quality=95)
        with Image.open(tmp_path / name) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        assert np.array_equal(read_image(tmp_path / name), expected)
        assert image_size(tmp_path / name) == expected.shape[:2]
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_image(tmp_path / "a.tif"), expected)
    assert image_size(tmp_path / "a.tif") == expected.shape[:2]
    mask = Image.fromarray(labels)
    mask.save(tmp_path / "mask.png", exif=exif)
    assert np.array_equal(
        read_labels(tmp_path / "mask.png"),
        np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "mask.png"))),
    )


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
def test_damaged_exif_does_not_cost_the_picture(tmp_path, rgb, exif):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == rgb.shape


# --- labels ---------------------------------------------------------------------------------------


def test_labels_of_a_palette_are_its_indices(tmp_path, labels):
    image = Image.fromarray(labels)
    image.putpalette([value for colour in COLOURS for value in colour])
    for name in ("a.png", "a.gif", "a.bmp", "a.tif"):
        image.save(tmp_path / name)
        assert np.array_equal(read_labels(tmp_path / name), labels), name


@pytest.mark.parametrize("bits", [2, 4])
def test_labels_of_few_bit_grey_are_not_stretched(tmp_path, bits):
    values = np.arange(2**bits, dtype=np.uint8)
    packed = np.packbits(np.unpackbits(values[:, None], axis=1)[:, -bits:].ravel()).tobytes()
    header = struct.pack(">IIBBBBB", len(values), 1, bits, 0, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b"\0" + packed))
        + png_chunk(b"IEND", b"")
    )
    assert read_labels(tmp_path / "a.png")[0].tolist() == values.tolist()
    assert read_image(tmp_path / "a.png")[0, -1, 0] == 255


def test_grey_labels_stay_as_they_are_in_8_and_16_bits(tmp_path):
    for values in (np.array([[0, 1, 255]], np.uint8), np.array([[0, 1, 999]], np.uint16)):
        Image.fromarray(values).save(tmp_path / "a.png")
        tifffile.imwrite(tmp_path / "a.tif", values)
        tifffile.imwrite(tmp_path / "b.tif", values.astype(np.int32))
        assert read_labels(tmp_path / "a.png").dtype == values.dtype
        for name in ("a.png", "a.tif", "b.tif"):
            assert np.array_equal(read_labels(tmp_path / name), values)


def test_colour_masks_come_as_colours(tmp_path, rgb):
    alpha = np.full(rgb.shape[:2], 255, np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "b.png")
    tifffile.imwrite(tmp_path / "c.tif", rgb, photometric="rgb")
    for name in ("a.png", "b.png", "c.tif"):
        assert np.array_equal(read_labels(tmp_path / name), rgb)


@pytest.mark.parametrize(
    ("name", "options"), [("a.jpg", {}), ("a.webp", {}), ("a.tif", {"compression": "jpeg"})]
)
def test_lossy_masks_are_refused(tmp_path, rgb, name, options):
    Image.fromarray(rgb).save(tmp_path / name, **options)
    assert "save masks as PNG" in message(tmp_path / name, read_labels)


def test_labels_that_are_no_whole_numbers_of_16_bits_are_refused(tmp_path):
    for values in (
        np.zeros((4, 4), np.float32),
        np.full((4, 4), 70000, np.uint32),
        np.full((4, 4), -1, np.int16),
    ):
        tifffile.imwrite(tmp_path / "a.tif", values)
        message(tmp_path / "a.tif", read_labels)


# --- kinds that are refused -----------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", ["a.jpg", "p.jpg", "a.png", "a.tif", "z.tif", "a.bmp", "a.webp", "a.gif"])
def test_a_file_that_is_cut_off_is_never_half_an_image(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 256, (120, 90, 3), dtype=np.uint8)
    options = {"p.jpg": {"progressive": True}, "z.tif": {"compression": "tiff_lzw"}}.get(name, {})
    Image.fromarray(noise).save(tmp_path / name, **options)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    message(tmp_path / name)
    if name not in ("a.jpg", "p.jpg", "a.webp"):
        message(tmp_path / name, read_labels)


def test_files_that_are_no_images_are_named(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture\n")
    (tmp_path / "folder.png").mkdir()
    assert "text.png: is no JPEG, PNG" in message(tmp_path / "text.png")
    assert "empty.png: is empty" in message(tmp_path / "empty.png")
    assert "folder.png: is a folder" in message(tmp_path / "folder.png")
    assert "absent.png: cannot be read: No such file" in message(tmp_path / "absent.png")
    for reader in (read_labels, image_size):
        for name in ("empty.png", "text.png", "folder.png", "absent.png"):
            message(tmp_path / name, reader)


def test_a_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert "pipe" in message(tmp_path / "a.png")


def test_a_symlink_to_itself_is_named(tmp_path):
    (tmp_path / "a.png").symlink_to("a.png")
    message(tmp_path / "a.png")


def test_multispectral_volume_and_signed_tiffs_are_refused(tmp_path):
    zeros = np.zeros((6, 8, 5), np.uint8)
    tifffile.imwrite(tmp_path / "five.tif", zeros, photometric="minisblack", planarconfig="contig")
    tifffile.imwrite(tmp_path / "two.tif", zeros[:, :, :2], photometric="minisblack", planarconfig="contig")
    tifffile.imwrite(tmp_path / "signed.tif", np.zeros((6, 8), np.int16))
    with tifffile.TiffWriter(tmp_path / "depth.tif") as tiff:
        slices = np.zeros((16, 16, 16), np.uint8)
        tiff.write(slices, volumetric=True, tile=(16, 16, 16), photometric="minisblack", metadata=None)
    assert "5 channels (multispectral)" in message(tmp_path / "five.tif")
    assert "2 channels (multispectral)" in message(tmp_path / "two.tif")
    assert "int16" in message(tmp_path / "signed.tif")
    assert "16 slices" in message(tmp_path / "depth.tif")


def test_float_tiff_is_read_only_if_all_lies_in_0_to_1(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 0.5, 1]], np.float32))
    assert read_image(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 128, 255]
    for bad in (1.01, -0.1, np.nan, np.inf):
        tifffile.imwrite(tmp_path / "a.tif", np.array([[0, bad, 1]], np.float32))
        assert "outside 0 to 1" in message(tmp_path / "a.tif")


def test_a_small_png_that_claims_400_million_pixels_is_refused(tmp_path):
    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(b""))
        + png_chunk(b"IEND", b"")
    )
    assert "--max-pixels" in message(tmp_path / "a.png")
    assert "--max-pixels" in message(tmp_path / "a.png", read_labels)
    assert image_size(tmp_path / "a.png") == (20000, 20000)


def test_a_tiff_that_claims_400_million_pixels_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiles = (np.zeros((1024, 1024), np.uint8) for _ in range(1))
        tiff.write(tiles, shape=(1000, 1000), dtype=np.uint8, tile=(1024, 1024), compression="zlib")
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as tiff:
        for tag in (256, 257):  # ImageWidth, ImageLength
            tiff.pages.first.tags[tag].overwrite(20000)
    assert "--max-pixels" in message(tmp_path / "a.tif")


def test_the_limit_moves_with_max_pixels_and_pillows_own_stays(tmp_path, rgb, monkeypatch):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", rgb, photometric="rgb")
    for name in ("a.png", "a.tif"):
        with pytest.raises(ImageError, match="limit of 1,960"):
            read_image(tmp_path / name, max_pixels=37 * 53 - 1)
        assert read_image(tmp_path / name, max_pixels=37 * 53).shape == rgb.shape
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    for name in ("a.png", "a.tif"):
        message(tmp_path / name)
        assert read_image(tmp_path / name, max_pixels=37 * 53).shape == rgb.shape
    assert Image.MAX_IMAGE_PIXELS == 500


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        b"bad\xff.png",
        "mask\N{SNOWMAN} \u65e5\u672c.png".encode(),
        b" a b .png",
        b"n" * 251 + b".png",
        b"a\nb.png",
    ],
)
def test_any_name_can_be_read_and_written(tmp_path, rgb, labels, name):
    path = tmp_path / os.fsdecode(name)
    write_image(path, rgb)
    assert np.array_equal(read_image(path), rgb)
    assert image_size(path) == rgb.shape[:2]
    write_labels(path, labels, COLOURS)
    assert np.array_equal(read_labels(path), labels)
    tifffile_path = path.with_name(path.name.replace(".png", ".tif"))
    with open(tifffile_path, "wb") as file:
        tifffile.imwrite(file, rgb, photometric="rgb")
    assert np.array_equal(read_image(tifffile_path), rgb)
    path.write_bytes(b"text")
    message(path)


# --- writing --------------------------------------------------------------------------------------


def test_written_labels_are_a_palette_png_with_the_colours(tmp_path, labels):
    path = tmp_path / "new" / "folder" / "mask.png"
    write_labels(path, labels, COLOURS)
    with Image.open(path) as image:
        assert image.mode == "P"
        assert np.array_equal(np.asarray(image), labels)
        assert np.array_equal(np.asarray(image.convert("RGB")), np.array(COLOURS, np.uint8)[labels])
    assert np.array_equal(read_labels(path), labels)


@given(
    colours=st.integers(1, 256), height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99)
)
@settings(max_examples=40, deadline=None)
def test_labels_of_any_count_and_size_come_back(tmp_path_factory, colours, height, width, seed):
    path = tmp_path_factory.getbasetemp() / "any.png"
    labels = np.random.default_rng(seed).integers(0, colours, (height, width), dtype=np.uint8)
    write_labels(path, labels, [(i, 255 - i, 7) for i in range(colours)])
    assert np.array_equal(read_labels(path), labels)


def test_16_bit_grey_comes_back_to_the_bit(tmp_path):
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    write_grey16(tmp_path / "a.png", grey)
    assert np.array_equal(read_labels(tmp_path / "a.png"), grey)


def test_an_image_is_written_by_its_suffix(tmp_path, rgb):
    write_image(tmp_path / "a.jpg", rgb)
    assert (tmp_path / "a.jpg").read_bytes().startswith(b"\xff\xd8\xff")
    with pytest.raises(UsageError, match=r"a.gif: .* \.png or \.jpg"):
        write_image(tmp_path / "a.gif", rgb)


def test_wrong_labels_are_refused_and_the_old_file_stays(tmp_path, labels):
    path = tmp_path / "a.png"
    write_labels(path, labels, COLOURS)
    before = path.read_bytes()
    for wrong in (labels.astype(np.int64), labels[..., None], labels[:0]):
        with pytest.raises(UnetsegError, match=r"a\.png"):
            write_labels(path, wrong, COLOURS)
    with pytest.raises(UnetsegError, match="label 3 cannot be written with 2 colours"):
        write_labels(path, labels, COLOURS[:2])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_a_place_that_cannot_be_written_to_is_one_plain_line(tmp_path, labels):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnetsegError, match=r"mask\.png: cannot be written: .*; free space") as caught:
        write_labels(tmp_path / "file" / "mask.png", labels, COLOURS)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_a_full_disk_says_so(tmp_path):
    with (
        pytest.raises(UnetsegError, match="No space left"),
        plain_write_errors(tmp_path / "mask.png"),
        open("/dev/full", "wb", buffering=0) as full,
    ):
        full.write(b"x")


# --- damage ---------------------------------------------------------------------------------------


def _damaged(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    if chance.random() < 0.4:
        return bytes(data[: chance.randrange(len(data))])
    for _ in range(chance.choice([1, 3, 30])):
        where = chance.randrange(len(data) if chance.random() < 0.5 else min(len(data), 200))
        data[where] ^= 1 << chance.randrange(8)
    return bytes(data)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "lzw.tif", "tiled.tif", "gif", "bmp", "webp", "p.png"])
@pytest.mark.filterwarnings("ignore")
def test_random_damage_gives_an_error_or_an_array_of_the_right_shape(tmp_path, rgb, labels, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "tiled.tif":
        tifffile.imwrite(path, rgb, photometric="rgb", tile=(16, 16), compression="zlib")
    elif kind == "p.png":
        write_labels(path, labels, COLOURS)
    else:
        Image.fromarray(rgb).save(path, **({"compression": "tiff_lzw"} if kind == "lzw.tif" else {}))
    whole, chance = path.read_bytes(), random.Random(kind)
    for _ in range(25):
        path.write_bytes(_damaged(whole, chance))
        for reader in (read_image, read_labels):
            try:
                array = reader(path, max_pixels=1_000_000)
            except ImageError as error:
                assert str(error).isprintable()
            else:
                assert array.shape[:2] == image_size(path)
                assert array.dtype in (np.uint8, np.uint16) and array.ndim in (2, 3)


def test_threads_read_the_same_pixels(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    results: list[np.ndarray] = []
    threads = [
        threading.Thread(target=lambda: results.append(read_image(tmp_path / "a.png"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8 and all(np.array_equal(result, rgb) for result in results)


def test_reading_leaves_the_file_as_it_was(tmp_path, rgb):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="TIFF")
    (tmp_path / "a.tif").write_bytes(buffer.getvalue())
    read_image(tmp_path / "a.tif")
    assert (tmp_path / "a.tif").read_bytes() == buffer.getvalue()


def test_the_reason_names_no_object_in_memory(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing else that belongs to a PNG")
    assert "is damaged or cut off (cannot identify image file); save" in message(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IndexError(0), "(its entries do not fit together); save"),
        (TypeError("'<' not supported between instances of 'int' and 'tuple'"), "(its entries do not fit"),
        (ValueError("imcd_lzw_decode returned IMCD_LZW_CORRUPT"), "(its packed pixels cannot be unpacked);"),
        (ValueError("<tifffile.TiffPage 0 @8> has no rows."), "(has no rows); save"),
        (OSError("<tifffile.TiffTag.fromfile> raised TiffFileError('<tifffile.TiffTag 3> bad')"), "(bad);"),
        (ValueError("a < b and <unknown> c..."), "(a < b and <unknown> c...);"),
    ],
)
def test_what_decoders_say_to_programmers_is_not_repeated(error, words):
    with pytest.raises(ImageError) as caught, naming("a.png"):
        raise error
    assert f"a.png: is damaged or cut off {words}" in str(caught.value)


def test_a_bomb_is_told_with_its_pixels_and_what_takes_it(tmp_path, monkeypatch, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.bmp")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    line = message(tmp_path / "a.bmp")
    assert "pixels are more than the limit of 80; cut it into smaller ones, or predict it with --max" in line


def test_what_a_library_logs_of_a_file_is_told_without_its_objects():
    logged = "<tifffile.TiffTag.fromfile> raised E('<tifffile.TiffTag 3 @9> bad offset 8')"
    told = r"^a\.tif: is unusual or damaged \(bad offset 8\); look at it$"
    with pytest.warns(UserWarning, match=told), reading("a.tif"):
        logging.getLogger("tifffile").warning(logged)
