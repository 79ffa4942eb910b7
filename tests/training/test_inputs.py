"""Every damage to an image, a mask or a pair is found before the first step, and the file is named."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

MASK, IMAGE = "masks/train1.png", "images/train1.png"


def encoded(array, kind="PNG", **options):
    buffer = io.BytesIO()
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(buffer, kind, **options)
    return buffer.getvalue()


def filled(value, shape=(40, 40), dtype=np.uint8):
    return np.full(shape, value, dtype)


def png_that_claims(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def replace_by(content, file=MASK):
    return lambda folder: (folder / file).write_bytes(content)


def cut(file):
    def damage(folder):
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: len(content) // 2])

    return damage


def cut_jpeg(folder):
    content = encoded(Image.open(folder / IMAGE), "JPEG")
    (folder / "images/train1.jpg").write_bytes(content[: len(content) // 2])
    (folder / IMAGE).unlink()


def become_folder(file):
    def damage(folder):
        (folder / file).unlink()
        (folder / file).mkdir()

    return damage


def remove(file):
    return lambda folder: (folder / file).unlink()


def turn(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(filled(90, (30, 40, 3)))
    wide.save(folder / IMAGE, exif=exif)
    Image.fromarray(np.eye(30, 40, dtype=np.uint8)).save(folder / MASK)


def rename_to(name):
    def damage(folder):
        (folder / IMAGE).rename(folder / "images" / name)
        (folder / MASK).rename(folder / "masks" / name)
        cut(f"masks/{name}")(folder)
        lines = (folder / "train.txt").read_text().replace("train1", name.removesuffix(".png"))
        (folder / "train.txt").write_text(lines, errors="surrogateescape")

    return damage


DAMAGES = {
    "image, a JPEG cut in half": (cut_jpeg, "images/train1.jpg"),
    "image cut in half": (cut(IMAGE), IMAGE),
    "image of 0 bytes": (replace_by(b"", IMAGE), IMAGE),
    "image, text named .png": (replace_by(b"hello", IMAGE), IMAGE),
    "image, a folder named .png": (become_folder(IMAGE), "train1"),
    "image that claims 20000 × 20000": (replace_by(png_that_claims(20000, 20000), IMAGE), IMAGE),
    "image of floats": (
        replace_by(encoded(filled(300.0, (40, 40), np.float32), "TIFF"), IMAGE),
        IMAGE,
    ),
    "mask cut in half": (cut(MASK), MASK),
    "mask of 0 bytes": (replace_by(b""), MASK),
    "mask, text named .png": (replace_by(b"hello"), MASK),
    "mask, a folder named .png": (become_folder(MASK), "train1"),
    "mask that claims 20000 × 20000": (replace_by(png_that_claims(20000, 20000)), MASK),
    "mask of a JPEG": (replace_by(encoded(filled(1), "JPEG")), MASK),
    "mask of another size": (replace_by(encoded(filled(1, (40, 39)))), MASK),
    "mask with a value of no class": (replace_by(encoded(filled(7))), MASK),
    "mask with 1 and 255": (replace_by(encoded(np.tile(np.array([1, 255], np.uint8), (40, 20)))), MASK),
    "mask in colours": (replace_by(encoded(filled((255, 0, 0), (40, 40, 3)))), MASK),
    "mask of floats": (replace_by(encoded(filled(0.5, (40, 40), np.float32), "TIFF")), MASK),
    "mask not turned with its image": (turn, MASK),
    "mask without an image": (remove(IMAGE), "train1"),
    "image without a mask": (remove(MASK), "train1"),
    "two images of one name": (lambda folder: (folder / "images/train1.jpg").write_bytes(b"x"), "train1"),
    "two masks of one name": (lambda folder: (folder / "masks/train1.tif").write_bytes(b"x"), "train1"),
    "a name with spaces and accents": (rename_to("Größe 1.png"), "Größe 1.png"),
    "a name that is not UTF-8": (rename_to(os.fsdecode(b"bad\xff.png")), r"bad\xff.png"),
}


def snapshot(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize(("damage", "named"), DAMAGES.values(), ids=DAMAGES)
def test_a_damage_is_found_before_the_first_step_and_names_its_file(fit, drawn, damage, named):
    data = drawn()
    (data / "dataset.yaml").write_text("classes: [background, disc]\n")
    damage(data)
    before = snapshot(data)
    refused = fit(data=data)
    assert refused.code in (1, 2)
    assert named in refused.line, refused.line
    assert "epoch" not in refused.out and "unexpected" not in refused.line
    assert not refused.run.path.exists() and snapshot(data) == before


@pytest.mark.parametrize(
    ("values", "named"),
    [([0, 38, 75, 113], "38"), ([0, 128], "128"), ([0, 1, 2, 255], "255")],
    ids=["labels that became greys", "a grey foreground", "an ignore value nobody named"],
)
def test_values_that_mean_no_class_are_named_with_a_file(fit, drawn, values, named):
    data = drawn()
    for path in sorted((data / "masks").iterdir()):
        path.write_bytes(encoded(np.tile(np.array(values, np.uint8), (40, 40 // len(values)))))
    refused = fit(data=data)
    assert refused.code == 1 and named in refused.line and "test0.png" in refused.line
    assert not refused.run.path.exists()


@pytest.mark.parametrize("name", ["a.psd", "a.nrrd", "a.svs"])
def test_formats_out_of_scope_are_refused_by_name(fit, tmp_path, name):
    for part in ("images", "masks"):
        (tmp_path / "own" / part).mkdir(parents=True)
        (tmp_path / "own" / part / name).write_bytes(b"")
    refused = fit(data=tmp_path / "own")
    assert refused.code in (1, 2) and name.removeprefix("a") in refused.line


def palette(mask):
    image = Image.fromarray(mask, "P")
    image.putpalette([0, 0, 0, 38, 38, 38])
    return encoded(image)


WAYS = {
    "0/1": encoded,
    "0/255": lambda mask: encoded(mask * np.uint8(255)),
    "1-bit": lambda mask: encoded(Image.fromarray(mask * np.uint8(255)).convert("1")),
    "palette": palette,
    "16-bit": lambda mask: encoded(mask.astype(np.uint16)),
    "grey as RGB": lambda mask: encoded(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2)),
    "with alpha": lambda mask: encoded(Image.fromarray(mask * np.uint8(255)).convert("LA")),
}


def test_every_way_to_write_a_binary_mask_trains_the_same_bits(fit, drawn):
    data = drawn()
    masks = {path: np.asarray(Image.open(path)) for path in (data / "masks").iterdir()}
    metrics = {}
    for name, way in WAYS.items():
        for path, mask in masks.items():
            path.write_bytes(way(mask))
        trained = fit("--epochs", "1", data=data, out=name.replace("/", "-"))
        assert trained.code == 0, trained.err
        metrics[name] = trained.run.metrics.read_bytes()
    assert {name for name in WAYS if metrics[name] != metrics["0/1"]} == set()


def test_odd_sizes_links_and_kinds_of_images_train(fit, drawn):
    data = drawn()
    odd = {"train0": (1, 1), "train1": (1, 57), "val0": (33, 1), "val1": (31, 47), "test0": (1, 1)}
    for name, shape in odd.items():
        (data / f"images/{name}.png").write_bytes(encoded(filled(99, (*shape, 3))))
        (data / f"masks/{name}.png").write_bytes(encoded(filled(1, shape)))
    grey = np.asarray(Image.open(data / "images/train2.png").convert("L")).astype(np.uint16) * 257
    (data / "images/train2.png").write_bytes(encoded(grey))
    (data / "images/again").symlink_to(data / "images", target_is_directory=True)
    trained = fit("--augment", "full", data=data)
    assert trained.code == 0, trained.err
    assert "6 train, 5 val, 3 test" in trained.out
