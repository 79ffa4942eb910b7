"""Each card of the catalogue against its set's layout in small, drawn here: names, splits, values, extras."""

import re
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.data.datasets.cards.card import CATALOG, Card, catalog, find_card, read_card
from unetseg.data.datasets.check import check_dataset
from unetseg.data.datasets.install import get_dataset
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.open import open_dataset
from unetseg.errors import UnetsegError

CARDS = {card.name: card for card in catalog()}
SIZE = (12, 16)


def photo(path: Path, mode: str = "RGB") -> None:
    """Draw a picture that no other path has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(path.as_posix().encode())).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(noise).convert(mode).save(path)


def mask(path: Path, values: list[int], mode: str = "L") -> None:
    """Draw a mask whose columns hold ``values`` in turn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(columns(values))
    if mode == "P":
        picture.putpalette(bytes(range(256)) * 3)
    picture.convert(mode).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def columns(values: list[int]) -> np.ndarray:
    """Return a mask whose columns are ``values``, each as wide as the next."""
    return np.tile(np.repeat(np.array(values, np.uint8), SIZE[1] // len(values)), (SIZE[0], 1))


def draw_pets(root: Path) -> None:
    for name in ("cat_1", "cat_2", "cat_3", "dog_1", "dog_2", "stray"):
        photo(root / f"images/{name}.jpg")
        mask(root / f"annotations/trimaps/{name}.png", [2, 3, 1, 1])
    (root / "annotations/trainval.txt").write_text("cat_1 1 1 1\ncat_2 1 1 1\ncat_3 1 1 1\n")
    (root / "annotations/test.txt").write_text("dog_1 2 2 1\ndog_2 2 2 1\n")


def draw_voc(root: Path) -> None:
    devkit = root / "VOCdevkit/VOC2012"
    for number in range(8):
        photo(devkit / f"JPEGImages/2007_{number:06}.jpg")  # two of them in no list, without a mask
    for number in range(6):
        mask(devkit / f"SegmentationClass/2007_{number:06}.png", [0, 255, 15, 20], "P")
    lists = devkit / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("".join(f"2007_{number:06}\n" for number in range(4)))
    (lists / "val.txt").write_text("2007_000004\n2007_000005\n")


def draw_camvid(root: Path) -> None:
    for part, names in (
        ("train", ("0001TP_006690", "0006R0_f00930")),
        ("val", ("0016E5_07959",)),
        ("test", ("Seq05VD_f00000",)),
    ):
        for name in names:
            photo(root / f"CamVid/{part}/{name}.png")
            mask(root / f"CamVid/{part}annot/{name}.png", [0, 3, 10, 11])
        (root / f"CamVid/{part}.txt").write_text(f"/SegNet/CamVid/{part}/{names[0]}.png\n")


def draw_drive(root: Path, testing: str = "testing") -> None:
    for part, kind, numbers in (("training", "training", range(21, 27)), (testing, "test", range(1, 4))):
        for number in numbers:
            photo(root / f"{part}/images/{number:02}_{kind}.tif")
            mask(root / f"{part}/1st_manual/{number:02}_manual1.gif", [0, 255])
            mask(root / f"{part}/mask/{number:02}_{kind}_mask.gif", [0, 255, 255, 0])
            if kind == "test":
                mask(root / f"{part}/2nd_manual/{number:02}_manual2.gif", [255, 0])


def draw_chase(root: Path) -> None:
    for number in range(1, 15):
        for eye in "LR":
            photo(root / f"Image_{number:02}{eye}.jpg")
            for observer in ("1st", "2nd"):
                values = [0, 255] if observer == "1st" else [255, 0]
                mask(root / f"Image_{number:02}{eye}_{observer}HO.png", values, "1")


def draw_dsb(root: Path) -> None:
    for number in range(10):
        folder = root / f"stage1_train/{number:064x}"
        photo(folder / f"images/{folder.name}.png", "RGBA")
        mask(folder / "masks/0a.png", [0, 255, 0, 0])
        mask(folder / "masks/1b.png", [0, 0, 0, 255])


def draw_isbi(root: Path) -> None:
    folder = root / "ISBI-2012-challenge"
    folder.mkdir(parents=True)
    slices = np.random.default_rng(0).integers(0, 256, (30, *SIZE), np.uint8)
    labels = np.broadcast_to(columns([255, 0]), slices.shape)
    for name, stack in (("train-volume", slices), ("train-labels", labels), ("test-volume", slices[::-1])):
        tifffile.imwrite(folder / f"{name}.tif", stack, photometric="minisblack")


def draw_deepcrack(root: Path) -> None:
    for part, names in (
        ("train", [f"{photo}-{crop}" for photo in ("11125", "7Q3A9060") for crop in (1, 2, 3)] + ["11111"]),
        ("test", ["11112", "11113"]),
    ):
        for name in names:
            photo(root / f"{part}_img/{name}.jpg")
            mask(root / f"{part}_lab/{name}.png", [0, 120, 135, 255])


def draw_kvasir(root: Path) -> None:
    for number in range(20):
        photo(root / f"Kvasir-SEG/images/cju{number}.jpg")
        mask(root / f"Kvasir-SEG/masks/cju{number}.jpg", [0, 255], "RGB")
    (root / "Kvasir-SEG/kavsir_bboxes.json").write_text("{}")


# Name → (drawing, images of each split, classes of one mask's columns, how many of its columns).
SETS = {
    "pets": (draw_pets, (2, 1, 2), [0, 1, 1, 1]),
    "pets:trimap": (draw_pets, (2, 1, 2), [0, 2, 1, 1]),
    "voc2012": (draw_voc, (3, 1, 2), [0, IGNORED, 15, 20]),
    "camvid": (draw_camvid, (2, 1, 1), [1, 4, 11, IGNORED]),
    "drive": (draw_drive, (5, 1, 3), [0, 1]),
    "chase_db1": (draw_chase, (16, 4, 8), [0, 1]),
    "dsb2018": (draw_dsb, (7, 1, 2), [0, 1, 0, 1]),
    "isbi2012": (draw_isbi, (20, 3, 5), [0, 1]),
    "deepcrack": (draw_deepcrack, (6, 1, 2), [0, 0, 1, 1]),
    "kvasir": (draw_kvasir, (16, 2, 2), [0, 1]),
}


@pytest.fixture
def drawn(tmp_path):
    """A function that draws a set as its publisher gives it and opens it, converted where it has to be."""

    def draw(name, **options):
        SETS[name][0](tmp_path / "set", **options)
        card = find_card(name.partition(":")[0])
        assert card is not None
        if card.convert:
            get_dataset(card.name, tmp_path / "data", sources=[tmp_path / "set"])
            return open_dataset(name, root=tmp_path / "data")
        return open_dataset(name, data_dir=tmp_path / "set")

    return draw


def names(dataset, split):
    return [sample.name for sample in dataset.splits[split]]


def test_every_card_is_drawn_here():
    assert {name.partition(":")[0] for name in SETS} == CARDS.keys()
    variants = {f"{card.name}:{variant}" for card in CARDS.values() for variant in card.variants}
    assert variants == {name for name in SETS if ":" in name}


@pytest.mark.parametrize("name", SETS)
def test_a_set_as_its_publisher_gives_it_opens_and_is_sound(drawn, name):
    _, sizes, classes = SETS[name]
    dataset = drawn(name)
    assert tuple(len(dataset.splits[split]) for split in ("train", "val", "test")) == sizes
    for samples in dataset.splits.values():
        for sample in samples:
            assert np.array_equal(dataset.mask(sample), columns(classes)), sample.name
    unexplained = [each for each in check_dataset(dataset) if "no training mask holds" not in each.message]
    assert unexplained == []


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_card_says_whose_the_set_is_what_is_forbidden_and_how_to_get_it(card: Card):
    assert card.texts.keys() >= {"title", "citation", "homepage", "licence", "terms"}
    assert card.files or card.texts["manual"]
    for file in card.files:
        assert file.size and file.checksums
        for kind, digest in file.checksums.items():
            assert re.fullmatch(r"[0-9a-f]+", digest) and len(digest) == {"md5": 32, "sha256": 64}[kind]


def test_the_card_in_the_catalogues_readme_is_one(tmp_path):
    (block,) = re.findall(
        r"```yaml\n(.*?)```", (CATALOG / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (tmp_path / "card.yaml").write_text(block, encoding="utf-8")
    card = read_card(tmp_path / "card.yaml")
    assert card.convert and card.files and card.variants == ("soft",)


def test_pixels_outside_the_field_of_view_of_drive_are_not_valid(drawn):
    dataset = drawn("drive")
    for samples in dataset.splits.values():
        for sample in samples:
            assert np.array_equal(dataset.valid(sample), columns([0, 1, 1, 0]) == 1)


def test_drive_opens_whether_its_test_folder_is_called_testing_or_test(drawn):
    assert names(drawn("drive", testing="test"), "test") == ["01", "02", "03"]


def test_drive_without_its_test_masks_says_which_are_missing(drawn, tmp_path):
    drawn("drive")
    (tmp_path / "set/testing/1st_manual/02_manual1.gif").unlink()
    with pytest.raises(UnetsegError, match=r"1 file\(s\) are missing: testing/1st_manual/02_manual1\.gif"):
        open_dataset("drive", data_dir=tmp_path / "set")


def test_nuclei_have_instances_whichever_way_they_lie_on_disk(drawn, tmp_path):
    dataset = drawn("dsb2018")
    sample = dataset.splits["train"][0]
    assert np.array_equal(dataset.instances(sample), columns([0, 1, 0, 2]))
    again = open_dataset("dsb2018", data_dir=tmp_path / "data/dsb2018")
    assert again.splits == dataset.splits


def test_a_table_beside_the_nuclei_gives_the_split(drawn, tmp_path):
    dataset = drawn("dsb2018")
    everything = sorted(name for split in dataset.splits for name in names(dataset, split))
    parts = {"train": everything[:5], "val": everything[5:6], "test": everything[6:]}
    rows = [f"{name},{split}\n" for split, members in parts.items() for name in members]
    (tmp_path / "data/dsb2018/split.csv").write_text("name,split\n" + "".join(rows))
    dataset = open_dataset("dsb2018", root=tmp_path / "data")
    assert {split: names(dataset, split) for split in dataset.splits} == parts


def test_slices_that_were_not_converted_are_told_how_to(tmp_path):
    draw_isbi(tmp_path / "set")
    with pytest.raises(UnetsegError, match=rf"unetseg data get isbi2012 --from {tmp_path / 'set'}"):
        open_dataset("isbi2012", data_dir=tmp_path / "set")


@pytest.mark.parametrize("source", ["unet/data/membrane", "unet/data", "unet"])
def test_slices_are_taken_from_the_folder_that_most_people_have(tmp_path, source):
    for number in range(30):
        photo(tmp_path / f"unet/data/membrane/train/image/{number}.png", "L")
        mask(tmp_path / f"unet/data/membrane/train/label/{number}.png", [255, 0])
    photo(tmp_path / "unet/data/membrane/test/0.png", "L")
    with pytest.raises(UnetsegError, match=r"unetseg data get isbi2012 --from"):
        open_dataset("isbi2012", data_dir=tmp_path / source)
    get_dataset("isbi2012", tmp_path / "data", sources=[tmp_path / source])
    dataset = open_dataset("isbi2012", root=tmp_path / "data")
    assert [len(names(dataset, split)) for split in ("train", "val", "test")] == [20, 3, 5]
    assert names(dataset, "val") == ["21", "22", "23"]
    assert set(np.unique(dataset.mask(dataset.splits["train"][0]))) == {0, 1}


def test_no_slice_of_one_part_touches_another_part(drawn):
    dataset = drawn("isbi2012")
    numbers = {split: {int(name) for name in names(dataset, split)} for split in dataset.splits}
    for split, members in numbers.items():
        others = set.union(*(numbers[other] for other in numbers if other != split))
        assert all(abs(number - other) > 1 for number in members for other in others)


def test_both_eyes_of_a_child_are_in_one_part(drawn):
    dataset = drawn("chase_db1")
    children = [{name[:2] for name in names(dataset, split)} for split in dataset.splits]
    assert Counter(child for part in children for child in part) == Counter(
        f"{number:02}" for number in range(1, 15)
    )
    assert names(dataset, "test") == [f"{number}{eye}" for number in (11, 12, 13, 14) for eye in "LR"]


@pytest.mark.parametrize("seed", range(4))
def test_crops_of_one_photograph_of_cracks_are_in_one_part(drawn, tmp_path, seed):
    drawn("deepcrack")
    dataset = open_dataset("deepcrack", data_dir=tmp_path / "set", split_seed=seed)
    train, val = ({name.split("-")[0] for name in names(dataset, split)} for split in ("train", "val"))
    assert train and val and not train & val


def test_voc_is_tested_on_its_validation_list(drawn):
    dataset = drawn("voc2012")
    assert names(dataset, "test") == ["2007_000004", "2007_000005"]
    assert len(dataset.classes) == 21 and dataset.colours[15] == (192, 128, 128)
    assert dataset.ignore_index == IGNORED
