"""The scores of one run, or of one folder of masks, as a page of the same parts as a study's."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unetseg.config import RunConfig
from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions
from unetseg.evaluation.rows import MEAN, Row
from unetseg.evaluation.score_table import calibration_lines, score_rows, strata_rows
from unetseg.evaluation.summary import Evaluation
from unetseg.metrics import registry
from unetseg.metrics.registry import PRIMARY, Metric
from unetseg.report.figures import Points, curves, points
from unetseg.report.gallery.cases import Progress, mask_cases, predicted_cases
from unetseg.report.gallery.pictures import MOST_PICTURES, Case, Gallery, make_gallery
from unetseg.report.html.page import (
    Block,
    Figure,
    Figures,
    Finding,
    Items,
    Page,
    Section,
    Table,
    Text,
    write_page,
)
from unetseg.report.study_figures import curve_of
from unetseg.report.wording import capital, configuration_table, counted, interval, number, versions_table
from unetseg.runs import Run
from unetseg.studies.analysis.assemble import read_environment
from unetseg.utilities.text import printable

METHOD = (
    "Every mask is scored whole, at its image's original resolution.",
    "'Dataset' sums the pixels of all images before it divides; 'image mean' averages the images' scores, "
    "with the 95 % interval of Student's t over images.",
    "A distance is infinite where one mask is empty and the other is not: it counts as 'missed', and as the "
    "image's diagonal in the mean.",
    "Limits: the intervals count the chance in images alone. How much another training of the same "
    "configuration would differ is not in them; 'unetseg ablate' and 'unetseg compare' measure it.",
)


def write_run_page(
    path: str | Path,
    run: Run,
    evaluation: Evaluation,
    config: RunConfig,
    command: str,
    progress: Progress | None = None,
) -> None:
    """Write the page of a run that was just evaluated.

    Args:
        path: of the HTML file.
        run: that was evaluated.
        evaluation: of it.
        config: names the data that it was evaluated on, and the device.
        command: that was typed.
        progress: is told (masks predicted, masks in all).

    Raises:
        UnetsegError: if the run or its data cannot be read.
    """
    from unetseg.data.datasets.open import open_data
    from unetseg.models.cost import config_cost

    rows = ordered_rows(evaluation)[:MOST_PICTURES]
    dataset = open_data(config)
    samples = {sample.name: sample for sample in dataset.splits[evaluation.split or "test"]}
    cases = predicted_cases(
        [run],
        dataset,
        [samples[row["image"]] for row in rows],
        _score_texts(rows),
        config.device,
        progress,
    )
    trained = run.config()
    cost = config_cost(trained, len(evaluation.classes))
    seconds = read_environment(run).get("training_seconds")
    facts = [str(cost), f"trained in {seconds:.0f} s" if seconds is not None else "", f"seed {trained.seed}"]
    curve = curve_of(run.epochs())
    label = "validation IoU and training loss by epoch"
    draw = partial(curves, [curve], [], (1.0, 1.05 * np.nanmax(curve.loss)), label, "curves")
    more = [
        Section("Training", [Text(f"{'; '.join(filter(None, facts))}."), Figures([Figure("One run", draw)])]),
        _provenance(command, evaluation, read_environment(run).get("packages", {}), trained),
    ]
    write_page(evaluation_page(str(run.path), dataset.name, evaluation, _gallery(cases, rows), more), path)


def write_masks_page(
    path: str | Path,
    predictions: str | Path,
    ground_truth: str | Path,
    evaluation: Evaluation,
    command: str,
    masks: MaskOptions = PLAIN_MASKS,
) -> None:
    """Write the page of a folder of masks that was just evaluated.

    Args:
        path: of the HTML file.
        predictions: folder of masks.
        ground_truth: folder of masks.
        evaluation: of them.
        command: that was typed.
        masks: how they were read.

    Raises:
        UnetsegError: if a mask cannot be read any more.
    """
    rows = ordered_rows(evaluation)[:MOST_PICTURES]
    names = [row["image"] for row in rows]
    cases = mask_cases([predictions], ground_truth, names, _score_texts(rows), masks)
    more = [_provenance(command, evaluation, {}, None)]
    page = evaluation_page(str(predictions), str(ground_truth), evaluation, _gallery(cases, rows), more)
    write_page(page, path)


def evaluation_page(
    name: str, data: str, evaluation: Evaluation, gallery: Gallery, more: Sequence[Section]
) -> Page:
    """Return the page of one evaluation.

    Args:
        name: of the run or folder.
        data: that it was scored on.
        evaluation: of it.
        gallery: of its images.
        more: sections at the end.
    """
    summary = evaluation.summary()
    classes = summary["classes"] | (
        {"mean of classes": summary["mean"]} if len(summary["classes"]) > 1 else {}
    )
    tables = [
        Table(f"Scores, {title}", ["Score", *map(capital, rows[0][1:])], rows[1:])
        for title, scores in classes.items()
        if len(rows := score_rows(title, scores)) > 1
    ]
    strata = [
        Table(f"{capital(rows[0][0])}, {title}", rows[0], rows[1:])
        for title, scores in summary["classes"].items()
        for rows in strata_rows(scores)
    ]
    split = f"the {evaluation.split} split of {data}" if evaluation.split else f"against {data}"
    sections = [
        Section("Scores", tables),
        Section("Image by image", _by_image(evaluation, gallery)),
        Section("By width and size of the structures", strata),
        *more[:-1],
        Section("How the numbers were made", [Items(METHOD)]),
        *more[-1:],
    ]
    return Page(
        title=f"Scores of {name}",
        summary=f"{counted(summary['images'], 'image')}, {split}",
        findings=_findings(summary),
        notes=[*calibration_lines(summary), *summary["notes"]],
        sections=[section for section in sections if section.blocks],
    )


def ordered_rows(evaluation: Evaluation) -> list[Row]:
    """Return one row an image, of the class or the mean over classes, the lowest IoU first."""
    name = evaluation.classes[0] if len(evaluation.classes) == 1 else MEAN
    rows = [row for row in evaluation.rows if row["class"] == name]
    return sorted(rows, key=lambda row: row.get(PRIMARY, math.inf))


def _findings(summary: Mapping[str, Any]) -> list[Finding]:
    mean = summary["mean"]
    what = f", mean of {len(summary['classes'])} classes" if len(summary["classes"]) > 1 else ""
    found = []
    for metric in registry.shown("run findings"):
        label = capital(metric.label)
        if metric.dataset_of:
            value = number(mean["dataset"][metric.dataset_of])
            found.append(Finding(f"{label}{what}: {value or 'not defined'}."))
        elif (score := mean["image"].get(metric.key)) and score["images"]:
            span = interval(score["low"], score["high"])
            sample = f"95 % interval {span}, {counted(score['images'], 'image')}"
            found.append(Finding(f"{label}{what}: {number(score['mean'])} on average ({sample})."))
    for name, scores in summary["classes"].items():
        if widths := scores["thickness"]:
            told = ", ".join(
                f"{number(each['recall'])} at {width} px" for width, each in widths.items() if each["pixels"]
            )
            found.append(Finding(f"Share of the skeleton of {name} that is found, by width: {told}."))
    return found


def _by_image_metrics(rows: Sequence[Row]) -> list[Metric]:
    return [metric for metric in registry.shown("run images") if metric.key in rows[0]]


def _by_image(evaluation: Evaluation, gallery: Gallery) -> list[Block]:
    rows = ordered_rows(evaluation)
    drawn = []
    for metric in _by_image_metrics(rows):
        key, heading = metric.key, metric.heading
        ordered = sorted(rows, key=lambda row: math.inf if math.isnan(row[key]) else row[key])
        attributes = [
            {
                "data-image": str(gallery.positions[row["image"]]),
                "aria-label": f"{printable(row['image'])}: {heading} {number(row[key])}",
            }
            if row["image"] in gallery.positions
            else {}
            for row in ordered
        ]
        drawn.append(Points(heading, np.array([row[key] for row in ordered], float), attributes))
    label = "Scores of each image, one row a score"
    figure = Figure("Scores of single images", partial(points, drawn, "score", label, "points", zero=False))
    which = "all" if len(gallery.pictures) == len(rows) else f"the {len(gallery.pictures)} lowest of"
    pictures = (
        f"Below, {which} {counted(len(rows), 'image')}, {gallery.order}, at most 512 pixels wide and high."
    )
    return [
        Text("One dot an image; the upright line in each row is the mean."),
        Figures([figure], answering=True),
        Text(pictures),
        gallery,
    ]


def _score_texts(rows: Sequence[Row]) -> list[list[list[str]]]:
    return [[[number(row[metric.key]) for metric in _by_image_metrics([row])]] for row in rows]


def _gallery(cases: Iterator[Case], rows: Sequence[Row]) -> Gallery:
    labels = [capital(metric.heading) for metric in _by_image_metrics(rows)]
    return make_gallery(cases, ["prediction"], labels, "the lowest IoU first")


def _provenance(
    command: str, evaluation: Evaluation, versions: Mapping[str, str | None], config: RunConfig | None
) -> Section:
    blocks: list[Block] = [
        *([Items([command], code=True)] if command else []),
        Text(f"Fingerprint of the images and their masks: {evaluation.fingerprint}."),
    ]
    if config is not None:
        blocks.append(configuration_table(vars(config), "the run"))
    return Section("To repeat this", [*blocks, *versions_table(versions)])
