"""What is measured of every arm: the metrics and strata, and the columns that each is computed from."""

from dataclasses import dataclass
from typing import Literal

from unetseg.metrics.strata import SIZE_STRATA, THICKNESS_BINS, thickness_column

Group = Literal["overlap", "boundary", "structure", "thickness", "size", "training"]
GROUPS: tuple[Group, ...] = ("overlap", "boundary", "structure", "thickness", "size", "training")
TRAIN_LOSS = "train_loss"


@dataclass(frozen=True)
class Measure:
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


def _ratio(label: str, group: Group, numerator: str, denominator: str) -> Measure:
    return Measure(label, group, "", True, tuple(numerator.split()), tuple(denominator.split()))


def _distance(label: str) -> Measure:
    return Measure(label, "boundary", "px", higher_is_better=False)


def _widths() -> dict[str, Measure]:
    found = {}
    for name in THICKNESS_BINS:
        hits, pixels = thickness_column(name, "hits"), thickness_column(name, "pixels")
        key = hits.replace("thickness", "recall").removesuffix("_hits")
        found[key] = _ratio(f"skeleton recall in structures {name} px wide", "thickness", hits, pixels)
    return found


def _sizes() -> dict[str, Measure]:
    return {
        f"found_{name}": _ratio(
            f"share of {name} objects found", "size", f"size_{name}_found", f"size_{name}_objects"
        )
        for name in SIZE_STRATA
    }


MEASURES: dict[str, Measure] = {
    "dataset_iou": _ratio("dataset IoU", "overlap", "tp", "tp fp fn"),
    "dataset_dice": _ratio("dataset Dice", "overlap", "tp tp", "tp tp fp fn"),
    "iou": Measure("image IoU", "overlap"),
    "dice": Measure("image Dice", "overlap"),
    "boundary_iou": Measure("Boundary IoU", "boundary"),
    "boundary_f": Measure("boundary F", "boundary"),
    "trimap_iou": Measure("trimap IoU", "boundary"),
    "nsd": Measure("NSD", "boundary"),
    "hd": _distance("HD"),
    "hd95": _distance("HD95"),
    "assd": _distance("ASSD"),
    "cldice": Measure("clDice", "structure"),
    "skeleton_recall": Measure("skeleton recall", "structure"),
    "object_recall": Measure("object recall", "structure"),
    "pq": Measure("PQ", "structure"),
    **_widths(),
    **_sizes(),
    TRAIN_LOSS: Measure("training loss", "training", "loss", higher_is_better=False),
}
