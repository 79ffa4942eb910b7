import os
import random
import re

import numpy as np
import pytest
from PIL import Image

from unetseg.data.datasets.image_folder import open_folder
from unetseg.data.images.find import list_files
from unetseg.errors import UnetsegError, UsageError

BINARY = np.array([[0, 255], [255, 0]], np.uint8)


@pytest.fixture
def make(tmp_path):
    """Draw a folder: image file names, and a mask (array or picture) by file name."""

    def draw(images, masks, **texts):
        for name in images:
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((2, 2, 3), 90, np.uint8)).save(path)
        for name, mask in masks.items():
            path = tmp_path / "masks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
            picture.save(path)
        for name, text in texts.items():
            suffix = "yaml" if name == "dataset" else "txt"
            (tmp_path / f"{name}.{suffix}").write_text(text)
        return tmp_path

    return draw


def three(mask=BINARY, ending=".png"):
    return [f"{name}.jpg" for name in "abc"], {f"{name}{ending}": mask for name in "abc"}


def every(dataset):
    return {sample.name: sample for samples in dataset.splits.values() for sample in samples}


def masks_of(dataset):
    return [dataset.mask(sample).tolist() for sample in every(dataset).values()]


def test_images_and_masks_pair_by_stem_whatever_their_extensions(make):
    dataset = open_folder(
        make(["a.jpg", "b.png", "sub/a.tif"], {"a.png": BINARY, "b.gif": BINARY, "sub/a.bmp": BINARY})
    )
    assert sorted(every(dataset)) == ["a", "b", "sub/a"]
    assert dataset.classes == ("background", "foreground")
    assert all(mask == [[0, 1], [1, 0]] for mask in masks_of(dataset))


@pytest.mark.parametrize("ending", ["_mask.png", "-seg.tif"])
def test_a_suffix_that_all_masks_share_is_found(make, ending):
    assert sorted(every(open_folder(make(*three(ending=ending))))) == ["a", "b", "c"]


def test_numbered_names_do_not_confuse_the_search_for_a_suffix(make):
    names = [str(i) for i in range(1, 13)]
    folder = make([f"{name}.png" for name in names], {f"{name}_mask.png": BINARY for name in names})
    assert sorted(every(open_folder(folder))) == sorted(names)


def test_the_suffix_can_be_given(make):
    images, masks = three(ending="_mask.png")
    folder = make(images, masks | {"a_edge.png": BINARY}, dataset="mask_suffix: _mask")
    with pytest.raises(UnetsegError, match=r"1 mask\(s\) without an image: masks/a_edge.png"):
        open_folder(folder)


def test_unpaired_files_are_named(make):
    images, masks = three()
    folder = make([*images, "x.jpg", "y.jpg"], masks | {"z.png": BINARY})
    with pytest.raises(
        UnetsegError,
        match=r"2 image\(s\) without a mask: images/x.jpg, images/y.jpg; 1 mask\(s\) .*: masks/z.png",
    ):
        open_folder(folder)


def test_two_images_of_one_name_are_refused(make):
    images, masks = three()
    with pytest.raises(UnetsegError, match=r"two images are called 'a': a.jpg and a.png"):
        open_folder(make([*images, "a.png"], masks))


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (np.array([[0, 1]], np.uint8), [[0, 1]]),
        (Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1"), [[0, 1]]),
        (np.array([[0, 255]], np.uint16), [[0, 1]]),
        (np.repeat(np.array([[[0], [255]]], np.uint8), 3, axis=2), [[0, 1]]),
    ],
    ids=["0/1", "1-bit", "16-bit", "grey as rgb"],
)
def test_every_way_to_write_a_binary_mask_reads_the_same(make, mask, expected):
    dataset = open_folder(make(*three(mask)))
    assert dataset.classes == ("background", "foreground")
    assert all(each == expected for each in masks_of(dataset))


