"""Arms and what their runs scored, put together into the results of a study."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from unetseg.errors import UnetsegError, UsageError
from unetseg.metrics.registry import METRICS
from unetseg.runs import Run
from unetseg.studies.analysis.arm_sentences import arm_sentences, spread_of
from unetseg.studies.analysis.decisions import with_decisions
from unetseg.studies.analysis.differences import (
    analyse_contrast,
    analyse_metrics,
    analyse_pairs,
    shown_classes,
)
from unetseg.studies.analysis.learning import learned_nothing, untrained
from unetseg.studies.analysis.looks import Decision, Plan
from unetseg.studies.analysis.question import ArmScores, Question
from unetseg.studies.analysis.results import ArmResult, MetricResult, MissingRun, RunResult, StudyResults
from unetseg.studies.analysis.score_matrix import RunScores, share_groups
from unetseg.studies.analysis.sentences import caution_lines
from unetseg.studies.analysis.statistics import LEAST_SEEDS
from unetseg.studies.analysis.unscored import no_metric, unscored_note

if TYPE_CHECKING:
    from unetseg.models.gradient_flow import GradientFlow

FEW_SEEDS = (
    "intervals count the chance in images only and speak of these nets; how much another seed would change "
    "is unknown"
)


@dataclass(frozen=True)
class Setup:
    """What the results say about a study beside its numbers."""

    name: str
    data: str
    claim: str = ""
    command: str = ""
    failures: tuple[MissingRun, ...] = ()
    notes: tuple[str, ...] = ()
    plan: Plan | None = None
    exploratory: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)


def assemble(
    arms: Sequence[ArmResult],
    scores: Sequence[tuple[RunScores, ...]],
    seeds: tuple[int, ...],
    question: Question,
    setup: Setup,
    decisions: Mapping[str, Decision] | None = None,
) -> StudyResults:
    """Analyse what the arms scored.

    Args:
        arms: two or more, without their sentences.
        scores: of each arm, one a seed; arms may differ in how many.
        seeds: of the arm that has most.
        question: names the baseline.
        setup: what else is known.
        decisions: what the study's plan decided; without, all seeds are looked at once.

    Raises:
        UsageError: if the runs were not tested on the same images and masks, or lack the primary metric.
    """
    every = [run for runs in scores for run in runs]
    require_same_test(every)
    shared = dict(zip(map(id, every), share_groups(every), strict=True))
    scores = [tuple(shared[id(run)] for run in runs) for runs in scores]
    scored = [
        ArmScores(arm.name, arm.label, runs, arm.same_as) for arm, runs in zip(arms, scores, strict=True)
    ]
    idle = {arm.name: untrained(arm.name, arm.runs, runs) for arm, runs in zip(arms, scores, strict=True)}
    question = replace(question, untrained={name: told for name, told in idle.items() if told})
    metrics = analyse_metrics(scored, question)
    first = scores[0][0]
    primary_class = shown_classes(first.classes)[0]
    of_primary = [m for m in metrics if (m.key, m.class_name) == (question.primary, primary_class)]
    if not of_primary:
        raise no_metric(every, METRICS[question.primary], primary_class)
    contrasts = analyse_contrast(scored, metrics, question)
    pairs = analyse_pairs(scored, metrics, question)
    primary = with_decisions(of_primary[0], scored, question, decisions or {})
    metrics = tuple(primary if metric is of_primary[0] else metric for metric in metrics)
    sentences = arm_sentences(scored, primary, bool(setup.exploratory))
    notes = [*setup.notes, *unscored_note(every), *_recalibrated(arms), *_learned_nothing(arms, scores)]
    notes += _cautions(primary, question.baseline, {arm.name: [run.seed for run in arm.runs] for arm in arms})
    fewest = min(map(len, scores))
    if fewest < LEAST_SEEDS:
        notes.insert(0, f"{'one seed' if fewest == 1 else 'two seeds'}: {FEW_SEEDS}")
    return StudyResults(
        name=setup.name,
        claim=setup.claim,
        data=setup.data,
        split=first.split,
        classes=first.classes,
        fingerprint=first.fingerprint,
        baseline=question.baseline,
        primary=question.primary,
        primary_class=primary_class,
        margin=question.margin,
        seeds=seeds,
        arms=tuple(replace(arm, sentence=told) for arm, told in zip(arms, sentences, strict=True)),
        metrics=metrics,
        contrasts=contrasts,
        pairs=pairs,
        failures=setup.failures,
        notes=tuple(notes),
        plan=setup.plan,
        exploratory=setup.exploratory,
        spread=spread_of(primary),
        command=setup.command,
        versions=setup.versions,
        scores={arm.name: runs for arm, runs in zip(arms, scores, strict=True)},
    )


def _recalibrated(arms: Sequence[ArmResult]) -> list[str]:
    """Say what it changed that batch norm's statistics were estimated anew, where that was done."""
    changes = [
        (after - before, f"{arm.name}, seed {run.seed}")
        for arm in arms
        for run in arm.runs
        if run.recalibration is not None
        for before, after in [run.recalibration]
    ]
    if not changes:
        return []
    most, where = max(changes, key=lambda change: abs(change[0]))
    return [
        "batch norm's statistics were estimated anew on whole training images before testing "
        f"(--recalibrate): the loss of these images changed by {most:+.3f} at most ({where})"
    ]


