"""``predict --objects``: numbers beside each mask, a table of all, and each its own in every format."""

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.measure import regionprops

from unetseg.data.annotations.label_files import LabelFiles
from unetseg.data.annotations.label_formats import LABEL_FORMATS, recognise
from unetseg.data.annotations.rasterise import paint
from unetseg.inference.folder import object_files
from unetseg.inference.folder.formats import FORMATS


@pytest.fixture
def two(images, picture) -> tuple[str, str]:
    """Two images, in two folders."""
    (images / "x").mkdir()
    Image.fromarray(picture(48, 64)).save(images / "a.png")
    Image.fromarray(picture(40, 56, 1)).save(images / "x/b.png")
    return ("a.png", "x/b.png")


def objects(folder: str = "masks") -> dict[str, list[dict[str, str]]]:
    with open(Path(folder, "objects.csv"), encoding="utf-8", newline="") as file:
        rows: dict[str, list[dict[str, str]]] = {}
        for row in csv.DictReader(file):
            rows.setdefault(row["file"], []).append(row)
    return rows


def same_objects(left: np.ndarray, right: np.ndarray) -> bool:
    """Tell whether two labellings are the same but for their numbers."""
    pairs = {*zip(left.ravel().tolist(), right.ravel().tolist(), strict=True)}
    return len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def test_the_numbers_cover_the_mask_and_the_table_measures_them(predict, two, read, images):
    outcome = predict("--objects")
    assert outcome.code == 0, outcome.err
    found = objects()
    assert list(found) == [*two]
    assert f", {sum(map(len, found.values()))} objects" in outcome.out
    assert "objects by the mask's own distance, depth 1 px" in outcome.out
    for name in two:
        numbers = read(f"masks/{name[:-4]}.objects.png")
        assert numbers.dtype == np.uint16
        assert np.array_equal(numbers > 0, read(f"masks/{name}") > 0)
        known = regionprops(numbers.astype(int), intensity_image=read(images / name))
        for row, each in zip(found[name], known, strict=True):
            assert (int(row["object"]), row["class"], row["unit"]) == (each.label, "cell", "")
            top, left, bottom, right = each.bbox
            box = [int(row[f"{key}_px"]) for key in ("area", "left", "top", "width", "height")]
            assert box == [each.area, left, top, right - left, bottom - top]
            place = [float(row[f"{key}_px"]) for key in ("y", "x")]
            assert place == pytest.approx([middle + 0.5 for middle in each.centroid])
            axes = [float(row[f"{key}_axis_px"]) for key in ("major", "minor")]
            assert axes == pytest.approx([each.axis_major_length, each.axis_minor_length], abs=1e-4)
            means = [float(row[f"mean_{channel}"]) for channel in (1, 2, 3)]
            assert means == pytest.approx(each.intensity_mean.tolist(), abs=1e-3)


def test_lengths_are_given_where_the_file_has_them(predict, images, picture):
    tifffile.imwrite(images / "a.tif", picture(48, 64), resolution=(100, 50), resolutionunit="CENTIMETER")
    assert predict("--objects", "--format", "tiff").code == 0
    assert tifffile.imread("masks/a.objects.tif").dtype == np.uint16
    (rows,) = objects().values()
    for row in rows:
        assert row["unit"] == "mm"
        for key, factor in {"area": 0.02, "x": 0.1, "y": 0.2, "width": 0.1, "height": 0.2}.items():
            assert float(row[key]) == pytest.approx(float(row[f"{key}_px"]) * factor)


def test_the_numbers_of_a_map_lie_where_the_map_lies(predict, images, picture):
    grid = [
        (33550, 12, 3, (0.5, 0.5, 0.0), True),
        (33922, 12, 6, (0, 0, 0, 500_000, 5_000_000, 0), True),
        (34735, 3, 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001), True),
    ]
    tifffile.imwrite(images / "a.tif", picture(48, 64), extratags=grid)
    assert predict("--objects", "--format", "tiff").code == 0
    with tifffile.TiffFile("masks/a.objects.tif") as tiff:
        tags = tiff.pages.first.tags
        assert [tuple(tags[code].value) for code, *_ in grid] == [value for _, _, _, value, _ in grid]
    (rows,) = objects().values()
    assert {row["unit"] for row in rows} == {"m"}
    assert all(float(row["area"]) == 0.25 * float(row["area_px"]) for row in rows)


def test_masks_without_the_flag_are_the_same(predict, two, files):
    assert predict("--objects").code == 0
    assert predict(out="plain").code == 0
    plain = {name: digest for name, digest in files("plain").items() if name != "predictions.csv"}
    assert plain.items() <= files("masks").items()
    assert "objects" not in str(files("plain").keys())


