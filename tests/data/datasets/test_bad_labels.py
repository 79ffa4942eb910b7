"""Labels that are damaged, hostile or of two minds: one plain line that names the file, nothing guessed."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetseg.cli import main
from unetseg.data.datasets.open import open_dataset
from unetseg.errors import UnetsegError, UsageError

HEIGHT, WIDTH = 20, 30
SQUARE = [[2, 2], [9, 2], [9, 9], [2, 9]]


@pytest.fixture
def source(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("set")
    folder.mkdir()
    for number, name in enumerate("abcd"):
        noise = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{name}.png")
    return folder


def labelme(folder: Path, name: str, *shapes: object, **more: object) -> None:
    document = {"shapes": shapes, "imagePath": f"{name}.png", "imageHeight": HEIGHT, "imageWidth": WIDTH}
    (folder / f"{name}.json").write_text(json.dumps(document | more))


def shape(points: object = SQUARE, kind: str = "polygon", **more: object) -> dict:
    return {"label": "leaf", "shape_type": kind, "points": points} | more


def coco(folder: Path, *annotations: object, images: object = None) -> None:
    listed = [
        {"id": number, "file_name": f"{name}.png", "height": HEIGHT, "width": WIDTH}
        for number, name in enumerate("abcd")
    ]
    categories = [{"id": 1, "name": "leaf"}]
    document = {"images": images or listed, "annotations": annotations, "categories": categories}
    (folder / "labels.json").write_text(json.dumps(document))


def annotation(segmentation: object, image: int = 0, category: int = 1) -> dict:
    return {"id": 5, "image_id": image, "category_id": category, "segmentation": segmentation}


def yolo(folder: Path, text: str) -> None:
    (folder / "data.yaml").write_text("names: [leaf]\n")
    for name in "bcd":
        (folder / f"{name}.txt").write_text("0 .1 .1 .5 .1 .5 .5\n")
    (folder / "a.txt").write_text(text)


def cvat(folder: Path, text: str) -> None:
    box = '<box label="leaf" xtl="1" ytl="1" xbr="5" ybr="5"/>'
    images = "".join(
        f'<image id="0" name="{name}.png" width="{WIDTH}" height="{HEIGHT}">{shapes}</image>'
        for name, shapes in zip("abcd", (text, box, box, box), strict=True)
    )
    (folder / "labels.xml").write_text(f"<annotations>{images}</annotations>")


def damaged_labelme(folder: Path, *shapes: object, **more: object) -> None:
    for name in "bcd":
        labelme(folder, name, shape())
    labelme(folder, "a", *shapes, **more)


def rle(size: list[int], counts: object) -> dict:
    return {"size": size, "counts": counts}


DAMAGE: dict[str, tuple[Callable[..., None], tuple, str]] = {
    "no label": (damaged_labelme, (shape(label=None),), r"set/a\.json: shape 1 has no label"),
    "words as vertices": (damaged_labelme, (shape([["x", 1]] * 3),), "shape 1 has a vertex that is no pair"),
    "no numbers": (damaged_labelme, (shape([[float("nan"), 1]] * 3),), "no pair of finite numbers"),
    "a new type": (damaged_labelme, (shape(kind="spline"),), "shape 1 is of the unknown type 'spline'"),
    "an empty mask": (damaged_labelme, (shape([[0, 0], [5, 5]], "mask", mask="QUFB"),), "cannot be read"),
    "far outside": (damaged_labelme, (shape([[0, 0], [9e9, 0], [9, 9]]),), "lies far outside of its image"),
    "run lengths too short": (coco, (annotation(rle([20, 30], [10, 10])),), "do not fill 30×20 pixels"),
    "run lengths of another size": (coco, (annotation(rle([9, 9], [81])),), "of 9×9 pixels, its image"),
    "run lengths of noise": (coco, (annotation(rle([20, 30], "~~~~")),), "annotation 5 has run lengths that"),
    "run lengths cut off": (coco, (annotation(rle([20, 30], "oooo")),), "run lengths that cannot be read"),
    "half a vertex": (coco, (annotation([[1, 2, 3, 4, 5, 6, 7]]),), "annotation 5 has a polygon that is"),
    "no category": (coco, (annotation([], category=9),), r"annotation 5 is of no category \(9\)"),
    "no image": (coco, (annotation([], image=9),), "annotation 5 belongs to no image"),
    "a class without a name": (yolo, ("\n3 .1 .1 .5 .1 .5 .5",), r"set/a\.txt: line 2 is of class 3"),
    "an x without a y": (yolo, ("0 .1 .1 .5 .1 .5 .5 .5",), "line 1 has an x without a y"),
    "words": (yolo, ("0 a b c d e f",), "line 1 holds what is no number"),
    "pixels": (yolo, ("0 10 10 50 10 50 50",), "line 1 holds vertices that are no fractions"),
    "no points": (cvat, ('<polygon label="leaf"/>',), r"image 'a\.png': polygon is damaged"),
    "runs that end early": (
        cvat,
        ('<mask label="leaf" left="0" top="0" width="5" height="5" rle="1, 2"/>',),
        "mask has run lengths that do not fill 5×5 pixels",
    ),
    "runs for a continent": (
        cvat,
        ('<mask label="leaf" left="0" top="0" width="9000000" height="9000000" rle="81000000000000"/>',),
        "more than an image may have",
    ),
    "endless": (cvat, ('<ellipse label="leaf" cx="1" cy="1" rx="inf" ry="1"/>',), "no pair of finite"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_labels_stop_fit_and_the_line_names_file_and_place(source, case):
    write, arguments, line = DAMAGE[case]
    write(source, *arguments)
    with pytest.raises(UnetsegError, match=line):
        open_dataset("set")


def test_an_image_with_damaged_labels_is_left_out_of_an_import_and_named(source, capsys):
    damaged_labelme(source, shape(label=None))
    assert main(["data", "import", "set", "-o", "plain"]) == 3
    captured = capsys.readouterr()
    assert captured.err == "failed: set/a.json: shape 1 has no label\n"
    assert {path.stem for path in Path("plain/images").iterdir()} == {*"bcd"}
    assert len(open_dataset("plain").classes) == 2


def test_check_lists_every_file_that_is_damaged(source, capsys):
    damaged_labelme(source, shape(label=None))
    (source / "d.json").write_text('{"shapes": [')
    assert main(["data", "check", "set"]) == 1
    assert "2 image(s) with labels" in capsys.readouterr().err  # too few are left to train on
    for name in "ef":
        Image.fromarray(np.full((HEIGHT, WIDTH), ord(name), np.uint8)).save(source / f"{name}.png")
        labelme(source, name, shape())
    assert main(["data", "check", "set"]) == 1
    out = capsys.readouterr().out
    assert "set/a.json: shape 1 has no label" in out and "set/d.json: is damaged (" in out


def test_labels_for_another_size_are_refused(source):
    damaged_labelme(source, shape(), imageHeight=40)
    with pytest.raises(
        UnetsegError, match=r"a\.json: its labels are for 30×40 pixels, but set/a\.png has 30×20"
    ):
        open_dataset("set")


def test_labels_drawn_on_the_upright_picture_stay_upright(source):
    damaged_labelme(source, shape())
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter clockwise
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(source / "a.jpg", exif=exif)
    (source / "a.png").unlink()
    corner = shape([[0, 0], [6, 4]], "rectangle")
    labelme(source, "a", corner, imagePath="a.jpg", imageHeight=WIDTH, imageWidth=HEIGHT)
    dataset = open_dataset("set")
    (sample,) = [each for part in dataset.splits.values() for each in part if each.name == "a"]
    mask = dataset.mask(sample)
    assert mask.shape == dataset.image(sample).shape[:2] == (WIDTH, HEIGHT)
    assert mask[:4, :6].all() and mask.sum() == 24


def test_two_formats_that_fit_are_both_named_and_one_can_be_chosen(source, capsys):
    damaged_labelme(source, shape())
    coco(source, annotation([[2, 2, 9, 2, 9, 9]]))
    (source / "labels.json").rename(source / "coco.json")
    with pytest.raises(UsageError, match=r"holds labels of LabelMe \(4 files\) and of COCO \(coco\.json\)"):
        open_dataset("set")
    assert len(open_dataset("set/coco.json").classes) == 2
    assert main(["data", "import", "set", "--format", "labelme", "-o", "plain"]) == 0
    assert "LabelMe: 4 image(s)" in capsys.readouterr().out


def test_two_images_of_one_name_are_named_and_told_apart_by_their_folders(source):
    for name in ("left", "right"):
        (source / name).mkdir()
        (source / "a.png").rename(source / name / "a.png") if name == "left" else None
    (source / "right" / "a.png").write_bytes((source / "b.png").read_bytes())
    listed = [
        {"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH}
        for number, name in enumerate([r"D:\old\left\a.png", "right/a.png", "b.png", "c.png", "d.png"])
    ]
    coco(source, annotation([[2, 2, 9, 2, 9, 9]]), images=listed)
    names = {each.name for part in open_dataset("set").splits.values() for each in part}
    assert names == {"left/a", "right/a", "b", "c", "d"}
    listed[0]["file_name"] = "a.png"
    coco(source, annotation([[2, 2, 9, 2, 9, 9]]), images=listed)
    with pytest.raises(UnetsegError, match=r"'a\.png' may be set/left/a\.png or set/right/a\.png"):
        open_dataset("set")


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        (
            "via.json",
            '{"_via_img_metadata": {}}',
            r"via\.json: is of VIA .*export the labels from there as COCO",
        ),
        ("old.json", '{"a.jpg1": {"filename": "a.jpg", "regions": []}}', "is of VIA"),
        ("a.png.json", '{"objects": [], "size": {"height": 9, "width": 9}}', "is of Supervisely, .*as COCO"),
        ("a.xml", "<annotation><object><bndbox/></object></annotation>", "holds boxes without outlines"),
        ("tracks.xml", "<annotations><track/></annotations>", "is 'CVAT for video'; export it as"),
        ("torn.json", '{"shapes": [', r"torn\.json: is damaged \(.*line 1"),
    ],
)
def test_labels_that_are_not_read_are_named_with_the_way_through(source, name, content, line):
    (source / name).write_text(content)
    with pytest.raises(UnetsegError, match=line):
        open_dataset("set")


def test_lists_beside_labels_are_the_split(source):
    damaged_labelme(source, shape())
    for split, names in {"Train": "a\nb", "valid": "c.png", "test": "d"}.items():
        (source / f"{split}.txt").write_text(f"{names}\n")
    dataset = open_dataset("set")
    assert {part: [each.name for each in samples] for part, samples in dataset.splits.items()} == {
        "train": ["a", "b"], "val": ["c"], "test": ["d"],
    }  # fmt: skip
    (source / "test.txt").write_text("nothing\n")
    with pytest.raises(UsageError, match="none of its 1 name"):
        open_dataset("set")


def test_a_users_settings_beside_labels_are_not_passed_over(source):
    damaged_labelme(source, shape())
    (source / "dataset.yaml").write_text("group: folder\n")
    assert (
        "left out: 1 dataset.yaml (not read beside labels: write its keys into the imported one)"
        in open_dataset("set").notes[0]
    )


def test_two_images_of_one_name_but_for_the_suffix_are_refused(source):
    damaged_labelme(source, shape())
    (source / "a.bmp").write_bytes((source / "a.png").read_bytes())
    labelme(source, "a2", shape(), imagePath="a.bmp")
    with pytest.raises(UnetsegError, match=r"set/a\.bmp: is called 'a' like set/a\.png; rename one"):
        open_dataset("set")


def test_an_import_writes_over_nothing(source, capsys):
    damaged_labelme(source, shape())
    Path("plain").mkdir()
    assert main(["data", "import", "set", "-o", "plain"]) == 2
    assert "plain: exists already" in capsys.readouterr().err
    assert main(["data", "import", "nowhere", "-o", "new"]) == 2
    assert "nowhere: no such file or folder" in capsys.readouterr().err


def test_pixels_to_ignore_and_background_have_their_names(source):
    damaged_labelme(
        source, shape(), shape([[0, 0], [5, 5]], "rectangle", label="__ignore__"),
        shape([[6, 6], [8, 8]], "rectangle", label="_background_"),
    )  # fmt: skip
    dataset = open_dataset("set")
    assert dataset.classes == ("background", "leaf") and dataset.ignore_index == 255
    (sample,) = [each for part in dataset.splits.values() for each in part if each.name == "a"]
    mask = dataset.mask(sample)
    assert (mask[:5, :5] == 255).all() and (mask[6:8, 6:8] == 0).all() and mask[5, 5] == 1


def test_painted_masks_follow_the_labels(source):
    damaged_labelme(source, shape())
    first = {each.name: each.mask for part in open_dataset("set").splits.values() for each in part}
    again = {each.name: each.mask for part in open_dataset("set").splits.values() for each in part}
    labelme(source, "a", shape([[0, 0], [5, 0], [5, 5], [0, 5]]))
    moved = {each.name: each.mask for part in open_dataset("set").splits.values() for each in part}
    assert first == again and first["a"] != moved["a"]
    assert np.count_nonzero(np.array(Image.open(moved["a"]))) == 25


def test_an_entry_of_another_form_is_told_with_its_file(source):
    coco(source, images=[{"id": [1], "file_name": "a.png", "height": HEIGHT, "width": WIDTH}])
    with pytest.raises(UnetsegError, match=r"COCO .*an entry has another form than the format knows"):
        open_dataset("set")


def splits(dataset) -> dict[str, list[str]]:
    return {part: [each.name for each in samples] for part, samples in dataset.splits.items()}


def test_what_is_drawn_beside_a_given_split_is_said(source):
    damaged_labelme(source, shape())
    (source / "train.txt").write_text("a\nb\nc\n")
    (source / "val.txt").write_text("d\n")
    dataset = open_dataset("set")
    assert splits(dataset)["val"] == ["d"] and len(splits(dataset)["test"]) == 1
    assert dataset.notes[0].endswith("given split of 3 train, 1 val; 1 test drawn from the training images")


def test_a_split_that_names_one_part_is_kept(source):
    box = '<box label="leaf" xtl="1" ytl="1" xbr="5" ybr="5"/>'
    images = "".join(
        f'<image name="{name}.png" width="{WIDTH}" height="{HEIGHT}" {split}>{box}</image>'
        for name, split in zip("abcd", ("", 'subset="test"', "", ""), strict=True)
    )
    (source / "labels.xml").write_text(f"<annotations>{images}</annotations>")
    dataset = open_dataset("set")
    assert splits(dataset)["test"] == ["b"]
    assert "given split of 1 test; 2 train, 1 val drawn from the other images" in dataset.notes[0]


def test_a_word_that_would_leave_nothing_to_train_with_is_no_split(source):
    (source / "test").mkdir()
    for name in "abcd":
        (source / f"{name}.png").rename(source / "test" / f"{name}.png")
    damaged_labelme(source / "test", shape())
    dataset = open_dataset("set")
    assert [len(names) for names in splits(dataset).values()] == [2, 1, 1]
    assert "left out: 1 the word 'test' in all names, as a split" in dataset.notes[0]


def test_names_in_yolos_lists_without_an_image_are_counted(source):
    yolo(source, "0 .1 .1 .5 .1 .5 .5")
    (source / "data.yaml").write_text("names: [leaf]\ntrain: list.txt\n")
    (source / "list.txt").write_text("C:\\set\\a.png\nb.png\nc.png\nx.png\ny.png\n")
    dataset = open_dataset("set")
    assert "2 image(s) in lists that are not there" in dataset.notes[0]
    assert sum(map(len, splits(dataset).values())) == 3


@pytest.mark.parametrize("split", ["", "train: images\n"])
def test_yolos_labels_without_an_image_are_counted(source, split):
    for folder in ("images", "labels"):
        (source / folder).mkdir()
    for name in "abc":
        (source / f"{name}.png").rename(source / "images" / f"{name}.png")
        (source / "labels" / f"{name}.txt").write_text("0 .1 .1 .5 .1 .5 .5\n")
    (source / "labels" / "x.txt").write_text("0 .1 .1 .5 .1 .5 .5\n")
    (source / "data.yaml").write_text(f"names: [leaf]\n{split}")
    assert "1 labelled image(s) that are not there" in open_dataset("set").notes[0]


def test_more_classes_than_a_mask_holds_are_refused_before_anything_is_painted(source):
    shapes = [shape(label=f"leaf {number:03}") for number in range(300)]
    damaged_labelme(source, *shapes)
    with pytest.raises(UsageError, match="set: its labels: needs 2 to 254 different classes"):
        open_dataset("set")
    assert main(["data", "import", "set", "-o", "plain"]) == 2
    assert not Path("data").exists() and not Path("plain").exists()


def test_nothing_is_painted_for_a_folder_that_may_be_read_in_two_ways(source):
    damaged_labelme(source, shape())
    for folder in ("JPEGImages", "SegmentationClass"):
        (source / folder).mkdir()
    with pytest.raises(UsageError, match="is laid out as Pascal VOC, and holds labels of LabelMe"):
        open_dataset("set")
    assert not Path("data").exists()


def test_painted_masks_that_nobody_used_for_long_go(source):
    damaged_labelme(source, shape())
    open_dataset("set")
    (old,) = Path("data/.labels").iterdir()
    mine = Path("data/.labels/my-own")
    mine.mkdir()
    for folder in (old, mine):
        os.utime(folder, (1, 1))
    open_dataset("set")  # is used again, and so stays
    assert old.is_dir()
    os.utime(old, (1, 1))
    labelme(source, "a", shape([[0, 0], [5, 0], [5, 5], [0, 5]]))
    open_dataset("set")
    assert not old.exists() and mine.is_dir()


def test_a_labelmap_without_colours_means_those_of_pascal_voc(tmp_path):
    for number, name in enumerate("abc"):
        for folder in ("JPEGImages", "SegmentationClass"):
            (tmp_path / folder).mkdir(exist_ok=True)
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(picture + np.uint8(number)).save(tmp_path / "JPEGImages" / f"{name}.png")
        picture[2:5, 2:5], picture[7:9, 2:5], picture[0] = (128, 0, 0), (0, 128, 0), (224, 224, 192)
        Image.fromarray(picture).save(tmp_path / "SegmentationClass" / f"{name}.png")
    (tmp_path / "labelmap.txt").write_text(
        "# label:color_rgb:parts:actions\nbackground:::\nleaf:::\napple:::\n"
    )
    dataset = open_dataset(str(tmp_path))
    mask = dataset.mask(dataset.splits["train"][0])
    assert dataset.classes == ("background", "leaf", "apple")
    assert (mask[2, 2], mask[7, 2], mask[0, 0], mask[10, 10]) == (1, 2, 255, 0)


def test_outlines_that_reach_beyond_their_image_are_counted(source):
    damaged_labelme(source, shape([[2, 2], [WIDTH + 9, 2], [WIDTH + 9, 9], [2, 9]]))
    assert "1 part(s) of objects beyond their image" in open_dataset("set").notes[0]
