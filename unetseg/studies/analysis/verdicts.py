"""From differences to verdicts: what the numbers allow to say of an arm.

An arm is ``better`` or ``worse`` when its Holm-adjusted p-value is significant, ``equivalent`` when two
one-sided tests place its difference within the margin, and ``undecided`` otherwise. Where both hold,
``equivalent`` wins: the margin is the smallest difference that the study cares about, so a smaller one that
was measured precisely is no finding, and the sentence still says that it was measured.

With fewer than three seeds an arm's numbers hold ``for these nets only``. ``not decidable`` is a comparison
without an interval, or one whose positive control failed. "Equivalent" asks for more than the test: five
seeds, no seed apart from the others, no heavy skew of images. Each claim of equivalence stands at its own
level; `equivalent_in_all` adjusts for the number of arms.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from unetseg.studies.analysis.cautions import LEAST_FOR_EQUIVALENCE
from unetseg.studies.analysis.intervals import holm
from unetseg.studies.analysis.means import Difference
from unetseg.studies.analysis.statistics import equivalence_p

Verdict = Literal["better", "worse", "equivalent", "undecided", "for these nets only", "not decidable"]
DECIDED: tuple[Verdict, ...] = ("better", "worse", "equivalent")
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdict on one arm, the p-values that it rests on, and how many arms were judged together.

    Without a margin there is no test of equivalence: ``margin`` and its p-values are None.

    Attributes:
        verdict: see the module.
        p_adjusted: of the difference, by Holm.
        p_equivalence: of two one-sided tests.
        p_equivalence_adjusted: the same by Holm, for "equivalent in all arms".
        margin: within which a difference counts as none.
        level: of each test: 0.05 over the number of looks.
        comparisons: the size of the family.
        reason: why the comparison is not decidable, or what bars "equivalent"; empty where nothing does.
    """

    verdict: Verdict
    p_adjusted: float
    p_equivalence: float | None
    p_equivalence_adjusted: float | None
    margin: float | None
    level: float
    comparisons: int
    reason: str = ""

    @property
    def significant(self) -> bool:
        """Whether the difference from zero is significant after adjustment, whatever its size."""
        return self.p_adjusted < self.level

    @property
    def within_margin(self) -> bool:
        """Whether two one-sided tests place the difference within the margin, whatever bars the verdict."""
        return self.p_equivalence is not None and self.p_equivalence < self.level


def judge(
    differences: Mapping[Key, Difference],
    margin: float | None,
    *,
    higher_is_better: bool = True,
    level: float = 0.05,
) -> dict[Key, Judgement]:
    """Judge the differences of several arms from one baseline in one metric, as the module describes.

    Args:
        differences: By arm. They form the family that Holm adjusts for: leave out arms that are the
            baseline's own runs, and judge the metrics that are not primary apart.
        margin: Largest difference that counts as none, in the metric's unit; positive. Without one, only arms
            that equal the baseline in every value are equivalent.
        higher_is_better: False for distances, errors and losses.
        level: Of each test, between 0 and 1: 0.05 over the number of looks.

    Raises:
        ValueError: The margin is not a positive number.
    """
    adjusted = holm([difference.p for difference in differences.values()])
    within = None if margin is None else [_equivalence(each, margin) for each in differences.values()]
    within_adjusted = None if within is None else holm(within)
    judgements = {}
    for index, (arm, difference) in enumerate(differences.items()):
        judgement = Judgement(
            verdict="undecided",
            p_adjusted=float(adjusted[index]),
            p_equivalence=None if within is None else within[index],
            p_equivalence_adjusted=None if within_adjusted is None else float(within_adjusted[index]),
            margin=margin,
            level=level,
            comparisons=len(differences),
            reason=difference.without_interval or bar_to_equivalence(difference, higher_is_better),
        )
        judgements[arm] = replace(judgement, verdict=_verdict(difference, judgement, higher_is_better))
    return judgements


def same_runs(margin: float | None, level: float = 0.05) -> Judgement:
    """Return the judgement on an arm that is the baseline's own runs: equivalent with any number of seeds."""
    p = None if margin is None else 0.0
    return Judgement(
        verdict="equivalent",
        p_adjusted=1.0,
        p_equivalence=p,
        p_equivalence_adjusted=p,
        margin=margin,
        level=level,
        comparisons=1,
    )


def not_decidable(judgement: Judgement, reason: str) -> Judgement:
    """Withdraw a verdict that rests on an arm which failed: ``reason`` says which and how, in a few words."""
    return replace(judgement, verdict="not decidable", reason=reason)


def equivalent_in_all(judgements: Iterable[Judgement]) -> bool:
    """Return whether every arm may be called equivalent together, by Holm's adjustment."""
    judgements = list(judgements)
    return bool(judgements) and all(
        each.verdict == "equivalent"
        and each.p_equivalence_adjusted is not None
        and each.p_equivalence_adjusted < each.level
        for each in judgements
    )


def bar_to_equivalence(difference: Difference, higher_is_better: bool = True) -> str:
    """Say what bars the verdict "equivalent" whatever the test says; empty where nothing does.

    Args:
        difference: Of two arms.
        higher_is_better: A score of 0 everywhere says that nothing was found; a distance of 0, that all was.
    """
    if difference.all_zero and higher_is_better:
        return "both are 0 in every image"
    if difference.seeds < LEAST_FOR_EQUIVALENCE:
        return f"{LEAST_FOR_EQUIVALENCE} seeds are needed"
    if any(difference.outlying):
        return "a seed lies apart from the others"
    return "a few images differ far more than the others" if difference.skewed else ""


def _equivalence(difference: Difference, margin: float) -> float:
    return float(equivalence_p(difference.comparison, margin))


def _verdict(difference: Difference, judgement: Judgement, higher_is_better: bool) -> Verdict:
    if difference.without_interval:
        return "not decidable"
    if not difference.seed_variance_known:
        return "for these nets only"
    same = difference.identical and judgement.margin is None
    if (same or judgement.within_margin) and not judgement.reason:
        return "equivalent"
    if judgement.significant:
        return "better" if (difference.mean > 0) == higher_is_better else "worse"
    return "undecided"


def p_text(p: float) -> str:
    """Return a p-value as a sentence shows it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
