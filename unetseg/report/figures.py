"""The page's figures, from plain numbers. Each is as wide as a phone and says in its label what it shows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from unetseg.report.html.svg import (
    BAND,
    BETTER,
    EQUIVALENT,
    FAINT,
    GRID,
    INK,
    PAPER,
    WIDTH,
    WORSE,
    Attributes,
    drawing,
    margins,
    to_svg,
)

# Verdicts differ in shape as well as in colour.
MARKERS = {
    "better": ("^", BETTER, BETTER),
    "worse": ("v", WORSE, WORSE),
    "equivalent": ("s", EQUIVALENT, EQUIVALENT),
    "undecided": ("o", INK, PAPER),
    "for these nets only": ("d", INK, PAPER),
    "not decidable": ("x", INK, INK),
}
_SHADES = (WORSE, EQUIVALENT, BETTER, INK)
_SIGNS = ("o", "s", "^", "D")
# CSS pixels: of a line of text, of what is drawn below it, of the axis, of a point in its swarm, of a digit.
_TEXT = 15
_FOREST = 20
_SWARM = 46
_AXIS = 44
_POINT = 7
_CHARACTER = 7
_CHARACTERS = 46  # that fit into a line


@dataclass(frozen=True)
class Interval:
    """A difference with its interval and verdict: one line of a forest plot."""

    label: str
    mean: float
    low: float
    high: float
    verdict: str
    text: str


@dataclass(frozen=True)
class Points:
    """One value an image, and what the page knows of each point."""

    label: str
    values: NDArray[np.float64]
    attributes: Sequence[Attributes]
    text: str = ""


@dataclass(frozen=True)
class Curve:
    """A run's training: epochs against training loss and validation IoU."""

    epochs: Sequence[float]
    loss: Sequence[float]
    iou: Sequence[float]


@dataclass(frozen=True)
class Line:
    """Values at some places, with a name."""

    label: str
    places: Sequence[float]
    values: Sequence[float]


def forest(rows: Sequence[Interval], axis: str, label: str, name: str, margin: float | None = None) -> Markup:
    """Draw differences with their intervals about the line of no difference; one without has no line.

    Args:
        rows: from top to bottom.
        axis: what the x axis shows.
        label: for screen readers.
        name: unique on the page.
        margin: within which a difference counts as none; drawn as a band.
    """
    with _rows([(row.label, row.text) for row in rows], _FOREST, axis, name) as (figure, axes, lines):
        if margin is not None:
            axes.axvspan(-margin, margin, color=BAND, linewidth=0)
        axes.axvline(0, color=FAINT, linewidth=1)
        finite = [value for row in rows for value in (row.low, row.high) if np.isfinite(value)]
        _limits(axes, [*finite, *(row.mean for row in rows), 0.0])
        for line, row in zip(lines, rows, strict=True):
            marker, edge, face = MARKERS[row.verdict]
            if np.isfinite([row.low, row.high]).all():
                axes.plot([row.low, row.high], [line, line], color=edge, linewidth=2, solid_capstyle="butt")
            axes.plot(row.mean, line, marker, color=edge, markerfacecolor=face, markersize=8)
        return to_svg(figure, label)


def points(rows: Sequence[Points], axis: str, label: str, name: str, zero: bool = True) -> Markup:
    """Draw one point an image in each row, and each row's mean as an upright line.

    Points with attributes stand alone, for the page to make them answer; the others are one picture.

    Args:
        rows: from top to bottom.
        axis: what the x axis shows.
        label: for screen readers.
        name: unique on the page.
        zero: mark the line of no difference.
    """
    with _rows([(row.label, row.text) for row in rows], _SWARM, axis, name) as (figure, axes, lines):
        if zero:
            axes.axvline(0, color=FAINT, linewidth=1)
        every = np.concatenate([row.values[np.isfinite(row.values)] for row in rows])
        limits = _limits(axes, [*every, *([0.0] * zero)])
        given = {}
        for line, row in zip(lines, rows, strict=True):
            values, defined = row.values, np.isfinite(row.values)
            heights = line + _swarm(values, *limits)
            answering = np.array([bool(each) for each in row.attributes]) & defined
            quiet = ~answering & defined
            axes.scatter(values[quiet], heights[quiet], s=9, color=FAINT, rasterized=quiet.sum() > 300)
            gid = f"row-{line}"
            axes.scatter(values[answering], heights[answering], s=22, color=INK, alpha=0.55, gid=gid)
            given[gid] = [row.attributes[index] for index in np.flatnonzero(answering).tolist()]
            if defined.any():
                mean = float(np.nanmean(values))
                axes.plot([mean, mean], [line - _SWARM / 2 + 3, line + _SWARM / 2], color=WORSE, linewidth=2)
        return to_svg(figure, label, {gid: found for gid, found in given.items() if found})


def lines(series: Sequence[Line], axis: str, label: str, name: str) -> Markup:
    """Draw lines from zero upwards, each named at its right end, in shades from faint to strong.

    Args:
        series: of positive values, all at the same places.
        axis: what the x axis shows.
        label: for screen readers.
        name: unique on the page.
    """
    with drawing(230, name) as figure:
        axes = figure.subplots()
        margins(figure, 40, 40, 84, 8)
        places = series[0].places
        for index, line in enumerate(series):
            colour, marker = _SHADES[index % len(_SHADES)], _SIGNS[index % len(_SIGNS)]
            axes.plot(line.places, line.values, marker, linestyle="-", color=colour, markersize=5)
        highest = max(max(line.values) for line in series)
        axes.set(xlabel=axis, ylim=(0, 1.05 * highest), xlim=(places[0] - 0.5, places[-1] + 0.5))
        ends = _apart([line.values[-1] for line in series], 0.085 * highest)
        for index, (line, end) in enumerate(zip(series, ends, strict=True)):
            sign = {"o": "●", "s": "■", "^": "▲", "D": "◆"}[_SIGNS[index % len(_SIGNS)]]
            axes.text(places[-1] + 1, end, f"{sign} {line.label}", va="center", clip_on=False)
        axes.set_xticks([place for place in places if place != 4])
        axes.grid(axis="y", linewidth=1)
        return to_svg(figure, label)


