"""A study's results as figures: differences, strata, one point an image."""

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from unetseg.evaluation.rows import MEAN
from unetseg.metrics import registry
from unetseg.metrics.registry import Place
from unetseg.report.figures import Curve, Interval, Points, forest, points
from unetseg.report.gallery.pictures import Gallery
from unetseg.report.html.page import Block, Figure, Figures, Text
from unetseg.report.wording import capital, counted, interval, number
from unetseg.studies.analysis.means import Difference
from unetseg.studies.analysis.results import ArmResult, ContrastResult, MetricResult, StudyResults
from unetseg.studies.analysis.statistics import Floats
from unetseg.utilities.text import printable

STRATA = ("thickness", "size")


def present(results: StudyResults, place: Place) -> list[MetricResult]:
    """Return the measured metrics of the main class that a place shows, the primary one first."""
    found = {metric.key: metric for metric in results.metrics if metric.class_name == results.primary_class}
    wanted = (results.primary, *(metric.key for metric in registry.shown(place)))
    return [found[key] for key in dict.fromkeys(wanted) if key in found]


def test_images(results: StudyResults) -> tuple[str, ...]:
    """Return the names of the images that the arms were tested on."""
    return next(metric.images for metric in results.metrics if metric.group != "training")


def image_metrics(results: StudyResults) -> list[MetricResult]:
    """Return the metrics that are shown for each test image; the first orders the pictures."""
    metrics = present(results, "study images")
    measured = [each for each in metrics if len(each.by_image) == len(each.arms)]
    return [metric for metric in measured if metric.group != "training"][:3]


def compared(results: StudyResults) -> list[ArmResult]:
    """Return the arms with runs of their own, but for the baseline."""
    return [arm for arm in results.arms if arm.name != results.baseline and arm.same_as is None]


def image_differences(results: StudyResults, metric: MetricResult, arm: str) -> Floats:
    """Return the arm minus the baseline for each image, averaged over seeds; NaN where undefined."""
    difference: Floats = metric.by_image[arm].mean(axis=0) - metric.by_image[results.baseline].mean(axis=0)
    return difference


def heading(metric: MetricResult) -> str:
    """Return the metric's name and unit, to stand above a figure or column."""
    return capital(f"{metric.label} ({metric.unit})" if metric.unit else metric.label)


def class_title(name: str) -> str:
    """Return what a metric is given for, in words."""
    return "mean of classes" if name == MEAN else name


def difference_figures(results: StudyResults) -> list[Block]:
    """Return forest plots of the main metrics."""
    explained = (
        f"Each line is a 95 % interval of the difference from {results.baseline}, where there is one; they "
        "hold together, over all arms and looks. The upright line is no difference. ▲ better, ▼ worse, "
        f"■ equivalent: within ±{results.margin:g}, the shaded band; ○ undecided; ◇ for these nets only; "
        "✕ not decidable."
    )
    figures = [_forest(results, metric) for metric in present(results, "study figures")]
    return [Text(explained), Figures([*figures, *map(_contrast, results.contrasts)])]


def strata_figures(results: StudyResults) -> list[Block]:
    """Return forest plots by the width of structures and by the size of objects."""
    blocks: list[Block] = []
    for name in results.classes:
        for group in STRATA:
            metrics = [each for each in results.metrics if (each.group, each.class_name) == (group, name)]
            if metrics:
                blocks.append(Figures([_forest(results, metric) for metric in metrics]))
    return blocks


def image_figures(results: StudyResults, gallery: Gallery | None) -> list[Block]:
    """Return one point an image for each arm; those of images in the gallery answer."""
    arms = compared(results)
    figures = [_points(results, metric, arms, gallery) for metric in image_metrics(results) if arms]
    if not figures:
        return []
    several = len(results.classes) > 1
    explained = Text(
        f"One dot an image: the arm minus {results.baseline}, averaged over seeds; the upright line in each "
        "row is the mean over images."
        + (" An image's score is its own mean over the classes that it has." if several else "")
    )
    if gallery is None or not gallery.pictures:
        return [explained, Figures(figures)]
    total = len(test_images(results))
    which = (
        f"the {len(gallery.pictures)} whose arms differ most of" if len(gallery.pictures) < total else "all"
    )
    pictures = Text(
        f"Below, {which} {counted(total, 'image')}, {gallery.order}; at most 512 pixels wide and high. "
        "The masks are those of each arm's first seed."
    )
    return [explained, Figures(figures, answering=True), pictures, gallery]


