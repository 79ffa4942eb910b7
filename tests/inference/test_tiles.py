"""Large images in tiles: the mask does not depend on the grid, and nothing is held whole."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.images.read import read_labels
from unetseg.inference.loading import load_predictor
from unetseg.inference.tiles import cut, measure_reach

HEIGHT, WIDTH = 361, 483


@pytest.fixture
def large(images, picture) -> np.ndarray:
    """A tiled TIFF, larger than the tiles of the tests."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = 60 * np.sin(x / 9)[..., None] * np.cos(y / 13)[..., None]
    pixels = (picture(HEIGHT, WIDTH) * 0.6 + 50 + waves).clip(0, 255).astype(np.uint8)
    tifffile.imwrite(images / "large.tif", pixels, photometric="rgb", tile=(64, 64), metadata=None)
    return pixels


# --- the grid --------------------------------------------------------------------------------------


@given(
    height=st.integers(1, 700), width=st.integers(1, 700), tile=st.integers(1, 12), half=st.integers(0, 6),
    stride=st.sampled_from([1, 2, 16]),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_tiles_cover_the_image_start_at_strides_and_their_weights_add_up_to_1(
    height, width, tile, half, stride
):
    tile, overlap = tile * stride, min(half, tile // 2) * stride
    for axis in vars(cut(height, width, tile, overlap, stride)).values():
        total = np.zeros(axis.length, np.float64)
        for index, start in enumerate(axis.starts):
            assert start % stride == 0 and (axis.tile <= tile)
            begin, end = axis.used(index)
            first, last = axis.span(index)
            assert first <= begin <= end <= last
            total[begin:end] += axis.weights(index)
        np.testing.assert_allclose(total, 1, atol=1e-6)
        shared = [a + axis.tile - b for a, b in zip(axis.starts, axis.starts[1:], strict=False)]
        assert all(pixels >= overlap for pixels in shared)


def test_reach_is_that_of_the_network():
    def blurred(image: np.ndarray) -> np.ndarray:
        """Each pixel sees 20 pixels to its left, without normalisation at the edge."""
        grey = image[:, :, 0] / 255
        return sum(np.pad(grey, ((0, 0), (shift, 0)))[None, :, : grey.shape[1]] for shift in range(21)) / 21

    assert 15 <= measure_reach(blurred, 64) <= 20  # the last few change too little to be seen
    assert measure_reach(lambda image: image[None, :, :, 0] / 255, 64) == 0
    assert measure_reach(lambda image: np.full((1, *image.shape[:2]), image.mean() / 9), 64) == 64


# --- masks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{"stages": 2}, {"stages": 4}], ids=str)
def test_the_mask_does_not_depend_on_the_grid(predict, large, make_run, read, settings):
    run = make_run(**settings)
    whole = load_predictor(run, "cpu").probabilities(large)[1]
    tilings = {"a": ("--tile", "192"), "b": ("--tile", "256"), "c": ("--tile", "224", "--overlap", "96")}
    for name, flags in tilings.items():
        assert predict(*flags, runs=(run,), out=name).code == 0
    masks = [whole > 0.5, *(read(f"{name}/large.png") > 0 for name in tilings)]
    sure = np.abs(whole - 0.5) > 0.05
    assert 0.2 < masks[0].mean() < 0.8 and sure.mean() > 0.5
    for mask in masks[1:]:
        assert mask.shape == (HEIGHT, WIDTH)
        assert (mask == masks[0])[sure].mean() >= 0.999


def test_with_enough_overlap_tiles_give_the_very_mask_of_the_whole_image(predict, large, predictor, read):
    assert predict("--tile", "200", "--overlap", "64").code == 0
    assert np.array_equal(read("masks/large.png"), predictor(large))


def test_the_free_memory_chooses_the_tile(predict, large, run, predictor, read, monkeypatch):
    monkeypatch.setattr("unetseg.inference.ensemble.most_pixels", lambda network: 150**2)
    tiling = load_predictor(run, "cpu").tiling(HEIGHT, WIDTH)
    assert len(tiling.rows.starts) > 1 and tiling.rows.tile * tiling.columns.tile <= 150**2
    assert load_predictor(run, "cpu").tiling(150, 150) is None
    assert predict().code == 0
    assert (read("masks/large.png") == predictor(large)).mean() > 0.999


def test_python_too_cuts_large_arrays(large, run, predictor, monkeypatch):
    monkeypatch.setattr("unetseg.inference.ensemble.most_pixels", lambda network: 200**2)
    in_tiles = load_predictor(run, "cpu")
    np.testing.assert_allclose(in_tiles.probabilities(large), predictor.probabilities(large), atol=0.02)
    assert in_tiles.whole_pixels == 200**2


@pytest.mark.parametrize("flags", [(), ("--tta", "flips")])
def test_all_outputs_of_a_large_image_agree(predict, images, large, make_run, read, table, flags):
    run = make_run(classes=3)
    tiled = ("--tile", "128", *flags)
    assert predict(*tiled, "--save-probabilities", "--overlay", runs=(run,)).code == 0
    assert predict(*tiled, "--save-probabilities", "--format", "tiff", runs=(run,), out="tiff").code == 0
    assert predict(*tiled, "--format", "coco", runs=(run,), out="coco").code == 0
    mask = read("masks/large.png")
    assert np.array_equal(read_labels("tiff/large.tif"), mask)
    for index in (1, 2):
        probability = tifffile.imread(f"tiff/large.probability-{index}.tif")
        assert probability.dtype == np.uint16
        assert np.array_equal(probability, read(f"masks/large.probability-{index}.png"))
    assert read("masks/large.overlay.jpg").shape == large.shape
    for folder in ("masks", "tiff", "coco"):
        row = table(folder)["large.tif"]
        shares = [float(row[f"share_{name}"]) for name in ("background", "cell", "nerve")]
        assert shares == pytest.approx([(mask == index).mean() for index in range(3)], abs=1e-6)
    annotations = json.loads(Path("coco/large.coco.json").read_text())["annotations"]
    areas = [sum(each["area"] for each in annotations if each["category_id"] == index) for index in (1, 2)]
    assert areas == [(mask == 1).sum(), (mask == 2).sum()]


def test_a_large_overlay_is_reduced_by_a_whole_factor(predict, large, read, monkeypatch):
    monkeypatch.setattr("unetseg.data.images.overlay.LONGEST_OVERLAY", 300)
    assert predict("--tile", "128", "--overlay").code == 0
    assert read("masks/large.overlay.jpg").shape == (181, 242, 3)


def test_a_large_tiff_is_never_held_whole(predict, large, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the whole image was read")

    monkeypatch.setattr("unetseg.inference.folder.batches.read_image", refuse)
    monkeypatch.setattr("unetseg.data.images.regions.read_image", refuse)
    monkeypatch.setattr("unetseg.data.images.tiff.TiffPicture.read_rgb", refuse)
    regions: list[int] = []
    from unetseg.data.images.regions import TiffReader

    read = TiffReader.read

    def count(self, top, left, height, width):
        regions.append(height * width)
        return read(self, top, left, height, width)

    monkeypatch.setattr(TiffReader, "read", count)
    assert predict("--tile", "128", "--format", "tiff").code == 0
    assert len(regions) > 10 and max(regions) <= 128**2


def test_a_large_photograph_is_cut_too(predict, images, picture, predictor, read):
    Image.fromarray(picture(300, 400)).save(images / "a.png")
    assert predict("--tile", "160").code == 0
    assert (read("masks/a.png") == predictor(picture(300, 400))).mean() > 0.999


def test_a_tile_that_is_damaged_fails_its_image_alone_and_leaves_nothing(predict, images, large, picture):
    tifffile.imwrite(
        images / "bad.tif", large, photometric="rgb", tile=(64, 64), compression="zlib", metadata=None
    )
    with tifffile.TiffFile(images / "bad.tif") as tiff:
        offset = tiff.pages[0].dataoffsets[-1]
    content = bytearray((images / "bad.tif").read_bytes())
    content[offset : offset + 50] = b"\xff" * 50
    (images / "bad.tif").write_bytes(content)
    for format, name in (("png", "large.png"), ("tiff", "large.tif")):
        outcome = predict("--tile", "128", "--format", format, out=format)
        assert outcome.code == 3
        assert len(outcome.failed) == 1 and "images/bad.tif" in outcome.failed[0]
        assert sorted(path.name for path in Path(format).iterdir()) == [name, "predictions.csv"]


def test_tiles_are_refused_where_the_scale_rule_is_not_native(predict, large, make_run):
    outcome = predict("--tile", "128", runs=(make_run(scale="longest:64"),))
    assert outcome.code == 2 and "--tile" in outcome.line and "longest:64" in outcome.line


def test_under_longest_a_large_image_is_scaled(predict, large, make_run, read):
    run = make_run(scale="longest:64")
    assert predict(runs=(run,)).code == 0
    assert np.array_equal(read("masks/large.png"), load_predictor(run, "cpu")(large))


def test_what_does_not_fit_into_memory_and_cannot_be_cut_is_refused_by_name(
    predict, images, large, picture, make_run, monkeypatch
):
    Image.fromarray(picture(30, 30)).save(images / "small.png")
    monkeypatch.setattr("unetseg.inference.networks._free_memory", lambda: 20_000_000)
    outcome = predict(runs=(make_run(), make_run(scale="longest:64")))
    assert outcome.code == 3 and len(outcome.failed) == 1
    assert "images/large.tif: needs about" in outcome.failed[0] and "make it smaller" in outcome.failed[0]
    assert Path("masks/small.png").is_file()
