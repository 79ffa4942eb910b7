"""``ablate``: a study planned, trained and analysed."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from unetseg.config import RunConfig
from unetseg.data.datasets.check import require_sound
from unetseg.data.datasets.open import open_data
from unetseg.errors import UnetsegError
from unetseg.models.cost import Cost
from unetseg.models.hardware import choose_hardware
from unetseg.runs import STUDY_FILE
from unetseg.studies.analysis.assemble import Setup, assemble, joint_versions, run_result
from unetseg.studies.analysis.results import ArmResult, MissingRun, StudyResults
from unetseg.studies.analysis.score_matrix import read_scores
from unetseg.studies.costs import plan_costs
from unetseg.studies.folds import fold_note
from unetseg.studies.outlook import outlook, unfair_trials
from unetseg.studies.plan import RunPlan, Setting, Trial, make_plan
from unetseg.studies.standing import Standing, question_of, standing
from unetseg.studies.study import Study
from unetseg.studies.study_file import load_study, study_yaml
from unetseg.studies.trials import train_trials
from unetseg.utilities.files import write_text
from unetseg.utilities.progress import Report, duration, print_line

NOT_DONE = "not trained to its end yet"


def run_study(
    plan: RunPlan,
    workers: int = 1,
    report: Report = print_line,
    command: str = "",
    minutes: float | None = None,
) -> StudyResults:
    """Train what a study needs, look by look, and analyse it.

    After each look it goes on with the arms that are undecided, until all are decided or no look is left.

    Args:
        plan: of :func:`~unetseg.studies.plan.make_plan`.
        workers: runs at a time.
        report: is given a line a run.
        command: that was typed.
        minutes: of the clock, after which no further look is begun; nor one that would take longer.

    Raises:
        UnetsegError: with one plain line, for whatever concerns all arms, or if none is left to compare. What
            concerns one arm is in the results' ``failures``.
    """
    base = plan.study.base
    choose_hardware(base)
    dataset = open_data(base)
    require_sound(dataset)
    costs = plan_costs(plan, len(dataset.classes) - 1)  # a net that cannot be built is found here
    report(outlook(plan, dataset))
    if minutes is not None and len(plan.study.looks) == 1:
        report("--minutes ends a study between two looks, and this one has one: --seeds 3..5 gives it more")
    for departure in plan.study.departures:
        report(f"not as planned, so the verdicts will be exploratory: {departure}")
    write_text(plan.folder / STUDY_FILE, study_yaml(plan.study))
    clock = Clock(minutes)
    reasons: dict[Path, str] = {}
    now = standing(plan)
    look, trials = now.next_look()
    if not trials:
        train_trials(now.trials(), workers, report)  # says that all are there already
    while trials:
        todo = sum(not trial.done for trial in trials)
        if clock.ends(todo):
            report(clock.text(look, todo))
            break
        if len(plan.study.looks) > 1:
            report(f"towards the look at {look} seeds: {', '.join(_arms_of(now, trials))}")
        reasons |= train_trials(trials, workers, report)
        clock.trained += todo
        now = standing(plan)
        look, trials = now.next_look(reasons)
    return study_results(now, costs, reasons, command)


class Clock:
    """Says when to begin no further look: when the time is over, or would be before its end."""

    def __init__(self, minutes: float | None) -> None:
        self.minutes = minutes
        self.trained = 0
        self.started = time.monotonic()

    def ends(self, runs: int) -> bool:
        """Return whether so many more runs would take too long; the first look is always taken."""
        return self.minutes is not None and self.trained > 0 and self.left(runs) < 0

    def left(self, runs: int) -> float:
        """Return the seconds that would be left after so many more runs, by the pace so far."""
        passed = time.monotonic() - self.started
        return 60 * (self.minutes or 0) - passed * (1 + runs / self.trained)

    def text(self, look: int, runs: int) -> str:
        """Say why the study ends before a look."""
        more = (time.monotonic() - self.started) * runs / self.trained
        return (
            f"ended by --minutes {self.minutes:g}: the next look, at {look} seeds, would take about "
            f"{duration(more)} more; the same command goes on"
        )


def read_study(
    folder: Path, command: str = "", primary: str | None = None, margin: float | None = None
) -> StudyResults:
    """Analyse the runs of a study that are there.

    Args:
        folder: the study's.
        command: that was typed.
        primary: key of another metric than the study's own; that is exploratory, and said so.
        margin: largest difference in that metric that counts as none; the study's own if not given.

    Raises:
        UnetsegError: if there are not two arms to compare.
    """
    study = load_study(folder / STUDY_FILE)
    if primary is not None:
        study = replace(study, primary=primary, margin=margin or study.margin)
    plan = make_plan(study, folder)
    done = [trial for trial in plan.trials() if trial.done]
    if not done:
        raise UnetsegError(
            f"{folder}: none of this study's runs is finished; 'unetseg ablate' goes on with it"
        )
    costs = plan_costs(plan, len(read_scores(done[0].run).classes))
    return study_results(standing(plan), costs, {}, command)


def study_results(
    now: Standing, costs: Mapping[str, Cost], reasons: Mapping[Path, str], command: str
) -> StudyResults:
    """Analyse the arms that have every seed of the first look.

    Args:
        now: where the study stands.
        costs: by identity.
        reasons: why runs failed, by their folders.
        command: that was typed.

    Raises:
        UnetsegError: if the baseline, or every other arm, is missing.
    """
    study = now.plan.study
    failures = [
        failure
        for arm, settings in now.plan.settings.items()
        for failure in _failures(arm, settings, study.looks, reasons)
    ]
    _require_comparison(study, list(now.chosen), failures)
    arms = study_arms(now, costs)
    setup = Setup(
        name=study.name,
        data=study.base.data,
        claim=study.claim,
        command=command,
        failures=tuple(failures),
        notes=(*fold_note(study.base), *unfair_trials(_tried(now)), *_looks_to_come(now, reasons)),
        plan=study.plan,
        exploratory=study.departures,
        versions=joint_versions(trial.run for trial in now.plan.trials() if trial.done),
    )
    scores = [now.scores[arm.name][: len(arm.runs)] for arm in arms]
    seeds = study.seeds[: now.seeds(study.baseline)]
    return assemble(arms, scores, seeds, question_of(now.plan), setup, now.decisions)


def study_arms(now: Standing, costs: Mapping[str, Cost]) -> list[ArmResult]:
    """Return the arms of a study that have every seed of the first look, with the runs that were looked at.

    Args:
        now: where the study stands.
        costs: by identity.
    """
    arms = []
    for arm in now.plan.study.arms:
        if arm.name not in now.chosen:
            continue
        setting = now.chosen[arm.name]
        cost = costs[setting.config.identity()]
        trials = setting.trials[: now.seeds(arm.name)]
        arms.append(
            ArmResult(
                name=arm.name,
                label=arm.label,
                overrides={key: getattr(setting.config, key) for key in arm.overrides},
                config=_without_seed(setting.config),
                runs=tuple(run_result(trial.run, trial.config.seed) for trial in trials),
                same_as=now.same_as.get(arm.name),
                parameters=cost.parameters,
                gmacs=cost.gmacs,
                gmacs_size=cost.size,
                chosen=setting.values,
                candidates=now.candidates[arm.name],
            )
        )
    return arms


def _tried(now: Standing) -> dict[str, int]:
    """Return how many settings each arm tried on validation."""
    return {arm: max(len(tried), 1) for arm, tried in now.candidates.items()}


def _looks_to_come(now: Standing, failed: Mapping[Path, str]) -> tuple[str, ...]:
    """Say which arms are undecided and when they would be looked at next, unless the study is at its end."""
    look, trials = now.next_look(failed)
    if not trials or not now.going:
        return ()
    arms = ", ".join(now.going)
    return (f"the plan is not at its end: {arms} undecided, and the next look is at {look} seeds",)


def _arms_of(now: Standing, trials: Sequence[Trial]) -> list[str]:
    """Return the arms that have runs among some that are not done."""
    wanted = {trial.run.path for trial in trials if not trial.done}
    return [
        arm
        for arm, settings in now.plan.settings.items()
        if any(trial.run.path in wanted for setting in settings for trial in setting.trials)
    ]


def _failures(
    arm: str, settings: tuple[Setting, ...], looks: tuple[int, ...], reasons: Mapping[Path, str]
) -> list[MissingRun]:
    """Return the runs of an arm that failed, and those of the first look that are not done."""
    return [
        MissingRun(arm=arm, seed=trial.config.seed, reason=reasons.get(trial.run.path, NOT_DONE))
        for setting in settings
        for position, trial in enumerate(setting.trials)
        if not trial.done and (position < looks[0] or trial.run.path in reasons)
    ]


def _without_seed(config: RunConfig) -> dict[str, object]:
    return {key: value for key, value in asdict(config).items() if key != "seed"}


def _require_comparison(study: Study, arms: list[str], failures: list[MissingRun]) -> None:
    if study.baseline in arms and len(arms) > 1:
        return
    lost = [each for each in failures if each.arm == study.baseline] or failures
    what = f"arm {lost[0].arm}, seed {lost[0].seed}: {lost[0].reason}"
    which = f"its reference {study.baseline}" if study.baseline not in arms else "all arms but one"
    raise UnetsegError(f"{study.name}: without {which} there is nothing to compare ({what})")