def _apart(values: Sequence[float], least: float) -> list[float]:
    """Move values up until neighbours are at least so far apart, keeping their order."""
    moved = list(values)
    for index in sorted(range(len(values)), key=values.__getitem__)[1:]:
        lower = max(moved[other] for other in range(len(values)) if values[other] < values[index])
        moved[index] = max(moved[index], lower + least)
    return moved


def curves(
    runs: Sequence[Curve], behind: Sequence[Curve], limits: tuple[float, float], label: str, name: str
) -> Markup:
    """Draw validation IoU and training loss against the epoch, one line a run.

    Args:
        runs: of one arm.
        behind: runs of the baseline, drawn faint and dashed.
        limits: the highest IoU and the highest loss that the axes show.
        label: for screen readers.
        name: unique on the page.
    """
    with drawing(170, name) as figure:
        panels = figure.subplots(1, 2, gridspec_kw={"wspace": 0.35})
        margins(figure, 28, 36, 6, 20)
        for axes, kind, title, highest in zip(
            panels, ("iou", "loss"), ("validation IoU", "training loss"), limits, strict=True
        ):
            for curve in behind:
                axes.plot(*_known(curve.epochs, getattr(curve, kind)), "--", color=FAINT, linewidth=1)
            for curve in runs:
                axes.plot(*_known(curve.epochs, getattr(curve, kind)), color=BETTER, linewidth=1.5)
            axes.set(xlabel="epoch", ylim=(0, highest))
            axes.set_title(title, fontsize=11, loc="left")
            axes.xaxis.get_major_locator().set_params(integer=True, nbins=4)
            axes.grid(axis="y", linewidth=1)
        return to_svg(figure, label)


def _known(epochs: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Leave out the epochs without a value, such as those after which nothing was validated."""
    pairs = [(epoch, value) for epoch, value in zip(epochs, values, strict=True) if np.isfinite(value)]
    return [epoch for epoch, _ in pairs], [value for _, value in pairs]


@contextmanager
def _rows(
    texts: Sequence[tuple[str, str]], room: float, axis: str, name: str
) -> Iterator[tuple[Any, Any, list[float]]]:
    """Yield a figure of rows, its axes, and the height of each row's line; heights are CSS pixels downwards.

    Args:
        texts: of each row, what stands above it to the left and to the right.
        room: below its texts.
        axis: what the x axis shows.
        name: unique on the page.
    """
    stacked = any(len(left) + len(right) > _CHARACTERS for left, right in texts)
    above = _TEXT * (1 + stacked)
    row = above + room
    with drawing(row * len(texts) + _AXIS, name) as figure:
        axes = figure.subplots()
        margins(figure, 3, _AXIS - 4, 3, 2)
        axes.set(xlabel=axis, ylim=(row * len(texts) + 3, 0), yticks=[])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=GRID, linewidth=1)
        axes.set_axisbelow(True)
        axes.tick_params(axis="x", length=0)
        place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "bottom", "zorder": 3}
        place["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}
        for index, (left, right) in enumerate(texts):
            axes.text(0, row * index + _TEXT, _short(left, _CHARACTERS), weight="bold", **place)
            if right and stacked:
                axes.text(0, row * index + above, right, **place)
            elif right:
                axes.text(1, row * index + above, right, ha="right", **place)
        yield figure, axes, [row * index + above + room / 2 for index in range(len(texts))]


def _limits(axes: Any, values: Sequence[float]) -> tuple[float, float]:
    """Show all of ``values`` and a little more; return the ends."""
    low, high = min(values), max(values)
    space = 0.06 * (high - low) or 0.01
    axes.set_xlim(low - space, high + space)
    axes.xaxis.get_major_locator().set_params(nbins=5)
    axes.set_xticks(_readable(axes, low - space, high + space))
    return low - space, high + space


def _readable(axes: Any, low: float, high: float) -> list[float]:
    """Return the places of those numbers of an axis that touch neither each other nor another figure's."""
    ticks = [float(tick) for tick in axes.get_xticks() if low <= tick <= high]
    kept = []
    end = 0.0
    for tick, text in zip(ticks, axes.xaxis.get_major_formatter().format_ticks(ticks), strict=True):
        middle, half = (tick - low) / (high - low) * WIDTH, _CHARACTER * len(text) / 2
        if middle - half >= end and middle + half <= WIDTH:
            kept.append(tick)
            end = middle + half + _CHARACTER
    return kept


def _swarm(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """Return how far each point moves off its row's line so that neighbours do not hide each other."""
    columns = np.full(values.shape, -1)
    finite = np.isfinite(values)
    columns[finite] = (values[finite] - low) / (high - low) * (WIDTH / _POINT)
    ranks = np.zeros(values.shape)
    for column in np.unique(columns[finite]):
        members = np.flatnonzero(columns == column)
        ranks[members] = np.arange(members.size)
    moves = np.where(ranks % 2, 1, -1) * np.ceil(ranks / 2)
    step = min(_POINT, (_SWARM / 2 - 5) / max(1.0, np.abs(moves).max(initial=0)))
    scaled: NDArray[np.float64] = moves * step
    return scaled


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
