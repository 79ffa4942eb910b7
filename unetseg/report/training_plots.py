"""Figures of training: the loss against depth, and how the gradient flows before and after."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from unetseg.report.html.svg import BETTER, EQUIVALENT, FAINT, GRID, INK, WORSE, drawing, margins, to_svg

# Series differ in shape as well as in colour.
STYLES = ((INK, "o"), (WORSE, "v"), (BETTER, "^"), (EQUIVALENT, "s"))
_LOGARITHMIC = 20  # from this ratio of largest to smallest value on
_LEGEND = 16  # CSS pixels a line


@dataclass(frozen=True)
class Series:
    """A value with its interval at several depths."""

    label: str
    depths: Sequence[float]
    middle: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]


@dataclass(frozen=True)
class Flow:
    """How the gradient flows through the nets of one arm.

    Attributes:
        before: of each net, the norm at each layer before training, in the order of the forward pass.
        after: the same after the last epoch.
        epochs: at which the ratio is known.
        ratios: of each net, the norm at the first layer over that at the last, at each of ``epochs``.
    """

    before: Sequence[Sequence[float]]
    after: Sequence[Sequence[float]]
    epochs: Sequence[int]
    ratios: Sequence[Sequence[float]]


def against_depth(panels: Sequence[tuple[str, Sequence[Series]]], axis: str, label: str, name: str) -> Markup:
    """Draw series against depth, one panel beside the other.

    Args:
        panels: each a title and the same series in the same order, as many as there are ``STYLES`` at most.
        axis: what the x axis shows.
        label: for screen readers.
        name: unique on the page.
    """
    legend = _LEGEND * len(panels[0][1])
    with drawing(210 + legend, name) as figure:
        axes_of = figure.subplots(1, len(panels), gridspec_kw={"wspace": 0.4}, squeeze=False)[0]
        margins(figure, 34, 36 + legend, 8, 20)
        for axes, (title, series) in zip(axes_of, panels, strict=True):
            for (colour, marker), each in zip(STYLES, series, strict=False):
                axes.plot(
                    each.depths, each.middle, marker=marker, color=colour, linewidth=1.5, label=each.label
                )
                axes.vlines(each.depths, each.low, each.high, color=colour, linewidth=1, alpha=0.6)
            _scale(axes, [value for each in series for value in each.middle])
            depths = sorted({depth for each in series for depth in each.depths})
            axes.set_xscale("log", base=2)
            axes.set_xticks(depths, [f"{depth:g}" for depth in depths])
            axes.minorticks_off()
            axes.set_xlabel(axis)
            axes.set_title(title, fontsize=11, loc="left")
            axes.grid(axis="y", linewidth=1, color=GRID)
        handles, labels = axes_of[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower left", frameon=False, fontsize=10, borderaxespad=0)
        return to_svg(figure, label)


def gradient_curves(
    flow: Flow, behind: Flow | None, limits: Sequence[tuple[float, float]], label: str, name: str
) -> Markup:
    """Draw an arm's gradient by layer, before and after training, and its first-to-last ratio by epoch.

    Args:
        flow: of one arm.
        behind: of the baseline before training, drawn faint and dashed.
        limits: the lowest and highest norm, and the lowest and highest ratio, that the axes show.
        label: for screen readers.
        name: unique on the page.
    """
    with drawing(186, name) as figure:
        left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.4})
        margins(figure, 36, 36, 6, 36)
        for norms in behind.before if behind else []:
            left.plot(_places(norms), _positive(norms), "--", color=FAINT, linewidth=1)
        for kind, colour in (("before", INK), ("after", BETTER)):
            for norms in getattr(flow, kind):
                left.plot(_places(norms), _positive(norms), color=colour, linewidth=1)
        for ratios in behind.ratios if behind else []:
            right.plot(behind.epochs if behind else [], _positive(ratios), "--", color=FAINT, linewidth=1)
        for ratios in flow.ratios:
            right.plot(flow.epochs, _positive(ratios), color=BETTER, linewidth=1.5)
        titles = ("gradient norm\nby layer", "first layer\nover last")
        for axes, title, (low, high) in zip((left, right), titles, limits, strict=True):
            _logarithmic(axes, low, high)
            axes.set_title(title, fontsize=11, loc="left")
            axes.grid(axis="y", linewidth=1)
        left.set(xlabel="input to output", xticks=[])
        right.set_xlabel("epoch")
        right.xaxis.get_major_locator().set_params(integer=True, nbins=4)
        return to_svg(figure, label)


def _scale(axes: Any, values: Sequence[float]) -> None:
    """Choose a logarithmic axis where a linear one would hide the smaller values."""
    finite = [value for value in values if np.isfinite(value) and value > 0]
    if finite and max(finite) > _LOGARITHMIC * min(finite):
        _logarithmic(axes, min(finite) / 1.5, 1.5 * max(finite))
    elif finite:
        axes.set_ylim(0, 1.15 * max(finite))


def _logarithmic(axes: Any, low: float, high: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(numticks=6))
    # Matplotlib's own labels are formulas, which the page does not typeset.
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power(value)))


def _power(value: float) -> str:
    """Return 0.1, 1, 10 as they are, other powers of ten as 10³."""
    exponent = round(math.log10(value))
    return f"{value:g}" if abs(exponent) <= 1 else power_of_ten(exponent)


def power_of_ten(exponent: int) -> str:
    """Return 10³ for 3."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _places(norms: Sequence[float]) -> Any:
    return np.linspace(0, 1, len(norms))


def _positive(values: Sequence[float]) -> Any:
    return np.ma.masked_less_equal(values, 0)  # a logarithmic axis has no place for them
