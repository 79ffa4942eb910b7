"""The finding about each arm in one sentence, and what it still needs to be one."""

from collections.abc import Sequence

from unetseg.studies.analysis.power import Spread, needed_to_decide
from unetseg.studies.analysis.question import ArmScores
from unetseg.studies.analysis.results import ArmScore, MetricResult
from unetseg.studies.analysis.sentences import estimate_text, sentence

EXPLORATORY = "exploratory"


def arm_sentences(arms: Sequence[ArmScores], metric: MetricResult, exploratory: bool) -> list[str]:
    """Say what each arm does to the primary metric.

    An undecided one says about what would decide it, and all say where they are not as planned.

    Args:
        arms: that were compared.
        metric: the primary one.
        exploratory: whether the study departs from its plan.
    """
    spread = spread_of(metric)
    return [_arm_sentence(arm, metric, spread, exploratory) for arm in arms]


def spread_of(metric: MetricResult) -> Spread | None:
    """Return how much a metric varies between seeds and images; None where two seeds are missing."""
    scores = metric.arms.values()
    try:
        return Spread.of(score.difference for score in scores if score.difference is not None)
    except ValueError:
        return None


def _arm_sentence(arm: ArmScores, metric: MetricResult, spread: Spread | None, exploratory: bool) -> str:
    score = metric.arms[arm.name]
    if score.difference is None or score.judgement is None:
        return f"{arm.label}, {metric.label} is {estimate_text(score.estimate)}: the reference."
    if arm.same_as is not None:
        return f"{arm.label}, the net is that of arm {arm.same_as}: one run, shown twice."
    told = sentence(arm.label, metric.label, score.difference, score.judgement, unit=metric.unit)
    more = [_needed(score, spread), f"{EXPLORATORY}, not as planned" if exploratory else ""]
    return "; ".join([told.removesuffix("."), *filter(None, more)]) + "."


def _needed(score: ArmScore, spread: Spread | None) -> str:
    if spread is None or score.difference is None or score.judgement is None:
        return ""
    if score.judgement.verdict != "undecided" or score.difference.identical:
        return ""
    return str(needed_to_decide(score.difference, score.judgement, spread))
