from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unetseg.data.datasets.contact_sheet import (
    BROKEN,
    COLUMNS,
    PER_SPLIT,
    SIDE,
    UNCOUNTED,
    choose,
    draw_contact_sheet,
)
from unetseg.data.datasets.samples import Sample, SegmentationSet

GREEN = (0, 200, 0)


def draw(folder: Path, name: str, image: int = 90) -> Sample:
    """A grey square, its right half foreground, its lowest quarter outside the field of view."""
    mask, valid = np.zeros((SIDE, SIDE), np.uint8), np.full((SIDE, SIDE), 255, np.uint8)
    mask[:, SIDE // 2 :] = 1
    valid[-SIDE // 4 :] = 0
    paths = [folder / f"{name}_{part}.png" for part in ("image", "mask", "valid")]
    for path, pixels in zip(paths, (np.full((SIDE, SIDE), image, np.uint8), mask, valid), strict=True):
        Image.fromarray(pixels).save(path)
    return Sample(name, *paths)


@pytest.fixture
def dataset(tmp_path):
    splits = {
        part: tuple(draw(tmp_path, f"{part}{n}") for n in range(2)) for part in ("train", "val", "test")
    }
    return SegmentationSet("squares", ("background", "half"), ((0, 0, 0), GREEN), None, splits)


def panels(sheet: np.ndarray) -> list[tuple[int, int]]:
    """Return the top left corners of the panels that are not blank, found by their grey image."""
    is_image = (sheet == 90).all(axis=2)
    tops = [row for row in range(len(sheet)) if is_image[row].sum() > SIDE and not is_image[row - 1].any()]
    return [(top, int(np.flatnonzero(is_image[top])[0])) for top in tops]


def test_each_split_has_its_images_and_beside_them_the_tinted_mask(dataset):
    sheet = draw_contact_sheet(dataset)
    corners = panels(sheet)
    assert len(corners) == 3
    for top, left in corners:
        image = sheet[top : top + SIDE, left : left + SIDE]
        overlay = sheet[top : top + SIDE, left + SIDE + 2 :][:, :SIDE]
        assert (image == 90).all()
        assert (overlay[10, 10] == 90).all()
        tinted = overlay[10, SIDE - 10].astype(int)
        assert np.abs(tinted - (0.65 * 90 + 0.35 * np.array(GREEN))).max() <= 1
        assert (overlay[10, SIDE // 2] == GREEN).all()  # the outline
        uncounted = overlay[-10, 10].astype(int)
        assert np.abs(uncounted - (0.3 * 90 + 0.7 * np.array(UNCOUNTED))).max() <= 1


def test_a_file_that_cannot_be_read_is_a_red_panel(dataset):
    broken = dataset.splits["train"][0]
    assert broken.mask is not None
    broken.mask.write_bytes(b"")
    top, left = panels(draw_contact_sheet(dataset))[0]
    sheet = draw_contact_sheet(dataset)
    assert (sheet[top : top + SIDE, left : left + SIDE] == 90).all()
    assert (sheet[top : top + SIDE, left + SIDE + 2 :][:, :SIDE] == BROKEN).all()


def test_a_faulty_sample_comes_first_in_a_red_frame(dataset):
    sheet = draw_contact_sheet(dataset, {"train1"})
    framed = (sheet == BROKEN).all(axis=2)
    assert framed.any() and framed[:, : 2 * SIDE + 20].sum() == framed.sum()


@pytest.mark.parametrize("count", [0, 3, PER_SPLIT, 100])
def test_samples_are_chosen_at_even_steps_and_each_once(count):
    samples = [Sample(str(number), Path(), None) for number in range(count)]
    shown = choose(samples, ())
    assert len(shown) == len({sample.name for sample in shown}) == min(count, PER_SPLIT)
    if count == 100:
        assert np.ptp(np.diff([int(sample.name) for sample in shown])) <= 1


def test_more_faulty_samples_than_there_is_room_for(dataset):
    samples = [Sample(str(number), Path(), None) for number in range(30)]
    faulty = {str(number) for number in range(12)}
    assert [sample.name for sample in choose(samples, faulty)] == [str(number) for number in range(PER_SPLIT)]


def test_many_classes_and_images_of_any_shape_fit(tmp_path):
    Image.fromarray(np.zeros((5, 900, 3), np.uint8)).save(tmp_path / "i.png")
    Image.fromarray(np.zeros((5, 900), np.uint8)).save(tmp_path / "m.png")
    names = tuple(f"a class with a long name {number}" for number in range(40))
    sample = Sample("x" * 200, tmp_path / "i.png", tmp_path / "m.png")
    sheet = draw_contact_sheet(
        SegmentationSet("x", names, ((9, 9, 9),) * 40, 255, {"train": (sample,), "val": ()})
    )
    assert sheet.shape[1] < COLUMNS * (2 * SIDE + 20) and sheet.shape[0] > 300
