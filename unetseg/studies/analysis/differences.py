"""From the scores of all arms to every difference, verdict and sentence."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from unetseg.evaluation.rows import MEAN
from unetseg.metrics import registry
from unetseg.metrics.registry import METRICS, PRIMARY, Metric
from unetseg.studies.analysis.means import (
    ANYTHING,
    Difference,
    Range,
    contrast,
    difference_of_means,
    mean_interval,
    no_difference,
    simultaneous,
)
from unetseg.studies.analysis.populations import by_image, few_counted, has_widths, note, options_of
from unetseg.studies.analysis.question import ArmScores, Question
from unetseg.studies.analysis.ratios import on_counted
from unetseg.studies.analysis.results import (
    ArmPairResult,
    ArmScore,
    ContrastResult,
    ContrastScore,
    MetricResult,
)
from unetseg.studies.analysis.score_matrix import counted_images, score_matrix
from unetseg.studies.analysis.sentences import contrast_sentence, sentence
from unetseg.studies.analysis.statistics import Floats
from unetseg.studies.analysis.verdicts import Judgement, judge, same_runs


def analyse_metrics(arms: Sequence[ArmScores], question: Question) -> tuple[MetricResult, ...]:
    """Compare all arms with the baseline in every metric and stratum that all of them have.

    Args:
        arms: of the same test images; their numbers of seeds may differ.
        question: names the baseline among them.
    """
    results = []
    shown = shown_classes(arms[0].runs[0].classes)
    for class_name, metric in itertools.product(shown, registry.studied()):
        if metric.group == "training" and class_name != shown[0]:
            continue  # it is of all classes together
        if metric.group == "thickness" and not has_widths(arms[0].runs[0], class_name):
            continue
        values = metric_values(arms, metric, class_name)
        if values:
            results.append(_compared(metric, class_name, arms, question, values))
    return tuple(results)


def metric_values(arms: Sequence[ArmScores], metric: Metric, class_name: str) -> dict[str, Floats]:
    """Return a metric of a class as float64 [seed, image] by arm; nothing if the arms cannot be compared.

    Args:
        arms: of the same test images.
        metric: of a study.
        class_name: a foreground class, or ``mean``.
    """
    values = {arm.name: score_matrix(arm.runs, metric.key, class_name) for arm in arms}
    known = {name: matrix for name, matrix in values.items() if matrix is not None}
    if len(known) < len(arms):
        return {}
    if metric.pooled:
        every = counted_images([run for arm in arms for run in arm.runs], metric, class_name)
        known = {name: on_counted(matrix, every) for name, matrix in known.items()}
    return known if _comparable(known) else {}


def shown_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return what a metric is given for, the one that findings are about first."""
    return (MEAN, *classes) if len(classes) > 1 else tuple(classes)


def analyse_contrast(
    arms: Sequence[ArmScores], metrics: Sequence[MetricResult], question: Question
) -> tuple[ContrastResult, ...]:
    """Ask of each arm whether it moved the boundary more than the overlap, where both were measured."""
    class_name = shown_classes(arms[0].runs[0].classes)[0]
    of_class = {metric.key: metric for metric in metrics if metric.class_name == class_name}
    asked = [metric for metric in registry.studied() if metric.contrast_with]
    return tuple(
        _contrast(arms, of_class[metric.key], of_class[metric.contrast_with], question)
        for metric in asked
        if metric.key in of_class and metric.contrast_with in of_class
    )


def _contrast(
    arms: Sequence[ArmScores], metric: MetricResult, other: MetricResult, question: Question
) -> ContrastResult:
    first, second = _differences(metric), _differences(other)
    options = options_of(arms[0].runs[0], METRICS[metric.key], metric.class_name)
    gaps, judgements = _judge(
        arms,
        {
            name: contrast(first[name], second[name], groups=options["groups"], shortage=options["shortage"])
            for name in first
        },
        question,
        question.margin_of(METRICS[metric.key]),
    )
    labels = (metric.label, other.label)
    scores = {
        arm.name: ContrastScore(
            difference=gaps[arm.name],
            judgement=judgements[arm.name],
            sentence=contrast_sentence(
                arm.label, labels, first[arm.name], second[arm.name], gaps[arm.name], judgements[arm.name]
            ),
        )
        for arm in arms
        if arm.name in gaps and arm.same_as is None
    }
    return ContrastResult(
        first=metric.key,
        second=other.key,
        class_name=metric.class_name,
        label=f"Δ {labels[0]} − Δ {labels[1]}",
        arms=scores,
    )


