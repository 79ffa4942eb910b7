"""Where a study stands: what its looks have decided so far, and which runs the next look needs.

All of it follows from the runs that are done, so that a study that was interrupted goes on as if it had not
been, and looking again at an old one gives the same.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from unetseg.studies.analysis.decisions import decide
from unetseg.studies.analysis.looks import Decision
from unetseg.studies.analysis.question import ArmScores, Question
from unetseg.studies.analysis.results import Candidate
from unetseg.studies.analysis.score_matrix import RunScores, read_scores
from unetseg.studies.plan import RunPlan, Setting, Trial, trials_of


@dataclass(frozen=True)
class Standing:
    """How far the arms are that have every run of the first look.

    Attributes:
        plan: of the study.
        chosen: by arm, the setting that validation chose at the first look, in which it goes on.
        candidates: by arm, all that was tried; empty where there was nothing to choose.
        same_as: by arm, the earlier one of the same identity whose runs these are.
        scores: by arm, of the runs that are done, those of the first seeds on.
        decisions: by arm with runs of its own, without the baseline, what was said at its last look; empty
            where there is nothing to compare.
    """

    plan: RunPlan
    chosen: Mapping[str, Setting]
    candidates: Mapping[str, tuple[Candidate, ...]]
    same_as: Mapping[str, str]
    scores: Mapping[str, tuple[RunScores, ...]]
    decisions: Mapping[str, Decision]

    def seeds(self, arm: str) -> int:
        """Return how many seeds an arm was judged by; of the baseline as many as of any arm."""
        decision = self.decisions.get(self.same_as.get(arm, arm))
        if decision is not None:
            return decision.seeds
        return max((each.seeds for each in self.decisions.values()), default=self.plan.study.looks[0])

    @cached_property
    def going(self) -> tuple[str, ...]:
        """The arms that no look has decided yet, if any look is left."""
        looks = self.plan.study.looks
        return tuple(
            arm
            for arm, decision in self.decisions.items()
            if not decision.decided and decision.seeds < looks[-1]
        )

    def next_look(self, failed: Collection[Path] = ()) -> tuple[int, list[Trial]]:
        """Return the next look, in seeds, and its runs, of which some are not done; no runs at the end.

        Args:
            failed: folders of runs that are not to be tried again. An arm that has one stops, and all do if
                the baseline has one.
        """
        study = self.plan.study
        every = [setting for settings in self.plan.settings.values() for setting in settings]
        first = trials_of(every, study.looks[0])
        if _to_do(first, failed):
            return study.looks[0], first
        after = {look for arm in self.going for look in study.looks if look > self.seeds(arm)}
        for look in sorted(after):
            going = [self.chosen[arm] for arm in (study.baseline, *self.going)]
            whole = [setting for setting in going if not _failed(setting, look, failed)]
            trials = trials_of(whole, look)
            if going[0] in whole and _to_do(trials, failed):
                return look, trials
        return study.looks[-1], []

    def trials(self) -> list[Trial]:
        """Return the runs that the looks so far took in, once each."""
        every = [setting for settings in self.plan.settings.values() for setting in settings]
        taken = trials_of(every, self.plan.study.looks[0])
        for arm, setting in self.chosen.items():
            taken += trials_of([setting], self.seeds(arm))
        return list({trial.run.path: trial for trial in taken}.values())


def standing(plan: RunPlan) -> Standing:
    """Look at the runs of a study that are done.

    Raises:
        UnetsegError: if a run's scores cannot be read, or lack the primary metric.
    """
    study = plan.study
    chosen: dict[str, Setting] = {}
    candidates: dict[str, tuple[Candidate, ...]] = {}
    same_as: dict[str, str] = {}
    owners: dict[str, str] = {}  # arms by the identity of what they turned out to be
    for arm, settings in plan.settings.items():
        if not any(_done(setting, study.looks[0]) for setting in settings):
            continue
        chosen[arm], candidates[arm] = choose(settings, study.looks[0])
        owner = owners.setdefault(chosen[arm].config.identity(), arm)
        if owner != arm:
            same_as[arm] = owner
    scores = {arm: done_scores(setting) for arm, setting in chosen.items()}
    decisions: dict[str, Decision] = {}
    if study.baseline in chosen and len(owners) > 1:
        arms = [ArmScores(arm, arm, runs, same_as.get(arm)) for arm, runs in scores.items()]
        decisions = decide(arms, question_of(plan))
    return Standing(plan, chosen, candidates, same_as, scores, decisions)


def question_of(plan: RunPlan) -> Question:
    """Return what the arms of a study are compared for."""
    study = plan.study
    return Question(
        study.baseline,
        study.primary,
        study.margin,
        study.pairs,
        looks=study.looks,
        level=study.level,
        controls=study.controls,
    )


def choose(settings: tuple[Setting, ...], seeds: int) -> tuple[Setting, tuple[Candidate, ...]]:
    """Return the setting with the highest best validation IoU, averaged over seeds, and all that was tried.

    The first of equals wins; a setting of which a seed failed cannot.

    Args:
        settings: of one arm.
        seeds: how many count: those of the first look.
    """
    means = [validation_iou(setting, seeds) if _done(setting, seeds) else None for setting in settings]
    known = [-1.0 if mean is None else mean for mean in means]
    tried = tuple(
        Candidate(values=setting.values, validation_iou=mean)
        for setting, mean in zip(settings, means, strict=True)
    )
    return settings[known.index(max(known))], tried if len(settings) > 1 else ()


def validation_iou(setting: Setting, seeds: int) -> float:
    """Return the mean over seeds of the best epoch's validation IoU; an epoch may be without one (NaN)."""
    trials = setting.trials[:seeds]
    best = [np.nanmax([-1.0, *(row["val_iou"] for row in trial.run.epochs())]) for trial in trials]
    return float(np.mean(best))


def done_scores(setting: Setting) -> tuple[RunScores, ...]:
    """Read the runs of the first seeds that are done, up to the first that is not."""
    scores = []
    for trial in setting.trials:
        if not trial.done:
            break
        scores.append(read_scores(trial.run))
    return tuple(scores)


def _done(setting: Setting, seeds: int) -> bool:
    return all(trial.done for trial in setting.trials[:seeds])


def _failed(setting: Setting, seeds: int, failed: Collection[Path]) -> bool:
    return any(trial.run.path in failed for trial in setting.trials[:seeds])


def _to_do(trials: list[Trial], failed: Collection[Path]) -> bool:
    return any(not trial.done and trial.run.path not in failed for trial in trials)
