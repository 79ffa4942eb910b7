"""A contact sheet: some samples of every split with their masks, to see what a dataset holds."""

from collections.abc import Collection, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unetseg.data.datasets.labels import IGNORED, Colour
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.data.images.overlay import draw_overlay, fitted
from unetseg.utilities.text import printable

SIDE = 160  # pixels of a panel; a sample has two, the image and its mask over it
COLUMNS = 4  # samples a row
PER_SPLIT = 8
UNCOUNTED = (128, 128, 128)
BROKEN = (200, 60, 60)

_GAP, _MARGIN, _CAPTION, _HEADING = 2, 8, 16, 26
_PAIR = 2 * SIDE + _GAP + _MARGIN
_PAPER, _INK = (255, 255, 255), (20, 20, 20)


def draw_contact_sheet(dataset: SegmentationSet, faulty: Collection[str] = ()) -> np.ndarray:
    """Draw up to ``PER_SPLIT`` samples of each split: those in ``faulty`` first, then some at even steps.

    Foreground is tinted and outlined in its class's colour, pixels that do not count are grey, and a file
    that cannot be read is an empty red panel.

    Args:
        dataset: any dataset.
        faulty: names of samples to show first, in a red frame.

    Returns:
        H×W×3 uint8 RGB.
    """
    width = COLUMNS * _PAIR + _MARGIN
    blocks = [_legend(dataset, width)]
    for split, samples in dataset.splits.items():
        shown = choose(samples, faulty)
        blocks.append(_heading(f"{split}: {len(shown)} of {len(samples)} images", width))
        blocks += [
            _row(dataset, shown[start : start + COLUMNS], faulty, width)
            for start in range(0, len(shown), COLUMNS)
        ]
    return np.concatenate([np.asarray(block) for block in blocks])


def choose(samples: Sequence[Sample], faulty: Collection[str]) -> list[Sample]:
    """Return up to ``PER_SPLIT`` samples: the faulty ones, then the others at even steps."""
    first = [sample for sample in samples if sample.name in faulty][:PER_SPLIT]
    others = [sample for sample in samples if sample.name not in faulty]
    count = min(PER_SPLIT - len(first), len(others))
    return first + [others[index * len(others) // count] for index in range(count)]


def _row(
    dataset: SegmentationSet, samples: Sequence[Sample], faulty: Collection[str], width: int
) -> Image.Image:
    row = Image.new("RGB", (width, SIDE + _CAPTION + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(row)
    for column, sample in enumerate(samples):
        left = _MARGIN + column * _PAIR
        for place, panel in enumerate(_panels(dataset, sample)):
            row.paste(panel, (left + place * (SIDE + _GAP), 0))
        if sample.name in faulty:
            draw.rectangle((left, 0, left + _PAIR - _MARGIN - 1, SIDE - 1), outline=BROKEN, width=3)
        draw.text((left, SIDE + 1), printable(sample.name)[-44:], _INK, ImageFont.load_default(11))
    return row


def _panels(dataset: SegmentationSet, sample: Sample) -> tuple[Image.Image, Image.Image]:
    """Return the image, and the image under its mask; red where one cannot be read or they do not fit."""
    empty = Image.new("RGB", (SIDE, SIDE), BROKEN)
    try:
        image = dataset.shown(sample)
    except Exception:  # of any kind: the sheet is drawn of damaged sets too, and the check says what is wrong
        return empty, empty
    plain = _panel(image)
    try:
        return plain, _panel(_with_mask(dataset, sample, image))
    except Exception:
        return plain, empty


def _with_mask(dataset: SegmentationSet, sample: Sample, image: np.ndarray) -> np.ndarray:
    mask, valid = dataset.mask(sample), dataset.valid(sample)
    uncounted = mask == IGNORED if valid is None else (mask == IGNORED) | ~valid
    drawn = draw_overlay(image, mask, dataset.colours)
    drawn[uncounted] = (0.3 * drawn[uncounted] + 0.7 * np.array(UNCOUNTED)).astype(np.uint8)
    return drawn


def _panel(image: np.ndarray) -> Image.Image:
    """Return the image brought to the panel's side, in its middle."""
    width, height = fitted(image.shape[1], image.shape[0], SIDE)
    shrinks = max(image.shape[:2]) > SIDE
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
    panel = Image.new("RGB", (SIDE, SIDE), _PAPER)
    panel.paste(Image.fromarray(small), ((SIDE - width) // 2, (SIDE - height) // 2))
    return panel


def _legend(dataset: SegmentationSet, width: int) -> Image.Image:
    names = [*dataset.classes[1:], "not counted"]
    colours = [*dataset.colours[1:], UNCOUNTED]
    font = ImageFont.load_default(13)
    rows: list[list[tuple[int, str, Colour]]] = [[]]
    left = _MARGIN
    for name, colour in zip(names, colours, strict=True):
        needed = 24 + int(font.getlength(name)) + 2 * _MARGIN
        if left + needed > width:
            rows.append([])
            left = _MARGIN
        rows[-1].append((left, name, colour))
        left += needed
    legend = Image.new("RGB", (width, _HEADING * (len(rows) + 1)), _PAPER)
    draw = ImageDraw.Draw(legend)
    draw.text((_MARGIN, 5), dataset.name, _INK, ImageFont.load_default(16))
    for number, row in enumerate(rows, start=1):
        for left, name, colour in row:
            top = number * _HEADING + 4
            draw.rectangle((left, top, left + 16, top + 16), fill=colour, outline=_INK)
            draw.text((left + 22, top), name, _INK, font)
    return legend


def _heading(text: str, width: int) -> Image.Image:
    heading = Image.new("RGB", (width, _HEADING), _PAPER)
    ImageDraw.Draw(heading).text((_MARGIN, 6), text, _INK, ImageFont.load_default(14))
    return heading
