import io

import numpy as np
import pytest
from PIL import Image

from unetseg.data.datasets.check import check_dataset, inspect_dataset, require_sound
from unetseg.data.datasets.class_entries import parse_classes
from unetseg.data.datasets.image_folder import open_folder
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UnetsegError


@pytest.fixture
def folder(tmp_path):
    """Six images with masks 0/255, two a split."""
    generator = np.random.default_rng(0)
    for name, split in zip("abcdef", ("train", "train", "val", "val", "test", "test"), strict=True):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (24, 40, 3), np.uint8)).save(
            tmp_path / f"images/{name}.jpg"
        )
        mask = np.zeros((24, 40), np.uint8)
        mask[:6] = 255
        Image.fromarray(mask).save(tmp_path / f"masks/{name}.png")
        with open(tmp_path / f"{split}.txt", "a") as stream:
            stream.write(f"{name}\n")
    (tmp_path / "dataset.yaml").write_text("classes: [background, cell]\n")
    return tmp_path


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def redraw(path, array, **options):
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **options)


def as_jpeg(path):
    buffer = io.BytesIO()
    Image.open(path).convert("L").save(buffer, "JPEG")
    path.write_bytes(buffer.getvalue())


def turn(path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).save(path, exif=exif)


DAMAGES = {
    "image cut in half": ("images/b.jpg", halve, "b"),
    "mask cut in half": ("masks/b.png", halve, "b"),
    "empty file": ("images/b.jpg", lambda path: path.write_bytes(b""), "b"),
    "text called .png": ("masks/b.png", lambda path: path.write_text("hello"), "b"),
    "another size": (
        "masks/b.png",
        lambda path: redraw(path, np.zeros((24, 39))),
        "is 39x24 pixels, its image 40x24",
    ),
    "values": ("masks/b.png", lambda path: redraw(path, np.full((24, 40), 7)), r"values 7 \(960 px\)"),
    "both": ("masks/b.png", lambda path: redraw(path, [[1, 255] * 20] * 24), "holds both 1 and 255"),
    "colours": ("masks/b.png", lambda path: redraw(path, np.full((24, 40, 3), (9, 0, 0))), "is in colours"),
    "JPEG mask": ("masks/b.png", as_jpeg, "JPEG"),
    "EXIF rotation": ("images/b.jpg", turn, "EXIF"),
}


