import numpy as np
import pytest
import yaml
from PIL import Image

from unetseg.cli import main
from unetseg.data.datasets.cards.card import catalog, open_card, read_card
from unetseg.data.datasets.open import open_dataset
from unetseg.errors import UnetsegError, UsageError

CARD = {
    "name": "mine",
    "title": "My set",
    "licence": "CC0",
    "layout": {"image": "images/{name}.png", "mask": "masks/{name}.png"},
    "classes": {"background": 0, "vessel": 255},
    "split": {"val": 0.2, "test": 0.2},
}


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


@pytest.fixture
def write_card(tmp_path):
    def write(**changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(CARD | changes))
        return path

    return write


@pytest.fixture
def pets(tmp_path):
    """The official layout in small, with what lies in the real one: strays, and images in no list."""
    trimap = [[1, 3, 2]]
    for name in ("cat_1", "cat_2", "cat_3", "cat_34", "dog_1", "dog_2", "stray_1", "stray_2"):
        save(tmp_path / f"images/{name}.jpg", np.full((1, 3, 3), 50))
        save(tmp_path / f"annotations/trimaps/{name}.png", [[2, 2, 2]] if name == "cat_34" else trimap)
        (tmp_path / f"annotations/trimaps/._{name}.png").write_bytes(b"\0")
    (tmp_path / "images/cat_1.mat").write_bytes(b"MATLAB")
    (tmp_path / "annotations/trainval.txt").write_text(
        "cat_1 1 1 1\ncat_2 1 1 1\ncat_3 1 1 1\ncat_34 1 1 1\n"
    )
    (tmp_path / "annotations/test.txt").write_text("dog_1 2 2 1\ndog_2 2 2 1\n")
    return tmp_path


def names(dataset):
    return {split: [sample.name for sample in samples] for split, samples in dataset.splits.items()}


def masks(dataset):
    return {sample.name: dataset.mask(sample).tolist() for part in dataset.splits.values() for sample in part}


def test_every_card_of_the_catalogue_reads_and_no_two_share_a_name():
    cards = catalog()
    called = [name for card in cards for name in (card.name, *card.aliases)]
    assert "pets" in called and len(called) == len(set(called))
    assert all(card.texts["citation"] and (card.files or card.texts["manual"]) for card in cards)


def test_pets_counts_the_border_as_pet(pets):
    dataset = open_dataset("pets", data_dir=pets)
    assert dataset.name == "pets" and dataset.classes == ("background", "pet")
    assert masks(dataset)["cat_1"] == [[1, 1, 0]] and masks(dataset)["cat_34"] == [[0, 0, 0]]


def test_pets_trimap_has_three_classes(pets):
    dataset = open_dataset("oxford-iiit-pet:trimap", data_dir=pets)
    assert dataset.name == "pets:trimap" and dataset.classes == ("background", "pet", "border")
    assert masks(dataset)["dog_1"] == [[1, 2, 0]]


def test_pets_official_lists_are_kept_and_images_in_neither_are_left_out(pets):
    split = names(open_dataset("pets", data_dir=pets))
    assert split["test"] == ["dog_1", "dog_2"]
    assert len(split["val"]) == 1
    assert sorted(split["train"] + split["val"]) == ["cat_1", "cat_2", "cat_3", "cat_34"]


def test_the_split_seed_redraws_validation_only(pets):
    splits = [names(open_dataset("pets", data_dir=pets, split_seed=seed)) for seed in range(8)]
    assert len({split["val"][0] for split in splits}) > 1
    assert all(split["test"] == ["dog_1", "dog_2"] for split in splits)


def test_images_of_the_lists_that_are_not_there_are_named(pets):
    (pets / "images/cat_2.jpg").unlink()
    with pytest.raises(UnetsegError, match=r"1 image\(s\) of the train split are missing: cat_2"):
        open_dataset("pets", data_dir=pets)


