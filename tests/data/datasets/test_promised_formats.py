"""Every row of the table in docs/data.md, on a folder that is drawn here, with a trap in each."""

import base64
import io
import json
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco
from roifile import ROI_TYPE, ImagejRoi, roiwrite

from unetseg.cli import main
from unetseg.data.datasets.check import check_dataset
from unetseg.data.datasets.open import open_dataset

HEIGHT, WIDTH = 20, 30
Masks = dict[str, np.ndarray]
DOCS = Path(__file__).parents[3] / "docs" / "data.md"


def draw_image(path: Path, seed: int, size: tuple[int, int] = (HEIGHT, WIDTH), turn: int = 1) -> None:
    """Write a picture of noise; ``turn`` is its EXIF orientation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (*size, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(noise).save(path, exif=exif)


def block(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


def corners(top: int, left: int, bottom: int, right: int) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


RING = block(4, 5, 12, 15) - block(6, 7, 9, 12)
EMPTY = block(0, 0, 0, 0)


def over(below: np.ndarray, above: np.ndarray, value: int) -> np.ndarray:
    return np.where(above > 0, value, below).astype(np.uint8)


def write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def labelme(folder: Path) -> tuple[Masks, dict, str]:
    """A hole, an overlap, a Windows path, a picture without a file, a line."""

    def shape(label: str, kind: str, points: list, **more: object) -> dict:
        return {"label": label, "shape_type": kind, "points": points, "group_id": None, **more}

    png = io.BytesIO()
    Image.fromarray(RING[4:12, 5:15] > 0).save(png, "PNG")
    bitmap = base64.b64encode(png.getvalue()).decode()
    shapes = {
        "a": [
            shape("leaf", "mask", [[5, 4], [14, 11]], mask=bitmap),
            shape("vein", "line", [[0, 0], [9, 9]]),
        ],
        "b": [
            shape("leaf", "polygon", corners(2, 3, 10, 20)),
            shape("vein", "rectangle", [[22, 15], [12, 5]]),  # corners in any order
        ],
        "c": [shape("leaf", "circle", [[15, 10], [15, 6]])],
    }
    for number, (name, entries) in enumerate(shapes.items()):
        draw_image(folder / f"{name}.jpg", number)
        write_json(
            folder / f"{name}.json",
            {"shapes": entries, "imagePath": rf"C:\photos\{name}.jpg", "imageData": None,
             "imageHeight": HEIGHT, "imageWidth": WIDTH},
        )  # fmt: skip
    draw_image(folder / "d.jpg", 9)
    disc = np.zeros((HEIGHT, WIDTH), np.uint8)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    disc[(x - 15) ** 2 + (y - 10) ** 2 < 16] = 1
    masks = {"a": RING, "b": over(block(2, 3, 10, 20), block(5, 12, 15, 22), 2), "c": disc}
    left = "left out: 1 image(s) without labels, 1 shape(s) without an area (line)"
    return masks, {}, f"LabelMe: 3 image(s), 4 object(s) in 2 class(es); {left}"


def coco_file(images: dict[str, list[tuple[int, object]]]) -> dict:
    """Return a COCO document: of each file name the categories and segmentations."""
    annotations = [
        {"image_id": number, "category_id": category, "segmentation": segmentation}
        for number, entries in enumerate(images.values())
        for category, segmentation in entries
    ]
    return {
        "images": [
            {"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH}
            for number, name in enumerate(images)
        ],
        "annotations": [{"id": number, **each} for number, each in enumerate(annotations)],
        "categories": [{"id": 7, "name": "road"}, {"id": 3, "name": "car"}],
    }


def polygon(*box: int) -> list[list[float]]:
    return [[value for point in corners(*box) for value in point]]


def coco_polygons(folder: Path) -> tuple[Masks, dict, str]:
    """An object in two parts, an overlap, an image without annotation and one that is not listed."""
    for number, name in enumerate(["a", "b", "c", "unlisted"]):
        draw_image(folder / "images" / f"{name}.png", number)
    parts = [*polygon(1, 1, 5, 5), *polygon(1, 8, 5, 12)]
    document = coco_file(
        {
            "a.png": [(3, parts)],
            "b.png": [(7, polygon(2, 2, 12, 20)), (3, polygon(5, 10, 15, 25))],
            "c.png": [],
        }
    )
    write_json(folder / "annotations" / "instances.json", document)
    two = over(over(EMPTY, block(2, 2, 12, 20), 2), block(5, 10, 15, 25), 1)
    masks = {"a": block(1, 1, 5, 5) + block(1, 8, 5, 12), "b": two, "c": EMPTY}
    return masks, {}, "COCO: 3 image(s), 3 object(s) in 2 class(es); left out: 1 image(s) without labels"


def coco_runs(folder: Path) -> tuple[Masks, dict, str]:
    """A hole, both kinds of run lengths, and a given split."""
    packed = coco.encode(np.asfortranarray(RING))
    flat = RING.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    plain = {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *changes, flat.size]).tolist()}
    squeezed = {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}
    parts = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}
    for number, (split, names) in enumerate(parts.items()):
        for name in names:
            draw_image(folder / f"{split}2017" / f"{name}.png", number + ord(name))
        images = {f"{name}.png": [(3, plain if name == "a" else squeezed)] for name in names}
        write_json(folder / "annotations" / f"instances_{split}2017.json", coco_file(images))
    masks = {f"{split}2017/{name}": RING for split, names in parts.items() for name in names}
    split = {part: {f"{part}2017/{name}" for name in names} for part, names in parts.items()}
    said = "COCO: 4 image(s), 4 object(s) in 2 class(es), given split of 2 train, 1 val, 1 test"
    return masks, split, said


def yolo(folder: Path) -> tuple[Masks, dict, str]:
    """A given split, an empty file, a missing one, a small object listed before a large one."""

    def line(number: int, *box: int) -> str:
        fractions = np.array(corners(*box)) / (WIDTH, HEIGHT)
        return f"{number} {' '.join(map(str, fractions.ravel()))}\n"

    parts = {"train": ["a", "b", "lost"], "valid": ["c"], "test": ["d"]}
    texts = {
        "a": line(1, 5, 10, 9, 14) + line(0, 2, 2, 16, 26),
        "b": "",
        "c": line(0, 1, 1, 5, 5),
        "d": "0 .5 .5 .2 .2\n" + line(1, 0, 0, 4, 4),
    }
    for split, names in parts.items():
        for name in names:
            draw_image(folder / split / "images" / f"{name}.jpg", ord(name[0]))
            if name in texts:
                (folder / split / "labels").mkdir(exist_ok=True)
                (folder / split / "labels" / f"{name}.txt").write_text(texts[name])
    settings = {"train": "../train/images", "val": "../valid/images", "test": "../test/images"}
    (folder / "data.yaml").write_text(yaml.safe_dump({**settings, "nc": 2, "names": ["road", "car"]}))
    masks = {
        "train/a": over(block(2, 2, 16, 26), block(5, 10, 9, 14), 2),
        "train/b": EMPTY,
        "valid/c": block(1, 1, 5, 5),
        "test/d": 2 * block(0, 0, 4, 4),
    }
    split = {"train": {"train/a", "train/b"}, "val": {"valid/c"}, "test": {"test/d"}}
    given = "given split of 2 train, 1 val, 1 test"
    left = "left out: 1 box(es) without an outline, 1 image(s) without labels"
    return masks, split, f"YOLO: 4 image(s), 4 object(s) in 2 class(es), {given}; {left}"


def cvat(folder: Path) -> tuple[Masks, dict, str]:
    """An order of its own, a hole, an empty image, a polyline; one turned by EXIF, labelled as stored."""
    shapes = {
        "a.jpg": '<polygon label="leaf" points="2,2;20,2;20,12;2,12" z_order="1"/>'
        '<box label="stem" xtl="10" ytl="5" xbr="25" ybr="15" z_order="0"/>'
        '<polyline label="stem" points="0,0;5,5" z_order="2"/>',
        "b.jpg": '<mask label="leaf" left="5" top="4" width="10" height="8" rle="'
        + ", ".join(map(str, row_runs(RING[4:12, 5:15])))
        + '" z_order="0"/>',
        "turned.jpg": '<box label="leaf" xtl="0" ytl="0" xbr="6" ybr="4"/>',
        "c.jpg": "",
    }
    for number, name in enumerate(shapes):
        draw_image(folder / "images" / name, number, turn=6 if name == "turned.jpg" else 1)
    images = "".join(
        f'<image id="{number}" name="{name}" width="{WIDTH}" height="{HEIGHT}">{text}</image>'
        for number, (name, text) in enumerate(shapes.items())
    )
    names = "".join(f"<label><name>{name}</name></label>" for name in ("stem", "leaf"))
    meta = f"<meta><task><labels>{names}</labels></task></meta>"
    (folder / "annotations.xml").write_text(f"<annotations>{meta}{images}</annotations>")
    turned = np.zeros((WIDTH, HEIGHT), np.uint8)
    turned[:6, -4:] = 2  # a quarter clockwise: the stored top left corner is now at the top right
    masks = {
        "a": over(block(5, 10, 15, 25), block(2, 2, 12, 20), 2),
        "b": 2 * RING,
        "turned": turned,
        "c": EMPTY,
    }
    left = "left out: 1 shape(s) without an area (polyline)"
    return masks, {}, f"CVAT: 4 image(s), 4 object(s) in 2 class(es); {left}"


def row_runs(mask: np.ndarray) -> list[int]:
    """Return run lengths along the rows; the first pixel is outside or a run of none comes first."""
    runs, value = [0], 0
    for pixel in mask.ravel().tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def voc(folder: Path) -> tuple[Masks, dict, str]:
    """A given split, void, a picture in no list, palettes whose colours are the classes."""
    mask = over(over(EMPTY, block(2, 2, 9, 9), 1), block(9, 2, 12, 9), 255)
    colours = {1: (128, 0, 0), 255: (224, 224, 192)}
    palette = np.zeros((256, 3), np.uint8)
    for index, colour in colours.items():
        palette[index] = colour
    for name in ("a", "b", "c", "detection_only"):
        draw_image(folder / "JPEGImages" / f"{name}.jpg", ord(name[0]))
        for kind in ("SegmentationClass", "SegmentationObject") if len(name) == 1 else ():
            (folder / kind).mkdir(exist_ok=True)
            picture = Image.fromarray(mask)
            picture.putpalette(palette.ravel().tolist())
            picture.save(folder / kind / f"{name}.png")
    lists = folder / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        (lists / f"{split}.txt").write_text(f"{name}\n")
    (folder / "labelmap.txt").write_text("# label:color:parts:actions\nbackground:0,0,0::\nplane:128,0,0::\n")
    said = (
        "Pascal VOC: 3 image(s), 1 class(es) after the labelmap.txt; 255 does not count, objects numbered in "
        "SegmentationObject"
    )
    return dict.fromkeys("abc", mask), {"train": {"a"}, "val": {"b"}, "test": {"c"}}, said


def numbered(folder: Path) -> tuple[Masks, dict, str]:
    """Objects that touch, and more of them than a byte counts."""
    objects = np.zeros((HEIGHT, WIDTH), np.uint16)
    objects[2:8, 2:8], objects[2:8, 8:14], objects[12:15, 2:5] = 1, 2, 300
    for number, name in enumerate("abc"):
        draw_image(folder / "images" / f"{name}.png", number)
        (folder / "masks").mkdir(exist_ok=True)
        Image.fromarray(objects).save(folder / "masks" / f"{name}.png")
    classes = {"background": 0, "cell": {"values": ["rest"]}}
    (folder / "dataset.yaml").write_text(yaml.safe_dump({"classes": classes, "instances": "masks"}))
    return {name: (objects > 0).astype(np.uint8) for name in "abc"}, {}, ""


def qupath(folder: Path) -> tuple[Masks, dict, str]:
    """A hole, an object in two parts, a point, an image without a file."""

    def feature(label: str, kind: str, coordinates: list) -> dict:
        properties = {"objectType": "annotation", "classification": {"name": label, "color": [200, 0, 0]}}
        geometry = {"type": kind, "coordinates": coordinates}
        return {"type": "Feature", "properties": properties, "geometry": geometry}

    def closed(*box: int) -> list[list[float]]:
        return [*corners(*box), corners(*box)[0]]

    features = {
        "a": [feature("Tumor", "Polygon", [closed(4, 5, 12, 15), closed(6, 7, 9, 12)])],
        "b": [feature("Tumor", "MultiPolygon", [[closed(1, 1, 5, 5)], [closed(1, 8, 5, 12)]])],
        "c": [feature("Stroma", "Polygon", [closed(2, 2, 9, 9)]), feature("Tumor", "Point", [3, 3])],
        "d": None,
    }
    for number, (name, entries) in enumerate(features.items()):
        draw_image(folder / f"{name}.tif", number)
        if entries is not None:
            write_json(folder / f"{name}.geojson", {"type": "FeatureCollection", "features": entries})
    masks = {"a": 2 * RING, "b": 2 * (block(1, 1, 5, 5) + block(1, 8, 5, 12)), "c": block(2, 2, 9, 9)}
    left = "left out: 1 image(s) without labels, 1 shape(s) without an area (Point)"
    return masks, {}, f"QuPath: 3 image(s), 3 object(s) in 2 class(es); {left}"


def imagej(folder: Path) -> tuple[Masks, dict, str]:
    """A hole, an oval and a box by their corners, a line, names that are numbers."""

    def polygon_of(box: np.ndarray, name: str) -> ImagejRoi:
        return ImagejRoi.frompoints(np.array(box, np.float32), name=name)

    path: list[float] = []
    for ring in (corners(4, 5, 12, 15), corners(6, 7, 9, 12)):
        path += [0, *ring[0], *(value for point in ring[1:] for value in (1, *point)), 4]
    composite = ImagejRoi(
        roitype=ROI_TYPE.RECT, left=5, top=4, right=15, bottom=12, name="cell-0001",
        shape_roi_size=len(path), multi_coordinates=np.array(path, np.float32),
    )  # fmt: skip
    line = ImagejRoi(roitype=ROI_TYPE.LINE, x1=0, y1=0, x2=9, y2=9, name="line")
    box = ImagejRoi(roitype=ROI_TYPE.RECT, left=3, top=2, right=20, bottom=10, name="0123-0456")
    regions = {
        "a_RoiSet.zip": [composite, line],
        "b.zip": [box, polygon_of(corners(5, 12, 15, 22), "cell 7")],
        "c.roi": [polygon_of(corners(1, 1, 5, 5), "cell")],
    }
    for number, (name, entries) in enumerate(regions.items()):
        draw_image(folder / f"{name[0]}.tif", number)
        roiwrite(folder / name, entries[0] if name.endswith(".roi") else entries)
    masks = {"a": RING, "b": over(2 * block(2, 3, 10, 20), block(5, 12, 15, 22), 1), "c": block(1, 1, 5, 5)}
    said = "ImageJ: 3 image(s), 4 object(s) in 2 class(es); left out: 1 shape(s) without an area (line)"
    return masks, {}, said


CASES: dict[str, Callable[[Path], tuple[Masks, dict, str]]] = {
    "LabelMe: a JSON file an image": labelme,
    "COCO with polygons": coco_polygons,
    "COCO with run lengths": coco_runs,
    "YOLO: a text file an image, `data.yaml`": yolo,
    "CVAT for images 1.1: `annotations.xml`": cvat,
    "Pascal VOC: `JPEGImages/`, `SegmentationClass/`": voc,
    "Numbered objects: a number each in `masks/`": numbered,
    "QuPath: a GeoJSON file an image": qupath,
    "ImageJ: a ZIP of regions an image": imagej,
}


def promised() -> dict[str, str]:
    """Return the command of each row of the table of labels."""
    lines = DOCS.read_text("utf-8").partition("| labels |")[2].splitlines()[2:]
    rows = [line.split(" | ") for line in takewhile(lambda line: line.startswith("|"), lines)]
    return {row[0].removeprefix("| "): row[1].strip("`") for row in rows}


def test_the_table_promises_what_is_tested_here():
    assert [*promised()] == [*CASES]


@pytest.mark.parametrize("row", CASES)
def test_what_the_table_promises_is_read(row, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "set"
    folder.mkdir()
    masks, split, said = CASES[row](folder)

    code = main(promised()[row].replace("FOLDER", "set").split()[1:])  # 1: so few images lack a class
    assert code in (0, 1) and said in capsys.readouterr().out

    missing: list[str] = []
    dataset = open_dataset("set", missing=missing)
    assert missing == [problem for problem in check_dataset(dataset) if problem.file] == []
    samples = {each.name: each for part in dataset.splits.values() for each in part}
    assert samples.keys() == masks.keys()
    for name, mask in masks.items():
        assert np.array_equal(dataset.mask(samples[name]), mask), name
        assert dataset.image(samples[name]).shape[:2] == mask.shape
        objects = dataset.instances(samples[name])
        assert objects is not None and not objects[mask == 0].any() and objects[mask == 1].all()
    if split:
        assert {part: {each.name for each in dataset.splits[part]} for part in split} == split


@pytest.mark.parametrize("row", [row for row in CASES if not row.startswith("Numbered")])
def test_imported_labels_are_the_same_dataset(row, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "set"
    folder.mkdir()
    masks, split, said = CASES[row](folder)
    assert main(["data", "import", "set", "-o", "plain"]) == 0
    assert said in capsys.readouterr().out

    dataset = open_dataset("plain")
    assert dataset.classes == open_dataset("set").classes
    samples = {each.name: each for part in dataset.splits.values() for each in part}
    assert samples.keys() == masks.keys()
    assert all(np.array_equal(dataset.mask(samples[name]), mask) for name, mask in masks.items())
    if split:
        assert {part: {each.name for each in dataset.splits[part]} for part in split} == split
    assert {*(tmp_path / "plain").iterdir()} >= {tmp_path / "plain" / part for part in ("images", "masks")}
