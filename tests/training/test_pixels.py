"""Images of other depths and channels through all commands, beside 8-bit RGB, which stays what it was."""

import json
import signal
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.open import open_data
from unetseg.data.images.pixel_rule import PixelRule
from unetseg.data.images.read import read_image
from unetseg.data.preprocessing import Preprocessing
from unetseg.inference.loading import find_models, load_models
from unetseg.inference.onnx_file import predictor_from_onnx, write_graph
from unetseg.inference.weights import predictor_from_weights
from unetseg.models.unet import build_model


def convert(data, make, suffix=".tif"):
    """Replace the images of a set by what ``make`` makes of each, H×W×3 uint8."""
    for path in sorted((data / "images").iterdir()):
        image = make(np.asarray(Image.open(path)))
        path.unlink()
        bands = {"photometric": "minisblack", "planarconfig": "contig"} if image.ndim == 3 else {}
        tifffile.imwrite(path.with_suffix(suffix), image, **bands)
    return data


def counts(image):
    """Make 12-bit counts in 16 bits of a picture: 200 to 328 of 4095."""
    return 200 + image[..., 0].astype(np.uint16) // 2


def bands(count, dtype):
    """Make so many bands, the first of them the picture."""

    def make(image):
        noise = np.random.default_rng(int(image.sum())).integers(0, 256, (*image.shape[:2], count - 1))
        return np.dstack([image[..., :1], noise]).astype(dtype)

    return make


def first_batch(data, **settings):
    config = RunConfig(data=str(data), size=32, batch_size=3, **settings)
    return SegmentationData(open_data(config), config, stride=4).fixed_batch()["image"]


