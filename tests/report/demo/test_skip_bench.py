"""What the demo shows, without its page: masks, changes, scores, files that are not fit."""

import cv2
import numpy as np
import pytest

from unetseg.api.mask_verbs import load
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.logits import to_probabilities
from unetseg.inference.substitute import SubstitutePredictor
from unetseg.metrics import binary_scores
from unetseg.models.lesioned_unet import LesionedUnet
from unetseg.models.replacements import shuffled
from unetseg.report.demo.skip_bench import (
    CHANGES,
    SkipBench,
    draw_change,
    draw_mask,
    draw_probability,
    require_alike,
)


@pytest.fixture(scope="module")
def bench(trained_once):
    return SkipBench(trained_once.run, "cpu")


@pytest.fixture
def subject(bench):
    return bench.open_sample("test0")


def test_the_images_of_the_test_split_are_offered_with_their_ground_truth(bench, subject, discs):
    assert [*bench.samples] == ["test0", "test1", "test2"]
    expected = cv2.imread(str(discs / "images/test0.png"))[:, :, ::-1]
    assert np.array_equal(subject.image, expected) and np.array_equal(subject.shown, expected)
    assert np.array_equal(subject.reference, cv2.imread(str(discs / "masks/test0.png"), 0))


def test_with_whole_skips_the_mask_is_the_runs_own(bench, subject, trained_once):
    predictor = load(trained_once.run, "cpu")
    found = bench.predict(subject)
    assert np.array_equal(found.mask, predictor(subject.image))
    assert np.array_equal(found.probabilities, predictor.probabilities(subject.image))
    likely = bench.predict(subject, threshold=0.2).mask
    assert np.array_equal(likely, predictor.logits([subject.image])[0][0] > np.log(0.2 / 0.8))


def test_a_skip_at_nothing_is_its_lesion(bench, subject, trained_once):
    own = load(trained_once.run, "cpu")
    lesioned = SubstitutePredictor(own, LesionedUnet(own.model, [frozenset({0})], shuffled))
    found = bench.predict(subject, {0: 0.0}, "shuffle")
    (logits,) = lesioned.logits([subject.image])
    assert np.array_equal(found.probabilities, to_probabilities(own.calibrated(logits)))


@pytest.mark.parametrize("mode", ["zero", "mean", "shuffle"])
def test_every_stand_in_changes_what_the_net_says(bench, subject, mode):
    whole, half = bench.predict(subject), bench.predict(subject, {0: 0.5}, mode)
    assert not np.allclose(whole.probabilities, half.probabilities)


def test_scores_are_those_of_evaluate(bench, subject):
    mask = np.roll(subject.reference, 2, axis=1)
    (row,) = bench.score(subject, mask)
    expected = binary_scores(mask, subject.reference, metrics=["iou", "boundary_iou"])
    assert {key: row[key] for key in expected} == expected


def test_a_file_is_read_as_predict_reads_it_and_scored_only_with_a_reference(bench, discs):
    image, mask = discs / "images/test1.png", discs / "masks/test1.png"
    alone, both = bench.open_file(image), bench.open_file(image, mask)
    assert alone.reference is None and bench.score(alone, np.zeros((40, 40), np.uint8)) == []
    assert np.array_equal(both.reference, bench.open_sample("test1").reference)


def test_a_reference_of_another_size_and_a_file_that_is_no_image_are_refused(bench, discs, tmp_path):
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((8, 9), np.uint8))
    with pytest.raises(UsageError, match=r"small\.png: is of 9×8 pixels, and the image of 40×40"):
        bench.open_file(discs / "images/test1.png", tmp_path / "small.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UnetsegError, match=r"text\.png"):
        bench.open_file(tmp_path / "text.png")


def test_a_run_whose_data_is_gone_still_shows_files(trained, monkeypatch):
    config = trained.run.config().changed(data="/nowhere/to/be/found")
    trained.run.config_file.write_text(config.to_yaml())
    bench = SkipBench(trained.run, "cpu")
    assert bench.samples == {} and bench.modes == ["zero", "shuffle"]


def test_runs_of_other_classes_are_not_laid_over_one_another(bench):
    other = SkipBench.__new__(SkipBench)
    other.name, other.classes, other.pixels = "other", ("background", "nerve"), bench.pixels
    require_alike([bench, bench])
    with pytest.raises(UsageError, match="other: its classes"):
        require_alike([bench, other])


def test_the_drawings_tint_and_mark_what_they_should():
    shown = np.full((1, 4, 3), 100, np.uint8)
    before, after = np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 1, 0, 2]], np.uint8)
    tinted = draw_mask(shown, after, [(0, 0, 0), (200, 0, 0), (0, 200, 0)], 0.5)
    assert tinted.tolist() == [[[100, 100, 100], [150, 50, 50], [100, 100, 100], [50, 150, 50]]]
    assert np.array_equal(draw_mask(shown, after, [(0, 0, 0)] * 3, 0), shown)
    change = draw_change(shown, before, after)
    assert change[0, 0].tolist() == [178, 178, 178]
    assert [tuple(each) for each in change[0, 1:].tolist()] == [colour for _, colour in CHANGES]
    assert draw_probability(np.array([[[1.0, 0.0]], [[0.0, 1.0]]])).tolist() == [[0, 255]]
