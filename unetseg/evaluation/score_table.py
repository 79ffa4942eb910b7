"""The closing table of fit and evaluate, as plain text."""

from collections.abc import Sequence
from typing import Any

from unetseg.metrics import registry
from unetseg.metrics.registry import Metric
from unetseg.utilities.text import align


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
            parts += [_block(_title(name, scores, summary["images"]), scores), _strata(scores)]
    if len(classes) > 1:
        parts.append(_block("mean of classes", summary["mean"]))
        if not every_class:
            parts.append(_line_a_class(classes, summary["images"]))
    return "\n\n".join([*filter(None, parts), *summary["notes"]])


def _title(name: str, scores: dict[str, Any], images: int) -> str:
    """Return the class's name, and in how many images it occurs: where neither mask has it, it scores 1."""
    occurs_in = scores["occurs_in"]
    return name if occurs_in == images else f"{name} (in {occurs_in} of {images} images)"


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
                _number(scores["dataset"].get(metric.key)),
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
    from unetseg.metrics.strata import SIZE_STRATA, THICKNESS_BINS

    metrics = registry.shown("line")
    rows = [
        [
            "class (image means)",
            *(metric.heading for metric in metrics),
            *(f"recall {name} px" for name in THICKNESS_BINS),
            *(f"found {name}" for name in SIZE_STRATA),
        ]
    ]
    for name, scores in classes.items():
        thickness, sizes = scores["thickness"], scores["size"]
        rows.append(
            [
                _title(name, scores, images),
                *(_number(_mean(metric, scores)) for metric in metrics),
                *(_number(thickness.get(each, {}).get("recall")) for each in THICKNESS_BINS),
                *(_number(sizes.get(each, {}).get("found")) for each in SIZE_STRATA),
            ]
        )
    return align(_without_empty_columns(rows))


def _mean(metric: Metric, scores: dict[str, Any]) -> float | str | None:
    """Return a metric of a class, over all images; None where it was not measured."""
    if metric.dataset_of:
        return scores["dataset"].get(metric.dataset_of)
    return scores["image"].get(metric.key, {}).get("mean")


def _number(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.3f}"


def _without_empty_columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Leave out columns that hold nothing below their heading."""
    kept = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    return [[row[column] for column in kept] for row in rows]
