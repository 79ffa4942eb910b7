"""Pictures for the page: photographs, and each arm's right and wrong pixels as layers over them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unetseg.report.gallery.error_map import (
    CONFUSED,
    EXTRA,
    MISSED,
    RIGHT,
    UNCOUNTED,
    Box,
    Mask,
    boundary_of,
    error_kinds,
    is_error,
    worst_window,
)
from unetseg.report.gallery.layers import layer_uri, photo_uri
from unetseg.utilities.text import printable

GROUND_TRUTH = "reference mask"
# Limits that keep a page of any study below 15 MB, which mail takes and a telephone opens.
MOST_PICTURES = 60
MOST_BYTES = 12_000_000
# Every arm predicts every picture, so that many arms get fewer: side by side a few are enough.
MOST_MASKS = 160
_FEWEST_PICTURES = 8
SIDE = 512
# The window round the worst boundary: a third of the image, but few enough pixels to see each of them.
_LARGEST_WINDOW = 96

LEGEND = {
    RIGHT: "right",
    MISSED: "missed",
    EXTRA: "extra",
    CONFUSED: "wrong class",
    UNCOUNTED: "not counted",
}


@dataclass(frozen=True)
class Case:
    """One image and what each arm made of it.

    Attributes:
        name: of the image.
        photo: H×W×3 RGB, or None where only masks are known.
        ground_truth: H×W class indices, 255 where not counted.
        predictions: one H×W a mask of each arm.
        scores: for each arm, one text a score.
        valid: H×W bool, the field of view.
    """

    name: str
    photo: NDArray[np.uint8] | None
    ground_truth: Mask
    predictions: Sequence[Mask]
    scores: Sequence[Sequence[str]]
    valid: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class View:
    """A photograph and its layers, as data URIs: the ground-truth mask, then each arm."""

    photo: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """One image, whole and at its worst boundary; ``box`` is where that lies, in shares of the image."""

    name: str
    width: int
    height: int
    whole: View
    zoom: View
    box: tuple[float, float, float, float]
    scores: tuple[tuple[str, ...], ...]

    @property
    def bytes(self) -> int:
        """Length of all data URIs."""
        views = (self.whole, self.zoom)
        return sum(len(view.photo) + sum(map(len, view.layers)) for view in views)


@dataclass(frozen=True)
class Gallery:
    """Pictures with a slider that wipes between two arms.

    Attributes:
        arms: their names, after ``REFERENCE``.
        score_names: headings of each picture's scores.
        pictures: in the order in which they are shown.
        legend: what each colour and pattern means, with a swatch.
        order: what the order of the pictures is, for a heading.
    """

    kind: ClassVar[str] = "gallery"
    arms: tuple[str, ...]
    score_names: tuple[str, ...]
    pictures: tuple[Picture, ...]
    legend: tuple[tuple[str, str], ...]
    order: str

    @property
    def positions(self) -> dict[str, int]:
        """Where each image's picture stands, by name."""
        return {picture.name: index for index, picture in enumerate(self.pictures)}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for the page's script."""
        return {
            "arms": [GROUND_TRUTH, *map(printable, self.arms)],
            "scores": list(self.score_names),
            "pictures": [asdict(each) | {"name": printable(each.name)} for each in self.pictures],
        }


def most_pictures(arms: int) -> int:
    """Return how many images to draw at most, of each of which so many arms have a mask."""
    return max(_FEWEST_PICTURES, min(MOST_PICTURES, MOST_MASKS // arms))


def make_gallery(
    cases: Iterable[Case], arms: Sequence[str], score_names: Sequence[str], order: str
) -> Gallery:
    """Draw cases, in their order, until there are ``MOST_PICTURES`` or ``MOST_BYTES`` of them.

    Args:
        cases: drawn one at a time.
        arms: names, in the order of each case's predictions.
        score_names: headings of each case's scores.
        order: of the cases, in words.
    """
    pictures: list[Picture] = []
    seen: set[int] = set()
    size = 0
    for case in cases:
        kinds = [error_kinds(mask, case.ground_truth, case.valid) for mask in case.predictions]
        picture = _draw(case, kinds)
        size += picture.bytes
        if size > MOST_BYTES and pictures:
            break
        pictures.append(picture)
        for each in kinds:
            seen.update(np.unique(each).tolist())
        if len(pictures) == MOST_PICTURES:
            break
    legend = tuple((text, _swatch(kind)) for kind, text in LEGEND.items() if kind in seen)
    return Gallery(tuple(arms), tuple(score_names), tuple(pictures), legend, order)


def _draw(case: Case, kinds: Sequence[Mask]) -> Picture:
    height, width = case.ground_truth.shape
    truth = error_kinds(
        np.where(case.ground_truth == 255, 0, case.ground_truth), case.ground_truth, case.valid
    )
    left, top, columns, rows = box = _worst_boundary(case.ground_truth, kinds)
    layers = [truth, *kinds]
    return Picture(
        name=case.name,
        width=width,
        height=height,
        whole=_view(case.photo, layers, (0, 0, width, height)),
        zoom=_view(case.photo, layers, box),
        box=(left / width, top / height, columns / width, rows / height),
        scores=tuple(tuple(scores) for scores in case.scores),
    )


def _worst_boundary(ground_truth: Mask, kinds: Sequence[Mask]) -> Box:
    """Return the window with the most wrong pixels at the outline, of whichever arm has most there."""
    side = min(_LARGEST_WINDOW, max(1, max(ground_truth.shape) // 3))
    boundary = boundary_of(ground_truth)
    found = []
    for each in kinds:
        errors = is_error(each)
        errors = errors & boundary if (errors & boundary).any() else errors
        left, top, columns, rows = box = worst_window(errors, side)
        found.append((int(errors[top : top + rows, left : left + columns].sum()), box))
    return max(found)[1]


def _view(photo: NDArray[np.uint8] | None, layers: Sequence[Mask], box: Box) -> View:
    left, top, columns, rows = box
    window = np.s_[top : top + rows, left : left + columns]
    return View(
        "" if photo is None else photo_uri(np.ascontiguousarray(photo[window]), SIDE),
        tuple(layer_uri(np.ascontiguousarray(layer[window]), SIDE) for layer in layers),
    )


def _swatch(kind: int) -> str:
    return layer_uri(np.full((2, 2), kind, np.uint8), 24)
