"""Metrics that runs lack, mostly since they were scored before these were added, and what to do about it."""

from collections.abc import Sequence

from unetseg.errors import UsageError
from unetseg.evaluation.rows import MEAN
from unetseg.metrics import registry
from unetseg.metrics.registry import Metric
from unetseg.studies.analysis.score_matrix import RunScores
from unetseg.utilities.text import first_few

SCORE_ANEW = (
    "once a run's test.json is moved away, 'unetseg fit --resume RUN' (of a study, its 'unetseg ablate' "
    "command) tests it anew; it needs last.ckpt"
)


def no_metric(runs: Sequence[RunScores], metric: Metric, class_name: str) -> UsageError:
    """Return the error for a metric that runs cannot be compared in: which run lacks it, and what to do.

    Args:
        runs: that are compared.
        metric: of a study.
        class_name: a foreground class, or ``mean``.
    """
    name = f"{metric.label} ({metric.key})"
    if metric.group == "training":
        lacking = [run.name for run in runs if not run.training]
        which = f"{first_few(lacking)} lack it" if lacking else "they were trained on different images"
        return UsageError(f"{name} is compared between the runs of studies: {which}; choose another metric")
    if class_name == MEAN and metric.counted:
        return UsageError(
            f"{name} has no mean over several classes, whose {metric.counted} are of different kinds; choose "
            "another metric"
        )
    lacking = [run.name for run in runs if _lacks(run, metric)]
    if lacking:
        return UsageError(
            f"{name} is missing in {first_few(lacking)}: scored before it was added, or on labels that it "
            f"means nothing for. Choose another metric, or test anew: {SCORE_ANEW}"
        )
    return UsageError(f"{name} is not defined in any image of all these runs; choose another metric")


def unscored_note(runs: Sequence[RunScores]) -> list[str]:
    """Say which metrics are not compared since a part of the runs lacks them; nothing where there are none.

    Args:
        runs: that are compared.
    """
    lacking: dict[str, None] = {}
    labels = []
    for metric in registry.studied():
        names = [run.name for run in runs if metric.group != "training" and _lacks(run, metric)]
        if 0 < len(names) < len(runs):
            labels.append(metric.label)
            lacking |= dict.fromkeys(names)
    if not labels:
        return []
    return [
        f"not compared, as {first_few(lacking)} {'were' if len(lacking) > 1 else 'was'} scored without: "
        f"{', '.join(labels)}; {SCORE_ANEW}"
    ]


def _lacks(run: RunScores, metric: Metric) -> bool:
    """Return whether a run's table has no column for a metric of single images, or for a ratio of counts."""
    columns = {*metric.numerator, *metric.denominator} or {metric.key}
    return not any(columns <= row.keys() for name in run.classes for row in run.table[name].values())
