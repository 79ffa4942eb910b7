"""What a look at a few images says of the shapes in them."""

import cv2
import numpy as np
import pytest

from unetseg.config import RunConfig
from unetseg.data.datasets.check import inspect_dataset
from unetseg.data.datasets.open import open_data
from unetseg.planning.facts import look_at_data


@pytest.fixture
def facts_of(tmp_path):
    """Write images of masks that ``draw`` paints, and look at them."""

    def look(draw, grey=False):
        for number in range(6):
            mask = np.zeros((120, 160), np.uint8)
            draw(mask)
            image = np.repeat(mask[..., None] * np.uint8(150), 3, axis=2)
            image[..., 0] += 0 if grey else 20
            for kind, pixels in (("images", image), ("masks", mask)):
                (tmp_path / kind).mkdir(exist_ok=True)
                cv2.imwrite(str(tmp_path / kind / f"{number}.png"), pixels)
        dataset = open_data(RunConfig(data=str(tmp_path)))
        return look_at_data(dataset, inspect_dataset(dataset))

    return look


def test_lines_have_a_width(facts_of):
    facts = facts_of(lambda mask: cv2.rectangle(mask, (5, 60), (155, 62), 1, -1))
    assert facts.lines and facts.width == pytest.approx(3, abs=0.6)
    assert any("lines, a tenth of them at most" in line for line in facts.told())


def test_blobs_have_a_diameter_and_a_number(facts_of):
    def draw(mask):
        for x in (30, 80, 130):
            cv2.circle(mask, (x, 60), 10, 1, -1)

    facts = facts_of(draw)
    assert not facts.lines and facts.objects == 3
    assert facts.diameter == pytest.approx(20, abs=1)
    assert any("objects 20 pixels across (median), 3 an image" in line for line in facts.told())


def test_sizes_shares_and_values_are_those_of_the_files(facts_of):
    facts = facts_of(lambda mask: cv2.rectangle(mask, (0, 0), (79, 119), 1, -1), grey=True)
    assert (facts.longest, facts.shortest, facts.grey) == (160, 120, True)
    assert facts.shares == {"background": 0.5, "foreground": 0.5}
    assert facts.values == (0, 150) and sum(facts.images.values()) == 6
    assert sum(facts.pixels.values()) == 6 * 120 * 160


def test_the_share_of_crops_with_foreground_counts_every_place(facts_of):
    facts = facts_of(lambda mask: cv2.rectangle(mask, (0, 0), (3, 119), 1, -1))  # a stripe on the left
    places = 160 - 64 + 1
    assert facts.in_crops[64] == pytest.approx(4 / places)
    assert facts.in_crops[256] == 1  # a crop that holds the whole image


def test_an_empty_mask_among_the_others_is_no_object(facts_of):
    calls = iter(range(6))
    facts = facts_of(lambda mask: cv2.circle(mask, (80, 60), 12, 1, -1) if next(calls) % 2 else None)
    assert facts.diameter == pytest.approx(24, abs=1)
