"""Scores of many images into averages: nothing dropped, and nobody gains by predicting nothing."""

from math import hypot, inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unetseg.evaluation.score_table import score_table
from unetseg.evaluation.scoring import ImageMasks, score_masks
from unetseg.evaluation.summary import summarise
from unetseg.metrics import registry

BINARY = ("background", "vessel")
CLASSES = ("background", "cat", "dog")
SHAPE = (20, 30)
DIAGONAL = hypot(*SHAPE)


def class_map(**squares):
    """``cat=(2, 3, 5)`` draws a 5×5 cat at row 2, column 3."""
    labels = np.zeros(SHAPE, np.uint8)
    for name, (top, left, side) in squares.items():
        labels[top : top + side, left : left + side] = CLASSES.index(name)
    return labels


DISTANCES = ("hd", "hd95", "assd")
OUTLINE = ("boundary_iou", "boundary_f", "trimap_iou", "hd", "hd95", "assd", "nsd", "nsd_length")


def evaluation(pairs, classes=CLASSES):
    masks = [ImageMasks(f"image{number}", *pair) for number, pair in enumerate(pairs)]
    images = [score_masks(each, classes, registry.scored()) for each in masks]
    return summarise(images, classes, "test", "fingerprint")


def summary(pairs, classes=CLASSES):
    return evaluation(pairs, classes).summary()


BOTH = class_map(cat=(2, 2, 6), dog=(10, 15, 8))
NOTHING = class_map()


def test_a_class_that_no_image_has_is_no_part_of_the_mean_and_has_no_score():
    cat = class_map(cat=(2, 2, 6))
    found = summary([(class_map(cat=(2, 2, 3)), cat)])
    assert found["mean"]["image"]["iou"]["mean"] == 9 / 36
    assert found["mean"]["dataset"]["iou"] == 9 / 36
    dog = found["classes"]["dog"]
    assert (dog["image"]["iou"]["mean"], dog["image"]["iou"]["images"]) == (None, 0)
    assert dog["dataset"]["iou"] is None
    (line,) = [line for line in score_table(found).splitlines() if line.startswith("dog")]
    assert line.split()[1:5] == ["0", "of", "1", "0"] and {*line.split()[5:]} == {"–"}


def test_a_class_is_averaged_over_the_images_whose_reference_has_it():
    # Of a class of which nothing was ever found, an image without it would count as right.
    cat = class_map(cat=(2, 2, 6))
    found = summary([(NOTHING, BOTH), (cat, cat), (BOTH, NOTHING)])["classes"]
    assert (found["dog"]["image"]["iou"]["mean"], found["dog"]["image"]["iou"]["images"]) == (0, 1)
    assert (found["cat"]["image"]["iou"]["mean"], found["cat"]["image"]["iou"]["images"]) == (0.5, 2)
    assert found["cat"]["dataset"]["iou"] == 36 / (36 * 3)  # counts what was predicted in the third, too


def test_the_mean_of_classes_is_the_mean_of_the_rows_shown():
    cat = class_map(cat=(2, 2, 6))
    found = summary([(BOTH, BOTH), (NOTHING, BOTH), (class_map(cat=(2, 2, 3)), cat)])
    rows = [found["classes"][name]["image"]["iou"]["mean"] for name in CLASSES[1:]]
    assert rows == pytest.approx([(1 + 0 + 0.25) / 3, 0.5])
    assert found["mean"]["image"]["iou"]["mean"] == pytest.approx(sum(rows) / 2)


def test_in_the_rows_of_an_image_a_class_that_the_reference_lacks_is_not_defined():
    found = evaluation([(BOTH, class_map(cat=(2, 2, 6)))]).rows
    (dog,) = [row for row in found if row["class"] == "dog"]
    assert (dog["fp"], dog["tp"]) == (64, 0) and np.isnan([dog["iou"], dog["hd"], dog["cldice"]]).all()
    (own,) = [row for row in found if row["class"] == "mean"]
    assert own["iou"] == 0.5  # the image's own mean still knows of the dog that is not there


