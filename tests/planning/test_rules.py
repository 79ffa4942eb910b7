"""Each setting follows from what was seen and measured, and says why."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetseg.config import RunConfig
from unetseg.planning import rules
from unetseg.planning.budget import Epochs
from unetseg.planning.facts import SIDES, DataFacts

NUCLEI = DataFacts(
    "nuclei", {"train": 460, "val": 70, "test": 134}, {}, shortest=256, longest=520, grey=False,
    values=(0, 200), shares={"background": 0.86, "nucleus": 0.14}, objects=26, diameter=24, lines=False,
    width=9.5, in_crops=dict.fromkeys(SIDES, 0.95),
)  # fmt: skip
VESSELS = replace(NUCLEI, images={"train": 17}, longest=584, lines=True, width=1.5, diameter=9)
PETS = replace(NUCLEI, images={"train": 270}, longest=500, objects=1, diameter=229, width=34)
SMALL = replace(PETS, longest=200, diameter=150)

FACTS = st.builds(
    lambda longest, part, lines, images, held: replace(
        NUCLEI, longest=longest, diameter=part * longest, lines=lines, images={"train": images},
        in_crops=dict.fromkeys(SIDES, held),
    ),
    st.integers(16, 5000), st.floats(0, 1), st.booleans(), st.integers(1, 10**5), st.floats(0, 1),
)  # fmt: skip
SPEEDS = st.floats(0.01, 1e4)
TIMES = st.floats(1, 1e6)


def scale_of(facts, speed=20.0, seconds=240.0):
    return (rules.choose_native(facts) or rules.choose_longest(facts, speed, seconds)).value


@pytest.mark.parametrize(
    ("facts", "scale", "size"),
    [(NUCLEI, "native", 96), (VESSELS, "native", 128), (SMALL, "native", 224), (PETS, "longest:256", 256)],
    ids=["nuclei", "vessels", "small", "pets"],
)
def test_scale_and_crop_follow_from_the_shapes(facts, scale, size):
    assert (scale_of(facts, seconds=1000), rules.choose_size(facts, scale).value) == (scale, size)


def test_objects_that_are_small_beside_their_image_are_not_scaled_away():
    wide = replace(PETS, longest=5000, diameter=150)
    assert scale_of(wide) == "native" and rules.choose_size(wide, "native").value == 256
    assert "small beside images of 5000" in rules.choose_native(wide).reason


def test_lines_are_never_scaled_down():
    assert scale_of(VESSELS) == "native" and "would be gone" in rules.choose_native(VESSELS).reason


def test_large_objects_are_brought_to_a_size_that_a_crop_holds():
    by_time = {seconds: scale_of(PETS, seconds=seconds) for seconds in (1, 400, 1000)}
    assert by_time == {1: "longest:128", 400: "longest:192", 1000: "longest:256"}
    assert "229 pixels across come out 117" in rules.choose_longest(PETS, 20.0, 1000).reason


@given(FACTS, SPEEDS, TIMES)
def test_what_is_chosen_is_always_a_configuration(facts, speed, seconds):
    scale = scale_of(facts, speed, seconds)
    size = rules.choose_size(facts, scale)
    choices = [
        size,
        rules.choose_batch(facts, RunConfig().batch_size),
        rules.choose_augmentation(facts, speed * seconds),
        rules.choose_foreground_crops(facts, scale, size.value),
        rules.choose_class_weights(facts),
    ]
    RunConfig(scale=scale, **{each.setting: each.value for each in choices})
    assert size.value % 32 == 0 and all(each.reason for each in choices)


@given(FACTS.filter(lambda facts: rules.choose_native(facts) is None), SPEEDS, TIMES, TIMES)
def test_more_time_never_means_smaller_images(facts, speed, seconds, more):
    sides = [
        int(rules.choose_longest(facts, speed, each).value.split(":")[1])
        for each in (seconds, seconds + more)
    ]
    assert sides == sorted(sides)


@pytest.mark.parametrize(("images", "batch"), [(460, 8), (17, 8), (10, 5), (3, 2), (1, 2)])
def test_an_epoch_has_two_steps_where_there_are_images_for_it(images, batch):
    assert rules.choose_batch(replace(NUCLEI, images={"train": images}), 8).value == batch


def test_lines_take_the_encoder_with_a_full_resolution_and_others_weights_that_are_here():
    here = ("resnet18", "resnet34")
    assert [each.text for each in rules.candidates(VESSELS, here)] == ["basic"]
    assert [each.text for each in rules.candidates(NUCLEI)] == ["basic"]
    assert [each.settings["encoder"] for each in rules.candidates(NUCLEI, here)] == [*here]
    assert all(each.settings["weights"] == "imagenet" for each in rules.candidates(NUCLEI, here))


def test_the_choice_of_an_encoder_says_how_many_crops_each_would_see():
    (basic,) = rules.candidates(NUCLEI)
    (choice,) = rules.choose_encoder(NUCLEI, {"basic": 900.0}, basic)
    assert choice.value == "basic" and "basic 900" in choice.reason
    _, deep = rules.candidates(NUCLEI, ("resnet18", "resnet34"))
    encoder, weights = rules.choose_encoder(NUCLEI, {"resnet18": 9e3, "resnet34": 6e3}, deep)
    assert (encoder.value, weights.value) == ("resnet34", "imagenet")
    assert "lie on this machine" in encoder.reason and "resnet34 6,000" in encoder.reason


def test_images_that_come_back_often_are_changed_strongly():
    assert rules.choose_augmentation(NUCLEI, 460 * rules.AGAIN).value == "full"
    assert rules.choose_augmentation(NUCLEI, 460 * (rules.AGAIN - 1)).value == "light"


def test_a_third_of_the_crops_hold_foreground_where_few_do_by_themselves():
    few = replace(NUCLEI, in_crops=dict.fromkeys(SIDES, 0.1))
    assert rules.choose_foreground_crops(few, "native", 128).value == 0.33
    assert rules.choose_foreground_crops(few, "longest:128", 128).value == 0
    assert rules.choose_foreground_crops(NUCLEI, "native", 128).value == 0


def test_the_epochs_say_what_the_time_is_spent_on_and_where_it_is_too_short():
    choice = rules.choose_epochs(Epochs(40, 2, 240.0), 20.0, 10.0, 300.0)
    assert choice.value == 40 and "20 s to start and 10 s for the test" in choice.reason
    assert "less than one epoch" not in choice.reason
    assert "less than one epoch" in rules.choose_epochs(Epochs(1, 1, 240.0), 20.0, 10.0, 60.0).reason
