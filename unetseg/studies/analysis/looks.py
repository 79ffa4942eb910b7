"""Sequential studies: a plan of looks, made before the first, and what each look decides.

A study looks at its arms after some seeds, stops those that are decided, and goes on with the others. A test
that is made L times errs L times as often, so each look tests at ``0.05 / L`` (Bonferroni over looks) on
p-values that Holm adjusts for the arms. That holds for any list of looks: a false difference needs some true
null with ``p <= 0.05 / (L × number of true nulls)`` at some look. Arms that stopped stay in the family with
the p-value of their last look.
"""

import itertools
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
        margin: the largest difference in it that counts as none.
        seeds: of every arm, in the order in which they are trained; from 0 on if not given.
    """

    looks: tuple[int, ...]
    family: tuple[str, ...]
    primary: str
    margin: float = 0.01
    seeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        require_rising(self.looks)
        if not self.seeds:
            object.__setattr__(self, "seeds", tuple(range(self.looks[-1])))

    @property
    def level(self) -> float:
        """The threshold of each look for Holm-adjusted p-values: 0.05 over the number of looks."""
        return ALPHA / len(self.looks)

    def departures(self, asked: "Plan") -> tuple[str, ...]:
        """Say in what a study is not as planned, so that its verdicts are exploratory.

        Fewer of the planned looks are no departure: the threshold stays that of the plan.

        Args:
            asked: what the study would have been planned as, had it been planned as it is now.

        Returns:
            A few words a departure, none where all is as planned.
        """
        planned = ", ".join(map(str, self.looks))
        found = [
            f"{look} seed{'s' * (look != 1)} are none of the planned looks ({planned})"
            for look in asked.looks
            if look not in self.looks
        ]
        if any(one != other for one, other in zip(asked.seeds, self.seeds, strict=False)):
            here, there = (", ".join(map(str, each.seeds)) for each in (asked, self))
            found.append(f"the seeds are {here}, and {there} were planned")
        found += [f"arm {arm} was planned and is left out" for arm in self.family if arm not in asked.family]
        found += [f"arm {arm} was not planned" for arm in asked.family if arm not in self.family]
        if asked.primary != self.primary:
            found.append(f"the primary metric is {asked.primary}, and {self.primary} was planned")
        if asked.margin != self.margin:
            found.append(f"the margin is {asked.margin:g}, and {self.margin:g} was planned")
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
        """Whether the arm stops here: decided, or without an interval however many seeds there are."""
        return self.judgement.verdict in DECIDED or bool(self.difference.without_interval)


def require_rising(looks: Sequence[int], where: str = "looks") -> None:
    """Refuse looks that are none.

    Raises:
        UsageError: begins with ``where``.
    """
    rising = all(first < second for first, second in itertools.pairwise(looks))
    if not looks or looks[0] < 1 or not rising:
        told = ", ".join(map(str, looks)) or "none"
        raise UsageError(f"{where} {told}: give rising numbers of seeds, such as 3, 4, 5, 7, 10")


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
        at_look: returns the differences of some arms over the first so many seeds of arm and baseline. An
            arm that it leaves out (a run failed) stays with what was said of it last; at the first look none
            is left out.
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
        found = at_look(seeds, going)
        if not found:
            break
        latest |= found
        family = {arm: latest[arm] for arm in arms}
        judged = judge(family, margin, higher_is_better=higher_is_better, level=level)
        shown = simultaneous(family, limits, level)
        decisions |= {arm: Decision(seeds, shown[arm], judged[arm]) for arm in found}
    return decisions


def going_on(decisions: Mapping[Key, Decision], arms: Sequence[Key]) -> list[Key]:
    """Return the arms that need more seeds: those that no look has decided."""
    return [arm for arm in arms if arm not in decisions or not decisions[arm].decided]