def test_masks_that_are_not_there_are_named(pets):
    (pets / "annotations/trimaps/dog_1.png").unlink()
    with pytest.raises(UnetsegError, match=r"1 file\(s\) are missing: annotations/trimaps/dog_1.png"):
        open_dataset("pets", data_dir=pets)


def test_a_folder_in_another_layout_is_refused(tmp_path):
    with pytest.raises(UnetsegError, match=r"no file is called images/\{name\}.jpg"):
        open_dataset("pets", data_dir=tmp_path)


def test_fields_of_the_path_fill_the_templates_and_choose_the_split(tmp_path, write_card):
    for part, kind, number in (
        ("training", "training", 21),
        ("training", "training", 22),
        ("testing", "test", 1),
    ):
        save(tmp_path / f"{part}/images/{number:02}_{kind}.tif", np.zeros((1, 2, 3)))
        save(tmp_path / f"{part}/manual/{number:02}.gif", [[0, 255]])
        save(tmp_path / f"{part}/mask/{number:02}_{kind}_mask.gif", [[255, 0]])
    path = write_card(
        layout={
            "image": "{part}/images/{id}_{kind}.tif",
            "mask": "{part}/manual/{id}.gif",
            "valid": "{part}/mask/{id}_{kind}_mask.gif",
            "name": "{part}/{id}",
        },
        classes={"background": 0, "vessel": "rest"},
        split={"train": {"where": {"part": "training"}}, "val": 0.1, "test": {"where": {"part": "testing"}}},
    )
    dataset = open_dataset(str(path))
    assert names(dataset)["test"] == ["testing/01"]
    assert sorted(names(dataset)["train"] + names(dataset)["val"]) == ["training/21", "training/22"]
    assert dataset.valid(dataset.splits["test"][0]).tolist() == [[True, False]]
    assert masks(dataset)["testing/01"] == [[0, 1]]


def test_a_table_can_name_the_split_and_instances_can_make_the_mask(tmp_path, write_card):
    rows = ["name,split"]
    for number, split in enumerate(["train", "train", "val", "test"]):
        save(tmp_path / f"images/{number}.png", np.zeros((1, 3, 3)))
        Image.fromarray(np.array([[0, 1, 700]], np.uint16)).save(tmp_path / f"images/../{number}.png")
        rows.append(f"{number},{split}")
    (tmp_path / "split.csv").write_text("\n".join(rows) + "\n")
    table = {part: {"csv": "split.csv", "where": {"split": part}} for part in ("train", "val", "test")}
    path = write_card(
        layout={"image": "images/{name}.png", "mask": "{name}.png", "instances": "{name}.png"},
        classes={"background": 0, "nucleus": "rest"},
        split=table,
    )
    dataset = open_dataset(str(path))
    assert names(dataset) == {"train": ["0", "1"], "val": ["2"], "test": ["3"]}
    assert masks(dataset)["3"] == [[0, 1, 1]]
    assert dataset.instances(dataset.splits["test"][0]).tolist() == [[0, 1, 700]]


def test_a_group_keeps_the_frames_of_one_sequence_together(tmp_path, write_card):
    for sequence in "abcd":
        for frame in range(3):
            save(tmp_path / f"images/{sequence}_{frame}.png", np.zeros((1, 2, 3)))
            save(tmp_path / f"masks/{sequence}_{frame}.png", [[0, 255]])
    path = write_card(
        layout={
            "image": "images/{sequence}_{frame}.png",
            "mask": "masks/{sequence}_{frame}.png",
            "name": "{sequence}_{frame}",
        },
        split={"val": 0.2, "test": 0.2, "group": "{sequence}"},
    )
    for members in names(open_dataset(str(path))).values():
        assert len(members) % 3 == 0 and len({name[0] for name in members}) == len(members) // 3