def analyse_pairs(
    arms: Sequence[ArmScores], metrics: Sequence[MetricResult], question: Question
) -> tuple[ArmPairResult, ...]:
    """Compare the pairs that the study asks for, in the primary metric and in IoU; each metric is a family.

    Pairs of which an arm is missing are left out.
    """
    labels = {arm.name: arm.label for arm in arms}
    pairs = [pair for pair in question.pairs if labels.keys() >= set(pair)]
    class_name = shown_classes(arms[0].runs[0].classes)[0]
    found = {metric.key: metric for metric in metrics if metric.class_name == class_name}
    results = []
    for metric in [found[key] for key in dict.fromkeys((question.primary, PRIMARY)) if key in found]:
        options = options_of(arms[0].runs[0], METRICS[metric.key], class_name)
        differences = {
            (first, second): difference_of_means(metric.values[first], metric.values[second], **options)
            for first, second in pairs
        }
        judgements = judge(
            differences, metric.margin, higher_is_better=metric.higher_is_better, level=question.level
        )
        shown = simultaneous(differences, options["limits"], question.level)
        for (first, second), difference in shown.items():
            judgement = question.checked(judgements[first, second], first, second)
            told = sentence(
                f"{labels[first]} (against {second})", metric.label, difference, judgement, unit=metric.unit
            )
            results.append(
                ArmPairResult(
                    first=first,
                    second=second,
                    metric=metric.key,
                    label=metric.label,
                    difference=difference,
                    judgement=judgement,
                    sentence=told,
                )
            )
    return tuple(results)


def _compared(
    metric: Metric,
    class_name: str,
    arms: Sequence[ArmScores],
    question: Question,
    values: Mapping[str, Floats],
) -> MetricResult:
    run = arms[0].runs[0]
    in_training = metric.group == "training"
    images = tuple(row["image"] for row in run.training) if in_training else run.images
    baseline = question.baseline
    options = options_of(run, metric, class_name)
    margin = question.margin_of(metric)
    few = {arm.name: few_counted(arm.runs, metric, class_name) for arm in arms}

    def compared(arm: str) -> Difference:
        own = options.copy()
        own["shortage"] = options["shortage"] or few[baseline] or few[arm]
        return difference_of_means(values[arm], values[baseline], **own)

    differences, judgements = _judge(
        arms,
        {arm.name: compared(arm.name) for arm in arms if arm.name != baseline},
        question,
        margin,
        metric.higher_is_better,
        options["limits"],
    )
    return MetricResult(
        key=metric.key,
        label=metric.label,
        group=metric.group,
        class_name=class_name,
        unit="" if in_training else metric.unit,
        higher_is_better=metric.higher_is_better,
        margin=margin,
        images=images,
        pooled=metric.pooled,
        arms={
            arm.name: ArmScore(
                estimate=mean_interval(values[arm.name], **options),
                difference=differences.get(arm.name),
                judgement=judgements.get(arm.name),
            )
            for arm in arms
        },
        values=values,
        by_image=by_image({arm.name: arm.runs for arm in arms}, metric, class_name, values),
        note=note({arm.name: arm.runs for arm in arms}, metric, class_name),
    )


def _judge(
    arms: Sequence[ArmScores],
    differences: Mapping[str, Difference],
    question: Question,
    margin: float | None,
    higher_is_better: bool = True,
    limits: Range = ANYTHING,
) -> tuple[dict[str, Difference], dict[str, Judgement]]:
    """Judge every difference, and give each the interval that holds together with the others.

    Runs that two arms share count once among the comparisons.
    """
    owner = {arm.name: arm.same_as or arm.name for arm in arms}
    family = {owner[name] for name in differences} - {owner[question.baseline]}
    once = {name: differences[name] for name in differences if name in family}
    judged = judge(once, margin, higher_is_better=higher_is_better, level=question.level)
    shown = simultaneous(once, limits, question.level)
    for name, difference in differences.items():
        if owner[name] == owner[question.baseline]:
            judged[name], shown[name] = same_runs(margin), no_difference(difference)
        elif name not in judged:
            judged[name], shown[name] = judged[owner[name]], shown[owner[name]]
    return shown, {name: question.checked(judgement, name) for name, judgement in judged.items()}


def _differences(metric: MetricResult) -> dict[str, Difference]:
    return {name: score.difference for name, score in metric.arms.items() if score.difference is not None}


def _comparable(values: Mapping[str, Floats]) -> bool:
    """Whether all arms have the same images, and at least one that is defined in every run."""
    if len({matrix.shape[1] for matrix in values.values()}) > 1:
        return False
    return bool((~np.isnan(np.concatenate(list(values.values())))).all(axis=0).any())
