"""A GeoTIFF in, a GeoTIFF out; outlines in the map's coordinates; pixels without data are nowhere counted."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
import tifffile
from PIL import Image
from rasterio.transform import Affine
from rasterio.warp import transform
from shapely.geometry import shape

from unetseg.cli import main
from unetseg.data.datasets.open import open_dataset
from unetseg.data.images.georeference import open_no_data, read_no_data, read_place
from unetseg.data.images.read import read_labels
from unetseg.inference.folder.formats import FORMATS, Legend
from unetseg.inference.folder.maps import map_geojson

CLASSES, COLOURS = ["background", "house", "road"], [(0, 0, 0), (250, 20, 30), (40, 150, 60)]
NORTH_UP = Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000)
TURNED = Affine(0.4, 0.3, 500_000, 0.3, -0.4, 5_200_000)
SYSTEMS = {  # pixels of half a metre, of ten metres far from the zone's middle, of a kilometre, of degrees
    "metres": ("EPSG:32633", NORTH_UP),
    "turned": ("EPSG:32633", TURNED),
    "far off": ("EPSG:32633", Affine(10, 0, 250_000, 0, -10, 5_200_000)),
    "continent": ("EPSG:3035", Affine(1000, 0, 2_500_000, 0, -1000, 5_400_000)),
    "degrees": ("EPSG:4326", Affine(0.01, 0, 5, 0, -0.01, 50)),
    "of its own": ("+proj=tmerc +lat_0=48 +lon_0=14.2 +k=1 +x_0=1000 +ellps=GRS80", NORTH_UP),
}


def save_map(path: Path, pixels: np.ndarray, crs: str | None, place: Affine | None, **options) -> Path:
    """Write H×W×C as GDAL does."""
    planes = np.moveaxis(np.atleast_3d(pixels), 2, 0)
    size = {"height": pixels.shape[0], "width": pixels.shape[1], "count": len(planes), "dtype": pixels.dtype}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=place, **size, **options) as file:
        file.write(planes)
    return path


def place_of(path: Path | str) -> tuple:
    with rasterio.open(path) as file:
        return file.crs, file.transform, file.nodata


def pixels_of(points: np.ndarray, crs: str, place: Affine) -> np.ndarray:
    """Return N×2 (column, row) of N×2 degrees."""
    x, y = transform("EPSG:4326", crs, *points.T)
    turn = np.array([(place.a, place.b), (place.d, place.e)])
    return np.linalg.solve(turn, np.array([x, y]) - [[place.c], [place.f]]).T


@pytest.fixture
def with_gap(picture) -> np.ndarray:
    """An image of 96 × 80 pixels whose first rows of some columns hold no data, by the value 0."""
    pixels = picture(80, 96).clip(1)
    pixels[:9, 10:40] = 0
    return pixels


@pytest.mark.parametrize("system", SYSTEMS)
def test_mask_and_probabilities_lie_where_the_image_lies(predict, images, picture, system):
    save_map(images / "a.tif", picture(40, 56), *SYSTEMS[system])
    assert predict("--format", "tiff", "--save-probabilities").code == 0
    for name in ("a.tif", "a.probability.tif"):
        assert place_of(f"masks/{name}") == place_of(images / "a.tif"), name


@pytest.mark.skipif(shutil.which("gdalinfo") is None, reason="gdalinfo is not installed")
def test_gdalinfo_says_the_same_of_image_and_mask(predict, images, with_gap):
    save_map(images / "a.tif", with_gap, "EPSG:32633", NORTH_UP, nodata=0, AREA_OR_POINT="Point")
    assert predict("--format", "tiff").code == 0
    command = ["gdalinfo", "-json"]
    image, mask = (
        json.loads(subprocess.check_output([*command, path])) for path in (images / "a.tif", "masks/a.tif")
    )
    for key in ("size", "coordinateSystem", "geoTransform", "cornerCoordinates"):
        assert image[key] == mask[key]
    assert mask["bands"][0]["noDataValue"] == 255


@pytest.mark.skipif(shutil.which("gdal_translate") is None, reason="gdal_translate is not installed")
@pytest.mark.parametrize(
    "words",
    [
        ("-of", "COG", "-co", "COMPRESS=LZW"),  # in tiles, with overviews
        ("-co", "TILED=YES", "-co", "BLOCKXSIZE=32", "-co", "BLOCKYSIZE=16", "-co", "COMPRESS=DEFLATE"),
        ("-co", "INTERLEAVE=BAND", "-co", "BIGTIFF=YES", "-co", "ENDIANNESS=BIG"),
        ("-srcwin", "8", "16", "40", "30", "-a_srs", "EPSG:32632"),
    ],
    ids=lambda words: words[1],
)
def test_what_gdal_writes_is_read_and_gdal_reads_what_is_written(predict, images, tmp_path, with_gap, words):
    source = save_map(tmp_path / "source.tif", with_gap, "EPSG:32633", NORTH_UP, nodata=0)
    subprocess.check_call(["gdal_translate", "-q", *words, source, images / "a.tif"])
    for format in ("tiff", "gpkg"):
        assert predict("--format", format, out=format).code == 0
    assert place_of("tiff/a.tif")[:2] == place_of(images / "a.tif")[:2]
    mask = tifffile.imread("tiff/a.tif")
    with rasterio.open(images / "a.tif") as file:
        assert np.array_equal(mask == 255, (file.read() == 0).all(axis=0))
        west, south, east, north = map(str, file.bounds)
    size = map(str, mask.shape[::-1])
    drawn = ["-a", "index", "-l", "mask", "-te", west, south, east, north, "-ts", *size, "-ot", "Byte"]
    subprocess.check_call(["gdal_rasterize", "-q", *drawn, "gpkg/a.gpkg", "drawn.tif"])
    assert np.array_equal(tifffile.imread("drawn.tif"), np.where(mask == 255, 0, mask))


@pytest.mark.parametrize("flags", [(), ("--tile", "48"), ("--overlay",), ("--min-area", "40")], ids=str)
def test_pixels_without_data_are_so_in_mask_and_probabilities(predict, images, with_gap, table, flags):
    save_map(images / "a.tif", with_gap, "EPSG:32633", NORTH_UP, nodata=0)
    assert predict("--format", "tiff", "--save-probabilities", *flags).code == 0
    gap = (with_gap == 0).all(axis=2)
    for name, value in (("a.tif", 255), ("a.probability.tif", 65535)):
        assert place_of(f"masks/{name}")[2] == value
        assert np.array_equal(tifffile.imread(f"masks/{name}") == value, gap)
    shares = [float(table()["a.tif"][f"share_{name}"]) for name in ("background", "cell")]
    mask = tifffile.imread("masks/a.tif")[~gap]
    assert shares == pytest.approx([(mask == 0).mean(), (mask == 1).mean()], abs=1e-5)


def test_a_format_without_a_place_says_what_it_loses(predict, images, with_gap, read):
    save_map(images / "a.tif", with_gap, "EPSG:32633", NORTH_UP, nodata=0)
    outcome = predict()
    assert outcome.code == 0 and "has a georeference and a value for no data, which" in outcome.line
    assert "--format tiff does" in outcome.line
    assert not read("masks/a.png")[(with_gap == 0).all(axis=2)].any()


def test_no_outline_runs_through_pixels_without_data(predict, images, with_gap):
    save_map(images / "a.tif", with_gap, "EPSG:32633", NORTH_UP, nodata=0)
    assert predict("--format", "gpkg").code == 0
    _, _, geometry, _ = pyogrio.raw.read("masks/a.gpkg")
    gap = shapely.box(500_000 + 5.1, 5_200_000 - 4.4, 500_000 + 19.9, 5_200_000)
    assert len(geometry) and not shapely.intersects(shapely.from_wkb(geometry), gap).any()


@pytest.mark.parametrize("system", SYSTEMS)
def test_outlines_in_degrees_lie_on_the_pixels_edges(tmp_path, system):
    crs, place = SYSTEMS[system]
    mask = np.zeros((300, 420), np.uint8)
    mask[0:280, 5:400], mask[50:60, 20:390], mask[290:, 400:] = 1, 0, 2
    path = save_map(tmp_path / "a.tif", mask, crs, place)
    features = map_geojson(mask, CLASSES, "a.tif", read_place(path))["features"]
    assert [each["properties"] for each in features] == [
        {"class": "house", "index": 1},
        {"class": "road", "index": 2},
    ]
    for feature, rectangle in zip(features, [(5, 0, 400, 280), (400, 290, 420, 300)], strict=True):
        polygon = shape(feature["geometry"])
        assert polygon.is_valid and polygon.exterior.is_ccw
        step = polygon.length / 2000  # points all along the outline, and not the vertices alone
        along = [ring.segmentize(step) for ring in shapely.get_rings(polygon)]
        edges = np.concatenate([shapely.get_coordinates(ring) for ring in along])
        rings = shapely.box(*rectangle).boundary.union(shapely.box(20, 50, 390, 60).boundary)
        assert shapely.distance(shapely.points(pixels_of(edges, crs, place)), rings).max() < 0.5


def test_a_geopackage_holds_the_regions_in_the_maps_own_coordinates(tmp_path):
    mask = np.zeros((30, 40), np.uint8)
    mask[2:12, 3:23], mask[5:8, 6:9], mask[20:25, 30:40] = 1, 0, 2
    path = save_map(tmp_path / "a.tif", mask, "EPSG:32633", TURNED)
    legend = Legend(CLASSES, COLOURS, "a.tif", read_place(path))
    FORMATS["gpkg"].write(tmp_path / "a.gpkg", mask, legend)
    meta, _, geometry, (names, indices) = pyogrio.raw.read(tmp_path / "a.gpkg", layer="mask")
    assert rasterio.CRS.from_user_input(meta["crs"]) == rasterio.CRS.from_epsg(32633)
    assert (list(names), list(indices)) == (["house", "road"], [1, 2])
    house, road = shapely.from_wkb(geometry)
    assert (house.area, road.area) == pytest.approx((191 * 0.25, 50 * 0.25))
    assert len(house.interiors) == 1 and house.is_valid
    assert house.distance(shapely.Point(500_000 + 0.4 * 3 + 0.3 * 2, 5_200_000 + 0.3 * 3 - 0.4 * 2)) < 1e-9


def test_a_map_without_a_region_is_a_geopackage_of_none(tmp_path):
    mask = np.zeros((8, 8), np.uint8)
    path = save_map(tmp_path / "a.tif", mask, "EPSG:32633", NORTH_UP)
    legend = Legend(CLASSES, COLOURS, "a.tif", read_place(path))
    FORMATS["gpkg"].write(tmp_path / "a.gpkg", mask, legend)
    assert pyogrio.read_info(tmp_path / "a.gpkg")["features"] == 0


def test_a_picture_without_a_place_has_outlines_in_pixels_only(predict, images, picture):
    Image.fromarray(picture(20, 20)).save(images / "a.png")
    assert predict("--format", "geojson").code == 0
    assert json.loads(Path("masks/a.geojson").read_text())["description"].startswith("Coordinates are pixels")
    outcome = predict("--format", "gpkg", out="maps")
    assert outcome.code == 2 and "a.png: has no georeference, which --format gpkg needs" in outcome.line
    assert not Path("maps").exists() or not list(Path("maps").glob("*.gpkg"))


@pytest.mark.parametrize("format", ["geojson", "gpkg"])
def test_a_georeference_without_a_system_has_no_outlines(predict, images, picture, format):
    save_map(images / "a.tif", picture(20, 20), None, NORTH_UP)
    outcome = predict("--format", format)
    assert outcome.code == 2 and "names no coordinate system; give it one" in outcome.line
    assert predict("--format", "tiff").code == 0
    assert place_of("masks/a.tif") == place_of(images / "a.tif")


@pytest.mark.parametrize("format", ["geojson", "gpkg"])
def test_a_map_without_a_system_fails_alone_where_others_have_one(predict, images, picture, format):
    save_map(images / "a.tif", picture(20, 20), "EPSG:32633", NORTH_UP)
    save_map(images / "b.tif", picture(20, 20), None, NORTH_UP)
    outcome = predict("--format", format)
    assert outcome.code == 3 and "b.tif: its georeference names no coordinate system" in outcome.err
    assert Path(f"masks/a.{format}").is_file() and not Path(f"masks/b.{format}").exists()


@pytest.mark.parametrize("format", ["geojson", "gpkg"])
def test_the_extra_is_named_where_it_is_missing(predict, images, picture, monkeypatch, format):
    save_map(images / "a.tif", picture(20, 20), "EPSG:32633", NORTH_UP)
    monkeypatch.setattr("unetseg.inference.folder.jobs.find_spec", lambda name: None)
    outcome = predict("--format", format)
    assert outcome.code == 2 and "pip install 'unetseg[geo]'" in outcome.line and "rasterio" in outcome.line


def test_a_picture_that_is_turned_has_no_place(predict, images, picture):
    tags = [(33550, 12, 3, (1.0, 1.0, 0.0), True), (33922, 12, 6, (0.0,) * 6, True), (274, 3, 1, 6, True)]
    tifffile.imwrite(images / "a.tif", picture(20, 30), photometric="rgb", extratags=tags, metadata=None)
    outcome = predict("--format", "tiff")
    assert outcome.code == 0 and "its orientation turns it, so its georeference is not kept" in outcome.line
    assert 33550 not in tifffile.TiffFile("masks/a.tif").pages.first.tags


@pytest.mark.parametrize(
    "layout", [{"tile": (16, 32)}, {"rowsperstrip": 5}, {"planarconfig": "separate"}], ids=str
)
@pytest.mark.parametrize("value", ["-1", "nan", "7.0", " 7\0"])
def test_no_data_is_the_value_in_all_bands(tmp_path, layout, value):
    number = float(value.strip("\0 "))
    samples = np.random.default_rng(0).integers(0, 12, (37, 50, 3)).astype(np.float32)
    samples[4:20, 30:45], samples[30, 3, :2] = number, number
    stored = np.moveaxis(samples, 2, 0) if "planarconfig" in layout else samples
    tags = [(42113, 2, 0, value, True), (274, 3, 1, 6, True)]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extratags=tags, metadata=None, **layout)
    expected = np.zeros((37, 50), bool)
    expected[4:20, 30:45] = True
    if number == 7:
        expected |= (samples == 7).all(axis=2)
    turned = np.rot90(expected, -1)
    assert np.array_equal(read_no_data(tmp_path / "a.tif"), turned)
    with open_no_data(tmp_path / "a.tif") as reader:
        assert np.array_equal(reader.read(20, 10, 21, 9), turned[20:41, 10:19])


def test_a_value_for_no_data_that_is_no_number_is_told(tmp_path):
    tags = [(42113, 2, 0, "none", True)]
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.uint8), extratags=tags, metadata=None)
    with pytest.warns(UserWarning, match=r"a\.tif: its value for no data, 'none', is no number"):
        assert read_no_data(tmp_path / "a.tif") is None


@pytest.fixture
def maps(tmp_path, picture) -> Path:
    """Three maps and masks; the image of one holds no data in its left half, where its mask has a house."""
    for part in ("images", "masks"):
        (tmp_path / "maps" / part).mkdir(parents=True)
    for index in range(3):
        pixels, mask = picture(24, 32, index).clip(1), np.zeros((24, 32), np.uint8)
        mask[4:12, 4:20] = 1
        if index == 0:
            pixels[:, :16] = 0
        save_map(tmp_path / f"maps/images/{index}.tif", pixels, "EPSG:32633", NORTH_UP, nodata=0)
        save_map(tmp_path / f"maps/masks/{index}.tif", mask, "EPSG:32633", NORTH_UP)
    return tmp_path / "maps"


def test_pixels_without_data_do_not_count_in_training(maps, capsys, recwarn):
    dataset = open_dataset(str(maps))
    valid = {sample.name: dataset.valid(sample) for split in dataset.splits.values() for sample in split}
    assert valid["1"] is None and valid["2"] is None
    assert not valid["0"][:, :16].any() and valid["0"][:, 16:].all()
    assert main(["data", "check", str(maps)]) == 0
    assert "50.0%" in capsys.readouterr().out  # of the one image's split is not counted
    assert not [each for each in recwarn.list if "georeference" in str(each.message)]


def test_pixels_without_data_do_not_count_in_scores(maps, tmp_path, capsys):
    (tmp_path / "guesses").mkdir()
    for index in range(3):
        mask = read_labels(maps / f"masks/{index}.tif")
        if index == 0:
            mask[:, :16] = 255
        save_map(tmp_path / f"guesses/{index}.tif", mask, "EPSG:32633", NORTH_UP, nodata=255)
    flags = ["--predictions", str(tmp_path / "guesses"), "--reference", str(maps / "masks")]
    assert main(["evaluate", *flags]) == 0
    assert "IoU                                   1.000" in capsys.readouterr().out


def test_a_class_of_a_mask_is_no_gap_though_a_tag_says_so(tmp_path, capsys):
    for part in ("guesses", "masks"):
        (tmp_path / part).mkdir()
        mask = np.zeros((8, 8), np.uint8)
        mask[:, : 4 if part == "masks" else 8] = 1
        save_map(tmp_path / part / "a.tif", mask, "EPSG:32633", NORTH_UP, nodata=0)
    flags = ["--predictions", str(tmp_path / "guesses"), "--reference", str(tmp_path / "masks")]
    assert main(["evaluate", *flags]) == 0
    assert "IoU                                   0.500" in capsys.readouterr().out


def test_the_tags_of_a_place_are_read_without_any_package_for_maps(tmp_path, monkeypatch):
    path = save_map(tmp_path / "a.tif", np.zeros((4, 4), np.uint8), "EPSG:32633", NORTH_UP)
    tags = read_place(path).tags_of_mask(255)
    packed = io.BytesIO()
    tifffile.imwrite(packed, np.zeros((4, 4), np.uint8), extratags=tags, metadata=None)
    with rasterio.MemoryFile(packed.getvalue()) as file, file.open() as opened:
        assert (opened.crs, opened.transform) == place_of(path)[:2]
