"""Flips, thresholds, small regions, ensembles and exported models, through ``unetseg predict``."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main
from unetseg.inference.loading import load_models, load_predictor
from unetseg.inference.logits import average, drop_small, to_probabilities


@pytest.fixture
def pixels(images, picture) -> np.ndarray:
    drawn = picture(64, 96)
    Image.fromarray(drawn).save(images / "a.png")
    return drawn


# --- flips -----------------------------------------------------------------------------------------


def test_flips_average_the_probabilities_of_four_views(predict, pixels, predictor, read):
    assert predict("--tta", "flips").code == 0
    views = [(), (0,), (1,), (0, 1)]
    mean = np.mean(
        [np.flip(predictor.probabilities(np.flip(pixels, axes).copy())[1], axes) for axes in views], axis=0
    )
    sure = np.abs(mean - 0.5) > 1e-4
    assert np.array_equal(read("masks/a.png")[sure], (mean > 0.5)[sure])
    assert not np.array_equal(read("masks/a.png"), predictor(pixels))


def test_with_flips_a_flipped_image_has_the_flipped_mask(predict, images, pixels, read):
    Image.fromarray(pixels[:, ::-1].copy()).save(images / "b.png")
    assert predict("--tta", "flips").code == 0
    assert (read("masks/b.png")[:, ::-1] == read("masks/a.png")).mean() > 0.999


# --- thresholds and small regions ------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [0.1, 0.9])
def test_the_threshold_is_on_the_probability(predict, pixels, predictor, read, threshold):
    assert predict("--threshold", str(threshold)).code == 0
    probability = predictor.probabilities(pixels)[1]
    sure = np.abs(probability - threshold) > 1e-4
    assert np.array_equal(read("masks/a.png")[sure], (probability > threshold)[sure])
    assert 0 < read("masks/a.png").mean() < 1


def test_a_threshold_with_several_foreground_classes_is_refused(predict, pixels, make_run):
    outcome = predict("--threshold", "0.3", runs=(make_run(classes=3),))
    assert outcome.code == 2 and "--threshold" in outcome.line


def test_min_area_drops_small_regions_and_nothing_else(predict, images, picture, predictor, read, table):
    Image.fromarray(picture(150, 200)).save(images / "a.png")
    assert predict("--min-area", "60").code == 0
    count, regions, statistics, _ = cv2.connectedComponentsWithStats(predictor(picture(150, 200)))
    large = [index for index in range(1, count) if statistics[index, cv2.CC_STAT_AREA] >= 60]
    assert 0 < len(large) < count - 1
    assert np.array_equal(read("masks/a.png") > 0, np.isin(regions, large))
    assert float(table()["a.png"]["share_cell"]) == pytest.approx(read("masks/a.png").mean(), abs=1e-6)


def test_regions_are_of_one_class_and_touch_at_corners_too():
    mask = np.array([[1, 0, 0, 2], [0, 1, 0, 0], [2, 2, 0, 1]], np.uint8)
    assert drop_small(mask, 2).tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [2, 2, 0, 0]]
    assert drop_small(mask, 1) is mask


# --- several runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3])
def test_several_runs_average_their_probabilities(predict, pixels, make_run, read, classes):
    runs = [
        make_run(classes, seed=0),
        make_run(classes, seed=1, scale="longest:48"),
        make_run(classes, seed=2, encoder="resnet18"),
    ]
    assert predict(runs=tuple(runs)).code == 0
    each = [load_predictor(run, "cpu").probabilities(pixels) for run in runs]
    mean = np.mean(each, axis=0)
    ordered = np.sort(mean, axis=0)
    sure = ordered[-1] - ordered[-2] > 1e-4
    assert np.array_equal(read("masks/a.png")[sure], mean.argmax(axis=0)[sure])
    assert all((member.argmax(axis=0) != mean.argmax(axis=0)).any() for member in each)


@pytest.mark.parametrize("outputs", [1, 3])
def test_averaged_logits_have_the_mean_probabilities(outputs):
    logits = np.random.default_rng(0).normal(0, 4, (3, outputs, 20, 20)).astype(np.float32)
    mean = np.mean([to_probabilities(each) for each in logits], axis=0)
    np.testing.assert_allclose(to_probabilities(average(list(logits))), mean, atol=1e-5)


def test_runs_of_different_classes_are_no_ensemble(predict, pixels, make_run, run):
    outcome = predict(runs=(run, make_run(classes=3)))
    assert outcome.code == 2 and "are not those of" in outcome.line
    assert not Path("masks").exists()


# --- exported models -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(make_run, tmp_path_factory) -> dict[str, Path]:
    run = make_run()
    folder = tmp_path_factory.mktemp("exported")
    for format in ("onnx", "safetensors"):
        assert main(["export", str(run.path), "--format", format, "-o", str(folder / f"m.{format}")]) == 0
    return {"onnx": folder / "m.onnx", "safetensors": folder / "m.safetensors"}


@pytest.mark.parametrize("format", ["onnx", "safetensors"])
def test_an_exported_model_predicts_as_its_run(predict, images, picture, exported, predictor, read, format):
    for height, width in ((64, 96), (33, 47), (1, 5)):
        Image.fromarray(picture(height, width)).save(images / f"{height}.png")
    outcome = predict(runs=(exported[format],))
    assert outcome.code == 0
    assert ("ONNX Runtime" in outcome.out) == (format == "onnx")
    for height, width in ((64, 96), (33, 47), (1, 5)):
        probability = predictor.probabilities(picture(height, width))[1]
        sure = np.abs(probability - 0.5) > 1e-3
        assert np.array_equal(read(f"masks/{height}.png")[sure], (probability > 0.5)[sure])


def test_a_run_and_its_exported_model_are_an_ensemble_that_agrees_with_both(
    predict, pixels, exported, run, read
):
    assert predict(runs=(run, exported["onnx"])).code == 0
    both = load_models([run, exported["onnx"]], "cpu").probabilities(pixels)
    np.testing.assert_allclose(both, load_predictor(run, "cpu").probabilities(pixels), atol=1e-4)
    assert np.array_equal(read("masks/a.png"), both.argmax(axis=0))


def test_large_images_go_through_an_exported_model_in_tiles(
    predict, images, picture, exported, predictor, read
):
    Image.fromarray(picture(150, 200)).save(images / "a.png")
    assert predict("--tile", "96", runs=(exported["onnx"],)).code == 0
    probability = predictor.probabilities(picture(150, 200))[1]
    sure = np.abs(probability - 0.5) > 0.05
    assert (read("masks/a.png") == (probability > 0.5))[sure].mean() > 0.999


# --- number formats --------------------------------------------------------------------------------


def test_a_run_of_float16_predicts_on_a_cpu(predict, pixels, make_run):
    outcome = predict("--device", "cpu", runs=(make_run(precision="float16"),))
    assert outcome.code == 0 and ", float16" not in outcome.out


def test_the_precision_can_be_overruled_and_is_printed(predict, pixels, make_run, predictor, read):
    outcome = predict("--precision", "float32", runs=(make_run(precision="bfloat16"),))
    assert outcome.code == 0 and "float32" in outcome.out
    assert np.array_equal(read("masks/a.png"), predictor(pixels))
