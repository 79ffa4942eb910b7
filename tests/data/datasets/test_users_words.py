"""What a user writes about a folder is obeyed, in any usual spelling, or refused by name."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main
from unetseg.data.datasets.image_folder import open_folder
from unetseg.data.datasets.split_lists import Names, split_called
from unetseg.errors import UsageError

NAMES = ("a", "b", "c", "d", "e", "f")
SPLIT = {"train": ["a", "b", "c", "d"], "val": ["e"], "test": ["f"]}


@pytest.fixture
def folder(tmp_path):
    """Six images ``a`` to ``f`` with masks."""
    return draw(tmp_path, NAMES)


def draw(folder, names):
    for number, name in enumerate(names):
        for part, pixels in (("images", [[number, 9, 9]]), ("masks", [[0, 255, 255]])):
            path = folder / part / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array(pixels, np.uint8)).save(path)
    return folder


def split_of(folder):
    splits = open_folder(folder).splits
    return {split: [sample.name for sample in samples] for split, samples in splits.items()}


def write_lists(folder, spellings, lines=lambda names: "\n".join(names) + "\n", encoding="utf-8"):
    for (_, names), file in zip(SPLIT.items(), spellings, strict=True):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(lines(names).encode(encoding))


@pytest.mark.parametrize(
    "files",
    [
        ("train.txt", "val.txt", "test.txt"),
        ("train.txt", "valid.txt", "test.txt"),
        ("Train.txt", "Val.txt", "Test.txt"),
        ("training.txt", "validation.txt", "testing.txt"),
        ("TRAIN.TXT", "DEV.TXT", "TEST.TXT"),
        ("train_list.txt", "val_list.txt", "test_list.txt"),
        ("train.lst", "valid.lst", "test.lst"),
        ("train.csv", "val.csv", "test.csv"),
        ("trainval.txt", "val.txt", "test.txt"),
        ("ImageSets/train.txt", "ImageSets/val.txt", "ImageSets/test.txt"),
        ("ImageSets/Segmentation/train.txt",) * 1
        + tuple(f"ImageSets/Segmentation/{n}.txt" for n in ("val", "test")),
        ("splits/train.txt", "splits/val.txt", "splits/test.txt"),
    ],
)
def test_lists_are_obeyed_in_any_usual_spelling(folder, files):
    write_lists(folder, files)
    assert split_of(folder) == SPLIT


LINES = {
    "suffix": "{}.png",
    "folder": "images/{}.png",
    "backslashes": "images\\{}.png",
    "dot": "./images/{}.png",
    "another root": "C:\\sets\\own\\images\\{}.png",
    "the mask": "masks/{}.png",
    "image and mask": "images/{0}.png masks/{0}.png",
    "table": "{0}.png,{0}_gt.png",
    "quotes": '"{}.png"',
    "case": "IMAGES/{}.PNG",
    "label": "{} 1",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_lines_are_understood(folder, line):
    write_lists(
        folder,
        ("train.txt", "val.txt", "test.txt"),
        lambda names: "".join(line.format(name) + "\n" for name in names),
    )
    assert split_of(folder) == SPLIT


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lists_are_read_in_any_usual_encoding(folder, encoding, end):
    files = ("train.txt", "val.txt", "test.txt")
    write_lists(folder, files, lambda names: "".join(name + end for name in names), encoding)
    assert split_of(folder) == SPLIT


@pytest.mark.parametrize("file", ["splits.json", "Split.json", "splits/dataset_split.json"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_one_file_may_list_all_parts(folder, file, encoding):
    (folder / file).parent.mkdir(exist_ok=True)
    windows = {"Train": SPLIT["train"], "valid": ["images\\e.png"], "testing": ["C:\\own\\images\\f.png"]}
    (folder / file).write_bytes(json.dumps(windows, indent=1).replace("\n", "\r\n").encode(encoding))
    assert split_of(folder) == SPLIT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"train": ["a"], "val": ["a"]}, r"'a' is listed in splits.json \(train\) and splits.json \(val\)"),
        ({"train": ["a", "x"]}, "splits.json: 1 name.s. with no image: x"),
        ({"fold1": ["a"]}, "its lists are called fold1; call them train, val and test"),
        ([{"train": ["a"], "val": ["b"]}, {"train": ["b"], "val": ["a"]}], "holds 2 folds"),
        ({"train": [1, 2]}, "splits.json: is no split; write"),
    ],
)
def test_what_one_file_of_all_parts_does_not_say_plainly_is_refused(folder, content, said):
    (folder / "splits.json").write_text(json.dumps(content))
    with pytest.raises(UsageError, match=said):
        open_folder(folder)


def test_lists_come_before_one_file_of_all_parts_and_that_is_said(folder):
    write_lists(folder, ("train.txt", "val.txt", "test.txt"))
    (folder / "splits.json").write_text('{"train": ["f"]}')
    with pytest.warns(UserWarning, match="splits.json: is not read beside train.txt"):
        assert split_of(folder) == SPLIT


def test_a_table_may_have_a_heading(folder):
    write_lists(folder, ("train.csv", "val.csv", "test.csv"), lambda names: "image\n" + "\n".join(names))
    assert split_of(folder) == SPLIT


def test_names_that_begin_with_a_hash_are_names_where_an_image_is_called_so(tmp_path):
    folder = draw(tmp_path, ("#a", "#b", "c", "d"))
    (folder / "train.txt").write_text("# all but the last\n#a\n#b.png\n#x\n")
    (folder / "val.txt").write_text("c\n")
    (folder / "test.txt").write_text("d\n#c\n")
    assert split_of(folder) == {"train": ["#a", "#b"], "val": ["c"], "test": ["d"]}


@pytest.mark.parametrize(("image", "mask", "listed"), [("NFC", "NFD", "NFD"), ("NFD", "NFC", "NFC")])
def test_names_agree_whatever_their_unicode_form(tmp_path, image, mask, listed):
    names = [f"zellk\u00f6rper\u00e9{number}" for number in range(4)]
    draw(tmp_path / "all", names)
    for part, form in (("images", image), ("masks", mask)):
        for path in (tmp_path / "all" / part).iterdir():
            path.rename(path.with_name(unicodedata.normalize(form, path.name)))
    (tmp_path / "all/train.txt").write_text(unicodedata.normalize(listed, "\n".join(names[:2])))
    (tmp_path / "all/val.txt").write_text(unicodedata.normalize(listed, names[2]))
    (tmp_path / "all/test.txt").write_text(unicodedata.normalize(listed, names[3]))
    assert split_of(tmp_path / "all")["val"] == [unicodedata.normalize(image, names[2])]


def test_a_name_of_two_images_is_no_name(folder):
    names = Names(["x/a", "y/a", "y/b"])
    assert (names.find("a"), names.find("b.png"), names.find("Y/A")) == (None, "y/b", "y/a")


def test_a_line_that_names_two_images_is_refused(folder):
    (folder / "train.txt").write_text("images/a.png masks/b.png\n")
    with pytest.raises(UsageError, match=r"train.txt: 'images/a.png masks/b.png' names two images"):
        open_folder(folder)


def test_a_list_without_any_image_says_how_names_are_written(folder):
    (folder / "train.txt").write_text("x\ny\n")
    with pytest.raises(
        UsageError, match=r"none of its 2 name\(s\) has an image: x, y; write names below images/"
    ):
        open_folder(folder, missing=[])


def test_a_second_list_for_a_split_is_named(folder):
    write_lists(folder, ("train.txt", "val.txt", "test.txt"))
    (folder / "valid.txt").write_text("a\n")
    with pytest.warns(UserWarning, match=r"valid.txt: is not read beside val.txt"):
        assert split_of(folder) == SPLIT


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("Train", "train"),
        ("val_set", "val"),
        ("testing", "test"),
        ("trainable", None),
        ("latest", None),
        ("1", None),
    ],
)
def test_what_a_name_means(word, split):
    assert split_called(word) == split


@pytest.mark.parametrize("tops", [("train", "val", "test"), ("Training", "valid", "Testing")])
def test_split_folders_are_a_split(tmp_path, tops):
    names = {split: [f"{top}/{n}" for n in SPLIT[split]] for split, top in zip(SPLIT, tops, strict=True)}
    folder = draw(tmp_path, [name for members in names.values() for name in members])
    assert split_of(folder) == names


def test_of_split_folders_what_is_missing_is_drawn_from_train(tmp_path):
    folder = draw(tmp_path, [*(f"train/{number}" for number in range(8)), "val/8"])
    split = split_of(folder)
    assert split["val"] == ["val/8"]
    assert len(split["test"]) == 1 and split["test"][0].startswith("train/")


def test_images_outside_of_split_folders_are_left_out_and_that_is_said(tmp_path):
    folder = draw(tmp_path, ["train/a", "train/b", "train/c", "val/d", "e", "f"])
    with pytest.warns(UserWarning, match=r"2 image\(s\) lie outside .* are left out: e, f"):
        split = split_of(folder)
    assert "e" not in {name for members in split.values() for name in members}


def test_lists_stand_above_split_folders(tmp_path):
    folder = draw(tmp_path, ["train/a", "train/b", "val/c", "val/d"])
    (folder / "train.txt").write_text("val/c\nval/d\n")
    (folder / "val.txt").write_text("train/a\n")
    (folder / "test.txt").write_text("train/b\n")
    assert split_of(folder) == {"train": ["val/c", "val/d"], "val": ["train/a"], "test": ["train/b"]}


@pytest.mark.parametrize(
    "name",
    [
        "Dataset.yaml",
        "dataset.YAML",
        "dataset.yaml.txt",
        "dataset.yml",
        "data.yaml",
        "DATASET.YML",
        "own.yaml",
    ],
)
def test_settings_under_another_name_are_refused_by_that_name(folder, name):
    (folder / name).write_text("classes: {background: 255, cell: 0}\n")
    with pytest.raises(UsageError, match=rf"{name}: call it dataset.yaml"):
        open_folder(folder)
    (folder / name).rename(folder / "dataset.yaml")
    dataset = open_folder(folder)
    assert dataset.mask(dataset.splits["train"][0]).tolist() == [[1, 0, 0]]


def test_settings_beside_dataset_yaml_are_named(folder):
    (folder / "dataset.yaml").write_text("classes: [background, cell]\n")
    (folder / "Dataset.yml").write_text("classes: [background, cell]\n")
    with pytest.warns(UserWarning, match=r"Dataset.yml: is not read beside dataset.yaml"):
        open_folder(folder)


@pytest.mark.parametrize("name", ["classes.txt", "data.yaml"])
def test_settings_of_other_programs_are_named(folder, name):
    (folder / name).write_text("nc: 2\n")
    with pytest.warns(UserWarning, match=rf"{name}: is not read"):
        open_folder(folder)


def test_other_files_beside_the_images_raise_no_word(folder, recwarn):
    for name in ("README.md", "notes.txt", "run.yaml", "scores.csv", "dataset.zip"):
        (folder / name).write_text("seed: 1\n")
    open_folder(folder)
    assert not recwarn.list


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_settings_are_read_in_any_usual_encoding(folder, encoding):
    (folder / "dataset.yaml").write_bytes("classes: [background, zell\u00f6]\r\n".encode(encoding))
    assert open_folder(folder).classes == ("background", "zell\u00f6")


@pytest.mark.parametrize(
    "classes", ["[no, yes]", "{no: 0, yes: 255}", "[off, 'on']", "[007, 1e3]", "{null: 0, 2024-01-01: 255}"]
)
def test_names_stay_as_they_are_written(folder, classes):
    (folder / "dataset.yaml").write_text(f"classes: {classes}\nname: 010\n")
    dataset = open_folder(folder)
    words = classes.strip("[]{}").replace("'", "").split(", ")
    assert dataset.classes == tuple(word.split(":")[0] for word in words)
    assert dataset.name == "010"


def test_a_class_that_is_given_twice_is_refused(folder):
    (folder / "dataset.yaml").write_text("classes: {background: 0, cell: 1, cell: 255}\n")
    with pytest.raises(UsageError, match=r"line 1: not valid YAML: 'cell' occurs twice"):
        open_folder(folder)


def test_unread_pictures_are_named_and_their_masks_are_no_orphans(folder, capsys):
    (folder / "images/a.png").rename(folder / "images/a.psd")
    (folder / "images/x.jxl").write_bytes(b"x")
    assert main(["data", "check", str(folder)]) == 1
    told = capsys.readouterr().out
    for name in ("a.psd", "x.jxl"):
        assert f"images/{name}: is of a type that is not read; save it as PNG or TIFF" in told
    assert "has no image" not in told


def test_an_unread_picture_with_a_mask_stops_a_training_and_one_without_is_told(folder):
    (folder / "images/x.jxl").write_bytes(b"x")
    with pytest.warns(UserWarning, match=r"x\.jxl: is of a type that is not read"):
        open_folder(folder)
    (folder / "images/a.png").rename(folder / "images/a.psd")
    with pytest.raises(Exception, match=r"1 image\(s\) of a type that is not read: images/a.psd"):
        open_folder(folder)


# --- folders under other names ---------------------------------------------------------------------


def test_folders_under_other_names_are_given_by_flags(folder, tmp_path, capsys):
    write_lists(
        folder,
        ("train.txt", "val.txt", "test.txt"),
        lambda names: "".join(f"JPEGImages/{name}.png\n" for name in names),
    )
    (folder / "images").rename(folder / "JPEGImages")
    (folder / "masks").rename(tmp_path / "elsewhere")
    assert main(["data", "check", str(folder)]) == 2
    assert "has no folder 'images'" in (line := capsys.readouterr().err)
    assert "--images DIR --masks DIR" in line
    flags = ["--images", "JPEGImages", "--masks", str(tmp_path / "elsewhere")]
    assert main(["data", "check", str(folder), *flags]) == 0
    assert "4 train, 1 val, 1 test images" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_named_with_its_flag(folder, capsys):
    assert main(["data", "check", str(folder), "--images", "pictures"]) == 2
    assert "--images pictures: no such folder" in capsys.readouterr().err


def test_flags_for_a_folder_are_refused_with_a_dataset_that_has_a_name(capsys):
    assert main(["data", "check", "filaments", "--masks", "x"]) == 2
    assert "--masks goes with a folder, and 'filaments' is none" in capsys.readouterr().err


def test_a_folder_in_the_layout_of_a_card_is_told_which(tmp_path, capsys):
    for path in ("images/Abyssinian_1.jpg", "annotations/trimaps/Abyssinian_1.png"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(b"any")
    assert main(["data", "check", str(tmp_path)]) == 2
    assert f"lie as those of a known dataset: --data pets --data-dir {tmp_path}" in capsys.readouterr().err


def test_a_run_knows_the_folders_that_it_was_trained_on(folder):
    from unetseg.config import RunConfig
    from unetseg.data.datasets.open import open_data

    (folder / "images").rename(folder / "pictures")
    config = RunConfig(data=str(folder), images="pictures")
    assert len(open_data(config).splits["train"]) == 4
    assert config.identity() != RunConfig(data=str(folder)).identity()
