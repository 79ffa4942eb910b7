"""Pictures of a page: which are drawn, and how many fit."""

from dataclasses import replace

import numpy as np
import pytest

from unetseg.report.gallery import pictures as gallery
from unetseg.report.gallery.pictures import Case, make_gallery
from unetseg.report.study_gallery import most_different


def case(name="a", prediction=None, ground_truth=None, side=60, photo=True):
    ground_truth = np.zeros((side, side), np.uint8) if ground_truth is None else ground_truth
    predictions = [ground_truth if prediction is None else prediction]
    colours = np.zeros((*ground_truth.shape, 3), np.uint8) if photo else None
    return Case(name, colours, ground_truth, predictions, [["0.5"]])


def made(*cases):
    return make_gallery(cases, ["arm"], ["IoU"], "by name")


def test_the_enlarged_part_is_where_the_outline_is_worst():
    ground_truth = np.zeros((90, 120), np.uint8)
    ground_truth[20:70, 20:100] = 1
    prediction = ground_truth.copy()
    prediction[60:70, 90:100] = 0
    (picture,) = made(case(prediction=prediction, ground_truth=ground_truth)).pictures
    left, top, width, height = picture.box
    assert left <= 90 / 120 and left + width >= 100 / 120
    assert top <= 60 / 90 and top + height >= 70 / 90


def test_an_error_far_from_any_outline_is_enlarged_where_there_is_none_at_one():
    prediction = np.zeros((90, 90), np.uint8)
    prediction[80:85, 80:85] = 1
    (picture,) = made(case(prediction=prediction, side=90)).pictures
    assert picture.box[0] + picture.box[2] >= 85 / 90


def test_each_picture_has_the_ground_truth_and_every_arm():
    (picture,) = made(case()).pictures
    assert len(picture.whole.layers) == len(picture.zoom.layers) == 2


def test_masks_without_photographs_are_shown_alone():
    (picture,) = made(case(photo=False)).pictures
    assert picture.whole.photo == picture.zoom.photo == ""
    assert picture.whole.layers[0].startswith("data:image/webp")


def test_the_legend_names_what_occurs():
    prediction = np.zeros((20, 20), np.uint8)
    prediction[5:9, 5:9] = 1
    assert [text for text, _ in made(case(prediction=prediction, side=20)).legend] == ["extra"]


def test_no_more_pictures_than_a_page_takes_are_drawn():
    drawn = (case(str(index), side=8) for index in range(1000))
    assert len(make_gallery(drawn, ["arm"], ["IoU"], "").pictures) == gallery.MOST_PICTURES
    assert next(drawn).name == str(gallery.MOST_PICTURES)  # the rest was not even read


def test_the_more_arms_the_fewer_pictures_but_a_few_always():
    assert [gallery.most_pictures(arms) for arms in (2, 5, 16, 1000)] == [gallery.MOST_PICTURES, 32, 10, 8]


def test_pictures_end_where_the_page_would_grow_too_large(monkeypatch):
    one = made(case()).pictures[0].bytes
    monkeypatch.setattr(gallery, "MOST_BYTES", int(2.5 * one))
    assert len(made(case("a"), case("b"), case("c")).pictures) == 2


def test_a_page_full_of_pictures_stays_below_15_megabytes():
    assert gallery.MOST_BYTES < 14_000_000


def test_images_are_ordered_by_the_arm_that_is_farthest_from_the_baseline(study):
    metric = study.results.metric("iou")
    gaps = [
        abs(metric.values[arm] - metric.values["on"].mean(axis=0)).mean(axis=0) for arm in ("drop", "zero")
    ]
    farthest = np.argsort(-np.maximum(*gaps))
    assert most_different(study.results)[0] == metric.images[farthest[0]]
    assert sorted(most_different(study.results)) == sorted(metric.images)


def test_pictures_are_of_test_images_where_the_question_is_about_training(study):
    metric = replace(study.results.metric("iou"), key="train_loss", group="training", images=tuple("uvwxyz"))
    results = replace(study.results, metrics=(metric, *study.results.metrics), primary="train_loss")
    assert most_different(results) == most_different(study.results)


@pytest.mark.parametrize("count", [1, 3])
def test_positions_are_those_of_the_pictures(count):
    drawn = made(*(case(name) for name in "abc"[:count]))
    assert [drawn.pictures[index].name for index in drawn.positions.values()] == list(drawn.positions)