def test_of_one_class_an_image_without_it_is_right_or_wrong_and_the_table_says_so():
    vessel = (BOTH > 0).astype(np.uint8)
    images = [(vessel, vessel), (NOTHING, NOTHING), (vessel, NOTHING)]
    found = summary(images, BINARY)
    iou = found["classes"]["vessel"]["image"]["iou"]
    assert (iou["images"], iou["mean"]) == (3, pytest.approx(2 / 3))
    assert found["classes"]["vessel"]["image"]["skeleton_recall"]["images"] == 1
    expected = "vessel (in 1 of 3 images, predicted in 1 of the others; none there and none predicted in 1"
    assert expected in score_table(found)


def test_a_data_set_of_background_defines_no_mean_of_classes():
    found = summary([(NOTHING, NOTHING)])["mean"]
    assert found["dataset"] == {"iou": None, "dice": None}
    assert (found["image"]["hd"]["mean"], found["image"]["hd"]["images"]) == (None, 0)
    assert "–" in score_table(summary([(NOTHING, NOTHING)]))


def test_a_missed_class_counts_as_the_diagonal_beside_the_distances_of_the_others():
    found = summary([(class_map(cat=(2, 3, 6)), BOTH)])["mean"]["image"]["hd"]  # the cat 1 off, no dog
    assert found["mean"] == pytest.approx((1 + DIAGONAL) / 2)
    assert (found["median"], found["missed"]) == ("inf", 1)


def test_an_image_where_one_class_was_missed_is_better_than_one_where_all_were():
    some, none = (summary([(guess, BOTH)])["mean"]["image"] for guess in (class_map(cat=(2, 2, 6)), NOTHING))
    for key in DISTANCES:
        assert some[key]["mean"] < none[key]["mean"] == pytest.approx(DIAGONAL)


def test_each_class_says_in_how_many_images_it_occurs():
    found = summary([(BOTH, BOTH), (class_map(cat=(1, 1, 4)), NOTHING), (NOTHING, NOTHING)])
    assert {name: scores["occurs_in"] for name, scores in found["classes"].items()} == {"cat": 2, "dog": 1}
    assert "dog (in 1 of 3 images, predicted in 0 of the others)" in score_table(found, every_class=True)
    (line,) = [line for line in score_table(found).splitlines() if line.startswith("cat")]
    assert line.split()[1:5] == ["1", "of", "3", "1"]


def test_one_class_is_its_own_mean():
    found = summary([((BOTH > 0).astype(np.uint8), (BOTH == 1).astype(np.uint8))], BINARY)
    assert found["mean"] == found["classes"]["vessel"]


def test_ignored_pixels_are_counted_for_no_class_and_take_the_outline_scores_of_all_images_along():
    ignored = BOTH.copy()
    ignored[2:8, 2:4] = 255  # the cat's left edge
    guess = BOTH.copy()
    guess[2:8, 2:4] = 2
    found = evaluation([(guess, ignored), (BOTH, BOTH)])
    assert found.summary()["mean"]["dataset"]["iou"] == 1
    for row in found.rows:
        assert not row.keys() & set(OUTLINE)
    assert "outline" in found.notes[0]


def test_a_data_set_that_ignores_pixels_has_no_scores_of_the_outline():
    # Predicted 2 pixels too wide into an ignored band, a mask would have no wrong outline.
    every = {each.key for each in registry.scored()}
    assert {each.key for each in registry.allowed(True)} == every - set(OUTLINE)
    assert registry.allowed(False) == registry.scored()


def test_images_that_belong_together_are_one_for_the_interval_and_the_rows_name_their_group():
    def grouped(per_group):
        masks = [
            ImageMasks(f"image{number}", NOTHING if number % 3 else cat, cat, group=f"p{number // per_group}")
            for number in range(24)
        ]
        return summarise(
            [score_masks(each, ("background", "cat"), registry.scored()) for each in masks],
            ("background", "cat"),
            "test",
            "fingerprint",
        )

    cat = class_map(cat=(2, 2, 6))
    alone, pairs, few = (grouped(size) for size in (1, 2, 4))
    low = [each.summary()["mean"]["image"]["iou"]["low"] for each in (alone, pairs, few)]
    assert low[0] is not None and low[1] is not None and low[0] != low[1] and low[2] is None
    assert {row["group"] for row in few.rows} == {f"p{number}" for number in range(6)}
    assert "the images come in 12 groups, which intervals take as their unit" in pairs.notes
    assert "the images come in 6 groups, and an interval needs 10: none is given" in few.notes