def test_12_bit_counts_reach_the_network_as_the_stretched_picture_does(drawn):
    data = drawn()
    stretched = convert(data, lambda image: image[..., 0].astype(np.uint16) // 2 * 500)
    far = first_batch(stretched)
    near = first_batch(convert(data, lambda image: (200 + image // 500).astype(np.uint16)))
    floats = first_batch(convert(data, lambda image: image.astype(np.float32) / 4095))
    assert far.std() > 0.5
    assert torch.allclose(near, far, atol=0.02) and torch.allclose(floats, far, atol=0.02)


def test_a_dataset_s_own_range_stands_above_what_its_images_hold(drawn):
    data = convert(drawn(), counts)
    (data / "dataset.yaml").write_text("range: [0, 4095]\n")
    config = RunConfig(data=str(data), size=16)
    pixels = SegmentationData(open_data(config), config, stride=4).preprocessing.pixels
    assert pixels.range == ((0, 4095),) * 3


@pytest.mark.parametrize(
    "wrong", ["range: 4095", "range: [9, 2]", "range: [[0, 1], [0, 2]]", "range: [a, b]"]
)
def test_a_range_that_is_none_is_refused(fit, drawn, wrong):
    data = convert(drawn(), counts)
    (data / "dataset.yaml").write_text(f"{wrong}\n")
    refused = fit(data=data)
    assert refused.code == 2 and "range: " in refused.line


def test_the_range_is_printed_and_kept_and_stays_what_training_began_with(fit, drawn, tmp_path):
    data = convert(drawn(), counts)
    done = fit(data=data)
    assert "pixels    16 bits, RGB or grey, range 2" in done.out
    assert "(0.1 % to 99.9 % of the training pixels)" in done.out and not done.err
    kept = torch.load(done.run.best, weights_only=True)["inference"]["preprocessing"]["pixels"]
    assert len(kept["range"]) == 3 and kept["values"] == "uint16"
    further = fit("--init", "run", data=data, out="further")
    assert "(of the run that it starts from)" in further.out
    assert torch.load(further.run.best, weights_only=True)["inference"]["preprocessing"]["pixels"] == kept


CHAINS = {
    "1 of 8 bits": (1, np.uint8, ("--channels", "1")),
    "2 of 16 bits": (2, np.uint16, ()),
    "4 of floats": (4, np.float32, ("--augment", "full")),
    "7 of 16 bits": (7, np.uint16, ("--augment", "full")),
}


@pytest.mark.parametrize("name", CHAINS)
def test_any_number_of_channels_trains_goes_on_predicts_and_averages(fit, interrupt, drawn, capsys, name):
    count, dtype, flags = CHAINS[name]
    data = convert(drawn(), bands(max(count, 2), dtype))
    interrupt(signal.SIGTERM, epoch=1)
    assert fit(*flags, data=data).code == 143
    resumed = fit(resume="run")
    assert resumed.code == 0 and "after epoch 1" in resumed.out
    words = ["predict", str(data / "images"), "--device", "cpu", "--run", "run"]
    assert main([*words, "-o", "tiles", "--tile", "32", "--overlap", "16", "--overlay"]) == 0
    assert main(["export", "run", "--format", "safetensors"]) == 0
    assert main([*words, "--run", "run/model.safetensors", "-o", "averaged"]) == 0
    masks = {path.name: np.asarray(Image.open(path)) for path in Path("averaged").glob("*.png")}
    own = load_models(find_models(["run"]), "cpu")
    assert len(masks) == 14 and own.pixels.count == count
    for path in (data / "images").iterdir():
        assert np.array_equal(own(read_image(path, rule=own.pixels)), masks[f"{path.stem}.png"])


def test_onnx_takes_as_many_channels_and_gives_the_same(tmp_path):
    pytest.importorskip("onnxscript")
    config = RunConfig(stages=2, channels="1,2,3,4", device="cpu", precision="float32")
    model = build_model(config).eval()
    rule = PixelRule("uint16", ("1", "2", "3", "4"), ((100.0, 300.0),) * 4)
    preprocessing = Preprocessing("native", (0.5,) * 4, (0.2,) * 4, rule)
    settings = {
        "config": asdict(config), "classes": ["background", "disc"], "colours": [[0, 0, 0], [255, 0, 0]],
        "preprocessing": preprocessing.to_dict(), "stride": model.stride,
    }  # fmt: skip
    path = tmp_path / "model.onnx"
    write_graph(path, model, settings, path)
    shipped = predictor_from_onnx(path)
    own = predictor_from_weights(path, model.state_dict(), settings)
    image = np.random.default_rng(0).integers(90, 320, (24, 20, 4), np.uint16)
    assert np.allclose(own.probabilities(image), shipped.probabilities(image), atol=1e-4)
    note = "images: N×4×H×W float32; each channel is (min(max((value - low)"
    assert note.encode() in path.read_bytes()


def test_names_of_bands_choose_them_and_are_kept_in_the_configuration(fit, drawn):
    data = drawn()
    convert(data, bands(3, np.uint8))
    for path in (data / "images").iterdir():
        pixels = np.moveaxis(tifffile.imread(path), 2, 0)
        tifffile.imwrite(
            path, pixels, ome=True, metadata={"axes": "CYX", "Channel": {"Name": ["dapi", "fitc", "cy5"]}}
        )
    done = fit("--channels", "cy5, dapi", data=data)
    assert done.code == 0, done.err
    assert done.run.config().channels == "cy5,dapi"
    assert "pixels    8 bits, channels cy5,dapi\n" in done.out
    assert main(["export", "run", "--format", "card", "-o", "card"]) == 0
    assert "- Images are read as 8 bits, channels cy5,dapi: those of" in Path("card/README.md").read_text()


def test_images_of_several_depths_are_named_and_read_as_before(fit, drawn):
    data = drawn()
    path = data / "images/train1.png"
    Image.fromarray(np.asarray(Image.open(path).convert("L")).astype(np.uint16) * 257).save(path)
    done = fit(data=data)
    assert done.code == 0 and "images of several depths (1 of 16 bits, 13 of 8 bits)" in done.out
    assert "pixels" not in torch.load(done.run.best, weights_only=True)["inference"]["preprocessing"]
    refused = fit("--channels", "1", data=data, out="chosen")
    assert refused.code == 2 and "train1.png (16 bits)" in refused.line and "range:" in refused.line


def test_images_of_several_numbers_of_channels_are_named(fit, drawn):
    data = convert(drawn(), bands(5, np.uint8))
    path = data / "images/train1.tif"
    tifffile.imwrite(path, tifffile.imread(path)[..., :2], photometric="minisblack", planarconfig="contig")
    refused = fit(data=data)
    assert refused.code == 2 and "train1.tif has 2, " in refused.line and "--channels" in refused.line


def test_images_of_another_type_than_the_training_s_get_no_mask(fit, drawn, discs, capsys):
    assert fit(data=convert(drawn(), counts)).code == 0
    assert (
        main(["predict", str(discs / "images"), "-o", "masks", "--run", "run", "--device", "cpu"]) == 3
        or True
    )
    assert (
        "holds values of 8 bits, where the images of the training are of 16 bits" in capsys.readouterr().err
    )


def test_runs_that_read_differently_are_no_ensemble(fit, drawn, discs, capsys):
    assert fit(data=convert(drawn(), counts)).code == 0
    assert fit(data=discs, out="eight").code == 0
    words = ["predict", str(discs / "images"), "-o", "masks", "--run", "run", "--run", "eight"]
    assert main(words) == 2
    assert "eight: reads images as 8 bits, RGB or grey, and run as 16 bits" in capsys.readouterr().err


def test_pixels_without_data_count_for_no_range(drawn):
    data = convert(drawn(), lambda image: (image[..., 0] / 255).astype(np.float32))
    for path in (data / "images").iterdir():
        image = tifffile.imread(path)
        image[:10] = -9999
        tifffile.imwrite(path, image, extratags=[(42113, "s", 0, "-9999", True)])
    config = RunConfig(data=str(data), size=16)
    pixels = SegmentationData(open_data(config), config, stride=4).preprocessing.pixels
    assert all(0 <= low < high <= 1 for low, high in pixels.range)


def test_data_check_says_how_images_are_read_and_shows_them(drawn, tmp_path, capsys):
    data = convert(drawn(), bands(5, np.uint16))
    assert main(["data", "check", str(data), "--contact-sheet", str(tmp_path / "sheet.png")]) == 0
    out, err = capsys.readouterr()
    assert "pixels: 16 bits, channels 1,2,3,4,5; fit scales them by the range of the training images" in out
    assert not err and Image.open(tmp_path / "sheet.png").size[0] > 600


def test_scores_of_a_run_on_other_pixels_are_those_of_its_training(fit, drawn, capsys):
    done = fit(data=convert(drawn(), bands(2, np.uint16)))
    assert main(["evaluate", "run", "--device", "cpu", "--json", "again.json"]) == 0
    again = json.loads(Path("again.json").read_text())["mean"]["dataset"]["iou"]
    assert again == pytest.approx(done.run.test_scores()["mean"]["dataset"]["iou"], abs=1e-9)


def test_a_pretrained_first_layer_takes_its_three_colours_in_turn(tmp_path):
    state = build_model(RunConfig(encoder="resnet18")).encoder.state_dict()
    torch.save(state, tmp_path / "weights.pt")
    config = RunConfig(encoder="resnet18", weights=str(tmp_path / "weights.pt"), channels="1,2,4,5")
    adapted = build_model(config).encoder.conv1.weight
    turns = state["conv1.weight"][:, [0, 1, 2, 0]]
    assert torch.allclose(adapted, turns * 3 / 4)
