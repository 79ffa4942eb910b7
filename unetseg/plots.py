"""Figures from plain numbers."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unetseg.files import atomic_path


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
            best = max(validated, key=lambda row: row["val_iou"])
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


@contextmanager
def _two_panels(path: str | Path, width: float = 9) -> Iterator[Any]:
    """Yield two axes side by side; their figure is written to ``path`` when the block ends."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(width, 3.4), layout="constrained")
    try:
        yield panels
        for axes in panels:
            axes.grid(alpha=0.3)
        with atomic_path(path) as part:
            figure.savefig(part, dpi=110, format="png")
    finally:
        plt.close(figure)
