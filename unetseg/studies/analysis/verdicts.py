"""From differences to findings: better, worse, equivalent or undecided, each in one plain sentence.

An arm is ``equivalent`` when two one-sided tests place its difference within the margin, ``better`` or
``worse`` when its Holm-adjusted p-value is significant, and ``undecided`` otherwise. Where both hold,
``equivalent`` wins: the margin is the smallest difference that the study cares about, so a smaller one that
was measured precisely is no finding, and the sentence still says that it was measured. Only the claims of a
difference are adjusted for the number of arms; each claim of equivalence stands at its own level.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from unetseg.studies.analysis.statistics import (
    CrossedMean,
    Difference,
    Estimate,
    Floats,
    contrast,
    equivalence_p,
)

Verdict = Literal["better", "worse", "equivalent", "undecided"]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict on one arm, the p-values that it rests on, and how many arms were judged together.

    Without a margin there is no test of equivalence: ``margin`` and ``p_equivalence`` are None.
    """

    verdict: Verdict
    p_adjusted: float
    p_equivalence: float | None
    margin: float | None
    level: float
    comparisons: int

    @property
    def significant(self) -> bool:
        """Whether the difference from zero is significant after adjustment, whatever its size."""
        return self.p_adjusted < self.level


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Return Holm's step-down adjusted p-values in the given order (Holm 1979, Scand. J. Statist. 6:65).

    Args:
        p_values: One value an arm, each between 0 and 1.

    Raises:
        ValueError: A value is not between 0 and 1.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must lie between 0 and 1")
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def judge(
    differences: Mapping[Key, Difference],
    margin: float | None,
    *,
    higher_is_better: bool = True,
    level: float = 0.05,
) -> dict[Key, Judgement]:
    """Judge the differences of several arms from one reference in one metric, as the module describes.

    Args:
        differences: By arm. They form the family that Holm adjusts for: leave out arms that are the
            reference's own runs, and judge the metrics that are not primary apart.
        margin: Largest difference that counts as none, in the metric's unit; positive. Without one, only arms
            that equal the reference in every value are equivalent.
        higher_is_better: False for distances, errors and losses.
        level: Of each test, between 0 and 1.

    Raises:
        ValueError: The margin is not a positive number.
    """
    adjusted = holm([difference.p for difference in differences.values()])
    judgements = {}
    for (arm, difference), p in zip(differences.items(), adjusted, strict=True):
        p_equivalence = None if margin is None else float(equivalence_p(_crossed(difference), margin))
        gain = difference.mean if higher_is_better else -difference.mean
        judgements[arm] = Judgement(
            verdict=_verdict(gain, float(p), p_equivalence, level) if _differs(difference) else "equivalent",
            p_adjusted=float(p),
            p_equivalence=p_equivalence,
            margin=margin,
            level=level,
            comparisons=len(differences),
        )
    return judgements


def sentence(
    subject: str, metric: str, difference: Difference, judgement: Judgement, *, unit: str = ""
) -> str:
    """Say in one sentence what an arm does to a metric, with its numbers and the verdict.

    Args:
        subject: What was changed, as the sentence begins: "Without long skips (drop)".
        metric: As a reader names it: "test IoU".
        difference: The arm minus its reference.
        judgement: On that difference.
        unit: Written after the difference where it has one: "px".
    """
    if not _differs(difference):
        sample = sample_text(difference)
        return f"{subject}, {metric} is the same in every image ({sample}): {judgement.verdict}."
    digits = _digits(difference)
    unit = f" {unit}" if unit else ""
    if judgement.verdict in ("better", "worse"):
        sign = -1 if difference.mean < 0 else 1
        ends = sorted((sign * difference.low, sign * difference.high))
        change = f"{'falls' if sign < 0 else 'rises'} by {sign * difference.mean:z.{digits}f}{unit}"
        span = f"{ends[0]:z.{digits}f} to {ends[1]:z.{digits}f}"
    else:
        change = f"changes by {difference.mean:+z.{digits}f}{unit}"
        span = f"{difference.low:+z.{digits}f} to {difference.high:+z.{digits}f}"
    numbers = f"{_confidence(difference)} {span}, {sample_text(difference)}, {_tested(judgement)}"
    conclusion = _conclusion(judgement, unit) + _unknown_variance(difference)
    return f"{subject}, {metric} {change} ({numbers}): {conclusion}."


