"""The page's figures, from plain numbers. Each is as wide as a phone and says in its label what it shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from unetseg.report.svg import (
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
    to_svg,
)

# Verdicts differ in shape as well as in colour.
MARKERS = {
    "better": ("^", BETTER, BETTER),
    "worse": ("v", WORSE, WORSE),
    "equivalent": ("s", EQUIVALENT, EQUIVALENT),
    "undecided": ("o", INK, PAPER),
}
_FOREST_ROW = 36
_POINTS_ROW = 64
_AXIS = 46
_POINT = 7.0  # CSS pixels that a point takes in its swarm


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


def forest(rows: Sequence[Interval], axis: str, label: str, name: str, margin: float | None = None) -> Markup:
    """Draw differences with their intervals about the line of no difference.

    Args:
        rows: from top to bottom.
        axis: what the x axis shows.
        label: for screen readers.
        name: unique on the page.
        margin: within which a difference counts as none; drawn as a band.
    """
    with drawing(_FOREST_ROW * len(rows) + _AXIS, name) as figure:
        axes = _rows_axes(figure, [(row.label, row.text) for row in rows], axis)
        if margin is not None:
            axes.axvspan(-margin, margin, color=BAND, linewidth=0)
        axes.axvline(0, color=FAINT, linewidth=1)
        finite = [value for row in rows for value in (row.low, row.high) if np.isfinite(value)]
        _limits(axes, [*finite, *(row.mean for row in rows), 0.0])
        left, right = axes.get_xlim()
        for line, row in enumerate(rows):
            marker, edge, face = MARKERS[row.verdict]
            ends = np.clip([row.low, row.high], left, right)
            axes.plot(ends, [line, line], color=edge, linewidth=2, solid_capstyle="butt")
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
    with drawing(_POINTS_ROW * len(rows) + _AXIS, name) as figure:
        axes = _rows_axes(figure, [(row.label, row.text) for row in rows], axis)
        if zero:
            axes.axvline(0, color=FAINT, linewidth=1)
        defined = [row.values for row in rows]
        _limits(axes, [*np.concatenate([each[np.isfinite(each)] for each in defined]), *([0.0] * zero)])
        given = {}
        for line, (row, values) in enumerate(zip(rows, defined, strict=True)):
            heights = line + _swarm(values, *axes.get_xlim())
            answering = np.array([bool(each) for each in row.attributes]) & np.isfinite(values)
            quiet = ~answering & np.isfinite(values)
            axes.scatter(values[quiet], heights[quiet], s=9, color=FAINT, rasterized=quiet.sum() > 300)
            axes.scatter(
                values[answering], heights[answering], s=22, color=INK, alpha=0.55, gid=f"row-{line}"
            )
            given[f"row-{line}"] = [row.attributes[index] for index in np.flatnonzero(answering).tolist()]
            if np.isfinite(values).any():
                mean = float(np.nanmean(values))
                axes.plot([mean, mean], [line - 0.32, line + 0.32], color=WORSE, linewidth=2)
        return to_svg(figure, label, {gid: found for gid, found in given.items() if found})


def curves(
    runs: Sequence[Curve], behind: Sequence[Curve], limits: tuple[float, float], label: str, name: str
) -> Markup:
    """Draw validation IoU and training loss against the epoch, one line a run.

    Args:
        runs: of one arm.
        behind: runs of the reference, drawn faint and dashed.
        limits: the highest IoU and the highest loss that the axes show.
        label: for screen readers.
        name: unique on the page.
    """
    with drawing(170, name) as figure:
        panels = figure.subplots(1, 2)
        for axes, kind, title, highest in zip(
            panels, ("iou", "loss"), ("validation IoU", "training loss"), limits, strict=True
        ):
            for curve in behind:
                axes.plot(curve.epochs, getattr(curve, kind), "--", color=FAINT, linewidth=1)
            for curve in runs:
                axes.plot(curve.epochs, getattr(curve, kind), color=BETTER, linewidth=1.5)
            axes.set(xlabel="epoch", ylim=(0, highest))
            axes.set_title(title, fontsize=11, loc="left")
            axes.xaxis.get_major_locator().set_params(integer=True, nbins=4)
            axes.grid(axis="y", linewidth=1)
        return to_svg(figure, label)


def _rows_axes(figure: Any, texts: Iterable[tuple[str, str]], axis: str) -> Any:
    """Return axes with one line a row, its texts above it to the left and to the right."""
    axes = figure.subplots()
    texts = list(texts)
    axes.set(xlabel=axis, ylim=(len(texts) - 0.4, -0.75), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", length=0)
    for line, (left, right) in enumerate(texts):
        place = {"transform": axes.get_yaxis_transform(), "va": "bottom", "zorder": 3}
        place["bbox"] = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}
        axes.text(0, line - 0.3, _short(left, 46 - len(right)), weight="bold", **place)
        if right:
            axes.text(1, line - 0.3, right, ha="right", **place)
    return axes


def _limits(axes: Any, values: Sequence[float]) -> None:
    """Show all of ``values`` and a little more."""
    low, high = min(values), max(values)
    space = 0.06 * (high - low) or 0.01
    axes.set_xlim(low - space, high + space)
    axes.xaxis.get_major_locator().set_params(nbins=5)


def _swarm(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return how far each point moves off its row's line so that neighbours do not hide each other."""
    columns = np.full(values.shape, -1)
    finite = np.isfinite(values)
    columns[finite] = (values[finite] - low) / (high - low) * (WIDTH / _POINT)
    ranks = np.zeros(values.shape)
    for column in np.unique(columns[finite]):
        members = np.flatnonzero(columns == column)
        ranks[members] = np.arange(members.size)
    moves = np.where(ranks % 2, 1, -1) * np.ceil(ranks / 2)
    room = 0.32
    return moves * min(_POINT / _POINTS_ROW, room / max(1.0, np.abs(moves).max(initial=0)))


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: max(1, length - 1)] + "…"
