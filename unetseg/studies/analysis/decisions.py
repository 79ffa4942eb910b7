"""What a plan decided: the arms judged look by look in the primary metric, over the runs that there are."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from unetseg.metrics.registry import METRICS
from unetseg.studies.analysis.differences import metric_values, shown_classes
from unetseg.studies.analysis.looks import Decision, follow
from unetseg.studies.analysis.means import Difference, difference_of_means
from unetseg.studies.analysis.populations import options_of
from unetseg.studies.analysis.question import ArmScores, Question
from unetseg.studies.analysis.results import MetricResult
from unetseg.studies.analysis.statistics import Floats
from unetseg.studies.analysis.unscored import no_metric


def decide(arms: Sequence[ArmScores], question: Question) -> dict[str, Decision]:
    """Judge the arms look by look, as far as their runs go.

    At each look an arm is compared with the baseline over as many seeds of both, and no run that was not
    there at that look counts: to look again later gives the same.

    Args:
        arms: of the same test images, with as many runs as there are, at least those of the first look.
        question: with its looks, and the baseline among the arms.

    Returns:
        By arm, without the baseline, and without arms whose runs are another's.

    Raises:
        UsageError: if the runs lack the primary metric.
    """
    metric = METRICS[question.primary]
    own = [arm for arm in arms if arm.same_as is None]
    owner = next(arm.same_as or arm.name for arm in arms if arm.name == question.baseline)
    runs = {arm.name: len(arm.runs) for arm in own}
    options = options_of(own[0].runs[0], metric, shown_classes(own[0].runs[0].classes)[0])
    seen: dict[str, int] = {}

    def at_look(seeds: int, going: Sequence[str]) -> dict[str, Difference]:
        ready = [name for name in going if min(runs[name], runs[owner]) >= seeds]
        seen.update(dict.fromkeys((*ready, owner), seeds) if ready else {})
        part = [replace(arm, runs=arm.runs[: seen[arm.name]]) for arm in own if arm.name in seen]
        values = primary_values(part, question)
        return {name: difference_of_means(values[name], values[owner], **options) for name in ready}

    return follow(
        question.looks,
        question.level,
        at_look,
        [arm.name for arm in own if arm.name != owner],
        question.margin_of(metric),
        higher_is_better=metric.higher_is_better,
        limits=options["limits"],
    )


def primary_values(arms: Sequence[ArmScores], question: Question) -> dict[str, Floats]:
    """Return the primary metric of each arm as float64 [seed, image].

    Raises:
        UsageError: if the runs lack it.
    """
    metric = METRICS[question.primary]
    class_name = shown_classes(arms[0].runs[0].classes)[0]
    values = metric_values(arms, metric, class_name)
    if not values:
        raise no_metric([run for arm in arms for run in arm.runs], metric, class_name)
    return values


def with_decisions(
    metric: MetricResult,
    arms: Sequence[ArmScores],
    question: Question,
    decisions: Mapping[str, Decision],
) -> MetricResult:
    """Return the primary metric with what the plan decided in place of what all seeds together say.

    Args:
        metric: the primary one.
        arms: that it compares.
        question: what they are compared for.
        decisions: of `decide`.
    """
    owner = {arm.name: arm.same_as or arm.name for arm in arms}
    scores = {
        name: replace(
            score, difference=decided.difference, judgement=question.checked(decided.judgement, name)
        )
        if score.difference is not None and (decided := decisions.get(owner[name]))
        else score
        for name, score in metric.arms.items()
    }
    return replace(metric, arms=scores)
