"""What folders really hold, through ``unetseg predict``: what is read and how, what is refused and why.

Expected masks are the predictor's own on the pixels that the test drew.
"""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.runs import Run
from unetseg.training import checkpoints
from unetseg.utilities.text import printable


def save_tiff(path: Path, pixels: np.ndarray, **options) -> None:
    tifffile.imwrite(path, pixels, metadata=None, **options)


def huge_png(side: int) -> bytes:
    """A few bytes that claim side×side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


# --- damaged files ---------------------------------------------------------------------------------


def test_a_jpeg_cut_in_half_fails_alone_and_is_named(predict, images, picture, untouched, table):
    for name in ("good.jpg", "half.jpg"):
        Image.fromarray(picture(60, 80)).save(images / name)
    whole = (images / "half.jpg").read_bytes()
    (images / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with untouched():
        outcome = predict()
    assert outcome.code == 3
    assert len(outcome.failed) == 1 and "images/half.jpg" in outcome.failed[0]
    assert Path("masks/good.png").exists() and not Path("masks/half.png").exists()
    assert table()["good.jpg"]["error"] == ""
    assert "images/half.jpg: is damaged or cut off" in table()["half.jpg"]["error"]
    assert table()["half.jpg"]["share_cell"] == ""


def test_jpegs_damaged_inside_get_masks_and_are_named_with_their_count(predict, images, picture, table):
    for name in ("a.jpg", "b.jpg"):
        Image.fromarray(picture(60, 80)).save(images / name)
        whole = (images / name).read_bytes()
        (images / name).write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    outcome = predict()
    assert outcome.code == 0 and Path("masks/a.png").exists() and Path("masks/b.png").exists()
    for line in outcome.err.splitlines():
        assert "is damaged inside" not in line or line.startswith("warning: images/"), line
    assert outcome.err.count("is damaged inside and is read as far as it decodes") == 2  # one, and the count
    assert "1 more like it" in outcome.err and table()["a.jpg"]["error"] == ""


def test_empty_files_and_text_named_as_images_fail_by_name(predict, images, picture):
    (images / "empty.jpg").write_bytes(b"")
    (images / "text.png").write_text("not an image")
    (images / "gone.png").symlink_to("nowhere")
    Image.fromarray(picture(20, 20)).save(images / "good.png")
    outcome = predict()
    assert outcome.code == 3
    assert [line.split(": ")[1] for line in sorted(outcome.failed)] == [
        "images/empty.jpg", "images/gone.png", "images/text.png"
    ]  # fmt: skip
    assert os.listdir("masks").count("good.png") == 1


def test_a_folder_named_like_an_image_is_searched(predict, images, picture):
    (images / "x.png").mkdir()
    Image.fromarray(picture(20, 20)).save(images / "x.png" / "inner.png")
    assert predict().code == 0
    assert Path("masks/x.png/inner.png").is_file()


def test_a_pipe_is_refused_and_not_waited_for(predict, images, picture):
    os.mkfifo(images / "pipe.png")
    Image.fromarray(picture(20, 20)).save(images / "good.png")
    outcome = predict()
    assert outcome.code == 3 and "pipe.png: is a pipe or device" in outcome.failed[0]


# --- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["native", "longest:32"])
@pytest.mark.parametrize("encoder", ["basic", "resnet18"])
def test_masks_of_any_size_have_exactly_the_size_of_the_image(
    predict, images, picture, make_run, read, encoder, scale
):
    sizes = [(1, 1), (1, 50), (50, 1), (33, 31), (40, 72), (65, 97)]
    for height, width in sizes:
        Image.fromarray(picture(height, width)).save(images / f"{height}x{width}.png")
    assert predict(runs=(make_run(scale=scale, encoder=encoder),)).code == 0
    for height, width in sizes:
        assert read(f"masks/{height}x{width}.png").shape == (height, width)


def test_a_small_file_that_claims_huge_size_is_refused_with_the_flag_that_allows_it(predict, images):
    (images / "bomb.png").write_bytes(huge_png(20000))
    outcome = predict()
    assert outcome.code == 3
    assert "images/bomb.png: " in outcome.failed[0] and "--max-pixels" in outcome.failed[0]


def test_max_pixels_raises_the_limit_on_purpose(predict, images, picture, monkeypatch, read):
    Image.fromarray(picture(40, 50)).save(images / "a.png")
    with monkeypatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        assert predict().code == 3
        assert predict("--max-pixels", "1999").code == 3
        assert predict("--max-pixels", "2000").code == 0
    assert read("masks/a.png").shape == (40, 50)


# --- what pixels mean ------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mask_matches_the_upright_image(predict, images, picture, predictor, read, orientation):
    stored = Image.fromarray(picture(40, 60))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(images / "a.png", exif=exif)
    turn = {
        2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
        6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
    }.get(orientation)  # fmt: skip
    upright = stored.transpose(Image.Transpose[turn]) if turn else stored
    assert predict().code == 0
    assert np.array_equal(read("masks/a.png"), predictor(np.array(upright)))


def test_16_bits_are_scaled_and_not_clipped(predict, images, picture, predictor, read):
    pixels = picture(40, 60)
    wide = pixels.astype(np.uint16) * 257
    save_tiff(images / "rgb.tif", wide, photometric="rgb")
    (images / "rgb16.png").write_bytes(cv2.imencode(".png", wide[:, :, ::-1])[1].tobytes())
    Image.fromarray(np.ascontiguousarray(wide[:, :, 0])).save(images / "grey.png")
    assert predict().code == 0
    expected = predictor(pixels)
    assert 0.1 < expected.mean() < 0.9
    assert np.array_equal(read("masks/rgb.png"), expected)
    assert np.array_equal(read("masks/rgb16.png"), expected)
    assert np.array_equal(read("masks/grey.png"), predictor(np.repeat(pixels[:, :, :1], 3, axis=2)))


def test_alpha_is_dropped_and_palettes_grey_and_bits_are_converted(predict, images, picture, predictor, read):
    pixels = picture(40, 60)
    alpha = np.full((40, 60), 7, np.uint8)
    Image.fromarray(np.dstack([pixels, alpha])).save(images / "rgba.png")
    few = Image.fromarray(pixels).quantize(16)
    few.save(images / "palette.png")
    Image.fromarray(pixels[:, :, 0]).save(images / "grey.png")
    bits = pixels[:, :, 0] > 128
    Image.fromarray(bits).save(images / "bits.png")
    assert predict().code == 0
    expected = {
        "rgba": pixels,
        "palette": np.array(few.convert("RGB")),
        "grey": np.dstack([pixels[:, :, 0]] * 3),
        "bits": np.dstack([bits.astype(np.uint8) * 255] * 3),
    }
    for name, rgb in expected.items():
        assert np.array_equal(read(f"masks/{name}.png"), predictor(rgb)), name


def test_cmyk_is_converted(predict, images, picture, predictor, read):
    cmyk = Image.fromarray(picture(40, 60)).convert("CMYK")
    cmyk.save(images / "a.jpg", quality=95)
    cmyk.save(images / "b.tif")
    assert predict().code == 0
    with Image.open(images / "a.jpg") as opened:
        decoded = np.array(opened.convert("RGB"))
    assert np.array_equal(read("masks/a.png"), predictor(decoded))
    assert np.array_equal(read("masks/b.png"), predictor(np.array(cmyk.convert("RGB"))))


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.webp"])
def test_of_several_frames_or_pages_the_first_is_used_with_one_warning(
    predict, images, picture, predictor, read, name
):
    first, second = (Image.fromarray(picture(40, 60, seed)) for seed in (0, 1))
    options = {"lossless": True} if name.endswith("webp") else {}
    first.save(images / name, save_all=True, append_images=[second], **options)
    outcome = predict("--overlay")  # which reads the image again
    assert outcome.code == 0
    assert outcome.line.startswith(f"warning: images/{name}: has 2 ") and "the first is used" in outcome.line
    with Image.open(images / name) as opened:
        assert np.array_equal(read("masks/a.png"), predictor(np.array(opened.convert("RGB"))))


def test_the_full_size_level_of_a_pyramid_is_used(predict, images, picture, predictor, read):
    pixels = picture(64, 96)
    with tifffile.TiffWriter(images / "a.tif") as tiff:
        tiff.write(pixels, photometric="rgb", tile=(32, 32), subifds=1, metadata=None)
        tiff.write(pixels[::2, ::2].copy(), photometric="rgb", tile=(32, 32), subfiletype=1, metadata=None)
    outcome = predict()
    assert outcome.code == 0 and outcome.err == ""
    assert np.array_equal(read("masks/a.png"), predictor(pixels))


def test_floats_are_read_from_0_to_1_and_refused_beyond(predict, images, picture, predictor, read):
    pixels = picture(40, 60)
    save_tiff(images / "good.tif", pixels.astype(np.float32) / 255, photometric="rgb")
    save_tiff(images / "bad.tif", pixels.astype(np.float32), photometric="rgb")
    save_tiff(images / "nan.tif", np.full((9, 9, 3), np.nan, np.float32), photometric="rgb")
    outcome = predict()
    assert outcome.code == 3 and len(outcome.failed) == 2
    assert all("floating-point values outside 0 to 1" in line for line in outcome.failed)
    assert np.array_equal(read("masks/good.png"), predictor(pixels))


def test_medical_volumes_are_refused_with_what_to_convert_to(predict, images):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 9, 4), np.uint8), np.eye(4)), images / "scan.nii.gz")
    outcome = predict()
    assert outcome.code == 3
    assert "scan.nii.gz: is a volume of 4 slices; save each 2-D slice" in outcome.err


def test_multispectral_images_and_volumes_are_refused_by_name(predict, images):
    save_tiff(
        images / "five.tif",
        np.zeros((5, 20, 20), np.uint8),
        photometric="minisblack",
        planarconfig="separate",
    )
    save_tiff(
        images / "volume.tif",
        np.zeros((4, 20, 20), np.uint8),
        photometric="minisblack",
        volumetric=True,
        tile=(4, 16, 16),
    )
    outcome = predict()
    assert outcome.code == 3
    assert "five.tif: has 5 channels (multispectral)" in outcome.failed[0]
    assert "volume.tif: is a volume of 4 slices" in outcome.failed[1]


# --- names -----------------------------------------------------------------------------------------


def test_names_of_any_bytes_give_masks_of_the_same_name(predict, images, picture, table, capsys):
    names = [
        b"bad\xff.png",
        "mère été 图.png".encode(),
        b"two  spaces.png",
        b"line\nbreak.png",
        b"x" * 240 + b".png",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(images), name), "wb") as file:
            Image.fromarray(picture(20, 20)).save(file, format="PNG")
    assert predict().code == 0
    assert set(os.listdir(b"masks")) == {*names, b"predictions.csv"}
    # A cell holds no line break: tables are read line by line, too.
    assert set(table()) == {printable(name) for name in names}


def test_a_name_that_is_not_utf8_can_be_printed_when_its_image_fails(predict, images, table):
    with open(os.path.join(os.fsencode(images), b"bad\xff.png"), "wb") as file:
        file.write(b"text")
    outcome = predict()
    assert outcome.code == 3 and "images/bad\\xff.png: is no JPEG" in outcome.failed[0]
    assert set(table()) == {r"bad\xff.png"}


def test_a_name_too_long_for_the_overlay_fails_alone(predict, images, picture):
    for name in ("x" * 250 + ".png", "short.png"):
        Image.fromarray(picture(20, 20)).save(images / name)
    outcome = predict("--overlay")
    assert outcome.code == 3
    assert "File name too long" in outcome.failed[0]
    assert set(os.listdir("masks")) == {"short.png", "short.overlay.jpg", "predictions.csv"}


# --- which files -----------------------------------------------------------------------------------


def test_sub_folders_are_kept_and_globs_and_lists_name_files(predict, images, picture, monkeypatch):
    for name in ("a.png", "x/b.png", "x/y/c.jpg"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(20, 20)).save(images / name)
    (images / "notes.txt").write_text("not an image, and not taken for one")
    assert predict(out="all").code == 0
    assert predict(images=("images/**/*.png",), out="glob").code == 0
    with open("list.txt", "wb") as file:
        file.write(b"images/x/b.png\nimages/x/y/c.jpg\n")
    with open("list.txt") as file:
        monkeypatch.setattr("sys.stdin", file)
        assert predict(images=("-",), out="list").code == 0

    def masks(folder: str) -> list[str]:
        return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*.png"))

    assert masks("all") == ["a.png", "x/b.png", "x/y/c.png"]
    assert masks("glob") == ["a.png", "x/b.png"]
    assert masks("list") == ["b.png", "y/c.png"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ("images/a.jpg images/a.png", "would both be written to a.png"),
        ("x/a.png y/a.png", None),
    ],
)
def test_collisions_are_refused_before_anything_is_read_and_sub_folders_are_none(
    predict, tmp_path, picture, inputs, words
):
    for name in inputs.split():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(20, 20)).save(tmp_path / name)
    outcome = predict(images=tuple(inputs.split()))
    assert outcome.code == (2 if words else 0)
    assert Path("masks").exists() == (not words)
    if words:
        assert words in outcome.line


def test_a_link_that_leads_round_gives_each_file_once(predict, images, picture, table):
    Image.fromarray(picture(20, 20)).save(images / "a.png")
    (images / "deep").mkdir()
    (images / "deep" / "loop").symlink_to(images, target_is_directory=True)
    (images / "again.png").symlink_to("a.png")
    assert predict().code == 0
    assert list(table()) == ["a.png"]


@pytest.mark.parametrize("words", [("nowhere",), ("images",), ("images/*.png",)])
def test_no_images_at_all_is_a_wrong_use_that_is_named(predict, images, words):
    outcome = predict(images=words)
    assert outcome.code == 2 and words[0] in outcome.line
    assert not Path("masks").exists()


# --- runs ------------------------------------------------------------------------------------------


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ("code-was-run",)


def test_a_checkpoint_that_would_run_code_is_refused_even_where_the_environment_allows_it(
    predict, images, picture, run, tmp_path, monkeypatch
):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    Image.fromarray(picture(20, 20)).save(images / "a.png")
    evil = Run(tmp_path / "evil")
    evil.path.mkdir()
    evil.config_file.write_bytes(run.config_file.read_bytes())
    checkpoints.save(evil.best, {"state_dict": RunsCode()})
    outcome = predict(runs=(evil,))
    assert outcome.code == 1 and "evil/best.ckpt" in outcome.line
    assert not Path("code-was-run").exists() and not Path("masks").exists()


def test_runs_are_local(predict, images, picture):
    Image.fromarray(picture(20, 20)).save(images / "a.png")
    outcome = predict(runs=("http://example.org/run",))
    assert outcome.code == 2 and "local folders only" in outcome.line


def test_pictures_of_a_type_that_is_not_read_are_failed_rows(predict, images, picture, table):
    Image.fromarray(picture(20, 20)).save(images / "a.png")
    for name in ("b.psd", "deep/c.jp2"):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).write_bytes(b"any")
    (images / "notes.txt").write_text("no picture")
    outcome = predict()
    assert outcome.code == 3
    assert "b.psd: is of a type that is not read; save it as PNG or TIFF" in outcome.err
    rows = table()
    assert list(rows) == ["a.png", "b.psd", "deep/c.jp2"]
    assert [bool(row["error"]) for row in rows.values()] == [False, True, True]


def test_only_the_files_that_clash_are_refused(predict, images, picture, table):
    for name in ("a.png", "pic.jpg", "pic.png"):
        Image.fromarray(picture(20, 20)).save(images / name)
    outcome = predict()
    assert outcome.code == 3 and "pic.jpg and images/pic.png would both be written to pic.png" in outcome.err
    rows = table()
    assert [bool(row["error"]) for row in rows.values()] == [False, True, True]
    assert [path.name for path in Path("masks").glob("*.png")] == ["a.png"]


def test_a_picture_that_is_not_read_beside_its_conversion_is_no_failure(predict, images, picture, table):
    for name in ("a.png", "scan.v2.tif"):
        Image.fromarray(picture(20, 20)).save(images / name)
    for name in ("a.xcf", "scan.v2.jxl"):
        (images / name).write_bytes(b"any")
    assert predict().code == 0
    assert list(table()) == ["a.png", "scan.v2.tif"]


@pytest.mark.parametrize("pattern", ["images/*", "images/**", "images/[ab].*"])
def test_a_glob_names_the_pictures_that_are_not_read_as_a_folder_does(
    predict, images, picture, table, pattern
):
    Image.fromarray(picture(20, 20)).save(images / "a.png")
    (images / "b.psd").write_bytes(b"any")
    outcome = predict(images=(pattern,))
    assert outcome.code == 3 and "b.psd: is of a type that is not read" in outcome.err
    assert list(table()) == ["a.png", "b.psd"]


@pytest.mark.parametrize("inputs", ["images", "images/*", "images/**"])
def test_where_no_picture_is_read_those_of_other_types_are_named(predict, images, inputs):
    for name in ("b.psd", "c.mha"):
        (images / name).write_bytes(b"any")
    outcome = predict(images=(inputs,))
    assert outcome.code == 2 and "of a type that is not read: b.psd, c.mha" in outcome.line


@pytest.mark.parametrize("tiles", [False, True], ids=["whole", "tiles"])
def test_what_a_tiff_loses_is_told_once_with_its_number(predict, images, tiles):
    generator = np.random.default_rng(0)
    size = (96, 96)
    for number in range(4):
        narrow = generator.integers(180, 351, size, np.uint16)
        save_tiff(images / f"narrow{number}.tif", narrow, tile=(32, 32))
        bands = generator.integers(0, 256, (*size, 4), np.uint8)
        save_tiff(images / f"bands{number}.tif", bands, photometric="rgb", extrasamples=["unspecified"])
        place = [(33550, 12, 3, (1.0, 1.0, 0.0), True)]
        save_tiff(images / f"place{number}.tif", bands[..., :3], photometric="rgb", extratags=place)
    outcome = predict(*(("--tile", "48", "--overlap", "8") if tiles else ()))
    assert outcome.code == 0, outcome.err
    lines = outcome.err.splitlines()
    assert len([line for line in lines if "more like it" in line]) == 3
    for words in ("grey level(s) of 171 are left", "has 4 bands; the first three", "has a georeference"):
        met, at_the_end = (line for line in lines if "0.tif" in line and words in line)
        assert met == at_the_end  # there its number follows


@pytest.mark.parametrize("tiles", [(), ("--tile", "48", "--overlap", "8")], ids=["whole", "tiles"])
def test_16_bits_that_use_their_range_and_plain_tiffs_raise_no_warning(predict, images, tiles):
    wide = np.linspace(0, 65535, 96 * 96).astype(np.uint16).reshape(96, 96)
    save_tiff(images / "wide.tif", wide, tile=(32, 32))
    save_tiff(images / "flat.tif", np.full((96, 96), 300, np.uint16))
    save_tiff(images / "plain.tif", (wide >> 8).astype(np.uint8))
    outcome = predict(*tiles)
    assert (outcome.code, outcome.err) == (0, "")
