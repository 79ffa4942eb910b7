from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.datasets.open import open_dataset
from unetseg.data.datasets.samples import Sample, SegmentationSet, split_names
from unetseg.errors import UnetsegError, UsageError

SHARES = {"val": 0.15, "test": 0.15}
NAMES = st.sets(st.text("abcdefgh/0123", min_size=1, max_size=6), min_size=3, max_size=60)


@given(NAMES, st.integers(0, 5))
def test_a_drawn_split_holds_every_name_once_and_fills_every_part(names, seed):
    split = split_names(names, {}, SHARES, seed)
    assert Counter(name for part in split.values() for name in part) == Counter(names)
    assert all(split.values())


@given(NAMES, st.randoms())
def test_a_drawn_split_does_not_depend_on_the_order_of_the_names(names, random):
    shuffled = sorted(names)
    random.shuffle(shuffled)
    assert split_names(shuffled, {}, SHARES, 0) == split_names(sorted(names), {}, SHARES, 0)


def test_shares_are_70_15_15_and_the_seed_decides_who():
    names = [f"{i:03}" for i in range(200)]
    first, second = (split_names(names, {}, SHARES, seed) for seed in (0, 1))
    assert {part: len(members) for part, members in first.items()} == {"train": 140, "val": 30, "test": 30}
    assert first["test"] != second["test"]


def test_a_fixed_part_stays_and_the_missing_one_comes_out_of_train():
    fixed = {"train": [f"a{i}" for i in range(20)], "test": ["t"]}
    split = split_names([*fixed["train"], "t", "unlisted"], fixed, {"val": 0.1}, 0)
    assert split["test"] == ("t",)
    assert len(split["val"]) == 2
    assert sorted(split["train"] + split["val"]) == sorted(fixed["train"])


@given(st.integers(0, 20))
def test_images_of_one_group_stay_together(seed):
    names = [f"patient{p}_slice{s}" for p in range(6) for s in range(4)]
    split = split_names(names, {}, SHARES, seed, lambda name: name.split("_")[0])
    assert all(len(members) % 4 == 0 and members for members in split.values())


def test_too_few_images_to_split_are_refused():
    with pytest.raises(UnetsegError, match=r"2 images .* at least 3 are needed"):
        split_names(["a", "b"], {}, SHARES, 0)


def test_a_set_without_a_label_table_reads_class_indices(tmp_path):
    Image.fromarray(np.array([[0, 1], [2, 255]], np.uint8)).save(tmp_path / "m.png")
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "i.png")
    sample = Sample("i", tmp_path / "i.png", tmp_path / "m.png")
    dataset = SegmentationSet("x", ("background", "a", "b"), ((0, 0, 0),) * 3, 255, {"train": (sample,)})
    assert dataset.mask(sample).tolist() == [[0, 1], [2, 255]]
    assert dataset.image(sample).shape == (2, 2, 3)
    assert dataset.valid(sample) is None and dataset.instances(sample) is None


def test_field_of_view_is_boolean_and_instances_keep_their_numbers(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "v.png")
    Image.fromarray(np.array([[0, 700]], np.uint16)).save(tmp_path / "n.png")
    sample = Sample("i", tmp_path / "i.png", None, tmp_path / "v.png", tmp_path / "n.png")
    dataset = SegmentationSet("x", ("background", "a"), ((0, 0, 0),) * 2, None, {"train": (sample,)})
    valid, instances = dataset.valid(sample), dataset.instances(sample)
    assert valid is not None and valid.dtype == bool and valid.tolist() == [[False, True]]
    assert instances is not None and instances.tolist() == [[0, 700]]
    with pytest.raises(UnetsegError, match="has no mask"):
        dataset.mask(sample)


@pytest.mark.parametrize("name", ["textures:0.25", "filaments"])
def test_an_embedded_set_is_drawn_at_first_use_and_opens_as_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.setattr("unetseg.data.datasets.embedded.SPLITS", {"train": 3, "val": 1, "test": 2})
    dataset = open_dataset(name, root=tmp_path)
    assert {part: len(samples) for part, samples in dataset.splits.items()} == {
        "train": 3,
        "val": 1,
        "test": 2,
    }
    assert len(dataset.classes) == 2
    assert set(np.unique(dataset.mask(dataset.splits["train"][0]))) <= {0, 1}
    assert open_dataset(name, root=tmp_path) == dataset


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("filament", "did you mean 'filaments'"),
        ("pest", "did you mean 'pets'"),
        ("no/such/folder", "neither a dataset nor a folder"),
        ("mine.yaml", "mine.yaml: no such card"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(tmp_path, name, message):
    with pytest.raises(UsageError, match=message):
        open_dataset(name, root=tmp_path)


def test_a_wrong_variant_names_those_there_are(tmp_path):
    with pytest.raises(UsageError, match="no variant 'trimaps'; did you mean 'trimap'"):
        open_dataset("pets:trimaps", data_dir=tmp_path)


def test_a_set_that_is_not_there_says_which_command_downloads_it(tmp_path):
    with pytest.raises(UnetsegError, match=r"unetseg data get pets.* --data-dir"):
        open_dataset("pets", root=tmp_path)


def test_a_data_dir_that_is_not_there_is_a_wrong_flag(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        open_dataset("pets", data_dir=tmp_path / "none")


def test_a_data_dir_with_an_embedded_set_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'filaments' is none"):
        open_dataset("filaments", data_dir=tmp_path)
