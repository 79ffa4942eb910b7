"""What can be measured: one record a metric, from which tables, studies, reports and files derive.

A metric of single images is a function with its record above it (:func:`registered`); a ratio of sums over
images is a record alone (:func:`register`). Nothing else lists metrics: to add one is one entry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import wraps
from math import inf, nan
from typing import Concatenate, Literal, ParamSpec

from unetseg.errors import UsageError, did_you_mean
from unetseg.metrics.pair import MaskPair

Group = Literal["overlap", "boundary", "structure", "thickness", "size", "training", "counts"]
GROUPS: tuple[Group, ...] = ("overlap", "boundary", "structure", "thickness", "size", "training", "counts")
Need = Literal["outline", "skeleton", "instances"]
# Where metrics are shown: in a table of scores (each metric), or its line a class; in a study's tables (each
# metric), its forest plots, its dots of single images and its table in the terminal; in the sentences and the
# dots of a run's page; in the files and the table of lesions.
Place = Literal[
    "table",
    "line",
    "study",
    "study figures",
    "study images",
    "study terminal",
    "run findings",
    "run images",
    "lesions",
    "lesion table",
]

PRIMARY = "iou"  # what a verdict is about if nobody says
TRAIN_LOSS = "train_loss"
# Where a metric stands that does not say: after the others, before the strata of a study.
_LAST = 99

Options = ParamSpec("Options")


class EmptyMasks(Enum):
    """What an image scores where both masks are empty, the prediction alone, or the ground truth alone.

    Empty is meant among the counted pixels. What asks for parts of the ground truth is not defined (None,
    told as NaN) without any.
    """

    OVERLAP = (1.0, 0.0, 0.0)
    DISTANCE = (0.0, inf, inf)
    REFERENCE = (None, 0.0, None)

    def score(self, pair: MaskPair) -> float | None:
        """Return the score of a pair with an empty mask; None where neither is."""
        tp, fp, fn = pair.counts
        if tp + fp and tp + fn:
            return None
        both, prediction, ground_truth = self.value
        found = both if pair.agree else prediction if fn else ground_truth
        return nan if found is None else found


@dataclass(frozen=True)
class Metric:
    """One metric: what it is called, how it is computed, and where it is shown.

    Attributes:
        key: its name in files and flags, and of its column.
        label: as a sentence names it.
        group: for headings; ``counts`` are no metrics but what ratios are made of.
        short: as a table of image scores names it, where that is not the label.
        unit: ``px``, or nothing for scores between 0 and 1.
        higher_is_better: False for distances and losses.
        highest: the largest value it can take; the smallest is 0.
        function: from a pair of masks to one image's score; None where it is no score of single images. It
            lies in an importable module, as scoring may go on in other processes.
        option: the option of :func:`~unetseg.metrics.score.pair_scores` that the function takes, if any.
        needs: what of the masks it is about. One that needs the outline means nothing where labels leave out
            a band round every object.
        empty: the score where a mask is empty; None where the function needs no such rule.
        numerator: columns whose sum over all images is divided by that of ``denominator``; none where the
            metric is the mean over images of the column that bears its key.
        denominator: see ``numerator``.
        counted: what the denominator counts, in words, where that is another population in every class.
        dataset_of: the metric of single images that this ratio is, taken over all images at once.
        contrast_with: the metric that a study sets this one's differences against.
        shown: the places that show it, and its position in each; ``table`` and ``study`` show each metric.
    """

    key: str
    label: str
    group: Group
    short: str = ""
    unit: str = ""
    higher_is_better: bool = True
    highest: float = 1.0
    function: Callable[..., float] | None = None
    option: str = ""
    needs: tuple[Need, ...] = ()
    empty: EmptyMasks | None = None
    numerator: tuple[str, ...] = ()
    denominator: tuple[str, ...] = ()
    counted: str = ""
    dataset_of: str = ""
    contrast_with: str = ""
    shown: Mapping[Place, int] = field(default_factory=dict)

    @property
    def pooled(self) -> bool:
        """Whether it is a ratio of sums over images, and no mean of what single images scored."""
        return bool(self.numerator)

    @property
    def can_be_infinite(self) -> bool:
        """Whether an image in which one mask alone is empty has no finite score."""
        return self.empty is EmptyMasks.DISTANCE

    @property
    def heading(self) -> str:
        """Its name and unit in a table of image scores."""
        name = self.short or self.label
        return f"{name} ({self.unit})" if self.unit else name


METRICS: dict[str, Metric] = {}


def register(record: Metric) -> Metric:
    """Add a metric.

    Raises:
        ValueError: if there is one of that key.
    """
    if record.key in METRICS:
        raise ValueError(f"there is a metric '{record.key}' already")
    METRICS[record.key] = record
    return record


def registered(
    record: Metric,
) -> Callable[
    [Callable[Concatenate[MaskPair, Options], float]], Callable[Concatenate[MaskPair, Options], float]
]:
    """Register the decorated function as what computes a metric of single images.

    It is not called for the masks that ``record.empty`` has a score for.
    """

    def add(
        function: Callable[Concatenate[MaskPair, Options], float],
    ) -> Callable[Concatenate[MaskPair, Options], float]:
        @wraps(function)
        def scored(pair: MaskPair, /, *args: Options.args, **options: Options.kwargs) -> float:
            known = None if record.empty is None else record.empty.score(pair)
            return function(pair, *args, **options) if known is None else known

        register(replace(record, function=scored))
        return scored

    return add


def find_metric(key: str, what: str) -> Metric:
    """Return the metric of that key, of those that a study compares.

    Args:
        key: of the metric.
        what: begins the error line, such as ``--primary 'iuo': no such metric``.

    Raises:
        UsageError: if there is none; names the nearest, or all.
    """
    known = {each.key: each for each in studied()}
    if key not in known:
        raise UsageError(f"{what}{did_you_mean(key, known) or '; choose from ' + ', '.join(known)}")
    return known[key]


def scored() -> tuple[Metric, ...]:
    """Return what is computed of each image, in the order of the columns; the counts come last."""
    found = [each for each in METRICS.values() if each.function is not None]
    return tuple(sorted(found, key=lambda each: GROUPS.index(each.group)))


def allowed(ignores_pixels: bool) -> tuple[Metric, ...]:
    """Return what may be computed of each image.

    Where labels leave pixels out round the outlines, no metric of the outline means anything: a mask drawn
    too wide by the ignored band would score 1.
    """
    return tuple(each for each in scored() if not (ignores_pixels and "outline" in each.needs))


def without_outlines(metrics: Sequence[Metric]) -> tuple[Metric, ...]:
    """Return the metrics but for those of the outline; see :func:`allowed`."""
    return tuple(each for each in metrics if "outline" not in each.needs)


def counts() -> tuple[str, ...]:
    """Return the keys of the pixel counts of an image, which are summed and not averaged."""
    return tuple(each.key for each in scored() if each.group == "counts")


def dataset_ratios() -> dict[str, Metric]:
    """Return the ratios over all images, by the metric of single images that each belongs to."""
    return {each.dataset_of: each for each in METRICS.values() if each.dataset_of}


def tabled() -> tuple[Metric, ...]:
    """Return the metrics of single images, in the order of a table of scores."""
    return _placed([each for each in scored() if each.group != "counts"], "table")


def studied() -> tuple[Metric, ...]:
    """Return the metrics that a study compares, in the order of its tables."""
    return _placed([each for each in METRICS.values() if each.group != "counts"], "study")


def shown(place: Place) -> tuple[Metric, ...]:
    """Return the metrics that a place shows by default, in order."""
    return _placed([each for each in METRICS.values() if place in each.shown], place)


def _placed(metrics: list[Metric], place: Place) -> tuple[Metric, ...]:
    return tuple(sorted(metrics, key=lambda each: each.shown.get(place, _LAST)))


register(
    Metric(
        TRAIN_LOSS,
        "training loss",
        "training",
        unit="loss",
        higher_is_better=False,
        highest=inf,
        shown={"study": 301, "study terminal": 4},
    )
)
