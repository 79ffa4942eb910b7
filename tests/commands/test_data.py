"""``unetseg data``: what is printed, what is written, which exit code."""

import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main


@pytest.fixture
def own(drawn, tmp_path, monkeypatch):
    """A folder of images and masks of the user's own, and an empty place to work in."""
    folder = drawn()
    monkeypatch.chdir(tmp_path)
    return folder


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


def narrow(path):
    Image.open(path).crop((0, 0, 39, 40)).save(path)


def grey(path):
    Image.fromarray(np.full((40, 40), 7, np.uint8)).save(path)


def test_list_names_licence_size_and_what_is_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data/voc2012").mkdir(parents=True)
    assert main(["data", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert lines["voc2012"].split()[-3:] == ["2000", "MB", "yes"]
    assert lines["drive"].split()[-3:] == ["by", "hand", "no"] and "research use" in lines["drive"]
    assert lines["filaments"].split()[-2:] == ["drawn", "no"]


def test_list_of_one_set_says_whose_it_is_what_is_forbidden_and_how_to_get_it(capsys):
    assert main(["data", "list", "drive"]) == 0
    out = capsys.readouterr().out
    assert "Staal" in out and "no copying" in out and "Register at https://drive.grand-challenge.org/" in out
    assert "unetseg data get drive --from" in out and "background, vessel" in out


def test_get_of_a_set_by_hand_prints_the_steps_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "get", "drive"]) == 1
    captured = capsys.readouterr()
    assert "no copying" in captured.out
    assert captured.err.count("\n") == 1 and "must be fetched by hand: Register at" in captured.err
    assert not (tmp_path / "data/drive").exists()


def test_a_sound_folder_passes_with_its_shares(own, capsys):
    assert main(["data", "check", str(own)]) == 0
    out = capsys.readouterr().out
    assert "6 train, 5 val, 3 test images" in out and "no problem found" in out
    train = next(line.split() for line in out.splitlines() if line.startswith("train"))
    mask_means = [np.asarray(Image.open(own / f"masks/train{number}.png")).mean() for number in range(6)]
    assert train[2] == f"{np.mean(mask_means):.1%}"


def test_every_planted_damage_is_named_in_one_look(own, capsys):
    planted = {
        "images/train0.png": cut,
        "masks/train1.png": cut,
        "masks/train2.png": narrow,
        "masks/val0.png": grey,
        "masks/val1.png": lambda path: path.unlink(),
        "images/val2.png": lambda path: shutil.copyfile(own / "images/train3.png", path),
    }
    (own / "dataset.yaml").write_text("classes: [background, disc]\n")
    for name, damage in planted.items():
        damage(own / name)
    assert main(["data", "check", str(own)]) == 1
    captured = capsys.readouterr()
    named = ["images/val1.png: has no mask" if name == "masks/val1.png" else f"{name}: " for name in planted]
    assert all(any(f"{own}/{text}" in line for line in captured.out.splitlines()) for text in named)
    assert captured.out.count(f"{own}/") == len(planted) + 1  # a duplicate names the other file too
    assert "6 problems found" in captured.err and captured.err.count("\n") == 1


def test_an_image_that_the_lists_name_and_a_mask_of_no_image_are_named(own, capsys):
    (own / "images/test1.png").unlink()
    assert main(["data", "check", str(own)]) == 1
    out = capsys.readouterr().out
    assert f"{own}/test.txt: names 'test1', which has no image" in out
    assert "6 train, 5 val, 2 test images" in out


def test_the_contact_sheet_is_drawn_of_a_damaged_set_too(own, tmp_path, capsys):
    cut(own / "images/train0.png")
    assert main(["data", "check", str(own), "--contact-sheet", "sheet.png"]) == 1
    assert "contact sheet: sheet.png" in capsys.readouterr().out
    assert Image.open(tmp_path / "sheet.png").size[0] > 1000


def test_a_contact_sheet_of_another_format_is_refused_before_the_look(own, capsys):
    assert main(["data", "check", str(own), "--contact-sheet", "sheet.pdf"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and "end its name in .png or .jpg" in captured.err


def test_export_copies_a_split_and_overwrites_nothing(own, tmp_path, capsys):
    assert main(["data", "export", str(own), "-o", "out"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "test0.png",
        "test1.png",
        "test2.png",
    ]
    before = (tmp_path / "out/test0.png").read_bytes()
    assert before == (own / "images/test0.png").read_bytes()
    assert main(["data", "export", str(own), "--split", "val", "-o", "out"]) == 0
    assert main(["data", "export", str(own), "-o", "out"]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err


def test_an_export_to_a_full_disk_leaves_nothing_and_names_the_copy(own, tmp_path, capsys, monkeypatch):
    copied = []

    def full(source, target):
        copied.append(source)
        if len(copied) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfileobj", full)
    assert main(["data", "export", str(own), "-o", "out"]) == 1
    assert "out/test1.png: cannot be written: No space left on device" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_card_by_path_is_listed_checked_and_exported(own, tmp_path, capsys):
    (own / "mine.yaml").write_text(
        "{name: mine, title: Mine, licence: my own, classes: {background: 0, disc: 1},\n"
        " layout: {image: 'images/{name}.png', mask: 'masks/{name}.png'}, split: {val: 0.2, test: 0.2}}\n"
    )
    card = str(own / "mine.yaml")
    assert main(["data", "list", card]) == 0 and main(["data", "check", card]) == 0
    assert "my own" in capsys.readouterr().out
    assert main(["data", "export", card, "-o", "out"]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 3