def test_a_card_of_ones_own_lies_beside_its_files_or_takes_a_data_dir(tmp_path, write_card):
    for number in range(4):
        save(tmp_path / f"some/place/else/images/{number}.png", np.zeros((1, 2, 3)))
        save(tmp_path / f"some/place/else/masks/{number}.png", [[0, 255]])
    path = write_card(variants={"swapped": {"classes": {"background": 255, "vessel": 0}}})
    with pytest.raises(UnetsegError, match="no file is called"):
        open_dataset(str(path))
    elsewhere = tmp_path / "some/place/else"
    assert masks(open_dataset(str(path), data_dir=elsewhere))["0"] == [[0, 1]]
    assert masks(open_dataset(f"{path}:swapped", data_dir=elsewhere))["0"] == [[1, 0]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"license": "CC0"}, "unknown key 'license'; did you mean 'licence'"),
        ({"title": None, "split": {"val": 0.1}}, "split: lacks 'test'"),
        ({"split": {"val": 0.1, "test": {"lst": "a"}}}, "did you mean 'list'"),
        ({"split": {"val": 0.1, "test": {"list": "a", "otherwise": "rest"}}}, "give a share between 0 and 1"),
        ({"split": {"val": 0.1, "test": 0.1, "group": {"by": "{name}"}}}, "needs 'by' and 'until'"),
        ({"split": {"val": 2, "test": 0.1}}, "neither a selection nor a share"),
        ({"layout": {"image": "{name}.png", "mask": "{nme}.png"}}, r"uses \{nme\}"),
        ({"layout": {"image": "{name}.png"}}, "layout lacks 'mask'"),
        ({"variants": {"v": {"titel": 1}}}, "variant v: unknown key 'titel'"),
        ({"files": [{"size": 3}]}, "a file lacks 'addresses'"),
        ({"files": [{"addresses": ["file:///etc/passwd"]}]}, "no http or https address"),
        ({"files": [{"addresses": ["http://x.org/a.zip"], "into": "../.."}]}, "does not lie below"),
        ({"split": {"val": 0.1, "test": 0.1, "group": "{patient}"}}, r"uses \{patient\}"),
        ({"variants": {"v": "trimap"}}, "variant v: expected"),
        ({"name": "../elsewhere"}, "it may hold letters"),
        ({"classes": ["only"]}, "background first"),
    ],
)
def test_a_wrong_card_is_refused_by_name(write_card, changes, message):
    with pytest.raises(UsageError, match=message):
        read_card(write_card(**changes))


def test_a_card_that_lacks_an_entry_is_refused(tmp_path):
    (tmp_path / "bare.yaml").write_text("name: bare")
    with pytest.raises(UsageError, match="lacks title, licence, layout, classes, split"):
        read_card(tmp_path / "bare.yaml")


def test_a_list_may_hold_paths_and_be_in_another_column(tmp_path, write_card):
    for name in "abc":
        save(tmp_path / f"images/{name}.png", np.zeros((1, 2, 3)))
        save(tmp_path / f"masks/{name}.png", [[0, 255]])
    (tmp_path / "list.txt").write_text("1 /home/images/a.png\n2 images/b.png\n3 c\n")
    columns = [{"list": "list.txt", "column": column} for column in (1, 2)]
    dataset = open_dataset(str(write_card(split={"train": columns[0], "val": 0.3, "test": 0.3})))
    assert sum(map(len, dataset.splits.values())) == 3
    with pytest.raises(UnetsegError, match=r"list.txt: lacks the column that the card names for train"):
        open_dataset(str(write_card(split={"train": columns[1], "val": 0.3, "test": 0.3})))


def test_an_empty_split_is_refused(tmp_path, write_card):
    save(tmp_path / "images/a.png", np.zeros((1, 2, 3)))
    card = read_card(write_card(split={"train": {"where": {"name": "b"}}, "val": 0.1, "test": 0.1}))
    with pytest.raises(UnetsegError, match="the train split is empty"):
        open_card(card, tmp_path)


