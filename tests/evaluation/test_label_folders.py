"""``unetseg evaluate`` of labels as annotation tools write them: the scores of the masks they stand for."""

import json
from pathlib import Path

import numpy as np
import pytest

from unetseg.data.annotations.label_formats import LABEL_FORMATS

COLOURS = [(0, 0, 0), (200, 0, 0), (0, 200, 0)]


def squares(*places: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((40, 60), np.uint8)
    for top, left, side, value in places:
        mask[top : top + side, left : left + side] = value
    return mask


TRUTH = {"a": squares((5, 5, 12, 1), (25, 30, 10, 2)), "below/b": squares((20, 30, 15, 1))}
GUESS = {"a": squares((5, 6, 12, 1), (27, 30, 10, 2)), "below/b": squares((22, 30, 15, 1))}
NAMES = ["background", "leaf", "apple"]


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Write masks as labels: ``labels("guess", GUESS, "coco")``; ``names`` is the classes' order there."""
    monkeypatch.chdir(tmp_path)

    def write(folder: str, masks: dict[str, np.ndarray], format: str, names: list[str] = NAMES) -> None:
        chosen = LABEL_FORMATS[format]
        for name, mask in masks.items():
            path = tmp_path / folder / f"{name}{chosen.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            numbers = np.array([names.index(label) for label in NAMES], np.uint8)
            path.write_bytes(chosen.load().encode(numbers[mask], names, COLOURS, f"{Path(name).name}.png"))
        if format == "yolo":
            (tmp_path / folder / "data.yaml").write_text(f"names: {json.dumps(names[1:])}\n")

    return write


@pytest.fixture
def expected(folder, evaluate, tmp_path):
    """The scores of the masks themselves, each class by its name."""
    folder("guess_masks", {f"{name}.png": mask for name, mask in GUESS.items()})
    folder("truth_masks", {f"{name}.png": mask for name, mask in TRUTH.items()})
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    found = evaluate(
        "--names", "names.txt", of=("--predictions", "guess_masks", "--reference", "truth_masks")
    )
    return found.json["classes"]


@pytest.mark.parametrize("format", LABEL_FORMATS)
def test_labels_against_masks_score_like_masks_against_masks(labels, evaluate, expected, format):
    labels("guess", GUESS, format)
    found = evaluate("--names", "names.txt", of=("--predictions", "guess", "--reference", "truth_masks"))
    assert (found.code, found.err) == (0, "")
    assert found.json["classes"] == expected
    assert f"predictions: {LABEL_FORMATS[format].title}: 2 image(s), 3 object(s)" in found.out


@pytest.mark.parametrize(("guess", "truth"), [("yolo", "coco"), ("labelme", "cvat"), ("coco", "yolo")])
def test_labels_of_two_formats_are_matched_by_the_names_of_classes(labels, evaluate, expected, guess, truth):
    labels("guess", GUESS, guess, ["background", "apple", "leaf"])
    labels("truth", TRUTH, truth)
    found = evaluate()
    assert found.code == 0
    assert found.json["classes"] == expected


def test_masks_beside_labels_of_several_classes_need_their_names(labels, evaluate, expected):
    labels("guess", GUESS, "coco")
    found = evaluate(of=("--predictions", "guess", "--reference", "truth_masks"))
    assert found.code == 2 and "guess: holds labels of apple, leaf; say with --names FILE" in found.err


def test_damaged_labels_are_named_and_the_others_scored(labels, evaluate):
    labels("guess", GUESS, "labelme")
    labels("truth", TRUTH, "labelme")
    Path("guess/a.json").write_text('{"shapes": [')
    found = evaluate()
    assert found.code == 3 and found.json["images"] == 1
    assert "failed: guess/a.json: is damaged" in found.err


def test_labels_of_another_size_are_named_by_their_own_files(labels, evaluate):
    labels("guess", {"a": GUESS["a"], "below/b": GUESS["below/b"][:30]}, "cvat")
    labels("truth", TRUTH, "cvat")
    found = evaluate()
    assert found.code == 3
    assert "failed: guess/below/b.png: is 60×30 pixels, but truth/below/b.png is 60×40" in found.err


def test_instances_are_the_objects_of_the_labels(tmp_path, monkeypatch, evaluate):
    monkeypatch.chdir(tmp_path)
    touching = [[[5, 5, 15, 5, 15, 15, 5, 15]], [[15, 5, 25, 5, 25, 15, 15, 15]]]
    for name, polygons in (("truth", touching), ("guess", touching[:1])):
        document = {
            "images": [{"id": 1, "file_name": "a.png", "height": 40, "width": 60}],
            "categories": [{"id": 1, "name": "leaf"}],
            "annotations": [
                {"id": number, "image_id": 1, "category_id": 1, "segmentation": polygon}
                for number, polygon in enumerate(polygons)
            ],
        }
        Path(name).mkdir()
        Path(name, "labels.json").write_text(json.dumps(document))
    assert evaluate("--instances").scores["image"]["object_recall"]["mean"] == 0.5
    assert evaluate().scores["image"]["object_recall"]["mean"] == 0  # the two are one where they touch


def test_masks_of_other_folders_pair_by_their_names_where_these_are_all_different(folder, evaluate):
    square, other = TRUTH["a"] == 1, TRUTH["below/b"] == 1
    folder("guess", {"a.png": square, "b.png": other})
    folder("truth", {"pictures/a.png": square, "pictures/b.png": other})
    found = evaluate()
    assert (found.code, found.scores["dataset"]["iou"]) == (0, 1.0)
    assert "paired by the files' names alone" in found.out
    folder("truth", {"more/a.png": square})  # which of the two is a?
    assert evaluate().code == 2


@pytest.mark.parametrize("flat", ["guess", "truth"])
def test_flat_masks_pair_with_those_in_the_folders_of_a_split(folder, evaluate, flat):
    square, other = TRUTH["a"] == 1, TRUTH["below/b"] == 1
    split = {"train/a.png": square, "val/b.png": other, "test/c.png": square}
    for name in ("guess", "truth"):
        folder(name, {Path(file).name if name == flat else file: mask for file, mask in split.items()})
    found = evaluate()
    assert (found.code, found.scores["dataset"]["iou"]) == (0, 1.0)
    assert "paired by names without the folders of a split" in found.out
    assert evaluate("--key", "^[a-z]").json["images"] == 3


def test_two_parts_that_hold_one_name_are_named_where_the_other_side_is_flat(folder, evaluate):
    folder("guess", {"a.png": TRUTH["a"] == 1})
    folder("truth", {"train/a.png": TRUTH["a"] == 1, "val/a.png": TRUTH["a"] == 2})
    assert "truth: train/a.png and val/a.png are both 'a' without the names of the split" in evaluate().err


@pytest.fixture
def voc(folder, tmp_path):
    """Write TRUTH (or other masks) in Pascal VOC's layout, with a void outline, in colours as CVAT does."""

    def write(name: str, masks: dict[str, np.ndarray], *, images: bool = True, void: bool = True) -> None:
        colours = np.array([*COLOURS, (224, 224, 192)], np.uint8)
        for stem, mask in masks.items():
            marked = mask.copy()
            marked[0, :3] = 3 if void else 0
            folder(f"{name}/SegmentationClass", {f"{stem}.png": colours[marked]})
            folder(f"{name}/SegmentationObject", {f"{stem}.png": (mask > 0).astype(np.uint8)})
            if images:
                folder(f"{name}/JPEGImages", {f"{stem}.png": np.zeros((40, 60, 3), np.uint8)})
        lines = ["background:0,0,0::", "apple:0,200,0::", "leaf:200,0,0::", "void:224,224,192::"]
        (tmp_path / name / "labelmap.txt").write_text("\n".join(lines))

    return write


@pytest.mark.parametrize("images", [True, False], ids=["with images", "as exported"])
def test_a_folder_of_pascal_voc_is_scored_by_its_classes_names(voc, labels, evaluate, expected, images):
    voc("truth", TRUTH, images=images)
    labels("guess", GUESS, "yolo")
    found = evaluate()
    assert found.code == 0 and "reference: Pascal VOC: 2 class(es)" in found.out
    for name in NAMES[1:]:
        assert found.json["classes"][name]["dataset"]["iou"] == expected[name]["dataset"]["iou"]


def test_the_void_of_pascal_voc_does_not_count_and_its_absence_takes_no_score_along(voc, evaluate):
    voc("truth", TRUTH, void=False)
    voc("guess", GUESS, void=False)
    assert "hd95" in evaluate().json["classes"]["leaf"]["image"]
    voc("truth", TRUTH)
    assert "hd95" not in evaluate().json["classes"]["leaf"]["image"]


def test_objects_of_pascal_voc_are_its_numbered_masks(voc, evaluate):
    voc("truth", TRUTH)
    voc("guess", TRUTH)
    found = evaluate("--instances")
    assert found.code == 0 and found.scores["dataset"]["iou"] == 1


def test_yolos_labels_without_any_image_are_named_with_the_reason(labels, evaluate):
    labels("guess", GUESS, "yolo")
    labels("truth", TRUTH, "yolo")
    found = evaluate()
    assert found.code == 1
    assert "guess/a.txt: its image is not there, and YOLO does not say its size" in found.err


def test_yolos_labels_folder_is_no_part_of_a_name(labels, evaluate, tmp_path, expected):
    labels("guess/labels", GUESS, "yolo")
    (tmp_path / "guess/labels/data.yaml").rename(tmp_path / "guess/data.yaml")
    found = evaluate("--names", "names.txt", of=("--predictions", "guess", "--reference", "truth_masks"))
    assert (found.code, found.json["classes"]) == (0, expected)


def test_a_prediction_that_leaves_pixels_out_has_background_there(folder, labels, evaluate):
    labels(
        "guess", {"a": squares((5, 5, 12, 1), (25, 30, 10, 2))}, "labelme", ["background", "leaf", "apple"]
    )
    path = Path("guess/a.json")
    path.write_text(path.read_text().replace('"apple"', '"__ignore__"'))
    folder("truth", {"a.png": squares((5, 5, 12, 1), (25, 30, 10, 1))})
    found = evaluate()
    assert found.code == 0 and found.scores["dataset"]["iou"] == pytest.approx(144 / 244)


def test_the_background_of_pascal_voc_has_any_name(voc, evaluate, tmp_path):
    for name in ("guess", "truth"):
        voc(name, TRUTH)
    path = tmp_path / "guess" / "labelmap.txt"
    path.write_text(path.read_text().replace("background:", "_background_:"))
    found = evaluate()
    assert found.code == 0 and [*found.json["classes"]] == ["apple", "leaf"]


def test_outlines_on_a_map_and_files_beside_masks_are_no_masks_and_that_is_said(folder, evaluate, tmp_path):
    folder("truth", {"a.png": TRUTH["a"] == 1})
    folder("guess", {"a.probability.png": TRUTH["a"] == 1})
    assert "guess: holds no mask, but what 'unetseg predict' writes beside them" in evaluate().err
    document = {"type": "FeatureCollection", "features": []}
    (tmp_path / "guess" / "a.geojson").write_text(json.dumps(document))
    assert "guess/a.geojson: is GeoJSON of a map, whose coordinates are no pixels" in evaluate().err
