"""Every format of masks, read back by a library of its own."""

import json
from pathlib import Path
from xml.etree import ElementTree

import cv2
import geojson
import numpy as np
import pytest
import shapely
import tifffile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pycocotools.coco import COCO
from shapely.geometry import shape

from unetseg.cli import main
from unetseg.data.annotations.coco_json import to_coco
from unetseg.data.annotations.label_files import LabelFiles
from unetseg.data.annotations.label_formats import recognise
from unetseg.data.images.read import read_labels
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.folder.formats import FORMATS, MaskFormat, write_mask
from unetseg.inference.folder.jobs import OutputOptions
from unetseg.inference.folder.vectors import to_geojson

CLASSES = ["background", "cell", "nerve ü"]
COLOURS = [(0, 0, 0), (250, 20, 30), (40, 150, 60)]
WITHOUT_MAP = [name for name, format in FORMATS.items() if format.place != "required"]
MASKS = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 2))


@pytest.fixture
def mask() -> np.ndarray:
    """A ring of class 1 with an island of class 1 in its hole, and a bar of class 2 that touches the ring."""
    mask = np.zeros((23, 31), np.uint8)
    mask[2:15, 3:17] = 1
    mask[5:12, 6:14] = 0
    mask[7:9, 8:11] = 1
    mask[15:20, 3:31] = 2
    return mask


def write(folder: Path, mask: np.ndarray, format: str, name: str = "picture.jpg") -> Path:
    path = folder / f"picture{FORMATS[format].suffix}"
    write_mask(path, mask, format=format, classes=CLASSES, colours=COLOURS, name=name)
    return path


def read_coco(path: Path, capsys) -> COCO:
    coco = COCO(str(path))
    capsys.readouterr()  # it prints how long it took
    return coco


def rasterise(collection: dict, height: int, width: int) -> np.ndarray:
    """Return the class whose polygon covers each pixel's middle; polygons that overlap fail."""
    y, x = np.mgrid[:height, :width] + 0.5
    mask = np.zeros((height, width), np.uint8)
    for feature in collection["features"]:
        inside = shapely.contains_xy(shape(feature["geometry"]), x, y)
        assert not mask[inside].any()
        mask[inside] = feature["properties"]["index"]
    return mask


# --- label images ----------------------------------------------------------------------------------


def test_pillow_reads_the_indices_and_colours_of_a_png(tmp_path, mask):
    with Image.open(write(tmp_path, mask, "png")) as image:
        assert image.mode == "P"
        assert np.array_equal(np.array(image), mask)
        assert np.array_equal(np.array(image.convert("RGB")), np.array(COLOURS, np.uint8)[mask])


def test_opencv_reads_the_colours_of_a_png(tmp_path, mask):
    read = cv2.imread(str(write(tmp_path, mask, "png")))
    assert np.array_equal(read[:, :, ::-1], np.array(COLOURS, np.uint8)[mask])


def test_tifffile_reads_the_indices_and_colours_of_a_tiff(tmp_path, mask):
    with tifffile.TiffFile(write(tmp_path, mask, "tiff")) as tiff:
        page = tiff.pages.first
        assert np.array_equal(page.asarray(), mask)
        assert np.array_equal(page.colormap[:, :3].T, np.array(COLOURS) * 257)


def test_a_tiff_is_compressed(tmp_path):
    assert write(tmp_path, np.zeros((600, 700), np.uint8), "tiff").stat().st_size < 10_000


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_label_images_are_read_back_as_they_were(tmp_path, mask, format):
    assert np.array_equal(read_labels(write(tmp_path, mask, format)), mask)


# --- GeoJSON ---------------------------------------------------------------------------------------


def test_geojson_is_valid_and_says_what_its_coordinates_are(tmp_path, mask):
    collection = geojson.loads(write(tmp_path, mask, "geojson").read_text("utf-8"))
    assert isinstance(collection, geojson.FeatureCollection)
    assert collection.is_valid, collection.errors()
    assert "pixels" in collection["description"] and "top" in collection["description"]
    assert (collection["image"], collection["width"], collection["height"]) == ("picture.jpg", 31, 23)


def test_geojson_has_one_feature_a_region_and_its_holes(tmp_path, mask):
    collection = json.loads(write(tmp_path, mask, "geojson").read_text("utf-8"))
    found = [
        (feature["properties"]["class"], feature["properties"]["index"], area, len(polygon.interiors))
        for feature in collection["features"]
        for polygon in [shape(feature["geometry"])]
        for area in [polygon.area]
    ]
    assert sorted(found) == [("cell", 1, 6, 0), ("cell", 1, 13 * 14 - 7 * 8, 1), ("nerve ü", 2, 5 * 28, 0)]