def draw(folder, names):
    for name in names:
        save(folder / f"images/{name}.png", np.zeros((1, 2, 3)))
        save(folder / f"masks/{name}.png", [[0, 255]])


def test_a_table_that_is_not_there_is_replaced_by_what_otherwise_says(tmp_path, write_card):
    draw(tmp_path, "abcdefghij")
    table = {
        part: {"csv": "split.csv", "where": {"split": part}, "otherwise": otherwise}
        for part, otherwise in (("train", "rest"), ("val", 0.2), ("test", 0.3))
    }
    path = write_card(split=table)
    assert [len(part) for part in names(open_dataset(str(path))).values()] == [5, 2, 3]
    (tmp_path / "split.csv").write_text("name,split\na,train\nb,val\nc,test\n")
    assert names(open_dataset(str(path))) == {"train": ["a"], "val": ["b"], "test": ["c"]}


def test_a_block_of_slices_is_chosen_by_a_list_of_values_and_slices_in_none_are_left_out(
    tmp_path, write_card
):
    draw(tmp_path, [f"{number:02}" for number in range(12)])
    blocks = {"train": ["00", "01", "02"], "val": ["04"], "test": ["06", "07"]}
    path = write_card(split={part: {"where": {"name": block}} for part, block in blocks.items()})
    assert names(open_dataset(str(path))) == blocks


def test_a_group_may_end_at_a_text(tmp_path, write_card):
    draw(
        tmp_path,
        [f"{photo}-{crop}" for photo in ("11125", "7Q3A", "IMG28", "no") for crop in (1, 2)] + ["whole"],
    )
    path = write_card(split={"val": 0.2, "test": 0.2, "group": {"by": "{name}", "until": "-"}})
    split = names(open_dataset(str(path)))
    photos = [{name.split("-")[0] for name in members} for members in split.values()]
    assert sum(map(len, photos)) == len(set.union(*photos)) == 5


def test_the_folder_of_a_set_is_found_inside_what_an_archive_wraps_it_in(tmp_path, write_card):
    path = write_card()
    draw(tmp_path / "set-main/data", "abc")
    assert sorted(masks(open_dataset(str(path)))) == ["a", "b", "c"]
    draw(tmp_path / "set-main/copy", "abc")
    with pytest.raises(UnetsegError, match=r"set-main/copy and set-main/data both hold images/\{name\}\.png"):
        open_dataset(str(path))


def test_fields_side_by_side_are_told_apart_by_the_last_character(tmp_path, write_card):
    for eye in ("01L", "01R", "14L"):
        save(tmp_path / f"Image_{eye}.jpg", np.zeros((1, 2, 3)))
        save(tmp_path / f"Image_{eye}_1stHO.png", [[0, 255]])
    layout = {
        "image": "Image_{patient}{eye}.jpg",
        "mask": "Image_{patient}{eye}_1stHO.png",
        "name": "{eye}{patient}",
    }
    dataset = open_dataset(str(write_card(layout=layout)))
    assert sorted(masks(dataset)) == ["L01", "L14", "R01"]


def test_what_a_card_says_is_printed_without_control_characters(tmp_path, monkeypatch, capsys):
    told = {key: f"\x1b]0;evil\a {key}\ud800" for key in ("title", "licence", "terms", "citation")}
    told["manual"] = "fetch\x1b[2J it"
    rest = {
        "layout": {"image": "i/{name}.png", "mask": "m/{name}.png"},
        "classes": ["a", "b"],
        "split": {"val": 0.1, "test": 0.1},
    }
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"name": "a"} | told | rest))
    monkeypatch.chdir(tmp_path)
    assert main(["data", "list", "a.yaml"]) == 0
    assert main(["data", "get", "a.yaml"]) == 1
    out, err = capsys.readouterr()
    assert r"\x1b]0;evil\x07 title\ud800" in out and r"fetch\x1b[2J it" in out + err
    assert "".join((out + err).split("\n")).isprintable()
