"""The predictor from Python: one image, many images, a folder."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetseg.data.images.find import find_images
from unetseg.errors import UsageError
from unetseg.inference.folder.jobs import OutputOptions
from unetseg.inference.folder.predict_folder import predict_folder, predict_images
from unetseg.inference.loading import load_predictor


def test_an_image_becomes_a_mask_of_its_size(predictor, picture):
    mask = predictor(picture(37, 53))
    assert mask.dtype == np.uint8 and mask.shape == (37, 53)
    assert set(np.unique(mask)) == {0, 1}


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_add_up_to_1_and_decide_the_mask(make_run, picture, classes):
    predictor = load_predictor(make_run(classes), "cpu")
    probabilities = predictor.probabilities(picture(37, 53))
    assert probabilities.dtype == np.float32 and probabilities.shape == (classes, 37, 53)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(probabilities.argmax(axis=0), predictor(picture(37, 53)))


@pytest.mark.parametrize("wrong", [(4, 4), (4, 4, 1), (4, 0, 3)])
def test_another_shape_or_type_is_refused(predictor, wrong):
    with pytest.raises(ValueError, match="expected H×W×3 uint8"):
        predictor(np.zeros(wrong, np.uint8))
    with pytest.raises(ValueError, match="got float64"):
        predictor(np.zeros((4, 4, 3)))


def test_images_of_several_sizes_come_back_in_order(predictor, picture):
    sizes = [(20, 30), (33, 31), (20, 30), (1, 1), (21, 30)]
    drawn = [picture(*size, seed) for seed, size in enumerate(sizes)]
    for image, logits in zip(drawn, predictor.logits(drawn), strict=True):
        np.testing.assert_allclose(logits, predictor.logits([image])[0], atol=1e-4)


def test_a_folder_from_python(predictor, images, picture, tmp_path):
    Image.fromarray(picture(20, 30)).save(images / "a.png")
    (images / "b.png").write_text("text")
    result = predict_folder(predictor, [images], tmp_path / "masks", OutputOptions(overlay=True))
    assert (result.total, result.written, result.kept) == (2, 1, 0)
    (failure,) = result.failures
    assert failure.image == images / "b.png" and "is no JPEG" in failure.reason
    assert 0 < result.network_seconds < result.seconds
    assert sorted(os.listdir(tmp_path / "masks")) == ["a.overlay.jpg", "a.png", "predictions.csv"]
    with pytest.raises(UsageError, match="already there"):
        predict_folder(predictor, [str(images)], tmp_path / "masks", OutputOptions())
    assert predict_folder(predictor, [images], tmp_path / "masks", OutputOptions(continue_=True)).kept == 1


def test_progress_is_told_of_images_and_of_the_parts_of_large_ones(predictor, images, picture, tmp_path):
    for name, height in (("a.png", 20), ("b.png", 600)):
        Image.fromarray(picture(height, 30)).save(images / name)
    (images / "c.png").write_text("text")
    told: dict[str, list[tuple[int, int]]] = {}

    def watch(what: str):
        return lambda done, total: told.setdefault(what, []).append((done, total))

    options = OutputOptions(tile=100)
    predict_images(predictor, find_images([images]), tmp_path / "masks", options, watch)
    assert told["predicting"] == [(1, 3), (2, 3), (3, 3)]
    parts = told[str(images / "b.png")]
    assert parts == sorted(parts) and parts[0][0] == 0 and parts[-1] == (2, 2)


def test_a_folder_without_signals_ends_on_any_error_with_its_table(
    predictor, images, picture, tmp_path, monkeypatch
):
    for index in range(3):
        Image.fromarray(picture(600, 700, index)).save(images / f"{index}.png")
    forward, calls = type(predictor).forward, []

    def interrupted(self, prepared):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return forward(self, prepared)

    monkeypatch.setattr(type(predictor), "forward", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_folder(predictor, [images], tmp_path / "masks", OutputOptions())
    assert sorted(path.name for path in Path(tmp_path / "masks").iterdir()) == ["0.png", "predictions.csv"]
    assert "0.png,700,600" in (tmp_path / "masks" / "predictions.csv").read_text()