def _forest(results: StudyResults, metric: MetricResult) -> Figure:
    rows = [
        _interval(name, score.difference, score.judgement.verdict)
        for name, score in metric.arms.items()
        if score.difference is not None and score.judgement is not None
    ]
    title = heading(metric) + (f", {class_title(metric.class_name)}" if len(results.classes) > 1 else "")
    axis = f"difference ({'higher' if metric.higher_is_better else 'lower'} is better)"
    label = f"{title}, difference from {results.baseline}. {_spoken(rows)}"
    name = f"forest-{metric.key}-{metric.class_name}"
    differences = [score.difference for score in metric.arms.values() if score.difference is not None]
    told = "; ".join(filter(None, (metric.note, _without_interval(differences))))
    return Figure(title, partial(forest, rows, axis, label, name, metric.margin), told)


def _contrast(contrast: ContrastResult) -> Figure:
    rows = [
        _interval(name, score.difference, score.judgement.verdict) for name, score in contrast.arms.items()
    ]
    margin = next((score.judgement.margin for score in contrast.arms.values()), None)
    name = f"contrast-{contrast.first}-{contrast.second}"
    label = f"{contrast.label}. {_spoken(rows)}"
    drawn = partial(forest, rows, "difference of the differences", label, name, margin)
    told = _without_interval([score.difference for score in contrast.arms.values()])
    return Figure(contrast.label, drawn, told)


def _without_interval(differences: Sequence[Difference]) -> str:
    """Say why differences have no interval, each reason once; nothing where all have one."""
    reasons = [
        each.without_interval or "too few seeds and images"
        for each in differences
        if not math.isfinite(each.low) or not math.isfinite(each.high)
    ]
    return f"no interval: {', '.join(dict.fromkeys(reasons))}" if reasons else ""


def _interval(arm: str, difference: Difference, verdict: str) -> Interval:
    low, high = difference.low, difference.high
    known = math.isfinite(low) and math.isfinite(high)
    span = interval(low, high, signed=True) if known else "no interval"
    text = f"{number(difference.mean, signed=True)} ({span})"
    return Interval(printable(arm), difference.mean, low, high, verdict, text)


def _spoken(rows: Sequence[Interval]) -> str:
    return "; ".join(f"{row.label}: {row.text}, {row.verdict}" for row in rows)


def _points(
    results: StudyResults, metric: MetricResult, arms: Sequence[ArmResult], gallery: Gallery | None
) -> Figure:
    positions = {} if gallery is None else gallery.positions
    rows = []
    for arm in arms:
        name = printable(arm.name)
        values = image_differences(results, metric, arm.name)
        order = np.argsort(values, kind="stable")  # so that the arrow keys step from dot to next dot
        images = [metric.images[index] for index in order]
        attributes = [
            {
                "data-image": str(positions[image]),
                "aria-label": f"{printable(image)}: {name} {number(value, signed=True)}",
            }
            if image in positions
            else {}
            for image, value in zip(images, values[order], strict=True)
        ]
        rows.append(Points(name, values[order], attributes))
    label = f"{metric.label} of each image, difference from {results.baseline}, one row an arm"
    axis = f"difference from {results.baseline}"
    return Figure(heading(metric), partial(points, rows, axis, label, f"points-{metric.key}"))


def curve_of(epochs: Sequence[Mapping[str, float]]) -> Curve:
    """Return a run's curve from the rows of its ``metrics.csv``."""
    loss, iou = ([row.get(key, np.nan) for row in epochs] for key in ("train_loss", "val_iou"))
    return Curve([row["epoch"] for row in epochs], loss, iou)
