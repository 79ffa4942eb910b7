"""Folders full of broken files: every good image gets its mask, every bad one its reason."""

import io
import os
import random
import resource
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

FORMATS = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "gif": "GIF", "bmp": "BMP", "webp": "WEBP"}
TEXTS = {
    "text": b"this is text",
    "html": b"<!doctype html><title>404 not found</title>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "zip": b"PK\x03\x04" + b"\0" * 60,
    "gzip": b"\x1f\x8b\x08" + b"\0" * 60,
    "pgm": b"P5 4 4 255\n" + b"\0" * 16,
    "psd": b"8BPS\0\x01" + b"\0" * 60,
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 60,
    "heic": b"\0\0\0\x18ftypheic" + b"\0" * 60,
    "exr": b"v/1\x01" + b"\0" * 60,
    "dicom": b"\0" * 128 + b"DICM" + b"\0" * 60,
    "zeros": b"\0" * 500,
    "ico": b"\0\0\1\0\1\0" + b"\0" * 60,
    "git lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
}


def encoded(pixels: np.ndarray, format: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=format, **options)
    return file.getvalue()


def tiff(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    return file.getvalue()


def claims(side: int) -> dict[str, bytes]:
    """Files of a few bytes whose headers claim side×side pixels."""
    png = encoded(np.zeros((1, 1, 3), np.uint8), "PNG")
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bmp = encoded(np.zeros((1, 1, 3), np.uint8), "BMP")
    gif = encoded(np.zeros((1, 1), np.uint8), "GIF")
    return {
        "png": png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:],
        "bmp": bmp[:18] + struct.pack("<ii", side, side) + bmp[26:],
        "gif": gif[:6] + struct.pack("<HH", side, side) + gif[10:],
    }


