"""Drawn parts hold every class where they can, and validation that cannot choose is said."""

from collections import Counter

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetseg.config import RunConfig
from unetseg.data.datasets import stratify
from unetseg.data.datasets.check import describe_choice, require_sound
from unetseg.data.datasets.new_split import with_stratify
from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import Sample, SegmentationSet, split_names
from unetseg.data.datasets.stratify import stratified


@pytest.fixture
def cells(tmp_path):
    """Twenty images of cells, of which three hold a rare kind."""
    generator = np.random.default_rng(0)
    for number in range(20):
        mask = np.zeros((16, 16), np.uint8)
        mask[2:8, 2:8] = 1
        if number in (1, 2, 3):
            mask[10:14, 10:14] = 2
        for kind, pixels in (
            ("images", generator.integers(0, 255, (16, 16)).astype(np.uint8)),
            ("masks", mask),
        ):
            (tmp_path / kind).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / kind / f"{number:02}.png"), pixels)
    (tmp_path / "dataset.yaml").write_text("classes: [background, cell, rare]\n")
    return RunConfig(data=str(tmp_path), split_seed=3)


def rare_in(dataset):
    return {
        part: sum(bool((dataset.mask(sample) == 2).any()) for sample in samples)
        for part, samples in dataset.splits.items()
    }


def test_a_rare_class_comes_into_every_drawn_part_of_a_new_run(cells):
    before = open_data(cells)
    assert 0 in rare_in(before).values()
    config = with_stratify(cells)
    assert config.stratify and config.identity() != cells.identity()
    after = open_data(config)
    assert rare_in(after) == {"train": 1, "val": 1, "test": 1}
    assert {part: len(each) for part, each in after.splits.items()} == {
        part: len(each) for part, each in before.splits.items()
    }
    assert "image(s) changed places, so that each part has every class" in after.notes[-1]


def test_where_every_part_has_every_class_a_new_run_is_what_it_was(discs):
    assert with_stratify(RunConfig(data=str(discs))) == RunConfig(data=str(discs))
    assert with_stratify(RunConfig(data="filaments")) == RunConfig(data="filaments")


def test_parts_that_are_given_are_left_as_they_are(cells, tmp_path):
    (tmp_path / "val.txt").write_text("10\n11\n12\n")
    (tmp_path / "test.txt").write_text("13\n14\n15\n")
    assert with_stratify(cells).stratify is None


@settings(max_examples=40)
@given(
    held=st.lists(st.sets(st.integers(1, 4)), min_size=4, max_size=24),
    groups=st.integers(2, 9),
    seed=st.integers(0, 9),
)
def test_no_image_is_lost_no_part_loses_a_class_and_groups_stay_whole(held, groups, seed):
    samples = {
        f"{number}": Sample(f"{number}", None, None, group=f"g{number % groups}" if groups > 3 else None)
        for number in range(len(held))
    }
    if len({sample.group or sample.name for sample in samples.values()}) < 3:
        return
    drawn = split_names(
        samples, {}, {"val": 0.2, "test": 0.2}, seed, lambda name: samples[name].group or name
    )
    splits = {part: tuple(samples[name] for name in names) for part, names in drawn.items()}
    before = SegmentationSet("any", tuple("abcde"), (), None, splits, drawn=("val", "test"))
    classes = {f"{number}": frozenset(each) for number, each in enumerate(held)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stratify, "known_classes", lambda dataset, samples: classes)
        after = stratified(before, seed)
    names = [sample.name for part in after.splits.values() for sample in part]
    assert Counter(names) == Counter(list(samples))
    homes = {(sample.group or sample.name, part) for part, each in after.splits.items() for sample in each}
    assert len(homes) == len({group for group, _ in homes})

    def there(dataset, part):
        return set().union(*(classes[sample.name] for sample in dataset.splits[part]))

    assert there(after, "train") >= there(before, "train")
    for part in ("val", "test"):
        lost = there(before, part) - there(after, part)
        assert not lost & there(before, "train")  # given away for the training's sake alone


def test_what_cannot_choose_between_epochs_is_said(cells, discs):
    dataset = open_data(cells)
    (line,) = describe_choice(dataset, require_sound(dataset))
    assert "the val split" in line and "cell in 3" in line and "which epoch is best is partly chance" in line
    many = open_data(RunConfig(data=str(discs)))
    assert describe_choice(many, require_sound(many)) == []