def test_thickness_is_pooled_over_the_pixels_of_all_images():
    line, half = np.zeros((2, *SHAPE), np.uint8)
    line[5, 2:22] = half[5, 2:12] = 1
    found = summary([(half, line), (line, line), (NOTHING, NOTHING)], BINARY)["classes"]["vessel"]
    (thin,) = found["thickness"].items()
    assert thin[0] == "1-2" and (thin[1]["hits"], thin[1]["pixels"], thin[1]["recall"]) == (30, 40, 0.75)
    assert thin[1]["recall_within"] == 32 / 40  # the half's end is near two more pixels
    assert thin[1]["precision"] == 1


def test_blobs_have_no_widths():
    found = summary([(BOTH, BOTH)])["classes"]
    assert found["cat"]["thickness"] == found["dog"]["thickness"] == {}
    assert [*found["cat"]["size"]] == ["small"]


def test_sizes_are_the_terciles_of_the_whole_set_and_every_row_says_how_many_of_each_it_has():
    images = [class_map(cat=(2, 2, side)) for side in (1, 2, 3, 4, 5, 6)]
    guesses = [NOTHING, NOTHING, *images[2:]]
    found = evaluation(list(zip(guesses, images, strict=True)), CLASSES)
    sizes = found.summary()["classes"]["cat"]["size"]
    assert {name: (s["smallest"], s["largest"], s["found"]) for name, s in sizes.items()} == {
        "small": (1, 4, 0),
        "medium": (9, 16, 1),
        "large": (25, 36, 1),
    }
    assert sizes["small"]["mean_recall"] == 0
    rows = [row for row in found.rows if row["class"] == "cat"]
    assert [row["size_small_objects"] for row in rows] == [1, 1, 0, 0, 0, 0]
    assert [row["size_large_found"] for row in rows] == [0, 0, 0, 0, 1, 1]


def test_the_table_shows_where_detail_is_lost():
    lines = np.zeros(SHAPE, np.uint8)
    lines[3:6, 1:29], lines[12, 1:29] = 1, 2
    table = score_table(summary([(NOTHING, lines), (lines, lines)]), every_class=True)
    for heading in (
        "structures' width",
        "3-4 px",
        "precision, within 2 px",
        "objects' area",
        "found (IoU > 0.5)",
        "mean of classes",
    ):
        assert heading in table


def averages(found):
    """Every average of a summary, turned so that more is better."""
    for part in (*found["classes"].values(), found["mean"]):
        yield from part["dataset"].values() if "tp" not in part["dataset"] else [part["dataset"]["iou"]]
        for key, average in part["image"].items():
            sign = -1 if key in DISTANCES else 1
            yield sign * average["mean"]
            yield sign * (inf if average["median"] == "inf" else average["median"])
        widths = [each for each in part.get("thickness", {}).values() if each["pixels"]]
        yield from (each[key] for each in widths for key in ("recall", "recall_within"))
        yield from (size["mean_recall"] for size in part.get("size", {}).values())


@settings(max_examples=40, deadline=None)
@given(st.data(), st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(1, 3))
def test_predicting_nothing_never_looks_better_than_predicting_something(data, shape, images):
    labels = arrays(np.uint8, shape, elements=st.integers(0, 2))
    references = [data.draw(labels) for _ in range(images)]
    for reference in references:  # what is not there can only be got wrong
        assume({1, 2} <= set(np.unique(reference)))
    guesses = [data.draw(labels) for _ in range(images)]
    nothing = [np.zeros(shape, np.uint8)] * images
    lazy, busy = (summary(list(zip(made, references, strict=True))) for made in (nothing, guesses))
    for worse, better in zip(averages(lazy), averages(busy), strict=True):
        assert worse <= better
    assert lazy["mean"]["image"]["hd"]["missed"] == images
