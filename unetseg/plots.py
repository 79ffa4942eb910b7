"""Figures from plain numbers."""

from collections.abc import Sequence
from pathlib import Path

from unetseg.files import atomic_path


def training_curves(epochs: Sequence[dict[str, float]], path: str | Path) -> None:
    """Draw training loss and validation IoU against the epoch and write the picture to ``path``.

    Args:
        epochs: rows of ``metrics.csv``.
        path: of the PNG.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    number = [row["epoch"] for row in epochs]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.plot(number, [row["train_loss"] for row in epochs], marker=".")
    left.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
    scores = [row["val_iou"] for row in epochs]
    right.plot(number, scores, marker=".")
    best = max(range(len(scores)), key=scores.__getitem__)
    right.plot(number[best], scores[best], "o", fillstyle="none", markersize=10, color="C1")
    right.annotate(
        f"best {scores[best]:.3f}",
        (number[best], scores[best]),
        xytext=(0, -16),
        ha="right",
        textcoords="offset points",
        color="C1",
    )
    right.set(xlabel="epoch", ylabel="validation IoU", ylim=(0, 1))
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)  # epochs are whole
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)
