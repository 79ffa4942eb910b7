"""Every row of the table of layouts in docs/data.md, on a folder that is drawn here, with a trap in each."""

import json
import zlib
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main
from unetseg.data.datasets.folder_layouts import readings
from unetseg.data.datasets.open import open_dataset

DOCS = Path(__file__).parents[3] / "docs" / "data.md"
SIZE = (4, 6)


def mask_of(image: str) -> np.ndarray:
    """Return an object of one row for an image: which and how long, its path decides."""
    place = zlib.crc32(image.encode())
    mask = np.zeros(SIZE, np.uint8)
    mask[place % SIZE[0], place % SIZE[1] :] = 1
    return mask


def draw(folder: Path, image: str, mask: str, stems: str, scale: int = 255) -> None:
    """Write an image for each letter and, unless ``mask`` is empty, its mask."""
    for stem in stems:
        name = image.format(stem)
        noise = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 255, (*SIZE, 3), np.uint8)
        for path, pixels in ((name, noise), (mask.format(stem), mask_of(name) * np.uint8(scale))):
            if path:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / path)


def split_folders(folder):
    """Spellings of others, in capitals, one name in two parts, a test part without masks."""
    draw(folder, "Train/Images/{}.PNG", "Train/Labels/{}.png", "abcde")
    draw(folder, "valid/images/{}.png", "valid/labels/{}.png", "ab")
    draw(folder, "testing/images/{}.png", "", "xyz")
    said = "a split of folders ({split}/Images + {split}/Labels): 7 image(s), given split of 4 train, 2 val, "
    left = "1 test drawn from the training images; test: 3 image(s) without masks, left out"
    return {"val": ["valid/a", "valid/b"]}, 7, said, left


def folders_below(folder):
    """One name in two parts; a test part without masks."""
    draw(folder, "images/train/{}.jpg", "masks/train/{}.png", "abcde")
    draw(folder, "images/Validation/{}.jpg", "masks/Validation/{}.png", "ab")
    draw(folder, "images/test/{}.jpg", "", "xy")
    said = "a split of folders (images + masks): 7 image(s), given split of 4 train, 2 val, 1 test drawn"
    return {"val": ["Validation/a", "Validation/b"]}, 7, said, "test: 2 image(s) without masks, left out"


def camvid(folder):
    """Lists of another machine, written on Windows, where names occur in two parts."""
    for part, stems in (("train", "abcd"), ("val", "ab"), ("test", "gh")):
        draw(folder, f"{part}/{{}}.png", f"{part}annot/{{}}.png", stems, 1)
        lines = (f"C:\\CamVid\\{part}\\{s}.png C:\\CamVid\\{part}annot\\{s}.png" for s in stems)
        (folder / f"{part}.txt").write_bytes("\r\n".join(lines).encode("utf-16"))
    given = {"train": [f"train/{s}" for s in "abcd"], "val": ["val/a", "val/b"], "test": ["test/g", "test/h"]}
    said = "CamVid ({split} + {split}annot): 8 image(s), given split of 4 train, 2 val, 2 test"
    return given, 8, said, "if it is camvid, --data camvid --data-dir"


def carvana(folder):
    """Masks' names have an ending, and one is written in another case; one part is listed."""
    draw(folder, "imgs/{}.jpg", "masks/{}_mask.gif", "abc")
    draw(folder, "imgs/X.jpg", "masks/x_mask.gif", "x")
    (folder / "Valid.txt").write_text("imgs\\a.jpg\n", encoding="utf-8-sig")
    return (
        {"val": ["a"]},
        4,
        "Carvana (imgs + masks): 4 image(s), given split of 1 val, 2 train, 1 test drawn",
    )


def kaggle(folder):
    """Test images without masks."""
    draw(folder, "train/{}.jpg", "train_masks/{}_mask.gif", "abcdefgh")
    draw(folder, "test/{}.jpg", "", "xyz")
    said = "Carvana ({split} + {split}_masks): 8 image(s), given split of 6 train, 1 val, 1 test drawn"
    return {}, 8, said, "test: 3 image(s) without masks, left out"


def mmsegmentation(folder):
    """Images and masks each have an ending; a part without masks."""
    for part, stems in (("train", "abcd"), ("val", "ef")):
        draw(folder, f"img_dir/{part}/{{}}_leftImg8bit.png", f"ann_dir/{part}/{{}}_gtFine.png", stems, 1)
    draw(folder, "img_dir/test/{}_leftImg8bit.png", "", "xy")
    given = {"val": [f"val/{stem}_leftImg8bit" for stem in "ef"]}
    return given, 6, "mmsegmentation (img_dir + ann_dir): 6", "test: 2 image(s) without masks, left out"


def nnunet(folder):
    """Values of its own description, with a byte-order mark; imagesTs without labels."""
    draw(folder, "imagesTr/{}_0000.png", "labelsTr/{}.png", "abcdef", 2)
    draw(folder, "imagesTs/{}_0000.png", "", "xy")
    labels = {"background": 0, "cell": 2, "ignore": 3}
    text = json.dumps({"labels": labels, "channel_names": {"0": "R"}, "file_ending": ".png"})
    (folder / "dataset.json").write_text(text, encoding="utf-8-sig")
    return {}, 6, "nnU-Net (images{tr} + labels{tr}): 6", "test: 2 image(s) without masks, left out", "  cell"


def images_and_labels(folder):
    """Folders of a split below."""
    draw(folder, "Images/train/{}.jpg", "GT/train/{}.png", "abcd")
    draw(folder, "Images/dev/{}.jpg", "GT/dev/{}.png", "ef")
    return (
        {"val": ["dev/e", "dev/f"]},
        6,
        "images and labels (Images + GT): 6 image(s), given split of 3 train, 2",
    )


