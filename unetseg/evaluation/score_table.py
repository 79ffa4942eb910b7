"""The closing table of fit and evaluate, as plain text."""

from collections.abc import Sequence
from typing import Any

from unetseg.metrics import registry
from unetseg.metrics.boundary import TOLERANCE
from unetseg.metrics.registry import Metric
from unetseg.metrics.strata import SIZE_STRATA
from unetseg.metrics.thickness import THICKNESS_BINS
from unetseg.utilities.text import align

UNDEFINED = "–"


def score_table(summary: dict[str, Any], every_class: bool = False) -> str:
    """Return a table of the summary of an ``Evaluation``.

    Args:
        summary: of one class or several.
        every_class: give every class a block of its own; else several classes get a line each.
    """
    split = f"{summary['split']} split, " if summary["split"] else ""
    images = "1 image" if summary["images"] == 1 else f"{summary['images']} images"
    parts = [f"{split}{images}, whole masks at original resolution"]
    classes = summary["classes"]
    if every_class or len(classes) == 1:
        for name, scores in classes.items():
            title = _title(name, scores, summary["images"], len(classes))
            parts += [_block(title, scores), _strata(scores)]
    if len(classes) > 1:
        parts.append(_block("mean of classes", summary["mean"]))
        if not every_class:
            parts.append(_line_a_class(classes, summary["images"]))
    return "\n\n".join([*filter(None, parts), *calibration_lines(summary), *summary["notes"]])


def calibration_lines(summary: dict[str, Any]) -> list[str]:
    """Return a line on how far a run's probabilities are off; none where it is not known."""
    known = summary.get("calibration")
    if known is None:
        return []
    before = f", {known['ece_before']:.4f} without its temperature of {known['temperature']:.3g}"
    told = "" if known["temperature"] == 1 else before
    return [f"expected calibration error {known['ece']:.4f}{told}"]


def _title(name: str, scores: dict[str, Any], images: int, classes: int) -> str:
    """Return the class's name, how many images have it, and in how many of the others it was predicted.

    Of several classes, the others are no part of its averages; of one class they are.
    """
    has_reference, elsewhere = scores["reference_in"], scores["predicted_elsewhere"]
    if has_reference == images:
        return name
    right = images - has_reference - elsewhere
    counted = f"; none there and none predicted in {right}, which is right" if classes == 1 and right else ""
    return f"{name} (in {has_reference} of {images} images, predicted in {elsewhere} of the others{counted})"


def _block(title: str, scores: dict[str, Any]) -> str:
    return align(score_rows(title, scores))


def score_rows(title: str, scores: dict[str, Any]) -> list[list[str]]:
    """Return cells: a heading that begins with ``title``, then a row a score, of one class or the mean."""
    rows = [[title, "dataset", "image mean", "95 % interval", "median", "missed"]]
    for metric in registry.tabled():
        image = scores["image"].get(metric.key)
        if image is None:
            continue
        rows.append(
            [
                metric.heading,
                _cell(scores["dataset"], metric.key),
                _number(image["mean"]),
                "" if image["low"] is None else f"{image['low']:.3f} to {image['high']:.3f}",
                _number(image["median"]),
                str(image["missed"]) if metric.can_be_infinite else "",
            ]
        )
    return _without_empty_columns(rows)


def _strata(scores: dict[str, Any]) -> str:
    return "\n".join(align(rows) for rows in strata_rows(scores))


def strata_rows(scores: dict[str, Any]) -> list[list[list[str]]]:
    """Return where the detail was won or lost, of the whole set: cells by width, and cells by size."""
    tables = []
    if thickness := scores["thickness"]:
        tables.append(
            [
                ["structures' width", *(f"{name} px" for name in thickness)],
                ["skeleton recall", *(_number(each["recall"]) for each in thickness.values())],
                *(
                    [f"{what}, within {TOLERANCE:g} px", *(_number(each[key]) for each in thickness.values())]
                    for what, key in (("recall", "recall_within"), ("precision", "precision"))
                ),
                ["skeleton pixels", *(str(each["pixels"]) for each in thickness.values())],
            ]
        )
    if sizes := scores["size"]:
        tables.append(
            [
                ["objects' area", *(f"{each['smallest']}-{each['largest']} px" for each in sizes.values())],
                [
                    "found (IoU > 0.5)",
                    *(f"{each['found']:.3f} of {each['objects']}" for each in sizes.values()),
                ],
                ["mean of best IoU", *(_number(each["mean_iou"]) for each in sizes.values())],
            ]
        )
    return tables


def _line_a_class(classes: dict[str, Any], images: int) -> str:
    metrics = registry.shown("line")
    rows = [
        [
            "class (image means)",
            "in images",
            "predicted in others",
            *(metric.heading for metric in metrics),
            *(f"recall {name} px" for name in THICKNESS_BINS),
            *(f"found {name}" for name in SIZE_STRATA),
        ]
    ]
    for name, scores in classes.items():
        thickness, sizes = scores["thickness"], scores["size"]
        rows.append(
            [
                name,
                f"{scores['reference_in']} of {images}",
                str(scores["predicted_elsewhere"]),
                *(_mean(metric, scores) for metric in metrics),
                *(_cell(thickness.get(each, {}), "recall") for each in THICKNESS_BINS),
                *(_cell(sizes.get(each, {}), "found") for each in SIZE_STRATA),
            ]
        )
    return align(_without_empty_columns(rows))


def _mean(metric: Metric, scores: dict[str, Any]) -> str:
    """Return a metric of a class, over its images."""
    if metric.dataset_of:
        return _cell(scores["dataset"], metric.dataset_of)
    return _cell(scores["image"].get(metric.key, {}), "mean")


def _cell(values: dict[str, Any], key: str) -> str:
    """Return what stands in the table for a value; nothing where it was not measured."""
    return _number(values[key]) if key in values else ""


def _number(value: float | str | None) -> str:
    """Return a number with three decimals, and a dash for what is not defined."""
    return UNDEFINED if value is None else value if isinstance(value, str) else f"{value:.3f}"


def _without_empty_columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Leave out columns that hold nothing below their heading."""
    kept = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    return [[row[column] for column in kept] for row in rows]
