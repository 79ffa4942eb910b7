"""What a mask shows is what is trained on, whatever its file encodes it as."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unetseg.data.datasets.check import check_dataset
from unetseg.data.datasets.class_entries import parse_classes
from unetseg.data.datasets.image_folder import open_folder
from unetseg.data.datasets.labels import LabelError
from unetseg.data.images.decode import ImageError
from unetseg.data.images.read import read_mask
from unetseg.errors import UnetsegError

SHAPE = np.zeros((8, 9), np.uint8)
SHAPE[2:5, 3:7] = 1


def palette_of(values, colours):
    picture = Image.fromarray(np.asarray(values, np.uint8), "P")
    picture.putpalette([part for colour in colours for part in colour])
    return picture


def png(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    buffer.seek(0)
    return buffer


@pytest.fixture
def classes_in(tmp_path):
    """Save a picture as a mask and return its class indices under some entries of dataset.yaml."""

    def read(picture, classes=("background", "object"), name="mask.png", **entries):
        path = tmp_path / name
        if isinstance(picture, Image.Image):
            picture.save(path)
        elif path.suffix == ".tif":
            tifffile.imwrite(path, picture)
        else:
            Image.fromarray(picture).save(path)
        given_classes = list(classes) if isinstance(classes, tuple) else classes
        labels = parse_classes(given_classes, entries.pop("ignore", None), "dataset.yaml", **entries).labels
        return labels.to_classes(read_mask(path), path)

    return read


BLACK_AND_WHITE = {
    "palette black, white": lambda: palette_of(SHAPE, [(0, 0, 0), (255, 255, 255)]),
    "palette white, black": lambda: palette_of(1 - SHAPE, [(255, 255, 255), (0, 0, 0)]),
    "palette white, black, unused red": lambda: palette_of(1 - SHAPE, [(255,) * 3, (0,) * 3, (255, 0, 0)]),
    "palette white, red, black": lambda: palette_of(2 - 2 * SHAPE, [(255,) * 3, (255, 0, 0), (0,) * 3]),
    "1-bit": lambda: Image.fromarray(SHAPE > 0),
    "grey": lambda: Image.fromarray(SHAPE * np.uint8(255)),
    "colours": lambda: Image.fromarray(np.repeat(SHAPE[..., None] * np.uint8(255), 3, axis=2)),
}


@pytest.mark.parametrize("name", ["mask.png", "mask.bmp", "mask.tif"])
@pytest.mark.parametrize("draw", BLACK_AND_WHITE.values(), ids=BLACK_AND_WHITE)
@pytest.mark.parametrize(
    ("entries", "white"),
    [
        ({}, 1),
        ({"threshold": 128}, 1),
        ({"classes": {"background": [0, 0, 0], "object": [255, 255, 255]}}, 1),
        ({"classes": {"background": 255, "object": 0}}, 0),
        ({"classes": {"background": "rest", "object": 255}}, 1),
    ],
    ids=["names", "threshold", "colours", "white is the background", "rest"],
)
def test_white_is_white_in_every_encoding(classes_in, draw, name, entries, white):
    assert np.array_equal(classes_in(draw(), name=name, **entries), SHAPE if white else 1 - SHAPE)


def test_white_of_a_two_tone_picture_is_the_class_1_where_no_class_has_255(classes_in):
    for draw in ("palette white, black", "1-bit"):
        mask = classes_in(BLACK_AND_WHITE[draw](), {"background": 0, "object": 1})
        assert np.array_equal(mask, SHAPE), draw


def test_white_that_may_be_a_class_or_left_out_is_refused(classes_in):
    with pytest.raises(LabelError, match=r"mask\.png: .*white may be the value 1 or 255"):
        classes_in(BLACK_AND_WHITE["1-bit"](), ignore=255)


@given(st.integers(1, 255), st.sampled_from([1, 2, 4, 8, 16]), st.integers(0, 65535))
def test_a_threshold_compares_grey_of_0_to_255_at_any_depth(threshold, bits, sample):
    maximum = 2**bits - 1
    value = sample % (maximum + 1)
    if bits == 16 and value <= 255:
        return  # refused: see below
    from unetseg.data.images.stored_mask import StoredMask

    mask = StoredMask(np.array([[value]], np.uint16), maximum)
    labels = parse_classes(["background", "object"], None, "dataset.yaml", threshold).labels
    assert labels.to_classes(mask)[0, 0] == (value * 255 / maximum >= threshold)


def test_16_bits_that_end_at_255_have_no_grey_to_compare(classes_in):
    with pytest.raises(LabelError, match="16 bits and values up to 255"):
        classes_in(SHAPE.astype(np.uint16) * 255, name="mask.tif", threshold=128)


COLOURS = {"background": [0, 0, 0], "red": [200, 0, 0], "blue": [0, 0, 200]}


@given(st.permutations(range(3)))
def test_a_palette_is_looked_up_where_the_classes_have_colours(order):
    wanted = np.array([[0, 1, 2, 2, 1]])
    colours = [list(COLOURS.values())[index] for index in order]
    stored = np.argsort(order)[wanted]
    labels = parse_classes(COLOURS, None, "dataset.yaml").labels
    path = png(palette_of(stored, colours))
    with Image.open(path) as picture:
        from unetseg.data.images.read import _mask

        assert np.array_equal(labels.to_classes(_mask(path.getvalue(), picture)), wanted)


def test_a_palette_colour_of_no_class_is_named(classes_in):
    picture = palette_of([[0, 1]], [(0, 0, 0), (7, 8, 9)])
    with pytest.raises(LabelError, match=r"colours \[7, 8, 9\] \(1 px\) belong to no class \(known colours"):
        classes_in(picture, COLOURS)


def test_grey_labels_in_a_palette_that_a_program_made_keep_their_values(classes_in):
    entries = {"background": 0, "a": 1, "b": 2}
    shuffled = palette_of([[2, 0, 1]], [(1, 1, 1), (2, 2, 2), (0, 0, 0)])
    assert classes_in(shuffled, entries).tolist() == [[0, 1, 2]]
    void = palette_of([[0, 1, 2]], [(0, 0, 0), (1, 1, 1), (255, 255, 255)])
    assert classes_in(void, ("background", "a"), ignore=255).tolist() == [[0, 1, 255]]


def test_a_palette_for_display_leaves_the_indices_their_meaning(classes_in):
    picture = palette_of([[0, 1, 2]], [(255, 255, 255), (127, 127, 127), (0, 0, 0)])
    assert classes_in(picture, ("background", "a", "b")).tolist() == [[0, 1, 2]]


ALPHA = np.where(SHAPE > 0, 255, 0).astype(np.uint8)
WHITE = np.full_like(SHAPE, 255)


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(np.dstack([WHITE, WHITE, WHITE, ALPHA])),
        Image.fromarray(np.dstack([WHITE, ALPHA]), "LA"),
        Image.fromarray(np.dstack([SHAPE * 0, SHAPE * 0, SHAPE * 0, ALPHA])),
    ],
    ids=["white RGBA", "white LA", "black RGBA"],
)
@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
def test_a_shape_that_lies_in_alpha_is_told(classes_in, picture, name):
    with pytest.raises(ImageError, match=r"same colour everywhere, its shape is in the alpha channel"):
        classes_in(picture, name=name)


def test_a_palette_whose_entries_differ_in_alpha_alone_is_told(tmp_path):
    picture = palette_of(SHAPE, [(255, 255, 255), (255, 255, 255)])
    picture.save(tmp_path / "a.png", transparency=b"\0\xff")
    with pytest.raises(ImageError, match="alpha channel"):
        read_mask(tmp_path / "a.png")


def test_alpha_beside_a_shape_in_the_colours_is_of_no_matter(classes_in):
    white = SHAPE * np.uint8(255)
    assert np.array_equal(classes_in(Image.fromarray(np.dstack([white, white, white, ALPHA]))), SHAPE)
    opaque = Image.fromarray(np.dstack([WHITE, WHITE, WHITE, WHITE]))
    assert classes_in(opaque).all()


@pytest.mark.parametrize("extra", ["0", "rest"])
def test_numbers_that_were_read_as_a_colour_are_named_as_that(classes_in, extra):
    entries = {"background": 0 if extra == "0" else "rest", "pet": [2, 3, 4]}
    with pytest.raises(LabelError, match=r"\[2, 3, 4\].* is read as a colour; write \{values: \[2, 3, 4\]\}"):
        classes_in(np.array([[0, 3]], np.uint8), entries)


def test_a_list_of_classes_whose_labels_begin_at_1_is_told_so(classes_in):
    with pytest.raises(LabelError, match="do the labels begin at 1"):
        classes_in(np.array([[1, 2, 3]], np.uint8), ("background", "a", "b"))


# --- classes that nobody gave ----------------------------------------------------------------------


@pytest.fixture
def folder_of(tmp_path):
    """A folder with one image a mask; masks are arrays or pictures."""

    def make(masks, yaml=None, ending=".png"):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
        for number, mask in enumerate(masks):
            picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
            Image.new("RGB", picture.size).save(tmp_path / f"images/{number}.png")
            if ending == ".tif":
                tifffile.imwrite(tmp_path / f"masks/{number}.tif", mask)
            else:
                picture.save(tmp_path / f"masks/{number}{ending}")
        if yaml:
            (tmp_path / "dataset.yaml").write_text(yaml)
        return tmp_path

    return make


def instances(generator, count=9):
    mask = np.zeros((40, 40), np.uint16)
    for number, place in enumerate(generator.permutation(25)[:count], start=1):
        row, column = divmod(int(place), 5)
        mask[8 * row : 8 * row + 6, 8 * column : 8 * column + 7] = number
    return mask


@pytest.mark.parametrize("count", [5, 9, 20])
def test_numbered_instances_are_recognised(folder_of, count):
    generator = np.random.default_rng(count)
    folder = folder_of([instances(generator, count) for _ in range(4)], ending=".tif")
    with pytest.raises(UnetsegError, match=r"one connected object.*\{values: \[rest\]\}"):
        open_folder(folder)


def test_the_entry_that_is_printed_for_instances_is_understood(folder_of):
    generator = np.random.default_rng(0)
    masks = [instances(generator) for _ in range(4)]
    yaml = "classes: {background: 0, object: {values: [rest]}}"
    dataset = open_folder(folder_of(masks, yaml, ".tif"))
    for samples in dataset.splits.values():
        for sample in samples:
            assert np.array_equal(dataset.mask(sample), masks[int(sample.name)] > 0)


def test_classes_that_lie_in_several_pieces_are_no_instances(folder_of):
    generator = np.random.default_rng(1)
    masks = [generator.integers(0, 7, (12, 12), np.uint8).repeat(3, axis=0) for _ in range(4)]
    assert len(open_folder(folder_of(masks)).classes) == 7


def soft(generator, peak, blur):
    import cv2

    mask = np.zeros((48, 64), np.float32)
    x, y = (int(value) for value in generator.integers(14, 34, 2))
    cv2.circle(mask, (x, y), 10, float(peak), -1)
    return cv2.GaussianBlur(mask, (0, 0), blur).astype(np.uint8)


@pytest.mark.parametrize("peak", [200, 255])
@pytest.mark.parametrize("blur", [0.8, 2, 5])
def test_soft_masks_are_recognised(folder_of, peak, blur):
    generator = np.random.default_rng(0)
    folder = folder_of([soft(generator, peak, blur) for _ in range(8)])
    with pytest.raises(UnetsegError, match=r"grey values that run into each other.*threshold: 128"):
        open_folder(folder)


@pytest.mark.parametrize("count", [30, 151])
def test_many_classes_with_void_255_are_told_of_ignore(folder_of, count):
    generator = np.random.default_rng(0)
    masks = [generator.integers(0, count, (40, 40), np.uint8) for _ in range(4)]
    for mask in masks:
        mask[:3] = 255
    folder = folder_of(masks)
    with pytest.raises(UnetsegError, match="'ignore: 255' if 255 marks pixels to leave out"):
        open_folder(folder)
    (folder / "dataset.yaml").write_text("ignore: 255")
    assert len(open_folder(folder).classes) == count


def test_labels_that_begin_at_1_are_recognised_and_the_entry_to_write_is_printed(folder_of):
    folder = folder_of([np.array([[1, 2, 3]], np.uint8)] * 3)
    with pytest.raises(UnetsegError, match=r"begin at 1 .*classes: (\{.*\})' into") as raised:
        open_folder(folder)
    entry = str(raised.value).split("'")[1]
    (folder / "dataset.yaml").write_text(entry)
    dataset = open_folder(folder)
    assert dataset.mask(dataset.splits["train"][0]).tolist() == [[0, 1, 2]]


def test_where_no_mask_can_be_read_the_reason_is_given(folder_of):
    folder = folder_of([np.ones((4, 4), np.float32)] * 3, ending=".tif")
    with pytest.raises(UnetsegError, match=r"no mask could be read: .*0\.tif: holds floating-point values"):
        open_folder(folder)


def test_black_and_white_decide_wherever_the_palette_holds_them(folder_of):
    colours = [(255, 255, 255), (200, 0, 0), (0, 0, 0)]  # the second is used nowhere
    masks = [palette_of(2 * (1 - SHAPE), colours) for _ in range(4)]
    masks.append(palette_of(np.full(SHAPE.shape, 2), colours))  # no object at all
    dataset = open_folder(folder_of(masks))
    assert dataset.classes == ("background", "foreground")
    found = {s.name: dataset.mask(s) for samples in dataset.splits.values() for s in samples}
    assert all(np.array_equal(found[name], SHAPE * (name != "4")) for name in found)


def test_white_that_means_two_things_in_two_files_is_refused(folder_of):
    colours = [(255, 255, 255), (200, 0, 0), (0, 0, 0)]
    masks = [palette_of(SHAPE, colours) for _ in range(3)] + [palette_of(2 * (1 - SHAPE), colours)]
    dataset = open_folder(folder_of(masks, "classes: [background, object]"))
    messages = [each.message for each in check_dataset(dataset)]
    assert any(
        "white is class" in message and "give the classes their colours" in message for message in messages
    )


def few_instances(counts, first=lambda image: 1):
    """A mask an image with so many rectangles, numbered from ``first``."""
    masks = []
    for image, count in enumerate(counts):
        mask = np.zeros((24, 40), np.uint8)
        for number in range(count):
            mask[4 + number : 14, 10 * number + 1 : 10 * number + 7] = first(image) + number
        masks.append(mask)
    return masks


def test_a_few_numbered_objects_an_image_are_told(folder_of):
    folder = folder_of(few_instances([1, 2, 3, 2, 1, 3]))
    with pytest.warns(UserWarning, match=r"one connected object.*instances\?.*\{values: \[rest\]\}"):
        assert len(open_folder(folder).classes) == 4


def test_objects_numbered_through_the_whole_set_are_told(folder_of):
    folder = folder_of(few_instances([2, 2, 2, 2], first=lambda image: 2 * image + 1))
    with pytest.warns(UserWarning, match=r"one connected object"):
        open_folder(folder)


@pytest.mark.parametrize(
    "masks",
    [
        few_instances([2, 2, 2, 2]),
        few_instances([1, 1, 1, 1], first=lambda image: 1 + image % 3),
        [
            np.pad(np.full((6 + n % 2, 9), 1 + n % 2, np.uint8), 1 + n % 2, constant_values=1)
            for n in range(4)
        ],
    ],
    ids=["as many everywhere", "one class an image", "one inside of the other"],
)
def test_classes_that_are_each_one_region_are_no_instances(folder_of, masks, recwarn):
    masks = [np.pad(mask, 3) for mask in masks]
    open_folder(folder_of(masks))
    assert not recwarn.list


def test_masks_that_interpolation_brought_to_another_size_are_told_so(folder_of):
    generator = np.random.default_rng(0)
    folder = folder_of([soft(generator, 255, 0.8) for _ in range(4)])
    for image in (folder / "images").iterdir():
        Image.new("RGB", (128, 96)).save(image)
    with pytest.raises(UnetsegError, match=r"\.png is 64x48 pixels, its image 128x96.*nearest neighbour"):
        open_folder(folder)


def test_grey_whose_0_is_white_is_read_as_it_looks(tmp_path):
    path = tmp_path / "mask.tif"
    tifffile.imwrite(path, (255 * (1 - SHAPE)).astype(np.uint8), photometric="miniswhite")
    labels = parse_classes(["background", "object"], None, "dataset.yaml").labels
    assert np.array_equal(labels.to_classes(read_mask(path)), SHAPE)


def test_a_palette_of_about_black_and_white_is_read_as_it_looks(classes_in):
    picture = palette_of(1 - SHAPE, [(253, 254, 253), (2, 1, 1)])
    assert np.array_equal(classes_in(picture), SHAPE)