def test_geojson_has_x_to_the_right_and_y_down_from_the_top():
    mask = np.zeros((10, 20), np.uint8)
    mask[1:3, 12:17] = 1
    (feature,) = to_geojson(mask, CLASSES, "a.png")["features"]
    assert shape(feature["geometry"]).bounds == (12, 1, 17, 3)


@settings(deadline=None, max_examples=200)
@given(MASKS)
def test_geojson_drawn_as_pixels_is_the_mask(mask):
    collection = to_geojson(mask, CLASSES, "a.png")
    assert geojson.loads(json.dumps(collection)).is_valid
    assert all(shapely.is_valid(shape(feature["geometry"])) for feature in collection["features"])
    assert np.array_equal(rasterise(collection, *mask.shape), mask)


# --- COCO ------------------------------------------------------------------------------------------


def test_coco_lists_every_foreground_class_and_no_background(tmp_path, capsys):
    coco = read_coco(write(tmp_path, np.ones((3, 4), np.uint8), "coco"), capsys)
    assert [(c["id"], c["name"]) for c in coco.loadCats(coco.getCatIds())] == [(1, "cell"), (2, "nerve ü")]


def test_coco_annotates_each_region(tmp_path, mask, capsys):
    coco = read_coco(write(tmp_path, mask, "coco"), capsys)
    (image,) = coco.loadImgs(coco.getImgIds())
    assert (image["file_name"], image["width"], image["height"]) == ("picture.jpg", 31, 23)
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"], iscrowd=False))
    assert [annotation["category_id"] for annotation in annotations] == [1, 1, 2]
    assert [annotation["bbox"] for annotation in annotations] == [
        [3, 2, 14, 13],
        [8, 7, 3, 2],
        [3, 15, 28, 5],
    ]
    for index in (1, 2):
        regions = [coco.annToMask(each) for each in annotations if each["category_id"] == index]
        assert np.array_equal(sum(regions), mask == index)


def test_coco_leaves_out_a_class_that_is_not_in_the_mask(tmp_path, mask, capsys):
    coco = read_coco(write(tmp_path, np.where(mask == 2, 2, 0).astype(np.uint8), "coco"), capsys)
    assert coco.getAnnIds(catIds=[1]) == [] and len(coco.getAnnIds(catIds=[2])) == 1


@settings(deadline=None, max_examples=200)
@given(MASKS)
def test_coco_drawn_as_pixels_is_the_mask(mask):
    coco = COCO()
    coco.dataset = json.loads(json.dumps(to_coco(mask, CLASSES, "a.png")))
    coco.createIndex()
    drawn = np.zeros_like(mask)
    for annotation in coco.loadAnns(coco.getAnnIds()):
        inside = coco.annToMask(annotation).astype(bool)
        assert annotation["area"] == np.count_nonzero(inside)
        ys, xs = np.nonzero(inside)
        box = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
        assert annotation["bbox"] == box
        drawn[inside] = annotation["category_id"]
    assert np.array_equal(drawn, mask)


# --- annotation tools ------------------------------------------------------------------------------


def test_masks_for_yolo_come_with_the_names_of_classes(predict, images, picture):
    Image.fromarray(picture(24, 32)).save(images / "a.png")
    assert predict("--format", "yolo").code == 0
    assert yaml.safe_load(Path("masks/data.yaml").read_text("utf-8")) == {"names": {0: "cell"}}
    assert Path("masks/a.txt").is_file()


def test_a_users_own_file_of_names_is_not_written_over(predict, images, picture):
    Image.fromarray(picture(24, 32)).save(images / "a.png")
    Path("masks").mkdir()
    Path("masks/data.yaml").write_text("mine")
    assert "masks/data.yaml: is already there" in predict("--format", "yolo").line
    assert [path.name for path in Path("masks").iterdir()] == ["data.yaml"]
    assert Path("masks/data.yaml").read_text() == "mine"


