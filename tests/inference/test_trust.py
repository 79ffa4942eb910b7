"""Probabilities that mean what they say, and a doubt that finds the masks that are off."""

import json
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unetseg.cli import main
from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB
from unetseg.inference.calibration import Calibration, fit_temperature
from unetseg.inference.doubt import Doubt
from unetseg.inference.loading import load_predictor
from unetseg.inference.logits import confidences, to_mask


@dataclass
class Overconfident:
    """A net and its images at once: its logits are three times what the truth was drawn from."""

    outputs: int
    pixels = EIGHT_BIT_RGB

    def __post_init__(self):
        generator = np.random.default_rng(0)
        self.true = generator.normal(0, 2, (self.outputs, 100, 120)).astype(np.float32)
        if self.outputs == 1:
            self.truth = (generator.random((100, 120)) < 1 / (1 + np.exp(-self.true[0]))).astype(np.uint8)
        else:
            noise = generator.gumbel(size=self.true.shape)
            self.truth = (self.true + noise).argmax(axis=0).astype(np.uint8)

    def read_by(self, pixels):
        return self

    def image(self, sample):
        return None

    def mask(self, sample):
        return self.truth

    def valid(self, sample):
        return None

    def logits(self, images):
        return [3 * self.true for _ in images]


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_temperature_takes_back_what_a_net_is_too_sure_of(outputs):
    net = Overconfident(outputs)
    temperature = fit_temperature(net, net, ["any"])
    assert temperature == pytest.approx(3, rel=0.1)
    calibration = Calibration(temperature)
    calibration.add(net.logits([None])[0], net.truth, None)
    known = calibration.summary()
    assert known["ece"] < 0.02 and known["ece_before"] > 0.1


def test_pixels_of_one_class_tell_no_temperature():
    net = Overconfident(1)
    net.truth[:] = 0
    assert fit_temperature(net, net, ["any"]) is None
    net.truth[:] = 255
    assert fit_temperature(net, net, ["any"]) is None
    assert fit_temperature(net, net, []) is None


def doubt_of(logits, rows=1000):
    doubt = Doubt(max(2, len(logits)))
    for top in range(0, logits.shape[1], rows):
        band = logits[:, top : top + rows]
        doubt.add(band, to_mask(band), confidences(band))
    return doubt.value


def test_doubt_is_what_the_probabilities_expect_of_the_iou():
    logits = np.full((1, 100, 100), -50, np.float32)
    logits[0, :50] = np.log(0.8 / 0.2)  # of 5000 pixels 1000 are wrong; nothing is missed
    assert doubt_of(logits) == pytest.approx(0.2, abs=0.001)
    logits[0, 50:] = np.log(0.2 / 0.8)  # and 1000 are missed
    assert doubt_of(logits) == pytest.approx(1 - 4000 / 6000, abs=0.001)


def test_a_sure_mask_and_sure_background_are_in_no_doubt():
    nothing = np.full((1, 40, 40), -30, np.float32)
    assert doubt_of(nothing) < 1e-6
    assert doubt_of(np.where(np.eye(40) > 0, 30, nothing[0])[None].astype(np.float32)) < 1e-6


@given(logits=arrays(np.float32, (3, 12, 9), elements=st.floats(-20, 20, width=32)), rows=st.integers(1, 12))
def test_doubt_lies_between_0_and_1_and_does_not_depend_on_the_bands(logits, rows):
    assert 0 <= doubt_of(logits) <= 1
    assert doubt_of(logits, rows) == pytest.approx(doubt_of(logits), abs=1e-6)


def test_a_run_keeps_its_temperature_and_tells_its_calibration(trained, discs):
    run = trained.run
    temperature = torch.load(run.best, weights_only=True)["inference"]["temperature"]
    known = json.loads(run.test.read_text())["calibration"]
    assert known["temperature"] == temperature and 0 <= known["ece"] <= 1
    assert f"expected calibration error {known['ece']:.4f}" in trained.out
    predictor = load_predictor(run, "cpu")
    image = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    mask, probabilities = predictor(image), predictor.probabilities(image)
    predictor.temperature = 2 * temperature
    assert np.array_equal(predictor(image), mask)
    assert predictor.probabilities(image).max() < probabilities.max()


def test_flat_images_are_told_to_be_unlike_the_training_and_no_line_for_runs_of_before(
    trained, discs, tmp_path, capsys
):
    for name in ("test0.png", "test1.png"):
        image = cv2.imread(str(discs / "images" / name))
        (tmp_path / "flat").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "flat" / name), (128 + (image.astype(int) - 128) // 20).astype(np.uint8))
    assert main(["predict", "flat", "-o", "masks", "--run", "run"]) == 0
    assert "note: all images are unlike the training's: contrast " in capsys.readouterr().out
    assert main(["predict", str(discs / "images"), "-o", "usual", "--run", "run"]) == 0
    assert "unlike" not in capsys.readouterr().out
    content = torch.load(trained.run.best, weights_only=True)
    del content["inference"]["training_images"]
    torch.save(content, trained.run.best)
    assert main(["predict", "flat", "-o", "again", "--run", "run"]) == 0
    assert "unlike" not in capsys.readouterr().out
