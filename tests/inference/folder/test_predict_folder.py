"""What ``unetseg predict`` leaves in a folder: masks, tables, and everything that was there before."""

import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.cli import main
from unetseg.data.images.read import read_image
from unetseg.data.preprocessing import Preprocessing

COLOURS = [0, 0, 0, 250, 20, 30, 40, 150, 60]


@pytest.fixture
def three(images, picture) -> list[str]:
    """Three images in two folders."""
    names = ["a.png", "b.jpg", "x/c.png"]
    for seed, name in enumerate(names):
        (images / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(40, 50 + seed, seed)).save(images / name)
    return names


# --- files -----------------------------------------------------------------------------------------


def test_masks_are_class_indices_with_a_palette(predict, images, picture, make_run, read):
    Image.fromarray(picture(64, 96)).save(images / "a.png")
    outcome = predict(runs=(make_run(classes=3),))
    assert outcome.code == 0 and outcome.err == ""
    with Image.open("masks/a.png") as mask:
        assert mask.mode == "P" and mask.getpalette()[:9] == COLOURS
    assert set(np.unique(read("masks/a.png"))) == {0, 1, 2}


def test_the_table_holds_size_shares_and_confidence_of_every_image(predict, three, read, table, predictor):
    assert predict().code == 0
    rows = table()
    assert list(rows) == three
    row = rows["x/c.png"]
    mask = read("masks/x/c.png")
    assert (int(row["height"]), int(row["width"])) == mask.shape == (40, 52)
    assert float(row["share_cell"]) == pytest.approx(mask.mean(), abs=1e-6)
    assert float(row["share_background"]) == pytest.approx(1 - mask.mean(), abs=1e-6)
    probabilities = predictor.probabilities(read_image("images/x/c.png"))
    assert float(row["mean_confidence"]) == pytest.approx(probabilities.max(axis=0).mean(), abs=1e-4)
    assert float(row["seconds"]) > 0 and row["error"] == ""


@pytest.mark.parametrize("scale", ["native", "longest:32"])
def test_probabilities_are_16_bit_grey_of_each_foreground_class(
    predict, images, picture, make_run, read, scale
):
    Image.fromarray(picture(64, 96)).save(images / "a.png")
    assert predict("--save-probabilities", runs=(make_run(classes=3, scale=scale),)).code == 0
    first, second = (read(f"masks/a.probability-{index}.png") for index in (1, 2))
    assert first.dtype == np.uint16 and first.shape == (64, 96)
    background = 65535.0 - first - second
    assert np.array_equal(np.stack([background, first, second]).argmax(axis=0), read("masks/a.png"))


def test_one_foreground_class_has_one_probability_without_number(predict, images, picture, read):
    Image.fromarray(picture(64, 96)).save(images / "a.png")
    assert predict("--save-probabilities").code == 0
    assert sorted(os.listdir("masks")) == ["a.png", "a.probability.png", "predictions.csv"]
    assert np.array_equal(read("masks/a.probability.png") > 32767, read("masks/a.png") > 0)


def test_an_overlay_tints_the_foreground_and_leaves_the_background(predict, images, picture, read):
    pixels = picture(160, 240)
    Image.fromarray(pixels).save(images / "a.png")
    assert predict("--overlay").code == 0
    mask, overlay = read("masks/a.png"), read("masks/a.overlay.jpg").astype(float)
    change = np.abs(overlay - pixels).mean(axis=2)
    inside, outside = (cv2.erode(part, np.ones((13, 13))) > 0 for part in (mask, 1 - mask))  # off the outline
    assert inside.sum() > 200 and outside.sum() > 200
    assert change[inside].mean() > 20 and change[outside].mean() < 2


def test_formats_hold_the_same_mask(predict, images, picture, read):
    Image.fromarray(picture(64, 96)).save(images / "a.png")
    for format in ("png", "tiff", "geojson", "coco"):
        assert predict("--format", format, out=format).code == 0
    mask = read("png/a.png")
    assert np.array_equal(tifffile.imread("tiff/a.tif"), mask)
    from pycocotools import mask as coco

    annotations = json.loads(Path("coco/a.coco.json").read_text())["annotations"]
    assert np.array_equal(sum(coco.decode(each["segmentation"]) for each in annotations), mask)
    assert len(json.loads(Path("geojson/a.geojson").read_text())["features"]) > 1


