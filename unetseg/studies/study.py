"""A study: arms under one protocol, each a change of one base configuration."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from unetseg.config import RunConfig, from_mapping
from unetseg.config_checks import flag
from unetseg.errors import UsageError, did_you_mean
from unetseg.studies.analysis.looks import Plan
from unetseg.studies.seeds import read_seeds

PLACEHOLDER = "{level}"
# Keys whose value may be a list or a mapping in itself.
NEVER_LISTS = ("skips", "trainer")


@dataclass(frozen=True)
class Arm:
    """One configuration under test.

    Attributes:
        name: short and unique.
        label: how a sentence about it begins.
        overrides: what it changes in the base; a list holds values of which the validation split chooses one.
    """

    name: str
    label: str
    overrides: dict[str, Any] = field(default_factory=dict)

    def settings(self, base: RunConfig, where: str) -> list[tuple[dict[str, Any], RunConfig]]:
        """Return what is to be tried: for each combination of listed values, these and the configuration.

        Args:
            base: what the arm changes.
            where: the study comes from, for the error line.

        Raises:
            UsageError: if a key is unknown or a value out of range.
        """
        lists = {
            key: value
            for key, value in self.overrides.items()
            if isinstance(value, list) and key not in NEVER_LISTS
        }
        tried = []
        for values in itertools.product(*lists.values()):
            listed = dict(zip(lists, values, strict=True))
            config = from_mapping({**self.overrides, **listed}, f"{where}: arm {self.name}", base)
            tried.append(({key: getattr(config, key) for key in listed}, config))
        return tried

    def without(self, name: str) -> "Arm":
        """Return the arm without one of its settings."""
        return replace(self, overrides={key: value for key, value in self.overrides.items() if key != name})

    def for_levels(self, levels: Sequence[int]) -> Iterator["Arm"]:
        """Yield one arm a level where the name holds ``{level}``, else the arm itself."""
        if PLACEHOLDER not in self.name:
            yield self
            return
        for level in levels:
            overrides = {key: _filled(value, level) for key, value in self.overrides.items()}
            yield Arm(_filled(self.name, level), _filled(self.label, level), overrides)


@dataclass(frozen=True)
class Study:
    """Arms and seeds under one protocol.

    Attributes:
        name: what the study is called.
        claim: what it tests, in plain English; may be empty.
        base: the configuration that the arms change; its seed does not matter.
        arms: at least two, or one for each level.
        baseline: name of the arm that the others are compared with.
        seeds: of every arm.
        primary: key of the metric that the verdict is about.
        margin: largest difference in it that counts as none; also in all metrics of its unit.
        pairs: further comparisons, of an arm with another than the baseline.
        looks: numbers of seeds after which the arms are judged; one, after the last seed, if not given.
        controls: by arm, another that must have learned for the arm's verdict to mean anything.
        plan: what was decided before the first run; None before that, or where nobody wrote it down.
    """

    name: str
    claim: str
    base: RunConfig
    arms: tuple[Arm, ...]
    baseline: str
    seeds: tuple[int, ...]
    primary: str
    margin: float
    pairs: tuple[tuple[str, str], ...] = ()
    looks: tuple[int, ...] = ()
    controls: dict[str, str] = field(default_factory=dict)
    plan: Plan | None = None

    def __post_init__(self) -> None:
        if not self.looks:
            object.__setattr__(self, "looks", (len(self.seeds),))

    @property
    def asked(self) -> Plan:
        """The plan that the study as it is now would have, had it none yet; its levels must be expanded."""
        family = tuple(arm.name for arm in self.arms if arm.name != self.baseline)
        return Plan(self.looks, family, self.primary, self.margin, self.seeds)

    @property
    def departures(self) -> tuple[str, ...]:
        """In what the study is not as planned, a few words each."""
        return self.plan.departures(self.asked) if self.plan else ()

    @property
    def level(self) -> float:
        """The threshold of each look for Holm-adjusted p-values."""
        return min(self.asked.level, self.plan.level if self.plan else 1.0)

    def planned_as(self, earlier: "Study | None") -> "Study":
        """Return the study with the plan that stands: that of an earlier one in its place, or its own.

        Args:
            earlier: what its folder says that it was asked for last, with its levels expanded; None if
                nothing was.
        """
        if earlier is None:
            return replace(self, plan=self.plan or self.asked)
        return replace(self, plan=earlier.plan or earlier.asked)

    def expanded(self, levels: Sequence[int]) -> "Study":
        """Return the study with one arm a level in place of each arm whose name holds ``{level}``.

        Raises:
            UsageError: if a pair or a control names an arm that there is not.
        """
        arms = tuple(each for arm in self.arms for each in arm.for_levels(levels))
        names = [arm.name for arm in arms]
        asked = [("pairs", name) for pair in self.pairs for name in pair]
        asked += [("positive_control", name) for pair in self.controls.items() for name in pair]
        for key, name in asked:
            if name not in names:
                raise UsageError(
                    f"{self.name}: {key}: '{name}' is none of the arms{did_you_mean(name, names)}"
                )
        return replace(self, arms=arms)

    def based_on(self, base: RunConfig, seeds: int | str | None = None) -> "Study":
        """Return the study on another base, with other seeds and looks if any are given.

        A value that the base gives replaces the list that all arms would try alike.

        Raises:
            UsageError: if the base differs in what every arm sets, or there is no seed.
        """
        arms = self.arms
        for name in [
            spec.name for spec in fields(base) if getattr(base, spec.name) != getattr(self.base, spec.name)
        ]:
            tried = arms[0].overrides.get(name)
            if isinstance(tried, list) and all(arm.overrides.get(name) == tried for arm in arms):
                arms = tuple(arm.without(name) for arm in arms)
            elif all(name in arm.overrides for arm in arms):
                raise UsageError(f"{flag(name)}: every arm of {self.name} sets it itself")
        if seeds is None:
            return replace(self, base=base, arms=arms)
        numbers, looks = read_seeds(seeds, "--seeds")
        return replace(self, base=base, arms=arms, seeds=numbers, looks=looks)

    def only(self, names: Iterable[str]) -> "Study":
        """Return the study with a part of its arms; the baseline always takes part.

        Raises:
            UsageError: if an arm is unknown, or none is left to compare.
        """
        names = list(names)
        known = [arm.name for arm in self.arms]
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known)
                raise UsageError(f"--arms '{name}': {self.name} has the arms {', '.join(known)}{hint}")
        kept = tuple(arm for arm in self.arms if arm.name in names or arm.name == self.baseline)
        if len(kept) < 2:
            raise UsageError(f"--arms {','.join(names)}: name an arm besides the reference {self.baseline}")
        left = {arm.name for arm in kept}
        pairs = tuple(pair for pair in self.pairs if left.issuperset(pair))
        controls = {arm: other for arm, other in self.controls.items() if left.issuperset((arm, other))}
        return replace(self, arms=kept, pairs=pairs, controls=controls)


def _filled(value: Any, level: int) -> Any:
    return value.replace(PLACEHOLDER, str(level)) if isinstance(value, str) else value
