"""``ablate``: a study planned, trained and analysed."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from unetseg.config import RunConfig
from unetseg.data.datasets.check import require_sound
from unetseg.data.datasets.open import open_data
from unetseg.errors import UnetsegError
from unetseg.models.cost import Cost
from unetseg.models.hardware import choose_hardware
from unetseg.runs import CHECKPOINTS, STUDY_FILE, slug
from unetseg.studies.analysis.assemble import Setup, assemble, joint_versions, run_result
from unetseg.studies.analysis.differences import Question
from unetseg.studies.analysis.results import ArmResult, Candidate, MissingRun, StudyResults
from unetseg.studies.analysis.score_matrix import read_scores
from unetseg.studies.plan import Plan, Setting, make_plan, plan_costs
from unetseg.studies.study import Study
from unetseg.studies.study_file import load_study, study_yaml
from unetseg.studies.trials import train_trials
from unetseg.utilities.files import write_text
from unetseg.utilities.progress import Report, print_line

NOT_DONE = "not trained to its end yet"


def default_folder(study: Study) -> Path:
    """Return where a study lies if nobody says: by its name and that of its data."""
    return CHECKPOINTS / slug(f"{study.name}-{Path(study.base.data).name}")


def run_study(plan: Plan, workers: int = 1, report: Report = print_line, command: str = "") -> StudyResults:
    """Train what is left to train of a study, and analyse it.

    Args:
        plan: of :func:`~unetseg.studies.plan.make_plan`.
        workers: runs at a time.
        report: is given a line a run.
        command: that was typed.

    Raises:
        UnetsegError: with one plain line, for whatever concerns all arms, or if none is left to compare. What
            concerns one arm is in the results' ``failures``.
    """
    base = plan.study.base
    choose_hardware(base)
    dataset = open_data(base)
    require_sound(dataset)
    costs = plan_costs(plan, len(dataset.classes) - 1)  # a net that cannot be built is found here
    write_text(plan.folder / STUDY_FILE, study_yaml(plan.study))
    reasons = train_trials(plan.trials(), workers, report)
    return study_results(plan, costs, reasons, command)


def read_study(folder: Path, command: str = "") -> StudyResults:
    """Analyse the runs of a study that are there.

    Raises:
        UnetsegError: if there are not two arms to compare.
    """
    plan = make_plan(load_study(folder / STUDY_FILE), folder)
    done = [trial for trial in plan.trials() if trial.done]
    if not done:
        raise UnetsegError(
            f"{folder}: none of this study's runs is finished; 'unetseg ablate' goes on with it"
        )
    costs = plan_costs(plan, len(read_scores(done[0].run).classes))
    return study_results(plan, costs, {}, command)


def study_results(
    plan: Plan, costs: Mapping[str, Cost], reasons: Mapping[Path, str], command: str
) -> StudyResults:
    """Analyse the arms of which every seed is done.

    Args:
        plan: of the study.
        costs: by identity.
        reasons: why runs failed, by their folders.
        command: that was typed.

    Raises:
        UnetsegError: if the baseline, or every other arm, is missing.
    """
    study = plan.study
    arms, scores, failures = [], [], []
    shown: dict[str, str] = {}  # arms by the identity of what they turned out to be
    for arm in study.arms:
        settings = plan.settings[arm.name]
        failures += _failures(arm.name, settings, reasons)
        if not any(_done(setting) for setting in settings):
            continue
        setting, candidates = choose(settings)
        identity = setting.config.identity()
        cost = costs[identity]
        runs = [trial.run for trial in setting.trials]
        arms.append(
            ArmResult(
                name=arm.name,
                label=arm.label,
                overrides={key: getattr(setting.config, key) for key in arm.overrides},
                config=_without_seed(setting.config),
                runs=tuple(run_result(run, seed) for run, seed in zip(runs, study.seeds, strict=True)),
                same_as=shown.get(identity),
                parameters=cost.parameters,
                gmacs=cost.gmacs,
                gmacs_size=cost.size,
                chosen=setting.values,
                candidates=candidates,
            )
        )
        scores.append(tuple(read_scores(run) for run in runs))
        shown.setdefault(identity, arm.name)
    _require_comparison(study, [arm.name for arm in arms], failures)
    setup = Setup(
        name=study.name,
        data=study.base.data,
        claim=study.claim,
        command=command,
        failures=tuple(failures),
        versions=joint_versions(trial.run for trial in plan.trials() if trial.done),
    )
    question = Question(study.baseline, study.primary, study.margin, study.pairs)
    return assemble(arms, scores, study.seeds, question, setup)


def choose(settings: tuple[Setting, ...]) -> tuple[Setting, tuple[Candidate, ...]]:
    """Return the setting with the highest best validation IoU, averaged over seeds, and all that was tried.

    The first of equals wins; a setting of which a seed failed cannot.
    """
    means = [validation_iou(setting) if _done(setting) else None for setting in settings]
    known = [-1.0 if mean is None else mean for mean in means]
    tried = tuple(
        Candidate(values=setting.values, validation_iou=mean)
        for setting, mean in zip(settings, means, strict=True)
    )
    return settings[known.index(max(known))], tried if len(settings) > 1 else ()


def validation_iou(setting: Setting) -> float:
    """Return the mean over seeds of the best epoch's validation IoU; an epoch may be without one (NaN)."""
    best = [np.nanmax([-1.0, *(row["val_iou"] for row in trial.run.epochs())]) for trial in setting.trials]
    return float(np.mean(best))


def _done(setting: Setting) -> bool:
    return all(trial.done for trial in setting.trials)


def _failures(arm: str, settings: tuple[Setting, ...], reasons: Mapping[Path, str]) -> list[MissingRun]:
    return [
        MissingRun(arm=arm, seed=trial.config.seed, reason=reasons.get(trial.run.path, NOT_DONE))
        for setting in settings
        for trial in setting.trials
        if not trial.done
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
