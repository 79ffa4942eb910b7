import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.data.datasets.cards.convert import check_steps, convert
from unetseg.data.images.read import read_image, read_labels
from unetseg.errors import UnetsegError, UsageError


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(values, np.uint8)).save(path)


def test_a_file_for_each_object_becomes_one_image_of_numbered_objects(tmp_path):
    save(tmp_path / "in/a/masks/x.png", [[255, 0, 0, 0]])
    save(tmp_path / "in/a/masks/y.png", [[0, 0, 255, 255]])
    save(tmp_path / "in/b/masks/x.png", [[0, 255]])
    convert([{"objects": "{id}/masks/{object}.png", "to": "n/{id}.png"}], tmp_path / "in", tmp_path / "out")
    assert read_labels(tmp_path / "out/n/a.png").tolist() == [[1, 0, 2, 2]]
    assert read_labels(tmp_path / "out/n/b.png").tolist() == [[0, 1]]


def test_more_than_255_objects_keep_their_numbers(tmp_path):
    for number in range(300):
        mask = np.zeros((1, 300), np.uint8)
        mask[0, number] = 255
        save(tmp_path / f"in/a/{number:03}.png", mask)
    convert([{"objects": "{id}/{object}.png", "to": "{id}.png"}], tmp_path / "in", tmp_path / "out")
    assert read_labels(tmp_path / "out/a.png").tolist() == [list(range(1, 301))]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pages_of_a_stack_become_images_with_the_same_values(tmp_path, dtype):
    stack = np.arange(12 * 4 * 5).reshape(12, 4, 5).astype(dtype)
    tifffile.imwrite(tmp_path / "train-labels.tif", stack, photometric="minisblack")
    convert([{"pages": "train-labels.tif", "to": "labels/{page}.png"}], tmp_path, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out/labels").iterdir())
    assert names == [f"{number:02}.png" for number in range(12)]
    for number, name in enumerate(names):
        assert np.array_equal(read_labels(tmp_path / "out/labels" / name), stack[number])


def test_grey_pages_look_the_same_as_images(tmp_path):
    stack = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    tifffile.imwrite(tmp_path / "volume.tif", stack, photometric="minisblack")
    convert([{"pages": "volume.tif", "to": "{page}.png"}], tmp_path, tmp_path / "out")
    assert np.array_equal(read_image(tmp_path / "out/02.png"), np.repeat(stack[2][..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"files": "images/{name}.png", "to": "{name}.png"}, r"no file is called images/\{name\}.png"),
        ({"objects": "{id}/{object}.png", "to": "{id}.png"}, "is of another size than the other objects"),
        ({"pages": "colour.tif", "to": "{page}.png"}, r"colour.tif: has pages of shape \(2, 2, 3\)"),
        ({"pages": "cut.tif", "to": "{page}.png"}, "cut.tif: is damaged or cut off"),
    ],
)
def test_what_cannot_be_converted_is_named(tmp_path, step, message):
    save(tmp_path / "in/a/1.png", [[1, 2]])
    save(tmp_path / "in/a/2.png", [[1]])
    tifffile.imwrite(tmp_path / "in/colour.tif", np.zeros((2, 2, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "in/cut.tif", np.zeros((9, 99, 99), np.uint8), compression="zlib")
    whole = (tmp_path / "in/cut.tif").read_bytes()
    (tmp_path / "in/cut.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnetsegError, match=message):
        convert([step], tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({}, "must be a list of steps"),
        ([{"page": "a.tif", "to": "{page}.png"}], "did you mean 'pages'"),
        ([{"pages": "a.tif"}], "a step has 'to' and one of files, objects, pages"),
        ([{"files": "{name}.png", "to": "{page}.png"}], r"uses \{page\}"),
    ],
)
def test_wrong_steps_are_refused(steps, message):
    with pytest.raises(UsageError, match=message):
        check_steps(steps, "card.yaml")
