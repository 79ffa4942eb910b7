"""``compare STUDY STUDY``: the arms of several studies against the reference of the first."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unetseg.errors import UsageError
from unetseg.runs import STUDY_FILE
from unetseg.studies.ablation import study_arms
from unetseg.studies.analysis.assemble import Setup, assemble, joint_versions
from unetseg.studies.analysis.question import Question
from unetseg.studies.analysis.results import ArmResult, StudyResults
from unetseg.studies.analysis.score_matrix import RunScores
from unetseg.studies.comparison import short_names
from unetseg.studies.costs import plan_costs
from unetseg.studies.plan import make_plan
from unetseg.studies.standing import Standing, standing
from unetseg.studies.study_file import load_study

NOT_PLANNED = (
    "no study planned this comparison: it is one look at all runs, and holds if it was decided on before "
    "they were seen"
)


def compare_studies(
    folders: Sequence[Path], primary: str | None = None, margin: float | None = None, command: str = ""
) -> StudyResults:
    """Compare the arms of several studies with the reference of the first.

    Arms of one configuration in one study are one arm; in two studies they are two, if they have no seed in
    common: else they are the same nets, and the later is left out.

    Args:
        folders: of studies that were tested on the same images.
        primary: key of the metric that the verdict is about; that of the first study if not given.
        margin: largest difference in it that counts as none; that of the first study if not given.
        command: that was typed.

    Raises:
        UsageError: if they were not tested on the same images, or there are no two arms.
        UnetsegError: if a run's scores cannot be read.
    """
    studies = [standing(make_plan(load_study(folder / STUDY_FILE), folder)) for folder in folders]
    first = studies[0].plan.study
    if first.baseline not in studies[0].chosen:
        raise UsageError(
            f"{folders[0]}: its reference {first.baseline} is not trained to its end; 'unetseg ablate' goes "
            "on with it"
        )
    arms: list[ArmResult] = []
    scores: list[tuple[RunScores, ...]] = []
    notes = [NOT_PLANNED]
    nets: dict[str, str] = {}  # what is shown as which arm, by the identity of each run
    for name, now in zip(short_names(folders), studies, strict=True):
        for arm, runs in _arms(now):
            shown = f"{name}: {arm.name}"
            again = next((nets[each] for each in _nets(now, arm) if each in nets), None)
            if again is not None:
                notes.append(f"{shown} is left out: some of its runs are those of {again} once more")
                continue
            nets |= dict.fromkeys(_nets(now, arm), shown)
            arms.append(replace(arm, name=shown, label=f"{arm.label} ({name})"))
            scores.append(runs)
        lost = [arm.name for arm in now.plan.study.arms if arm.name not in now.chosen]
        notes += [f"{name}: {arm} is left out: not all of its runs are trained to their end" for arm in lost]
    if len(arms) < 2:
        raise UsageError(f"unetseg compare: these studies have one arm in all; {'; '.join(notes[1:])}")
    owner = studies[0].same_as.get(first.baseline, first.baseline)
    baseline = f"{short_names(folders)[0]}: {owner}"
    setup = Setup(
        name="comparison",
        data=first.base.data,
        command=command,
        notes=tuple(notes),
        versions=joint_versions(trial.run for now in studies for trial in now.trials() if trial.done),
    )
    seeds = tuple(sorted({run.seed for arm in arms for run in arm.runs}))
    question = Question(baseline, primary or first.primary, margin or first.margin)
    return assemble(arms, scores, seeds, question, setup)


def _arms(now: Standing) -> list[tuple[ArmResult, tuple[RunScores, ...]]]:
    """Return the arms of a study that have runs of their own, and what these scored."""
    if not now.chosen:
        return []
    classes = next(iter(now.scores.values()))[0].classes
    arms = study_arms(now, plan_costs(now.plan, len(classes)))
    return [(arm, now.scores[arm.name][: len(arm.runs)]) for arm in arms if arm.same_as is None]


def _nets(now: Standing, arm: ArmResult) -> list[str]:
    trials = now.chosen[arm.name].trials[: len(arm.runs)]
    return [trial.config.identity() for trial in trials]