def contrast_sentence(
    subject: str, metrics: tuple[str, str], first: Difference, second: Difference, judgement: Judgement
) -> str:
    """Say in one sentence whether an arm moves the first metric more than the second.

    Args:
        subject: As in `sentence`.
        metrics: Names of the two, higher being better in both: ("boundary IoU", "IoU").
        first: The arm minus its reference in the first metric.
        second: The same in the second.
        judgement: On ``contrast(first, second)``, by `judge`.

    Raises:
        ValueError: The two differences are not over the same seeds and images.
    """
    gap = contrast(first, second)
    digits = _digits(gap)
    span = f"{gap.low:+z.{digits}f} to {gap.high:+z.{digits}f}"
    numbers = f"{_confidence(gap)} {span}, {sample_text(gap)}, {_tested(judgement)}"
    if judgement.verdict in ("better", "worse"):
        verb = {("better", True): "gains more", ("better", False): "loses less"}
        verb |= {("worse", True): "gains less", ("worse", False): "loses more"}
        finding = f"{metrics[0]} {verb[judgement.verdict, first.mean > 0]} than {metrics[1]}"
    elif judgement.verdict == "equivalent":
        finding = "both change alike" + (f", within {judgement.margin:g}" if judgement.margin else "")
    else:
        finding = "undecided which changes more"
    moves = (
        f"{metrics[0]} changes by {first.mean:+z.{digits}f} and {metrics[1]} by {second.mean:+z.{digits}f}"
    )
    return (
        f"{subject}, {moves}, {gap.mean:+z.{digits}f} apart ({numbers}): {finding}{_unknown_variance(gap)}."
    )


def _crossed(difference: Difference) -> CrossedMean:
    return CrossedMean(
        np.asarray(difference.mean),
        np.asarray(difference.standard_error),
        np.asarray(difference.degrees_of_freedom),
    )


def _differs(difference: Difference) -> bool:
    """Whether any image that is defined in every seed has another value than in the reference."""
    return bool(difference.paired[:, ~np.isnan(difference.paired).any(axis=0)].any())


def _verdict(gain: float, p_adjusted: float, p_equivalence: float | None, level: float) -> Verdict:
    if p_equivalence is not None and p_equivalence < level:
        return "equivalent"
    if p_adjusted < level:
        return "better" if gain > 0 else "worse"
    return "undecided"


def _conclusion(judgement: Judgement, unit: str) -> str:
    if judgement.margin is None or judgement.p_equivalence is None:
        return "undecided, no difference is shown" if judgement.verdict == "undecided" else judgement.verdict
    within = f"{judgement.margin:g}{unit}"
    if judgement.verdict == "equivalent":
        measured = ", a difference measured but too small to matter" if judgement.significant else ""
        return f"equivalent within {within} ({_p(judgement.p_equivalence)}){measured}"
    if judgement.verdict == "undecided":
        return f"undecided, neither a difference nor equivalence within {within} is shown"
    return judgement.verdict


def _unknown_variance(difference: Difference) -> str:
    """Say which source of chance the numbers leave out, if any."""
    unknown = []
    if not difference.seed_variance_known:
        unknown.append("seeds")
    if not difference.image_variance_known:
        unknown.append("images")
    return f" (variance between {' and '.join(unknown)} unknown)" if unknown else ""


def _digits(difference: Difference) -> int:
    """Return the decimals that show two digits of the standard error, three to six."""
    error = difference.standard_error
    return min(max(1 - math.floor(math.log10(error)), 3), 6) if 0 < error < math.inf else 3


def _confidence(difference: Difference) -> str:
    return f"{100 * difference.confidence:g} % interval"


def sample_text(difference: Estimate) -> str:
    """Return over how many seeds and images something is a mean."""
    seeds, images, dropped = difference.seeds, difference.images, difference.images_dropped
    counted = f"{seeds} seed{'s' * (seeds != 1)} × {images} image{'s' * (images != 1)}"
    return f"{counted}, {dropped} left out as undefined" if dropped else counted


def _tested(judgement: Judgement) -> str:
    return f"{'adjusted ' * (judgement.comparisons > 1)}{_p(judgement.p_adjusted)}"


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