@pytest.mark.parametrize("format", [name for name in FORMATS if name in LABEL_FORMATS or name == "geojson"])
def test_objects_written_for_a_tool_and_read_again_are_the_same_objects(predict, two, read, format, make_run):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # yolo fills holes
        outcome = predict("--objects", "--format", format, runs=(make_run(classes=3),))
    assert outcome.code == 0, outcome.err
    files = LabelFiles(Path("masks"), lambda name: {"a": (48, 64), "x/b": (40, 56)}[name])
    labels = recognise(files).read()
    assert {each.name for each in labels.images} == {"a", "x/b"}
    for each in labels.images:
        numbers = read(f"masks/{each.name}.objects.png")
        drawn = paint(each.objects, *numbers.shape, labels.numbers(255))[1]
        assert len(each.objects) == numbers.max()
        if format == "yolo":
            drawn = np.where(numbers > 0, drawn, 0)  # but for the holes
        assert same_objects(drawn, numbers)


def test_what_is_smaller_than_the_least_area_is_neither_object_nor_mask(predict, two, read):
    assert predict("--objects", "--min-area", "40").code == 0
    for name, rows in objects().items():
        numbers = read(f"masks/{name[:-4]}.objects.png")
        assert np.array_equal(numbers > 0, read(f"masks/{name}") > 0)
        assert [int(row["area_px"]) for row in rows] == np.bincount(numbers.ravel())[1:].tolist()
        assert all(int(row["area_px"]) >= 40 for row in rows)


def test_going_on_keeps_the_rows_of_what_is_done(predict, two, files):
    assert predict("--objects", out="at once").code == 0
    assert predict("--objects", images=("images/a.png",)).code == 0
    assert predict("--objects", "--continue").code == 0
    whole, parts = files("at once"), files("masks")
    assert whole.pop("predictions.csv") != parts.pop("predictions.csv")  # with other seconds
    assert whole == parts


def test_masks_without_objects_are_not_gone_on_with(predict, two):
    assert predict(images=("images/a.png",)).code == 0
    assert "would mix" in predict("--objects", "--continue").line


def test_a_journal_that_was_left_behind_is_taken_over(predict, two):
    assert predict("--objects", images=("images/a.png",)).code == 0
    rows = Path("masks/objects.csv").read_text().splitlines(keepends=True)
    begin = "a.png" + "," * rows[0].count(",") + "\n"
    Path("masks/.part-4194399-objects.csv").write_text(begin + "".join(rows[1:3]) + "a.png,torn")
    Path("masks/objects.csv").unlink()
    assert predict("--objects", "--continue").code == 0
    assert [row["object"] for row in objects()["a.png"]] == ["1", "2"]
    assert len(objects()["x/b.png"]) > 0
    assert not [*Path("masks").glob(".part-*")]


def test_tiles_end_in_the_same_objects(predict, images, picture, read):
    Image.fromarray(picture(160, 96)).save(images / "a.png")
    assert predict("--objects", out="whole").code == 0
    assert predict("--objects", "--tile", "64", "--overlap", "32").code == 0
    assert np.array_equal(read("masks/a.png"), read("whole/a.png"))
    assert np.array_equal(read("masks/a.objects.png"), read("whole/a.objects.png"))


def test_more_objects_than_can_be_numbered_fail_one_image_and_say_so(predict, two, monkeypatch, files):
    counts = []

    def number(mask, *rest):
        counts.append(0)
        objects = np.zeros(mask.shape, np.int32)
        objects[0, 0] = 70_000 if mask.shape == (48, 64) else 1
        return objects

    monkeypatch.setattr(object_files, "label_objects", number)
    outcome = predict("--objects")
    assert outcome.code == 3 and len(counts) == 2
    (line,) = outcome.failed
    assert "images/a.png: 70,000 objects, and 16 bits number 65,535" in line and "--min-area" in line
    assert [name for name in files("masks") if name.startswith("a")] == []
    assert list(objects()) == ["x/b.png"]


def test_a_users_own_table_is_not_written_over(predict, two, files):
    Path("masks").mkdir()
    Path("masks/objects.csv").write_text("mine\n")
    outcome = predict("--objects")
    assert outcome.code == 2 and "masks/objects.csv: is not the table of objects" in outcome.line
    assert [*files("masks")] == ["objects.csv"]
    assert Path("masks/objects.csv").read_text() == "mine\n"
