"""``predict --explain-skips``: each pixel's colour is the level whose lesion alone turns it over."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.data.images.read import read_image
from unetseg.errors import UsageError
from unetseg.inference.ensemble import Member
from unetseg.inference.loading import load_models
from unetseg.inference.networks import OnnxNetwork
from unetseg.inference.predictor import Predictor
from unetseg.inference.skip_reliance import ExplainingPredictor, skip_map
from unetseg.inference.substitute import SubstitutePredictor
from unetseg.models.lesioned_unet import LesionedUnet
from unetseg.models.replacements import zeros

LEVELS = (0, 1)


@pytest.fixture(scope="module")
def deep(make_run):
    """A run of two long skips."""
    return make_run(stages=3)


@pytest.fixture
def image(images, picture):
    Image.fromarray(picture(72, 96)).save(images / "a.png")
    return images / "a.png"


def lesioned_masks(run, image, **settings):
    """The mask of the run, and those under each lesion, each by a network and a pass of its own."""
    own = load_models([run], "cpu", **settings)
    found = [own(read_image(image))]
    for level in LEVELS:
        lesioned = LesionedUnet(own.model, [frozenset({level})], zeros)
        found.append(SubstitutePredictor(own, lesioned)(read_image(image)))
    return found


def brute_force(intact, *lesioned):
    turned = np.stack([mask != intact for mask in lesioned])
    return np.choose(turned.sum(axis=0).clip(0, 2), [0, 1 + turned.argmax(axis=0), 1 + len(lesioned)])


@pytest.mark.parametrize(
    ("settings", "flags", "loaded"),
    [
        ({}, (), {}),
        ({"classes": 3}, (), {}),
        ({"scale": "longest:40"}, (), {}),
        ({"precision": "bfloat16"}, (), {}),
        ({}, ("--threshold", "0.4"), {"threshold": 0.4}),
        ({"classes": 3}, ("--tta", "flips"), {"flips": True}),
    ],
    ids=["two classes", "three classes", "scaled", "bfloat16", "threshold", "flips"],
)
def test_the_map_is_that_of_lesions_one_by_one(predict, image, make_run, read, settings, flags, loaded):
    run = make_run(**{"stages": 3, **settings})
    assert predict("--explain-skips", *flags, runs=(run,)).code == 0
    masks = lesioned_masks(run, image, **loaded)
    expected = brute_force(*masks)
    assert set(np.unique(expected)) == {0, 1, 2, 3}, "every colour is to be seen"
    assert np.array_equal(read("masks/a.skips.png"), expected)
    assert np.array_equal(read("masks/a.png"), masks[0])


def test_in_tiles_the_map_is_that_of_lesions_in_the_same_tiles(predict, images, picture, deep, read):
    Image.fromarray(picture(200, 90)).save(images / "a.png")
    assert predict("--explain-skips", "--tile", "64", "--overlap", "16", runs=(deep,)).code == 0
    own = load_models([deep], "cpu")
    own.whole_pixels, own.reach = 64 * 64, 6  # which cut the same tiles
    assert own.tiling(200, 90) == own.tiling(200, 90, 64, 16)
    masks = [own(picture(200, 90))]
    for level in LEVELS:
        lesioned = LesionedUnet(own.model, [frozenset({level})], zeros)
        masks.append(SubstitutePredictor(own, lesioned)(picture(200, 90)))
    assert np.array_equal(read("masks/a.skips.png"), brute_force(*masks))


def test_the_encoder_runs_once_an_image(deep, picture):
    own = load_models([deep], "cpu")
    own(picture(64, 64))  # and what the memory allows is known
    calls = []
    own.model.encoder.register_forward_hook(lambda *_: calls.append(1))
    ExplainingPredictor(own).logits([picture(64, 64)])
    assert len(calls) == 1


def test_masks_are_the_same_bytes_as_without(predict, image, deep):
    predict(runs=(deep,), out="plain")
    predict("--explain-skips", runs=(deep,))
    assert Path("plain/a.png").read_bytes() == Path("masks/a.png").read_bytes()


def test_the_log_names_the_colours_and_the_table_has_the_shares(predict, image, deep, read, table):
    outcome = predict("--explain-skips", runs=(deep,))
    assert "black no level alone, orange level 0, sky blue level 1, white several levels" in outcome.out
    with Image.open("masks/a.skips.png") as file:
        assert file.getpalette()[:12] == [0, 0, 0, 230, 159, 0, 86, 180, 233, 255, 255, 255]
    turned = read("masks/a.skips.png")
    row = table()["a.png"]
    assert [name for name in row if name.startswith("skips")] == [
        "skips_none",
        "skips_0",
        "skips_1",
        "skips_several",
    ]
    for index, name in enumerate(("none", "0", "1", "several")):
        assert float(row[f"skips_{name}"]) == pytest.approx((turned == index).mean(), abs=1e-6)


def test_continue_adds_the_maps_that_are_missing_and_keeps_the_rest(
    predict, image, images, picture, deep, table
):
    Image.fromarray(picture(40, 40, 1)).save(images / "b.png")
    predict(runs=(deep,), images=("images/a.png",))
    predict("--continue", "--explain-skips", runs=(deep,), images=("images/a.png",))
    assert table()["a.png"]["skips_none"] != ""
    before = Path("masks/a.skips.png").stat().st_mtime_ns
    outcome = predict("--continue", "--explain-skips", runs=(deep,))
    assert outcome.code == 0 and "1 were there already" in outcome.out
    assert Path("masks/a.skips.png").stat().st_mtime_ns == before and Path("masks/b.skips.png").exists()


def test_rows_without_a_map_stay_beside_rows_with_one(predict, image, images, picture, deep, run, table):
    Image.fromarray(picture(40, 40, 1)).save(images / "b.png")
    predict("--explain-skips", runs=(deep,), images=("images/a.png",))
    predict(runs=(run,), images=("images/b.png",))
    rows = table()
    assert rows["a.png"]["skips_1"] != "" and rows["b.png"]["skips_1"] == ""
    assert all(row["made_by"] and row["mean_confidence"] for row in rows.values())


def test_pixels_without_data_count_for_no_level(predict, images, picture, deep, read, table):
    pixels = picture(72, 96).copy()
    pixels[:20] = 0
    tags = [(42113, "s", 0, "0", True)]
    tifffile.imwrite(images / "a.tif", pixels, photometric="rgb", extratags=tags)
    predict("--explain-skips", "--format", "tiff", runs=(deep,))
    turned = tifffile.imread("masks/a.skips.tif")
    assert (turned[:20] == 255).all() and set(np.unique(turned[20:])) == {0, 1, 2, 3}
    assert float(table()["a.tif"]["skips_0"]) == pytest.approx((turned[20:] == 1).mean(), abs=1e-6)
    predict("--explain-skips", runs=(deep,), out="png")
    expected = np.where(turned == 255, 0, turned)
    assert np.array_equal(read("png/a.skips.png"), expected)


def test_several_runs_are_refused_in_one_line(predict, image, deep):
    outcome = predict("--explain-skips", runs=(deep, deep))
    assert outcome.code == 2 and "is for one run, and 2 were given" in outcome.line
    assert not Path("masks").exists()


def test_a_run_without_long_skips_is_refused_in_one_line(predict, image, make_run):
    outcome = predict("--explain-skips", runs=(make_run(skips="off"),))
    assert outcome.code == 2 and "has no long skip to switch off" in outcome.line


def test_an_onnx_model_is_refused_in_one_line(deep):
    class Session:
        def get_inputs(self):
            return [type("Input", (), {"name": "images", "shape": [1, 3, 8, 8]})]

    own = load_models([deep], "cpu")
    member = Member(OnnxNetwork(Session(), 4), own.preprocessing, "model.onnx")
    with pytest.raises(UsageError, match=r"model\.onnx runs in ONNX Runtime"):
        ExplainingPredictor(Predictor([member], own.classes, own.colours))


def test_only_what_one_mask_alone_turns_has_its_index():
    intact = np.array([[0, 1, 2, 2]], np.uint8)
    lesioned = [np.array([each], np.uint8) for each in ([0, 0, 2, 1], [0, 1, 2, 0], [0, 1, 0, 2])]
    assert skip_map(intact, lesioned).tolist() == [[0, 1, 3, 4]]
