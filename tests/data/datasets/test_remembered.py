"""Files of a large set that have not changed are not looked at again; any that has is."""

import json
import os
import warnings

import numpy as np
import pytest
from PIL import Image

from unetseg.data.datasets import class_guess, findings, remembered
from unetseg.data.datasets.check import inspect_dataset, require_sound
from unetseg.data.datasets.image_folder import open_folder
from unetseg.errors import UnetsegError
from unetseg.utilities import cache


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Return the folder of the cache; what is kept of sets of any size lies in it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remembered, "FEWEST", 1)
    return tmp_path / "cache/unetseg"


@pytest.fixture
def folder(tmp_path, kept):
    generator = np.random.default_rng(0)
    for part, low in (("images", 0), ("masks", 254)):
        (tmp_path / "set" / part).mkdir(parents=True)
        for name in "abcdef":
            pixels = generator.integers(low, 256, (24, 40), np.uint8)
            Image.fromarray(pixels - pixels % 255 if low else pixels).save(
                tmp_path / f"set/{part}/{name}.png"
            )
    age(tmp_path / "set")
    return tmp_path / "set"


def age(folder, seconds=100):
    """Make the files of a folder old enough for their time of change to tell."""
    for path in folder.rglob("*.png"):
        status = path.stat()
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 10**9))


@pytest.fixture
def looks(monkeypatch):
    """Return the names of the files that are opened to their end, as they are."""
    seen = []

    def masks(path, **options):
        seen.append(path.name)
        return read_mask(path, **options)

    def samples(dataset, sample, digest):
        seen.append(sample.name)
        return look_at(dataset, sample, digest)

    read_mask, look_at = class_guess.read_mask, findings.look_at
    monkeypatch.setattr(class_guess, "read_mask", masks)
    monkeypatch.setattr(remembered, "look_at", samples)
    return seen


def start(folder):
    """Open and check as a command does; return what it then knows."""
    dataset = open_folder(folder)
    found = require_sound(dataset)
    return dataset.classes, {split: counts.tolist() for split, counts in found.pixels.items()}, found.images


def test_a_second_start_opens_no_file_to_its_end_and_knows_the_same(folder, looks):
    first = start(folder)
    assert sorted(looks) == sorted([f"{name}.png" for name in "abcdef"] + list("abcdef"))
    looks.clear()
    assert start(folder) == first
    assert looks == []


@pytest.mark.parametrize("part", ["images", "masks"])
def test_a_file_that_has_changed_is_looked_at_again_and_no_other(folder, looks, part):
    start(folder)
    looks.clear()
    os.utime(folder / part / "c.png", ns=(0, 10**18))
    start(folder)
    assert looks == (["c"] if part == "images" else ["c.png", "c"])


def test_another_content_of_the_same_size_and_time_shows_in_the_head(folder, looks):
    start(folder)
    looks.clear()
    path = folder / "masks/d.png"
    status, data = path.stat(), bytearray(path.read_bytes())
    data[60] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(UnetsegError, match=r"d\.png"):
        start(folder)


def test_a_file_that_was_changed_just_now_is_not_remembered(folder, looks):
    os.utime(folder / "images/b.png")
    start(folder)
    looks.clear()
    start(folder)
    assert looks == ["b"]


def test_what_is_wrong_is_found_each_time(folder, looks):
    start(folder)
    Image.new("RGB", (3, 3)).save(folder / "images/e.png")
    age(folder)
    for _ in range(2):
        with pytest.raises(UnetsegError, match=r"e\.png: is 40x24 pixels, its image 3x3"):
            start(folder)


def test_what_was_told_of_a_file_is_told_again(folder):
    frames = [Image.new("L", (40, 24), shade) for shade in (9, 200)]
    frames[0].save(folder / "images/a.png", save_all=True, append_images=frames[1:])
    age(folder)
    told = []
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"a\.png: has 2 frames; the first is used") as found:
            start(folder)
        told.append([str(each.message) for each in found])
    assert told[0] == told[1]


def test_other_classes_are_looked_at_by_themselves(folder, looks):
    start(folder)
    looks.clear()
    (folder / "dataset.yaml").write_text("classes: {background: 0, cell: 255}\n")
    start(folder)
    assert sorted(looks) == list("abcdef")


def test_data_check_looks_at_everything_whatever_is_remembered(folder, looks):
    start(folder)
    looks.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("unetseg.data.datasets.check.look_at", remembered.look_at)
        inspect_dataset(open_folder(folder))
    assert sorted(looks) == list("abcdef")


DAMAGES = ["not JSON", '{"version"', '{"entries": 3}', "[]", '{"version": "V", "entries": {"a": 3}}']


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_thrown_away_with_one_line_each_and_made_again(folder, kept, looks, damage):
    first = start(folder)
    for path in kept.iterdir():
        path.write_text(damage.replace("V", remembered._version()))
    looks.clear()
    with pytest.warns(UserWarning, match="is damaged and is thrown away") as told:
        assert start(folder) == first
    assert len(told) == 2  # the masks' values, the findings
    assert len(looks) == 12
    looks.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert start(folder) == first
    assert looks == []


def test_findings_of_another_version_are_not_taken(folder, kept, looks):
    start(folder)
    for path in kept.iterdir():
        content = json.loads(path.read_text())
        path.write_text(json.dumps(content | {"version": "another"}))
    looks.clear()
    start(folder)
    assert len(looks) == 12


def test_nothing_is_kept_of_small_sets_nor_where_nothing_can_be_written(folder, kept, looks, monkeypatch):
    monkeypatch.setattr(remembered, "FEWEST", 7)
    first = start(folder)
    assert not kept.exists()
    monkeypatch.setattr(remembered, "FEWEST", 1)
    kept.parent.write_text("a file where the folder of caches should be")
    assert start(folder) == first


def test_what_was_not_used_for_longest_goes_when_all_is_too_large(folder, kept, monkeypatch):
    kept.mkdir(parents=True)
    (kept / "old.json").write_text("{}" + " " * 5000)
    os.utime(kept / "old.json", ns=(0, 0))
    monkeypatch.setattr(cache, "_LARGEST", 5000)
    start(folder)
    assert not (kept / "old.json").exists()
    assert len(list(kept.glob("*.json"))) == 2
