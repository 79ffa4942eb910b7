"""What the look before a training says of evidence, bits, turned images, palettes and what is left out."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.cli import main
from unetseg.data.datasets.check import check_dataset, describe_classes, inspect_dataset, require_sound
from unetseg.data.datasets.image_folder import open_folder
from unetseg.errors import UnetsegError

SPLIT = {"train": "abcd", "val": "ef", "test": "gh"}


@pytest.fixture
def folder(tmp_path):
    """Eight images with masks 0/1/255 under ``ignore: 255``, listed."""
    generator = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for split, names in SPLIT.items():
        (tmp_path / f"{split}.txt").write_text("\n".join(names))
        for name in names:
            write(tmp_path, name, [[0, 1], [1, 255]])
            Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).save(
                tmp_path / f"images/{name}.png"
            )
    (tmp_path / "dataset.yaml").write_text("classes: [background, cell]\nignore: 255\n")
    return tmp_path


def squares(values):
    """Up to 2×2 values as 8×8 pixels."""
    return np.kron(np.broadcast_to(np.array(values, np.uint8), (2, 2)), np.ones((4, 4), np.uint8))


def write(folder, name, values):
    picture = Image.fromarray(squares(values))
    picture.save(folder / f"masks/{name}.png")


def messages(folder):
    return [each.message for each in check_dataset(open_folder(folder))]


def test_a_sound_set_has_neither_problem_nor_note_nor_warning(folder, recwarn):
    found = inspect_dataset(open_folder(folder))
    assert found.problems == [] and found.notes() == [] and not recwarn.list


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_in_which_nothing_counts_is_refused(folder, split):
    for name in SPLIT[split]:
        write(folder, name, [[255]])
    with pytest.raises(UnetsegError, match=f"every pixel of the {split} split is ignored, none counts"):
        require_sound(open_folder(folder))


@pytest.mark.parametrize("split", ["val", "test"])
def test_a_split_without_any_object_is_told_and_trained_on(folder, split):
    for name in SPLIT[split]:
        write(folder, name, [[0, 0]])
    expected = f"the {split} split holds no cell: nothing found there is no evidence"
    assert [line for line in messages(folder) if expected in line]
    dataset = open_folder(folder)
    assert any(expected in line for line in describe_classes(dataset, require_sound(dataset)))


def test_a_training_without_background_is_refused_unless_that_is_said(folder):
    for name in SPLIT["train"]:
        write(folder, name, [[1, 1]])
    with pytest.raises(UnetsegError, match=r"no training mask holds any background; .*'background: \[\]'"):
        require_sound(open_folder(folder))
    (folder / "dataset.yaml").write_text("classes: {background: [], cell: {values: [0, 1]}}\nignore: 255\n")
    assert require_sound(open_folder(folder)).pixels["train"][0] == 0


def test_a_training_says_classes_shares_and_what_it_lacks(folder):
    (folder / "dataset.yaml").write_text("classes: [background, cell, dust]\nignore: 255\n")
    dataset = open_folder(folder)
    lines = describe_classes(dataset, require_sound(dataset))
    assert lines[0] == (
        "classes   background 25.0%, cell 50.0%, dust 0.0%, not counted 25.0% of the training pixels"
    )
    assert lines[1:] == ["note      no training mask holds the class(es) dust"]


def palette(folder, name, values, colours):
    picture = Image.fromarray(squares(values), "P")
    picture.putpalette([part for colour in colours for part in colour])
    picture.save(folder / f"masks/{name}.png")


def test_one_index_with_two_colours_is_refused_and_both_files_are_named(folder):
    (folder / "dataset.yaml").unlink()
    for name in "abcdefgh":
        palette(folder, name, [[0, 1], [2, 2]], [(0, 0, 0), (200, 0, 0), (0, 0, 200)])
    assert messages(folder) == []
    palette(folder, "f", [[0, 2], [1, 1]], [(0, 0, 0), (0, 0, 200), (200, 0, 0)])
    with pytest.raises(
        UnetsegError, match=r"f\.png: index 1 .* is \[0, 0, 200\], and \[200, 0, 0\] in .*/a\.png"
    ):
        require_sound(open_folder(folder))


def test_colours_of_indices_that_a_mask_does_not_use_are_of_no_matter(folder):
    (folder / "dataset.yaml").unlink()
    for name in "abcdefgh":
        palette(folder, name, [[0, 1]], [(0, 0, 0), (200, 0, 0), (0, 0, ord(name))])
    assert messages(folder) == []


def turn(path, orientation=3):
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as picture:
        picture.load()
        picture.save(path, exif=exif)


def test_turned_images_beside_masks_that_are_not_are_counted_in_one_note(folder, capsys):
    for name in "aeg":
        turn(folder / f"images/{name}.png")
    assert main(["data", "check", str(folder)]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert "3 image(s) carry an EXIF rotation" in notes[0] and "contact sheet" in notes[0]


def test_where_image_and_mask_are_turned_alike_nothing_is_said(folder):
    for name in "ae":
        turn(folder / f"images/{name}.png", 6)
        turn(folder / f"masks/{name}.png", 6)
    assert inspect_dataset(open_folder(folder)).notes() == []


def sixteen_bits(folder, name, samples):
    (folder / f"images/{name}.png").unlink()
    tifffile.imwrite(folder / f"images/{name}.tif", samples)


def test_16_bits_of_little_range_lose_nothing_and_are_told(folder, capsys):
    generator = np.random.default_rng(1)
    for name in "abcdefgh":
        sixteen_bits(folder, name, generator.integers(0, 1200, (8, 8), np.uint16))
    assert main(["data", "check", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert "\npixels: 16 bits, RGB or grey; fit scales them by the range of the training images\n" in out
    assert not err


def test_16_bits_of_little_range_among_8_bits_are_told_with_the_grey_levels_left(folder, capsys):
    generator = np.random.default_rng(1)
    for name in "abcdefg":
        sixteen_bits(folder, name, generator.integers(0, 1200, (8, 8), np.uint16))
    assert main(["data", "check", str(folder)]) == 0
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == 3 and lines[0].startswith("warning: ") and ".tif: holds " in lines[0]
    assert " grey level(s) of" in lines[0]
    assert lines[2].strip().startswith("6 more like it: ")
    assert out.startswith("images of several depths (7 of 16 bits, 1 of 8 bits)")


@pytest.mark.parametrize(
    "samples",
    [
        np.full((8, 8), 300, np.uint16),
        np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024,
        np.arange(64, dtype=np.uint16).reshape(8, 8) * 257,
        np.array([[0, 65535] * 4] * 8, np.uint16),
    ],
    ids=["one value", "whole range", "8 bits in 16", "two values"],
)
def test_16_bits_that_lose_nothing_are_passed_over(folder, recwarn, samples):
    sixteen_bits(folder, "a", samples)
    sixteen_bits(folder, "b", samples.T.copy())
    inspect_dataset(open_folder(folder))
    assert not recwarn.list


def test_what_is_left_out_of_tiffs_is_told(folder):
    sixteen_bits(folder, "a", np.zeros((8, 8, 3), np.uint8))
    bands = np.random.default_rng(2).integers(0, 255, (8, 8, 4), np.uint8)
    tifffile.imwrite(folder / "images/a.tif", bands, photometric="rgb", extrasamples=["unspecified"])
    with pytest.warns(UserWarning, match=r"a\.tif: has 4 bands; the first three are used"):
        inspect_dataset(open_folder(folder))


def test_named_alpha_is_no_band_that_is_left_out(folder, recwarn):
    sixteen_bits(folder, "a", np.zeros((8, 8, 3), np.uint8))
    bands = np.random.default_rng(2).integers(0, 255, (8, 8, 4), np.uint8)
    tifffile.imwrite(folder / "images/a.tif", bands, photometric="rgb", extrasamples=["unassalpha"])
    inspect_dataset(open_folder(folder))
    assert not recwarn.list


def test_equal_problems_are_folded_into_one_and_a_count(folder, capsys):
    for name in "abcdefgh":
        Image.new("L", (3, 3)).save(folder / f"masks/{name}.png")
    assert main(["data", "check", str(folder)]) == 1
    said = capsys.readouterr()
    assert said.out.count("is 3x3 pixels, its image 8x8") == 1
    assert "  7 more like it: b.png, c.png, d.png, e.png, f.png and 2 more" in said.out
    assert "8 problems" not in said.out