@pytest.mark.parametrize(("file", "damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_every_damage_is_found_and_names_its_file(folder, file, damage, message):
    damage(folder / file)
    dataset = open_folder(folder)
    problems = check_dataset(dataset)
    assert [problem.sample for problem in problems] == ["b"]
    expected = "masks/b.png" if message == "EXIF" else file
    assert problems[0].file == folder / expected
    with pytest.raises(UnetsegError, match=message) as raised:
        require_sound(dataset)
    assert str(folder / expected) in str(raised.value) and "\n" not in str(raised.value)


def test_a_sound_set_has_no_problems(folder):
    require_sound(open_folder(folder))
    assert check_dataset(open_folder(folder)) == []


def test_one_bad_file_does_not_hide_the_others(folder):
    halve(folder / "images/a.jpg")
    halve(folder / "masks/f.png")
    dataset = open_folder(folder)
    assert [problem.sample for problem in check_dataset(dataset)] == ["a", "f"]
    with pytest.raises(UnetsegError, match=r"images/a\.jpg.*1 more: 'unetseg data check' lists all"):
        require_sound(dataset)


def test_the_same_picture_in_two_splits_is_found_whatever_its_format(folder):
    Image.open(folder / "images/a.jpg").save(folder / "images/e.png")
    (folder / "images/e.jpg").unlink()
    problems = check_dataset(open_folder(folder))
    assert [problem.sample for problem in problems] == ["e"]
    assert "a.jpg (one in train, one in test)" in problems[0].message


def test_shares_of_the_classes_are_counted_a_split(folder):
    (folder / "dataset.yaml").write_text("classes: {background: 0, cell: 255}\nignore: 9\n")
    mask = np.zeros((24, 40), np.uint8)
    mask[:, :10], mask[:, 10:20] = 255, 9
    Image.fromarray(mask).save(folder / "masks/f.png")
    found = inspect_dataset(open_folder(folder))
    assert found.images == {"train": 2, "val": 2, "test": 2}
    assert found.shares("train").tolist() == [0.75, 0.25, 0]
    assert found.shares("test").tolist() == [0.625, 0.25, 0.125]


def test_a_class_that_no_training_mask_holds_is_named_but_does_not_stop_a_training(folder):
    (folder / "dataset.yaml").write_text("classes: {background: 0, cell: 255, dust: 3}\n")
    dataset = open_folder(folder)
    assert [each.message for each in check_dataset(dataset)] == ["no training mask holds the class(es) dust"]
    require_sound(dataset)


def test_masks_that_hold_nothing_to_learn_stop_a_training(folder):
    (folder / "dataset.yaml").write_text("classes: [background, cell]\nignore: 255\n")
    with pytest.raises(UnetsegError, match="no training mask holds any cell"):
        require_sound(open_folder(folder))


def test_a_mask_with_nothing_but_ignored_pixels_is_named_but_does_not_stop_a_training(folder):
    (folder / "dataset.yaml").write_text("classes: {background: 0, cell: 255}\nignore: 9\n")
    redraw(folder / "masks/c.png", np.full((24, 40), 9))
    dataset = open_folder(folder)
    expected = f"{folder}/masks/c.png: every pixel is ignored, none counts"
    assert [each.message for each in check_dataset(dataset)] == [expected]
    require_sound(dataset)


def test_field_of_view_and_instances_must_have_the_images_size(folder):
    small, other = folder / "small.png", folder / "other.png"
    for path in (small, other):
        redraw(path, np.ones((5, 5)))
    sample = Sample("a", folder / "images/a.jpg", folder / "masks/a.png", small, other)
    labels = open_folder(folder).labels
    dataset = SegmentationSet(
        "x", ("background", "cell"), ((0, 0, 0),) * 2, None, {"train": (sample,)}, labels
    )
    assert [problem.file for problem in check_dataset(dataset)][:2] == [small, other]
    with pytest.raises(UnetsegError, match=r"small\.png: is 5x5 pixels, its image 40x24"):
        require_sound(dataset)


def test_an_empty_split_is_a_problem(folder):
    dataset = open_folder(folder)
    bare = SegmentationSet(
        "x", dataset.classes, dataset.colours, None, dataset.splits | {"val": ()}, dataset.labels
    )
    with pytest.raises(UnetsegError, match="the val split holds no image"):
        require_sound(bare)


def test_progress_counts_samples(folder):
    seen = []
    inspect_dataset(open_folder(folder), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(number, 6) for number in range(1, 7)]


def with_field_of_view(folder, valid):
    redraw(folder / "valid.png", valid)
    sample = Sample("a", folder / "images/a.jpg", folder / "masks/a.png", folder / "valid.png")
    return SegmentationSet("x", ("background", "cell"), ((0, 0, 0),) * 2, None, {"train": (sample,)}, LABELS)


LABELS = parse_classes(["background", "cell"], None, "classes").labels


def test_pixels_outside_the_field_of_view_do_not_count(folder):
    valid = np.full((24, 40), 255)
    valid[:3] = 0
    found = inspect_dataset(with_field_of_view(folder, valid))
    assert found.pixels["train"].tolist() == [18 * 40, 3 * 40, 3 * 40] and found.problems == []


def test_a_field_of_view_that_leaves_nothing_is_named(folder):
    problems = check_dataset(with_field_of_view(folder, np.zeros((24, 40))))
    assert [each.file for each in problems] == [folder / "valid.png", None]
    assert "every pixel is ignored" in problems[0].message


def test_a_file_that_is_mask_and_instances_at_once_is_named_once(folder):
    halve(folder / "masks/a.png")
    sample = Sample("a", folder / "images/a.jpg", folder / "masks/a.png", None, folder / "masks/a.png")
    dataset = SegmentationSet(
        "x", ("background", "cell"), ((0, 0, 0),) * 2, None, {"train": (sample,)}, LABELS
    )
    assert len([each for each in check_dataset(dataset) if each.file]) == 1


def damage_inside(path):
    """Zeros in the middle of the compressed pixels."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 60] + bytes(58) + whole[-2:])


def test_an_image_damaged_inside_is_a_problem_and_a_training_counts_it(folder):
    damage_inside(folder / "images/b.jpg")
    damage_inside(folder / "images/e.jpg")
    problems = check_dataset(open_folder(folder))
    assert [problem.sample for problem in problems] == ["b", "e"]
    for problem in problems:
        assert f"{problem.sample}.jpg: is damaged inside (" in problem.message
        assert problem.message.endswith("; save or copy it again")
    with pytest.warns(UserWarning, match=r"2 image\(s\) are damaged inside .*: b\.jpg, e\.jpg; save") as said:
        require_sound(open_folder(folder))
    assert len(said) == 1