def test_masks_for_cvat_come_in_one_file_for_all_images_too(predict, images, picture):
    for name in ("a.png", "below/a.png", "below/b.png"):
        (images / name).parent.mkdir(exist_ok=True)
        Image.fromarray(picture(24, 32)).save(images / name)
    assert predict("--format", "cvat").code == 0
    root = ElementTree.parse("masks/annotations.xml").getroot()
    assert [label.text for label in root.findall("meta/task/labels/label/name")] == ["cell"]
    assert [each.get("name") for each in root.findall("image")] == ["a.png", "below/a.png", "below/b.png"]
    labels = recognise(LabelFiles(Path("masks"))).read()
    assert {each.name for each in labels.images} == {"a", "below/a", "below/b"}  # of both kinds of files


def test_an_image_called_like_the_file_for_all_is_refused(predict, images, picture):
    Image.fromarray(picture(24, 32)).save(images / "annotations.png")
    assert "its mask would be annotations.xml" in predict("--format", "cvat").line


def test_a_package_that_a_format_needs_is_named_before_anything_is_read(monkeypatch):
    monkeypatch.setattr("unetseg.inference.folder.jobs.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--format imagej: needs roifile; .* 'unetseg\[imagej\]'"):
        OutputOptions(format="imagej")


# --- a format that only these tests know -----------------------------------------------------------


@pytest.fixture
def plant(monkeypatch):
    """Add a format for the time of one test: ``plant(suffix=".planted", write=...)``."""

    def planted(**fields):
        monkeypatch.setitem(FORMATS, "planted", MaskFormat("planted", **fields))

    return planted


def write_shape(path, mask, legend):
    Path(path).write_text(f"{legend.image} {mask.shape[0]}×{mask.shape[1]} {' '.join(legend.classes)}")


def test_one_entry_adds_a_format_to_predict(plant, predict, images, picture):
    plant(suffix=".planted", write=write_shape, probability_suffix=".tif")
    Image.fromarray(picture(24, 32)).save(images / "a.png")
    assert predict("--format", "planted", "--save-probabilities").code == 0
    assert Path("masks/a.planted").read_text() == "a.png 24×32 background cell"
    assert Path("masks/a.probability.tif").is_file()
    assert "masks/a.planted: is already there" in predict("--format", "planted").line


def test_the_help_of_predict_names_it(plant, capsys):
    plant(suffix=".planted", write=write_shape)
    assert main(["predict", "--help"]) == 0
    assert (
        "--format png|tiff|geojson|gpkg|labelme|coco|yolo|cvat|qupath|imagej|planted"
        in capsys.readouterr().out
    )


def test_a_format_that_can_be_streamed_is_given_the_bands_of_a_large_image(plant, predict, images, picture):
    bands = []
    plant(suffix=".planted", write=write_shape, stream=lambda path, taken, *_: bands.extend(taken))
    Image.fromarray(picture(96, 32)).save(images / "a.png")
    assert predict("--format", "planted", "--tile", "32").code == 0
    assert len(bands) > 1 and sum(map(len, bands)) == 96
    assert predict("--format", "planted", "--tile", "32", "--overlay", out="whole").code == 0
    assert Path("whole/a.planted").read_text().startswith("a.png 96×32")


# --- all formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", WITHOUT_MAP)
def test_a_label_without_a_class_is_refused_and_the_file_before_it_stays(tmp_path, mask, format):
    path = write(tmp_path, mask, format)
    before = path.read_bytes()
    with pytest.raises(UnetsegError, match="label 7"):
        write(tmp_path, np.full((4, 4), 7, np.uint8), format)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("format", WITHOUT_MAP)
def test_a_folder_that_cannot_be_made_is_one_plain_line(tmp_path, mask, format):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UnetsegError, match=r"cannot be written: .*; free space, or choose a folder"):
        write(tmp_path / "file", mask, format)


def test_a_wrong_suffix_is_refused(tmp_path, mask):
    with pytest.raises(UsageError, match=r"must end in \.coco\.json"):
        write_mask(tmp_path / "a.json", mask, format="coco", classes=CLASSES, colours=COLOURS, name="a")


@pytest.mark.parametrize("format", ["geojson", "coco"])
def test_a_name_that_is_not_utf8_becomes_printable(tmp_path, mask, format):
    path = write(tmp_path, mask, format, name="bad\udcff.png")
    assert "bad\\\\xff.png" in path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("format", ["geojson", "coco"])
def test_a_mask_of_background_has_no_regions(tmp_path, format):
    content = json.loads(write(tmp_path, np.zeros((5, 6), np.uint8), format).read_text())
    assert content["features" if format == "geojson" else "annotations"] == []