def bad_files(pixels: np.ndarray) -> dict[str, bytes]:
    """Forty files that are no image, or not a whole one."""
    half = {kind: encoded(pixels, name) for kind, name in FORMATS.items()}
    png, tif = half["png"], tiff(pixels, photometric="rgb")
    files = {f"half.{kind}": content[: len(content) // 2] for kind, content in half.items()}
    files |= {f"head of a.{kind}": content[:30] for kind, content in half.items()}
    files |= {f"{name}.png": content for name, content in TEXTS.items()}
    files |= {f"claims 30000.{kind}": content for kind, content in claims(30000).items()}
    progressive = encoded(pixels, "JPEG", progressive=True)
    floats, planes = pixels.astype(np.float32), np.zeros((6, 9, 9), np.uint8)
    return files | {
        "empty.png": b"",
        "half progressive.jpg": progressive[: len(progressive) // 2],
        "without data.png": png[:33] + png[-12:],
        "wrong checksum.png": png[:40] + bytes([png[40] ^ 255]) + png[41:],
        "floats.tif": tiff(floats, photometric="rgb"),
        "nan.tif": tiff(np.full((9, 9), np.nan, np.float32)),
        "integers.tif": tiff(np.full((9, 9), 70000, np.int32)),
        "six bands.tif": tiff(planes, photometric="minisblack", planarconfig="separate"),
        "strips beyond the end.tif": tif[:-20] if tif[4:8] == b"\x08\0\0\0" else tif[: len(tif) // 3],
        "lab.tif": tiff(pixels, photometric="cielab"),
    }


def good_files(draw: Callable[..., np.ndarray]) -> dict[str, tuple[bytes, tuple[int, int]]]:
    """Twenty images of all kinds, with their height and width."""
    pixels = draw(40, 60)
    grey, alpha = np.ascontiguousarray(pixels[:, :, 0]), np.full((40, 60, 1), 128, np.uint8)
    wide = pixels.astype(np.uint16) * 257
    turned = Image.Exif()
    turned[0x0112] = 6
    palette = io.BytesIO()
    Image.fromarray(pixels).quantize(16).save(palette, format="PNG", transparency=3)
    cmyk = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(cmyk, format="JPEG")
    plain = {
        "ok.jpg": encoded(pixels, "JPEG"),
        "ok progressive.jpg": encoded(pixels, "JPEG", progressive=True),
        "ok grey.jpg": encoded(grey, "JPEG"),
        "ok cmyk.jpg": cmyk.getvalue(),
        "ok png named.jpg.jpeg": encoded(pixels, "PNG"),
        "ok.png": encoded(pixels, "PNG"),
        "ok alpha.png": encoded(np.dstack([pixels, alpha]), "PNG"),
        "ok palette.png": palette.getvalue(),
        "ok 16 bits.png": encoded(np.ascontiguousarray(wide[:, :, 0]), "PNG"),
        "ok bits.png": encoded(grey > 99, "PNG"),
        "ok tiles.tif": tiff(pixels, photometric="rgb", tile=(16, 16), compression="zlib"),
        "ok 16 bits.tiff": tiff(wide, photometric="rgb"),
        "ok floats.tif": tiff(pixels.astype(np.float32) / 255, photometric="rgb"),
        "ok.bmp": encoded(pixels, "BMP"),
        "ok.webp": encoded(pixels, "WEBP"),
        "ok.gif": encoded(grey, "GIF"),
        "ok mère 图.png": encoded(pixels, "PNG"),
    }
    files = {name: (content, (40, 60)) for name, content in plain.items()}
    files["ok turned.jpg"] = encoded(pixels, "JPEG", exif=turned), (60, 40)
    files["ok 1x1.png"] = encoded(pixels[:1, :1].copy(), "PNG"), (1, 1)
    files["ok 1x60.png"] = encoded(pixels[:1].copy(), "PNG"), (1, 60)
    return files


def mask_name(name: str) -> str:
    return Path(name).with_suffix(".png").name


def save_apart(folder: Path, files: dict[str, bytes]) -> None:
    """Save each file in a folder of its own, so that no two have the same mask."""
    for name, content in files.items():
        (folder / name).mkdir(parents=True)
        (folder / name / name).write_bytes(content)


def test_forty_bad_files_among_twenty_good_ones(predict, images, picture, read, untouched, table):
    bad, good = bad_files(picture(40, 60)), good_files(picture)
    assert (len(bad), len(good)) == (40, 20)
    save_apart(images, bad | {name: content for name, (content, _) in good.items()})
    with untouched():
        outcome = predict()
    assert outcome.code == 3
    assert {line.split("/")[1] for line in outcome.failed} == set(bad)
    assert len(outcome.failed) == 40
    assert all(";" in line for line in outcome.failed)  # what is wrong; what to do
    assert {path.parent.name for path in Path("masks").rglob("*.png") if path.is_file()} == set(good)
    for name, (_, size) in good.items():
        assert read(f"masks/{name}/{mask_name(name)}").shape == size
    assert "20 masks in masks" in outcome.out and "40 failed" in outcome.out
    assert sum(bool(row["error"]) for row in table().values()) == 40


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Cut a file off, or flip some of its bits."""
    if chance.random() < 0.3:
        return content[: chance.randrange(len(content))]
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("kind", FORMATS)
def test_fifty_damaged_files_of_each_format_crash_nothing_and_take_no_memory(
    predict, images, picture, read, untouched, table, kind
):
    chance = random.Random(f"{kind} 0")
    whole = encoded(picture(24, 32), FORMATS[kind])
    for index in range(50):
        (images / f"{index:02}.{kind}").write_bytes(damaged(whole, chance))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with untouched():
        outcome = predict("--max-pixels", "1000000")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert outcome.code == 3 and grown < 300_000  # kB
    failed = {name for name, row in table().items() if row["error"]}
    assert len(failed) == len(outcome.failed) > 5
    masks = {path.stem for path in Path("masks").glob("*.png")}
    assert masks | {name[:2] for name in failed} == {f"{index:02}" for index in range(50)}
    assert not masks & {name[:2] for name in failed}
    assert set(os.listdir("masks")) == {f"{name}.png" for name in masks} | {"predictions.csv"}
    for name in masks:
        row = table()[f"{name}.{kind}"]
        assert read(f"masks/{name}.png").shape == (int(row["height"]), int(row["width"]))
