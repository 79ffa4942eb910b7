"""Sequential studies: a plan of looks, made before the first, and what each look decides.

A study looks at its arms after some seeds, stops those that are decided, and goes on with the others. A test
that is made L times errs L times as often, so each look tests at ``0.05 / L`` (Bonferroni over looks) on
p-values that Holm adjusts for the arms. That holds for any list of looks: a false difference needs some true
null with ``p <= 0.05 / (L × number of true nulls)`` at some look. Arms that stopped stay in the family with
the p-value of their last look.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from unetseg.errors import UsageError
from unetseg.studies.analysis.means import ANYTHING, Difference, Range, simultaneous
from unetseg.studies.analysis.verdicts import DECIDED, Judgement, judge

Key = TypeVar("Key", bound=Hashable)

ALPHA = 0.05
MOST_LOOKS = 5


@dataclass(frozen=True)
class Plan:
    """What a study decided before its first look.

    Attributes:
        looks: numbers of seeds, rising; the last is where it ends.
        family: the arms that Holm adjusts for, without the baseline.
        primary: key of the metric that decides.
    """

    looks: tuple[int, ...]
    family: tuple[str, ...]
    primary: str

    def __post_init__(self) -> None:
        rising = all(first < second for first, second in zip(self.looks, self.looks[1:], strict=False))
        if not self.looks or self.looks[0] < 1 or not rising:
            told = ", ".join(map(str, self.looks)) or "none"
            raise UsageError(f"looks {told}: give rising numbers of seeds, such as 3, 4, 5, 7, 10")

    @property
    def level(self) -> float:
        """The threshold of each look for Holm-adjusted p-values: 0.05 over the number of looks."""
        return ALPHA / len(self.looks)

    def departures(self, seeds: int, arms: Sequence[str], primary: str) -> tuple[str, ...]:
        """Say in what a study is not as planned, so that its verdicts are exploratory.

        Args:
            seeds: that the arms which went on to the end have.
            arms: all but the baseline.
            primary: metric.

        Returns:
            A few words a departure, none where all is as planned.
        """
        found = []
        if seeds not in self.looks:
            found.append(f"{seeds} seeds are none of the planned looks ({', '.join(map(str, self.looks))})")
        missing = [arm for arm in self.family if arm not in arms]
        added = [arm for arm in arms if arm not in self.family]
        found += [f"arm {arm} was planned and is missing" for arm in missing]
        found += [f"arm {arm} was not planned" for arm in added]
        if primary != self.primary:
            found.append(f"the primary metric is {primary}, and {self.primary} was planned")
        return tuple(found)


@dataclass(frozen=True)
class Decision:
    """What was said of an arm at its last look.

    Attributes:
        seeds: of that look.
        difference: with the interval of that look.
        judgement: of that look; ``undecided`` where the arm goes on, or the plan ended.
    """

    seeds: int
    difference: Difference
    judgement: Judgement

    @property
    def decided(self) -> bool:
        """Whether the arm stops here."""
        return self.judgement.verdict in DECIDED


def looks_between(first: int, last: int) -> tuple[int, ...]:
    """Return the looks of ``--seeds first..last``: the first three numbers, then every second, five at most.

    Raises:
        UsageError: if the numbers do not rise from 1 or more.
    """
    if not 1 <= first < last:
        raise UsageError(f"--seeds {first}..{last}: give two rising numbers of seeds, such as 3..10")
    steps = (first, first + 1, first + 2, first + 4)
    return (*(look for look in steps[: MOST_LOOKS - 1] if look < last), last)


def follow(
    looks: Sequence[int],
    level: float,
    at_look: Callable[[int, Sequence[Key]], Mapping[Key, Difference]],
    arms: Sequence[Key],
    margin: float | None,
    *,
    higher_is_better: bool = True,
    limits: Range = ANYTHING,
) -> dict[Key, Decision]:
    """Judge arms look by look, and return each with what was said of it last.

    Args:
        looks: those of the plan that there are seeds for, in order.
        level: of each look, from the whole plan.
        at_look: returns the differences of some arms over the first so many seeds of arm and baseline.
        arms: the family.
        margin: as of `judge`.
        higher_is_better: as of `judge`.
        limits: as of `simultaneous`.
    """
    latest: dict[Key, Difference] = {}
    decisions: dict[Key, Decision] = {}
    for seeds in looks:
        going = going_on(decisions, arms)
        if not going:
            break
        latest |= at_look(seeds, going)
        family = {arm: latest[arm] for arm in arms}
        judged = judge(family, margin, higher_is_better=higher_is_better, level=level)
        shown = simultaneous(family, limits, level)
        decisions |= {arm: Decision(seeds, shown[arm], judged[arm]) for arm in going}
    return decisions


def going_on(decisions: Mapping[Key, Decision], arms: Sequence[Key]) -> list[Key]:
    """Return the arms that need more seeds: those that no look has decided."""
    return [arm for arm in arms if arm not in decisions or not decisions[arm].decided]