def _learned_nothing(arms: Sequence[ArmResult], scores: Sequence[tuple[RunScores, ...]]) -> list[str]:
    """Name the runs that learned nothing, with their training loss."""
    return [
        f"{arm.name}, seed {run.seed} learned nothing: {told}"
        for arm, runs in zip(arms, scores, strict=True)
        if arm.same_as is None
        for run, scored in zip(arm.runs, runs, strict=True)
        if (told := learned_nothing(run, scored))
    ]


def _cautions(metric: MetricResult, baseline: str, seeds: Mapping[str, Sequence[int]]) -> Iterable[str]:
    """Return what the primary metric's means do not tell, each line once."""
    return dict.fromkeys(
        line
        for name, score in metric.arms.items()
        if score.difference is not None and not score.difference.identical
        for line in caution_lines(
            name, baseline, metric.label, score.difference, (seeds[name], seeds[baseline])
        )
    )


def require_same_test(runs: Sequence[RunScores]) -> None:
    """Refuse runs that were not scored on the same images against the same ground truth.

    Raises:
        UsageError: says which two differ, and in what.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.fingerprint != first.fingerprint or run.images != first.images:
            raise UsageError(f"{run.name} and {first.name} cannot be compared: {_mismatch(first, run)}")
        if run.classes != first.classes:
            here, there = ", ".join(run.classes), ", ".join(first.classes)
            raise UsageError(
                f"{run.name} and {first.name} cannot be compared: their classes differ ({here}; {there})"
            )


def _mismatch(first: RunScores, run: RunScores) -> str:
    missing = [name for name in first.images if name not in set(run.images)]
    extra = [name for name in run.images if name not in set(first.images)]
    if missing or extra:
        counts = f"{len(run.images)} test images there, {len(first.images)} here"
        which = f"{run.name} lacks {missing[0]}" if missing else f"{first.name} lacks {extra[0]}"
        return f"they were tested on different images ({counts}; {which}); give both the same data and split"
    return (
        "the images have the same names but other references (other masks, or files that were saved anew); "
        "score both against the same files"
    )


def run_result(run: Run, seed: int) -> RunResult:
    """Read how a run was trained."""
    environment = read_environment(run)
    told = environment.get("recalibration")
    return RunResult(
        seed=seed,
        path=str(run.path),
        epochs=tuple(run.epochs()),
        gradients=_gradients(run),
        seconds=environment.get("training_seconds"),
        device=environment.get("device"),
        recalibration=(told["loss_before"], told["loss_after"]) if told else None,
    )


def _gradients(run: Run) -> dict[int, "GradientFlow"]:
    if not run.gradients.is_file():
        return {}
    from unetseg.training.gradient_log import read_gradients

    return read_gradients(run)


def read_environment(run: Run) -> dict[str, Any]:
    """Read what a run was computed with.

    Raises:
        UnetsegError: if the file is damaged; a missing one is empty.
    """
    if not run.environment.is_file():
        return {}
    try:
        return dict(json.loads(run.environment.read_text()))
    except (OSError, ValueError) as error:
        raise UnetsegError(f"{run.environment}: cannot be read ({error}); remove it") from error


def joint_versions(runs: Iterable[Run]) -> dict[str, str]:
    """Return the versions of the packages that runs were computed with; several where they differ."""
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        environment = read_environment(run)
        versions = {"python": environment.get("python"), **environment.get("packages", {})}
        for package, version in versions.items():
            if version is not None:
                found.setdefault(package, {})[version] = None
    return {package: ", ".join(versions) for package, versions in found.items()}
