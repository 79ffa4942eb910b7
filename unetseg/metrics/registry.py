"""What is measured of every arm: the metrics and strata, and the columns that each is computed from."""

from dataclasses import dataclass
from typing import Literal

from unetseg.metrics.strata import SIZE_STRATA, THICKNESS_BINS, thickness_column

Group = Literal["overlap", "boundary", "structure", "thickness", "size", "training"]
GROUPS: tuple[Group, ...] = ("overlap", "boundary", "structure", "thickness", "size", "training")
TRAIN_LOSS = "train_loss"


@dataclass(frozen=True)
class Metric:
    """One metric: its name in a sentence, and how it comes out of the rows of ``test_images.csv``.

    Attributes:
        label: as a reader names it.
        group: for headings.
        unit: ``px``, ``loss``, or nothing for scores between 0 and 1.
        higher_is_better: False for distances and losses.
        numerator: columns whose sum over all images is divided by that of ``denominator``; none where the
            metric is the mean over images of the column that bears its key.
        denominator: see ``numerator``.
    """

    label: str
    group: Group
    unit: str = ""
    higher_is_better: bool = True
    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ()

    @property
    def pooled(self) -> bool:
        """Whether it is a ratio of sums over images, and no mean of what single images scored."""
        return bool(self.numerator)


def _ratio(label: str, group: Group, numerator: str, denominator: str) -> Metric:
    return Metric(label, group, "", True, tuple(numerator.split()), tuple(denominator.split()))


def _distance(label: str) -> Metric:
    return Metric(label, "boundary", "px", higher_is_better=False)


def _widths() -> dict[str, Metric]:
    found = {}
    for name in THICKNESS_BINS:
        hits, pixels = thickness_column(name, "hits"), thickness_column(name, "pixels")
        key = hits.replace("thickness", "recall").removesuffix("_hits")
        found[key] = _ratio(f"skeleton recall in structures {name} px wide", "thickness", hits, pixels)
    return found


def _sizes() -> dict[str, Metric]:
    return {
        f"found_{name}": _ratio(
            f"share of {name} objects found", "size", f"size_{name}_found", f"size_{name}_objects"
        )
        for name in SIZE_STRATA
    }


METRICS: dict[str, Metric] = {
    "dataset_iou": _ratio("dataset IoU", "overlap", "tp", "tp fp fn"),
    "dataset_dice": _ratio("dataset Dice", "overlap", "tp tp", "tp tp fp fn"),
    "iou": Metric("image IoU", "overlap"),
    "dice": Metric("image Dice", "overlap"),
    "boundary_iou": Metric("Boundary IoU", "boundary"),
    "boundary_f": Metric("boundary F", "boundary"),
    "trimap_iou": Metric("trimap IoU", "boundary"),
    "nsd": Metric("NSD", "boundary"),
    "hd": _distance("HD"),
    "hd95": _distance("HD95"),
    "assd": _distance("ASSD"),
    "cldice": Metric("clDice", "structure"),
    "skeleton_recall": Metric("skeleton recall", "structure"),
    "object_recall": Metric("object recall", "structure"),
    "pq": Metric("PQ", "structure"),
    **_widths(),
    **_sizes(),
    TRAIN_LOSS: Metric("training loss", "training", "loss", higher_is_better=False),
}