def test_a_palette_mask_reads_as_its_indices(make):
    mask = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    dataset = open_folder(make(*three(mask)))
    assert dataset.classes == ("background", "class_1", "class_2")
    assert all(each == [[0, 1, 2]] for each in masks_of(dataset))


def test_colours_are_given_in_dataset_yaml(make):
    mask = np.array([[[0, 0, 0], [255, 0, 0], [9, 9, 9]]], np.uint8)
    text = "classes: {background: [0, 0, 0], road: [255, 0, 0]}\nignore: [9, 9, 9]"
    dataset = open_folder(make(*three(mask), dataset=text))
    assert all(each == [[0, 1, 255]] for each in masks_of(dataset))
    assert dataset.ignore_index == 255 and dataset.colours[1] == (255, 0, 0)


def test_colour_masks_without_classes_are_refused_with_the_colours_found(make):
    mask = np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8)
    with pytest.raises(UnetsegError, match=r"a\.png: is in colours \(colours \[255, 0, 0\].*dataset.yaml"):
        open_folder(make(*three(mask)))


def test_an_ignored_value_is_left_out_when_classes_are_inferred(make):
    dataset = open_folder(make(*three(np.array([[0, 1, 2, 255]], np.uint8)), dataset="ignore: 255"))
    assert dataset.classes == ("background", "class_1", "class_2")
    assert all(each == [[0, 1, 2, 255]] for each in masks_of(dataset))


@pytest.mark.parametrize("values", [[0, 38, 75, 113], [0, 128, 255], [0, 1, 2, 255]])
def test_values_that_are_no_indices_are_not_guessed_but_named(make, values):
    with pytest.raises(
        UnetsegError, match=rf"cannot be told from the mask values 0 \(a.png\), {values[1]} .*classes:"
    ):
        open_folder(make(*three(np.array([values], np.uint8))))


@pytest.mark.parametrize("values", [[0, 128], [0, 38, 75, 113], [0, 1, 2, 255]])
def test_the_entry_that_is_printed_opens_the_folder(make, values):
    files = three(np.array([values], np.uint8))
    with pytest.raises(UnetsegError) as refused:
        open_folder(make(*files))
    entries = re.findall(r"'((?:classes|ignore): [^']+)'", str(refused.value))
    dataset = open_folder(make(*files, dataset="\n".join(entries)))
    assert len(dataset.classes) == len(set(values) - {255}) and dataset.classes[0] == "background"


def test_images_that_no_list_names_are_told(make):
    names = [f"{name}.png" for name in "abcdefg"]
    folder = make(names, dict.fromkeys(names, BINARY), train="a\nb\nc\nd\ne")
    told = (
        r"2 image\(s\) are in no list and are left out: f, g; val and test are drawn from the training images"
    )
    with pytest.warns(UserWarning, match=told):
        open_folder(folder)


def test_missing_lists_are_drawn_alike_whatever_order_the_file_system_lists_names_in(make, monkeypatch):
    names = [f"{i:02}" for i in range(20)]
    folder = make([f"{name}.png" for name in names], {f"{name}.png": BINARY for name in names})
    before = open_folder(folder, split_seed=3)
    walk = os.walk

    def shuffled(*args, **kwargs):
        for parent, folders, files in walk(*args, **kwargs):
            random.shuffle(files)
            yield parent, folders, files

    monkeypatch.setattr(os, "walk", shuffled)
    assert open_folder(folder, split_seed=3) == before
    assert {part: len(samples) for part, samples in before.splits.items()} == {
        "train": 14,
        "val": 3,
        "test": 3,
    }