def pairs(folder):
    """A folder for each patient, with the same names; a table with a heading lists one part."""
    draw(folder, "p1/{}.jpg", "p1/{}_mask.png", "abc")
    draw(folder, "p2/{}.jpg", "p2/{}_mask.png", "abc")
    (folder / "test.csv").write_text("image,mask\np1/a.jpg,p1/a_mask.png\n", encoding="utf-8-sig")
    said = "pairs in one folder (NAME + NAME and an ending): 6 image(s), given split of 1 test, "
    return {"test": ["p1/a"]}, 6, said, ", 4 train, 1 val drawn\n"


ROWS = {
    "`images/train/`, `masks/train/`": folders_below,
    "`train/images/`, `train/masks/`": split_folders,
    "CamVid: `train/`, `trainannot/`": camvid,
    "Carvana: `imgs/`, `masks/`": carvana,
    "Carvana as it is downloaded: `train/`, `train_masks/`": kaggle,
    "mmsegmentation: `img_dir/`, `ann_dir/`": mmsegmentation,
    "nnU-Net: `imagesTr/`, `labelsTr/`": nnunet,
    "`images/`, `labels/`": images_and_labels,
    "Pairs: `a.jpg`, `a_mask.png`": pairs,
}


@pytest.mark.parametrize("row", ROWS, ids=[made.__name__ for made in ROWS.values()])
def test_each_layout_is_read_as_the_table_says(tmp_path, capsys, row):
    folder = tmp_path / "own"
    given, count, *said = ROWS[row](folder)
    dataset = open_dataset(str(folder), root=tmp_path)
    assert {part: [sample.name for sample in dataset.splits[part]] for part in given} == given
    samples = [sample for part in dataset.splits.values() for sample in part]
    assert len(samples) == count
    for sample in samples:
        wanted = mask_of(sample.image.relative_to(folder).as_posix())
        np.testing.assert_array_equal(dataset.mask(sample), wanted)
    assert main(["data", "check", str(folder)]) == 0
    out = capsys.readouterr().out
    for text in said:
        assert text in out


def test_the_table_of_layouts_in_the_documentation_is_the_one_of_these_tests():
    lines = (
        DOCS.read_text(encoding="utf-8").split("| layout | command | what is read |\n")[1].splitlines()[1:]
    )
    rows = [*takewhile(lambda line: line.startswith("|"), lines)]
    assert [row.split("|")[1].strip() for row in rows] == [*ROWS]
    assert all("`unetseg " in row.split("|")[2] for row in rows)


def test_two_readings_that_fit_are_both_named_with_the_words_for_each(tmp_path, capsys):
    draw(tmp_path, "train/images/{}.png", "train/masks/{}.png", "abcd")
    draw(tmp_path, "imgs/{}.png", "masks/{}.png", "efgh")
    assert main(["data", "check", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    first = f"--data {tmp_path} --images '{{split}}/images' --masks '{{split}}/masks'"
    assert first in line and f"--data {tmp_path} --images 'imgs' --masks 'masks'" in line
    for images, masks, letters in (("{split}/images", "{split}/masks", "abcd"), ("imgs", "masks", "efgh")):
        dataset = open_dataset(str(tmp_path), images=images, masks=masks)
        assert {s.image.stem for part in dataset.splits.values() for s in part} == {*letters}


def test_two_endings_that_may_mark_masks_are_asked_for(tmp_path, capsys):
    draw(tmp_path, "{}.jpg", "{}_mask.png", "abcd")
    draw(tmp_path, "", "{}_seg.png", "a")
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "write 'mask_suffix: _mask' or 'mask_suffix: _seg' into" in capsys.readouterr().err


def test_a_few_names_with_such_endings_among_many_are_no_layout(tmp_path):
    draw(tmp_path, "{}.jpg", "", "abcdefgh")
    draw(tmp_path, "", "{}_mask.png", "a")
    draw(tmp_path, "", "{}_seg.png", "a")
    assert readings(tmp_path) == []


def test_a_known_dataset_of_other_masks_is_a_reading_of_its_own(tmp_path, capsys):
    for path in ("images/21_training.tif", "1st_manual/21_manual1.gif", "mask/21_training_mask.gif"):
        draw(tmp_path, f"training/{path}", "", "a")
    assert main(["data", "check", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert f"--data drive --data-dir {tmp_path}" in line and "--masks '{split}/mask'" in line


def test_a_further_channel_is_refused_by_name(tmp_path, capsys):
    nnunet(tmp_path)
    draw(tmp_path, "imagesTr/{}_0001.png", "", "b")
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "b_0001.png: is a further channel" in capsys.readouterr().err


def test_regions_that_overlap_are_refused_by_name(tmp_path, capsys):
    nnunet(tmp_path)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "whole": [1, 2]}}))
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "the label 'whole' is no single value" in capsys.readouterr().err


def test_an_image_without_a_mask_is_named(tmp_path, capsys):
    split_folders(tmp_path)
    draw(tmp_path, "Train/Images/{}.PNG", "", "z")
    assert main(["data", "check", str(tmp_path)]) == 1
    assert "Train/Images/z.PNG: has no mask" in capsys.readouterr().out


def test_a_split_without_a_training_part_is_refused(tmp_path, capsys):
    draw(tmp_path, "test/images/{}.png", "test/masks/{}.png", "abcd")
    assert main(["data", "check", str(tmp_path)]) == 2
    assert "has no training images with masks, only the part(s) test" in capsys.readouterr().err
