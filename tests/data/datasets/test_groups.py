"""Images that belong together: told in three ways, kept together in splits, and the unit of intervals."""

import csv
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.datasets.groups import find_groups, warn_of_cut_groups
from unetseg.data.datasets.open import open_dataset
from unetseg.errors import UsageError

NAMES = ["ann_1", "ann_2", "bob_1", "cyd_1", "cyd_2", "cyd_3"]
PEOPLE = {name: name.split("_")[0] for name in NAMES}


def groups(entry, folder=Path(), names=NAMES):
    return find_groups(entry, folder, names, "dataset.yaml")


def test_a_pattern_groups_by_what_it_finds_or_by_its_first_bracket():
    assert groups({"regex": "^[a-z]+"}) == PEOPLE
    assert groups({"regex": "^([a-z]+)_(.)$"}) == PEOPLE


def test_folders_group_what_lies_in_them():
    names = ["a/1", "a/2", "b/c/1"]
    assert groups("folder", names=names) == {"a/1": "a", "a/2": "a", "b/c/1": "b/c"}


@pytest.mark.parametrize("spelled", ["{}", "{}.png"])
def test_a_column_of_a_table_groups_names_with_and_without_folder_and_suffix(tmp_path, spelled):
    with open(tmp_path / "who.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [("image", "person"), *((spelled.format(name), PEOPLE[name]) for name in NAMES)]
        )
    entry = {"csv": "who.csv", "name": "image", "column": "person"}
    assert groups(entry, tmp_path) == PEOPLE
    below = [f"site/{name}" for name in NAMES]
    assert [*groups(entry, tmp_path, below).values()] == [*PEOPLE.values()]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("folders", "group: give 'folder', {regex: PATTERN}"),
        ({"csv": "who.csv"}, "group: give 'folder'"),
        ({"regex": "("}, "group: regex '(': missing )"),
        ({"regex": "^b"}, "group: 5 of 6 images do not fit '^b': ann_1, ann_2, cyd_1, cyd_2, cyd_3"),
        ("folder", "group: 6 of 6 images lie in no folder of their own"),
        ({"csv": "none.csv", "column": "x"}, "none.csv cannot be read: No such file"),
        ({"csv": "who.csv", "column": "x"}, "who.csv has no column 'x', but name, person"),
        ({"csv": "who.csv", "column": "person"}, "group: 5 of 6 images have no value in 'person' of who.csv"),
        ({"csv": "two.csv", "column": "person"}, "two.csv puts 'ann_1' into ann and bob"),
    ],
)
def test_an_image_without_a_group_and_an_entry_of_no_form_are_refused_by_name(tmp_path, entry, message):
    (tmp_path / "who.csv").write_text("name,person\nann_1,ann\nbob_1,\n")
    (tmp_path / "two.csv").write_text("name,person\nann_1,ann\nann_1.png,bob\n")
    with pytest.raises(UsageError, match=re.escape(message)):
        groups(entry, tmp_path)


def draw(folder, names, settings):
    for name in names:
        for kind in ("images", "masks"):
            path = folder / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.zeros((8, 8), np.uint8)
            pixels[2:5, 2:5] = 255
            Image.fromarray(pixels + (hash(name) % 100 if kind == "images" else 0)).save(path)
    (folder / "dataset.yaml").write_text(settings)
    return folder


def test_a_folder_keeps_groups_whole_and_its_samples_know_theirs(tmp_path):
    names = [f"p{person}_{number}" for person in range(12) for number in range(1 + person % 4)]
    folder = draw(tmp_path / "set", names, "group: {regex: '^(p[0-9]+)_'}\n")
    for seed in range(5):
        splits = open_dataset(str(folder), split_seed=seed).splits
        parts = {part: {sample.group for sample in samples} for part, samples in splits.items()}
        assert not parts["train"] & parts["val"] and not (parts["train"] | parts["val"]) & parts["test"]
        assert set().union(*parts.values()) == {f"p{person}" for person in range(12)}


def test_a_folder_without_the_entry_has_no_groups(tmp_path):
    folder = draw(tmp_path / "set", NAMES, "name: plain\n")
    assert {sample.group for part in open_dataset(str(folder)).splits.values() for sample in part} == {None}


def test_a_given_split_that_cuts_a_group_is_obeyed_and_said(tmp_path):
    folder = draw(tmp_path / "set", NAMES, "group: {regex: '^[a-z]+'}\n")
    (folder / "train.txt").write_text("ann_1\nbob_1\n")
    (folder / "val.txt").write_text("cyd_1\n")
    (folder / "test.txt").write_text("ann_2\ncyd_2\n")
    with pytest.warns(
        UserWarning, match=r"the split cuts 2 group\(s\) of images that belong together: ann, cyd"
    ):
        assert len(open_dataset(str(folder)).splits["test"]) == 2


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["train", "val", "test"]), min_size=1))
def test_a_cut_is_told_exactly_where_a_group_lies_in_two_parts(owner):
    split = {part: [name for name, own in owner.items() if own == part] for part in ("train", "val", "test")}
    is_cut = any(
        PEOPLE[one] == PEOPLE[other] and owner[one] != owner[other] for one in owner for other in owner
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_of_cut_groups(split, PEOPLE, "set")
    assert bool(told) == is_cut


CARD = """
name: clinic
title: Clinic
licence: none
layout: {image: "images/{id}.png", mask: "masks/{id}.png", name: "{id}"}
classes: {background: 0, spot: 255}
split: {val: 0.2, test: 0.3%s}
%s
"""


@pytest.mark.parametrize(
    ("inside", "beside"),
    [(', group: {by: "{id}", until: "_"}', ""), ("", "group: {regex: '^.*?(?=_)'}")],
)
def test_a_card_groups_by_its_paths_or_by_the_forms_of_a_folder(tmp_path, inside, beside):
    names = [f"p{person}_{number}" for person in range(6) for number in range(2)]
    draw(tmp_path, names, "")
    (tmp_path / "clinic.yaml").write_text(CARD % (inside, beside))
    splits = open_dataset(str(tmp_path / "clinic.yaml")).splits
    found = {sample.name: sample.group for samples in splits.values() for sample in samples}
    assert len(found) == 12 and all(
        group == name.rsplit("/")[-1].split("_")[0] for name, group in found.items()
    )
    parts = [{sample.group for sample in samples} for samples in splits.values()]
    assert sum(map(len, parts)) == 6


def test_a_card_with_two_groups_is_refused(tmp_path):
    draw(tmp_path, NAMES, "")
    (tmp_path / "clinic.yaml").write_text(CARD % (', group: "{id}"', "group: folder"))
    with pytest.raises(UsageError, match="has a group, and another under split; keep one"):
        open_dataset(str(tmp_path / "clinic.yaml"))