def test_lists_decide_the_split_and_images_in_none_are_left_out(make):
    names = "abcdefg"
    folder = make(
        [f"{n}.jpg" for n in names],
        {f"{n}.png": BINARY for n in names},
        train="a\nb.jpg\n\nc\n",
        test="# late\ng\n",
    )
    dataset = open_folder(folder)
    assert [sample.name for sample in dataset.splits["test"]] == ["g"]
    assert sorted(every(dataset)) == ["a", "b", "c", "g"]
    assert len(dataset.splits["val"]) == 1


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"train": "a\nb", "test": "b"}, "'b' is listed in train.txt and test.txt"),
        ({"train": "a\na\nb"}, "'a' is listed in train.txt twice"),
        ({"train": "a\nhello"}, r"train.txt: 1 name\(s\) with no image: hello"),
        ({"val": "\n"}, "val.txt: names no image"),
    ],
)
def test_wrong_lists_are_refused(make, lists, message):
    with pytest.raises(UsageError, match=message):
        open_folder(make(*three(), **lists))


def test_an_unknown_key_in_dataset_yaml_is_answered_with_the_nearest(make):
    with pytest.raises(UsageError, match=r"dataset.yaml: unknown key 'class'; did you mean 'classes'"):
        open_folder(make(*three(), dataset="class: [a, b]"))


def test_broken_yaml_is_one_plain_line(make):
    with pytest.raises(UsageError, match=r"dataset.yaml, line 2: not valid YAML"):
        open_folder(make(*three(), dataset="classes: [a\nignore: ]"))


def test_too_few_images_are_refused(make):
    with pytest.raises(UnetsegError, match=r"2 image.* at least 3"):
        open_folder(make(["a.png", "b.png"], {"a.png": BINARY, "b.png": BINARY}))


def test_a_folder_without_masks_says_so(make):
    with pytest.raises(UsageError, match="has no folder 'masks'"):
        open_folder(make(["a.png"], {}))


def test_formats_that_are_not_read_are_named(make):
    folder = make([], {"a.png": BINARY})
    (folder / "images").mkdir()
    (folder / "images" / "a.mha").write_bytes(b"")
    with pytest.raises(UnetsegError, match=r"only files of type \.mha: convert"):
        open_folder(folder)


def test_a_mask_that_cannot_be_read_does_not_keep_the_folder_from_opening(make):
    folder = make(*three())
    (folder / "masks" / "b.png").write_bytes(b"")
    assert sorted(every(open_folder(folder))) == ["a", "b", "c"]


def test_a_loop_of_links_is_walked_once(make):
    folder = make(*three())
    (folder / "images" / "again").symlink_to(folder / "images", target_is_directory=True)
    assert [name for name, _ in list_files(folder / "images")] == ["a.jpg", "b.jpg", "c.jpg"]


def test_names_that_are_not_utf8_survive(make):
    folder = make(*three())
    for part, mode in (("images", "RGB"), ("masks", "L")):
        with open(os.fsencode(folder / part) + b"/bad\xff.png", "wb") as stream:
            Image.new(mode, (2, 2)).save(stream, "PNG")
    assert "bad\udcff" in every(open_folder(folder))


def test_an_unpaired_name_that_is_not_utf8_is_named_printably(make):
    folder = make(*three())
    with open(os.fsencode(folder / "images") + b"/bad\xff.png", "wb") as stream:
        Image.new("RGB", (2, 2)).save(stream, "PNG")
    with pytest.raises(UnetsegError, match=r"images/bad\\xff.png") as raised:
        open_folder(folder)
    assert str(raised.value).isascii()


def test_jpeg_masks_are_read_where_a_threshold_says_what_is_foreground(make):
    mask = np.repeat(np.array([[0, 255]], np.uint8), 12, axis=1).repeat(16, axis=0)
    folder = make(*three(mask, ending=".jpg"), dataset="classes: [background, polyp]")
    dataset = open_folder(folder)
    with pytest.raises(UnetsegError, match="JPEG"):
        dataset.mask(dataset.splits["train"][0])
    dataset = open_folder(make([], {}, dataset="threshold: 128"))
    assert dataset.classes == ("background", "foreground")
    assert np.array_equal(dataset.mask(dataset.splits["train"][0]), mask // 255)
