"""What a study planned and what it can show, as blocks of a page: looks, each net's own score, power."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from unetseg.metrics.registry import METRICS
from unetseg.report.figures import Line, Points, lines, points
from unetseg.report.html.page import Block, Figure, Figures, Table, Text
from unetseg.report.study_figures import heading
from unetseg.report.wording import counted, number
from unetseg.studies.analysis.paired_sample import LEAST_UNITS
from unetseg.studies.analysis.power import POWER, Spread, smallest_difference
from unetseg.studies.analysis.results import StudyResults
from unetseg.utilities.text import align, printable

EXPLORATORY = (
    "exploratory, since the study is not as it was planned: {reasons}. A test holds only for what was "
    "decided before the first look; to test what was found, plan a new study of it in another folder"
)
SEEDS = (3, 4, 5, 7, 10, 15, 20)
TIMES_IMAGES = (0.5, 1, 2, 4)


def exploratory_note(results: StudyResults) -> list[str]:
    """Return the note that marks a study which departs from its plan."""
    return [EXPLORATORY.format(reasons="; ".join(results.exploratory))] if results.exploratory else []


def plan_blocks(results: StudyResults) -> list[Block]:
    """Return what was planned, and at which look each arm was judged."""
    plan = results.plan
    if plan is None:
        return []
    looks = ", ".join(map(str, plan.looks))
    label = METRICS[plan.primary].label
    when = f"a look after {looks} seeds" if len(plan.looks) > 1 else f"one look, after {looks} seeds"
    text = (
        f"Decided before the first run: {when}, each at an adjusted p below {plan.level:.3g} "
        f"(0.05 / {len(plan.looks)}); {counted(len(plan.family), 'arm')} against {results.baseline}; primary "
        f"metric {label}; margin {plan.margin:g}."
    )
    primary = results.metric(results.primary)
    rows = [
        [arm.name, str(len(arm.runs)), primary.arms[arm.name].verdict or "reference"]
        for arm in results.arms
        if arm.same_as is None
    ]
    ended = Table("How many seeds each arm was judged by", ["Arm", "Seeds", "Verdict"], rows)
    return [Text(text), ended] if len(plan.looks) > 1 else [Text(text)]


def seed_blocks(results: StudyResults) -> list[Block]:
    """Return each net's own mean in the primary metric: one dot a seed in each arm."""
    metric = results.metric(results.primary)
    rows = []
    for arm in [arm for arm in results.arms if arm.same_as is None]:
        values = metric.values[arm.name]
        every = np.concatenate(list(metric.values.values()))
        means = values[:, ~np.isnan(every).any(axis=0)].mean(axis=1)
        attributes = [
            {
                "data-seed": str(run.seed),
                "role": "img",
                "aria-label": f"{printable(arm.name)}, seed {run.seed}: {number(mean)}",
            }
            for run, mean in zip(arm.runs, means, strict=True)
        ]
        span = f"{number(means.min())} to {number(means.max())}" if len(means) > 1 else number(means[0])
        rows.append(Points(printable(arm.name), means, attributes, span))
    label = f"{metric.label} of each net, one row an arm and one dot a seed"
    title = f"{heading(metric)} of each net"
    drawn = partial(points, rows, heading(metric), label, "seeds", zero=False)
    told = (
        "One dot a seed: the mean over all images of the net that was trained with it. The upright line is "
        "the mean of the arm."
    )
    return [Text(told), Figures([Figure(title, drawn)])]


def power_blocks(results: StudyResults) -> list[Block]:
    """Return the smallest difference that other numbers of seeds and images would show."""
    if results.spread is None or results.metric(results.primary).group == "training":
        return []
    table = power_table(results)
    images, unit = _images(results), _unit(results)
    curves = [
        Line(
            counted(count, unit),
            SEEDS,
            [_smallest(results, results.spread, seeds, count) for seeds in SEEDS],
        )
        for count in images
    ]
    label = f"{table.caption}. " + "; ".join(
        f"{curve.label}: {number(curve.values[0])} with {SEEDS[0]} seeds, {number(curve.values[-1])} with "
        f"{SEEDS[-1]}"
        for curve in curves
    )
    figure = Figure("Smallest difference shown", partial(lines, curves, "seeds an arm", label, "power"))
    return [Text(_explained(results.spread, unit)), Figures([figure]), table]


def power_text(results: StudyResults) -> str:
    """Return the table of `power_blocks` for the terminal, or why there is none."""
    if results.spread is None or results.metric(results.primary).group == "training":
        return "power: it takes two seeds an arm, and a metric of test images, to say what more would show"
    table = power_table(results)
    rows = [[str(cell) for cell in row] for row in (table.head, *table.rows)]
    return f"{table.caption}:\n\n{align(rows)}"


def power_table(results: StudyResults) -> Table:
    """Return the smallest difference that a study of one look shows with power 0.8, by seeds and images."""
    spread = results.spread
    if spread is None:
        raise ValueError("the spread between seeds is not known")
    images, unit = _images(results), _unit(results)
    rows = [
        [str(seeds), *(number(_smallest(results, spread, seeds, count)) for count in images)]
        for seeds in SEEDS
    ]
    metric = results.metric(results.primary).label
    of_what = "test images" if unit == "image" else "groups of test images"
    caption = f"Smallest difference in {metric} that is shown with power {POWER:g}, by seeds and {of_what}"
    return Table(caption, ["Seeds an arm", *(counted(count, unit) for count in images)], rows)


def _smallest(results: StudyResults, spread: Spread, seeds: int, images: int) -> float:
    family = [arm for arm in results.arms if arm.same_as is None and arm.name != results.baseline]
    return smallest_difference(spread, (seeds,), images, max(len(family), 1))


def _images(results: StudyResults) -> Sequence[int]:
    """Return numbers of test images, or of their groups, about that of the study."""
    metric = results.metric(results.primary)
    own = max((score.estimate.units for score in metric.arms.values()), default=1)
    least = 2 if _unit(results) == "image" else LEAST_UNITS  # fewer groups have no interval
    return sorted({max(round(times * own), least) for times in TIMES_IMAGES})


def _unit(results: StudyResults) -> str:
    """Return what is independent in the test set: an image, or a group of those that belong together."""
    metric = results.metric(results.primary)
    return "image" if metric.arms[results.baseline].estimate.groups is None else "group"


def _explained(spread: Spread, unit: str) -> str:
    return (
        f"By what these runs vary (standard deviation between seeds {spread.seed:.4f}, of an arm's "
        f"difference between {unit}s {spread.image:.4f}, rest {spread.rest:.4f}): the true difference that "
        "one look after so many seeds would show in four studies of five, if no other arm differed. More "
        f"seeds help until the {unit}s are what limits, and the other way round."
    )