def test_the_newest_run_is_taken_and_named(images, three, tmp_path, run, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("checkpoints").mkdir()
    Path("checkpoints/mine").symlink_to(run.path)
    (run.path / "test.json").write_text("{}")
    assert main(["predict", "images", "-o", "masks"]) == 0
    assert capsys.readouterr().out.startswith("run checkpoints/mine (cpu")


def test_a_net_of_our_own_encoder_needs_no_library_of_encoders_and_none_of_training(images, picture, run):
    Image.fromarray(picture(20, 30)).save(images / "a.png")
    words = ["predict", str(images), "-o", str(images.parent / "masks"), "--run", str(run.path)]
    code = f"import sys; from unetseg.cli import main; main({words}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    encoders = {"segmentation_models_pytorch", "timm", "torchvision"}
    training = {"lightning", "torchmetrics", "albumentations", "matplotlib", "skimage", "scipy"}
    assert (images.parent / "masks" / "a.png").is_file()
    assert (encoders | training) & {name.partition(".")[0] for name in done.stderr.split()} == set()


def test_masks_of_one_class_alone_are_remarked_upon(predict, three):
    assert "note:" not in predict(out="mixed").out
    outcome = predict("--threshold", "0.999999", out="single")
    assert outcome.code == 0
    assert "note: all masks written are 'background' and nothing else" in outcome.out


# --- what was there before -------------------------------------------------------------------------


def test_masks_that_are_there_are_kept_unless_told_otherwise(predict, images, three, files):
    assert predict().code == 0
    before = files("masks")
    outcome = predict()
    assert outcome.code == 2 and "masks/a.png: is already there" in outcome.line
    assert "--continue" in outcome.line and "--overwrite" in outcome.line
    assert files("masks") == before
    Path("masks/a.png").write_bytes(b"corrected by hand")
    assert predict("--continue").code == 0
    assert Path("masks/a.png").read_bytes() == b"corrected by hand"
    assert predict("--overwrite").code == 0
    assert files("masks")["a.png"] == before["a.png"]


def test_continue_does_what_is_left_and_keeps_the_rows_of_the_rest(predict, images, three, table):
    assert predict(images=("images/a.png", "images/b.jpg")).code == 0
    first = table()
    outcome = predict("--continue")
    assert outcome.code == 0
    assert "1 mask in masks" in outcome.out and "2 were there already" in outcome.out
    assert list(table()) == three
    assert {name: table()[name] for name in first} == first


def test_an_image_with_its_mask_is_left_out_even_if_it_cannot_be_read_any_more(predict, images, three, table):
    assert predict(images=("images/a.png", "images/b.jpg")).code == 0
    first = table()
    whole = (images / "b.jpg").read_bytes()
    for content in (b"text", whole[: len(whole) // 2]):
        (images / "b.jpg").write_bytes(content)
        assert predict("--continue").code == 0
        assert table()["b.jpg"] == first["b.jpg"]


def test_an_image_that_failed_is_tried_again(predict, images, three, table):
    whole = (images / "b.jpg").read_bytes()
    (images / "b.jpg").write_bytes(whole[:100])
    assert predict().code == 3
    assert table()["b.jpg"]["error"]
    (images / "b.jpg").write_bytes(whole)
    assert predict("--continue").code == 0
    assert table()["b.jpg"]["error"] == "" and Path("masks/b.png").is_file()


def test_a_table_of_something_else_is_not_touched(predict, three):
    Path("masks").mkdir()
    Path("masks/predictions.csv").write_text("my,own,notes\n")
    outcome = predict()
    assert outcome.code == 2 and "masks/predictions.csv: is not the table of predictions" in outcome.line
    assert os.listdir("masks") == ["predictions.csv"]
    assert Path("masks/predictions.csv").read_text() == "my,own,notes\n"


def test_an_output_folder_among_the_images_is_not_taken_for_input(predict, images, three, table):
    assert predict(out="images/masks").code == 0
    assert predict("--overwrite", out="images/../images/masks").code == 0
    assert list(table("images/masks")) == three


def test_an_image_is_never_written_over(predict, images, three, files):
    before = files(images)
    outcome = predict("--overwrite", out="images")
    assert outcome.code == 2 and "would replace an input image" in outcome.line
    assert files(images) == before


def test_an_overlay_that_would_be_anothers_mask_is_refused(predict, images, picture):
    for name in ("a.png", "a.probability.png"):
        Image.fromarray(picture(20, 20)).save(images / name)
    outcome = predict("--save-probabilities")
    assert outcome.code == 2 and "would both be written to" in outcome.line
    assert not Path("masks").exists()


def test_an_output_that_is_a_file_is_a_wrong_use(predict, three):
    Path("masks").write_text("mine")
    outcome = predict()
    assert outcome.code == 2 and "masks: is a file" in outcome.line
    assert Path("masks").read_text() == "mine"


# --- things that go wrong --------------------------------------------------------------------------


def test_a_full_disk_stops_the_run_and_keeps_what_is_whole(
    predict, images, picture, monkeypatch, files, table
):
    for index in range(30):
        Image.fromarray(picture(30, 40, index)).save(images / f"{index:02}.png")
    sync, written = os.fsync, []

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("unetseg.utilities.files.os.fsync", full)
        outcome = predict()
    assert outcome.code == 1
    assert "No space left on device" in outcome.line and "10 of 30 masks are in masks, whole" in outcome.line
    assert "--continue" in outcome.line
    masks = [path for path in Path("masks").iterdir() if not path.name.startswith(".")]
    assert len(masks) == 10  # and no table: there was no space for it
    for path in masks:
        Image.open(path).load()
    assert predict("--continue").code == 0
    assert len(table()) == 30 and all(row["share_cell"] for row in table().values())
    assert not [name for name in files("masks") if name.startswith(".")]


def test_a_folder_that_cannot_be_written_to_is_named(predict, three, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "mkdir", refuse)
    outcome = predict()
    assert outcome.code == 1
    assert "masks: cannot be written: Permission denied" in outcome.line


def test_an_image_on_which_the_network_fails_does_not_take_others_of_its_batch_along(
    predict, images, picture, monkeypatch, predictor, table
):
    for index in range(6):
        Image.fromarray(picture(30, 40, index)).save(images / f"{index}.png")
    forward, wanted = type(predictor).forward, predictor.prepare(picture(30, 40, 3))[0]

    def fails_on_one(self, prepared):
        if any(np.array_equal(each[0], wanted) for each in prepared):
            raise RuntimeError("no memory\nfor this one")
        return forward(self, prepared)

    monkeypatch.setattr(type(predictor), "forward", fails_on_one)
    outcome = predict()
    assert outcome.code == 3
    assert outcome.failed == ["failed: images/3.png: unexpected RuntimeError: no memory for this one"]
    assert [name for name, row in table().items() if row["error"]] == ["3.png"]


def test_what_nobody_expected_of_one_image_is_its_own_failure(predict, images, three, monkeypatch):
    prepare = Preprocessing.prepare

    def fails_on_one(self, image, stride):
        if image.shape[1] == 51:
            raise IndexError("out of\nrange")
        return prepare(self, image, stride)

    monkeypatch.setattr(Preprocessing, "prepare", fails_on_one)
    outcome = predict()
    assert outcome.code == 3
    assert outcome.failed == ["failed: images/b.jpg: unexpected IndexError: out of range"]
    assert Path("masks/a.png").exists() and Path("masks/x/c.png").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--format", "tif"), "did you mean 'tiff'?"),
        (("--tta", "flip"), "did you mean 'flips'?"),
        (("--threshold", "1"), "must lie between 0 and 1"),
        (("--min-area", "-1"), "must be at least 0"),
        (("--overwrite", "--continue"), "give one of them"),
        (("--device", "gpu"), "choose from auto, cpu, cuda, mps"),
        (("--tile", "64", "--overlap", "40"), "more than half a tile"),
    ],
)
def test_wrong_values_are_refused_in_one_line_before_anything_is_written(predict, three, flags, words):
    outcome = predict(*flags)
    assert outcome.code == 2 and words in outcome.line
    assert not Path("masks").exists()


def test_the_most_doubtful_images_are_copied_with_their_overlays(trained, discs, capsys):
    words = ["predict", str(discs / "images"), "-o", "masks", "--run", "run", "--review", "2"]
    assert main(words) == 0
    assert "the most doubtful images, worst first, are in masks/review" in capsys.readouterr().out
    with open("masks/predictions.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (-float(row["doubt"]), row["file"]))
    names = [f"{rank}-{row['file']}" for rank, row in enumerate(rows[:2], start=1)]
    found = {path.name for path in Path("masks/review").iterdir()}
    assert found == {*names, *(name.replace(".png", ".overlay.jpg") for name in names)}
    assert Path("masks/review", names[0]).read_bytes() == (discs / "images" / rows[0]["file"]).read_bytes()
    assert main([*words, "--overwrite"]) == 2
    assert "masks/review is there already" in capsys.readouterr().err
