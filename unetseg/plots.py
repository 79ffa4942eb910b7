"""Figures from plain numbers."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unetseg.utilities.files import atomic_path


@dataclass(frozen=True)
class FlowCurve:
    """How the gradient flows through one kind of network.

    Attributes:
        label: what it is.
        layers: for each network, the gradient's norm at each layer, in the order of the forward pass.
        levels: by level, the norms of what arrives at the encoder's stage by its long skip and by the
            stages below it.
    """

    label: str
    layers: Sequence[Sequence[float]]
    levels: Mapping[int, tuple[float, float]]


@dataclass(frozen=True)
class SurfacePanel:
    """The loss in slices through the weights of one network.

    Attributes:
        title: what it is.
        note: a line below the title.
        positions: along every direction; 0 is where the weights are.
        plane: the loss over the first two directions; a row for each position along the second.
        lines: for each direction, the loss along it.
    """

    title: str
    note: str
    positions: Sequence[float]
    plane: Sequence[Sequence[float]]
    lines: Sequence[Sequence[float]]


def training_curves(epochs: Sequence[dict[str, float]], path: str | Path) -> None:
    """Draw training loss and validation IoU against the epoch and write the picture to ``path``.

    Args:
        epochs: rows of ``metrics.csv``; an epoch without validation has a NaN.
        path: of the PNG.
    """
    number = [row["epoch"] for row in epochs]
    validated = [row for row in epochs if not math.isnan(row["val_iou"])]
    with _two_panels(path) as (left, right):
        left.plot(number, [row["train_loss"] for row in epochs], marker=".")
        left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
        right.plot([row["epoch"] for row in validated], [row["val_iou"] for row in validated], marker=".")
        if validated:
            best = max(validated, key=lambda row: (row["val_iou"], -row["train_loss"], row["epoch"]))
            point = (best["epoch"], best["val_iou"])
            right.plot(*point, "o", fillstyle="none", markersize=10, color="C1")
            right.annotate(
                f"best {best['val_iou']:.3f}",
                point,
                xytext=(0, -16),
                ha="right",
                textcoords="offset points",
                color="C1",
            )
        right.set(xlabel="epoch", ylabel="validation IoU", ylim=(0, 1))
        for axes in (left, right):
            axes.xaxis.get_major_locator().set_params(integer=True)  # epochs are whole


def gradient_panels(curves: Sequence[FlowCurve], path: str | Path) -> None:
    """Draw the gradient's norm along the network, and by which way it arrives at the encoder's stages.

    Networks of different depth are drawn over the same width. A band spans the lowest and the highest of
    several networks.

    Args:
        curves: one a kind of network.
        path: of the PNG.
    """
    import numpy as np

    with _two_panels(path, width=11) as (left, right):
        for number, curve in enumerate(curves):
            colour = f"C{number}"
            norms = np.ma.masked_less_equal(curve.layers, 0)  # a logarithmic axis has no place for them
            place = np.linspace(0, 1, norms.shape[1])
            middle = np.exp(np.log(norms).mean(axis=0))
            dashes = "--" if number // 10 % 2 else "-"  # colours come round after ten
            left.plot(place, middle, dashes, color=colour, linewidth=1.2, label=curve.label)
            left.fill_between(
                place, norms.min(axis=0), norms.max(axis=0), color=colour, alpha=0.2, linewidth=0
            )
            shift = 0.6 * ((number + 0.5) / len(curves) - 0.5)
            for marker, face, way in (("o", colour, 0), ("s", "none", 1)):
                levels = [level for level, ways in curve.levels.items() if ways[way] > 0]
                heights = [curve.levels[level][way] for level in levels]
                right.plot(np.array(levels) + shift, heights, marker, color=colour, markerfacecolor=face)
        left.set(xlabel="layer, from input (0) to output (1)", ylabel="gradient norm of its weights")
        left.legend(fontsize=8, ncols=1 + len(curves) // 6)
        right.set(xlabel="level of the encoder's stage", ylabel="gradient norm that arrives")
        for axes in (left, right):
            axes.set_yscale("log")
        right.set_xticks(sorted({level for curve in curves for level in curve.levels}))
        for marker, face, text in (("o", "k", "by its long skip"), ("s", "none", "through deeper stages")):
            right.plot([], [], marker, color="k", markerfacecolor=face, label=text)
        right.legend(fontsize=8)


def landscape_panels(panels: Sequence[SurfacePanel], path: str | Path) -> None:
    """Draw loss surfaces side by side: above as maps of one scale of colours, below along each direction.

    Loss is on a logarithmic scale. A cross marks the weights.

    Args:
        panels: one a network, all with equally many directions.
        path: of the PNG.
    """
    import numpy as np
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import NullFormatter

    low, high = _range(value for panel in panels for row in (*panel.plane, *panel.lines) for value in row)
    round_values = _round_values(low, high)
    width = 1.2 + 3.6 * len(panels)
    with _figure(
        path, 2, len(panels), (width, 6.6), squeeze=False, sharex=True, sharey="row", height_ratios=(5, 3)
    ) as (figure, (maps, charts)):
        for panel, surface, chart in zip(panels, maps, charts, strict=True):
            plane = np.clip(panel.plane, low, high)
            cells = (panel.positions, panel.positions, plane)
            colours = surface.contourf(
                *cells, levels=np.geomspace(low, high, 60), norm=LogNorm(low, high), cmap="viridis"
            )
            lines = surface.contour(*cells, levels=round_values, colors="white", linewidths=0.7)
            surface.clabel(lines, fmt="%g", fontsize=7)
            surface.plot(0, 0, "+", color="red", markersize=11, markeredgewidth=1.8)
            surface.set_title(f"{panel.title}\n{panel.note}", fontsize=9)
            surface.set_aspect("equal")
            for number, line in enumerate(panel.lines, 1):
                chart.plot(
                    panel.positions, line, ".-", linewidth=1, markersize=3, label=f"direction {number}"
                )
            surface.set_xlabel("direction 1")
            chart.set_xlabel("distance along each direction")
            chart.grid(alpha=0.3)
        radius = panels[0].positions[-1]
        ticks = [-radius, -radius / 2, 0, radius / 2, radius]
        maps[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        charts[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        charts[0].set_yscale("log")
        charts[0].set_yticks(round_values, [f"{value:g}" for value in round_values])
        charts[0].yaxis.set_minor_formatter(NullFormatter())
        maps[0].set_ylabel("direction 2")
        charts[0].set_ylabel("training loss")
        charts[0].legend(fontsize=7)
        bar = figure.colorbar(colours, ax=list(maps), ticks=round_values, format="%g", label="training loss")
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        figure.supxlabel(
            "cross: the run's weights; at distance 1 every filter has moved by its own length", fontsize=8
        )


def heat_map(
    values: Sequence[Sequence[float]],
    rows: Sequence[str],
    columns: Sequence[str],
    what: str,
    path: str | Path,
    axes: tuple[str, str] = ("", ""),
) -> None:
    """Draw a table as colours, with its numbers.

    Args:
        values: a row for each of ``rows``, in it a column for each of ``columns``.
        rows: their names.
        columns: their names.
        what: the numbers are.
        path: of the PNG.
        axes: what the rows are, and what the columns are.
    """
    size = (2.6 + 1.1 * len(columns), 1.6 + 0.36 * len(rows))
    low, high = min(map(min, values)), max(map(max, values))
    with _figure(path, 1, 1, size) as (figure, panel):
        image = panel.imshow(values, cmap="viridis", aspect="auto", vmin=low, vmax=high)
        panel.set_xticks(range(len(columns)), columns, fontsize=8)
        panel.set_yticks(range(len(rows)), rows, fontsize=8)
        panel.set(ylabel=axes[0], xlabel=axes[1])
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                dark = value < (low + high) / 2
                panel.text(
                    x, y, f"{value:.3f}", ha="center", va="center", fontsize=8, color="w" if dark else "k"
                )
        figure.colorbar(image, ax=panel, label=what)


def interval_bars(
    names: Sequence[str],
    values: Sequence[float],
    ends: Sequence[tuple[float, float]],
    title: str,
    path: str | Path,
) -> None:
    """Draw a bar with its interval for each name, from top to bottom.

    Args:
        names: of the bars.
        values: changes, most of them below 0.
        ends: the lower and upper end of each interval.
        title: of the figure.
        path: of the PNG.
    """
    with _figure(path, 1, 1, (7, 1.4 + 0.22 * len(names))) as (_, panel):
        places = range(len(names))
        panel.barh(places, values, color="C0")
        panel.hlines(places, [low for low, _ in ends], [high for _, high in ends], color="k", linewidth=1)
        panel.set_yticks(places, names, fontsize=7)
        panel.invert_yaxis()
        panel.axvline(0, color="k", linewidth=0.8)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("change of image IoU")
        panel.grid(axis="x", alpha=0.3)


def _range(values: Iterable[float]) -> tuple[float, float]:
    """Return the lowest and the highest value, apart from each other and above 0, for a logarithmic scale."""
    found = list(values)
    high = max(*found, 1e-9)
    low = min(max(min(found), 1e-6 * high), high / 1.001)
    return low, high


def _round_values(low: float, high: float) -> list[float]:
    """Return up to ten round numbers from ``low`` to ``high``, spread for a logarithmic scale."""
    from matplotlib.ticker import MaxNLocator

    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 2, 5), (1,)):
        found = [digit * 10.0**power for power in powers for digit in digits]
        found = [value for value in found if low <= value <= high]
        if len(found) <= 10:
            break
    if len(found) > 3:
        return found
    return [float(value) for value in MaxNLocator(6).tick_values(low, high) if low <= value <= high]


@contextmanager
def _two_panels(path: str | Path, width: float = 9) -> Iterator[Any]:
    """Yield two axes side by side; their figure is written to ``path`` when the block ends."""
    with _figure(path, 1, 2, (width, 3.4)) as (_, panels):
        yield panels
        for axes in panels:
            axes.grid(alpha=0.3)


@contextmanager
def _figure(
    path: str | Path, rows: int, columns: int, size: tuple[float, float], **options: Any
) -> Iterator[tuple[Any, Any]]:
    """Yield a figure of ``size`` inches and its axes; it is written to ``path`` when the block ends."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(rows, columns, figsize=size, layout="constrained", **options)
    try:
        yield figure, panels
        with atomic_path(path) as part:
            figure.savefig(part, dpi=110, format="png")
    finally:
        plt.close(figure)
