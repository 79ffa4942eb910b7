"""``compare``: runs that exist, or folders of masks that any tool has written, as the arms of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from unetseg.config import RunConfig
from unetseg.errors import UsageError
from unetseg.evaluation.folders import evaluate_masks
from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions, UnscoredImage
from unetseg.metrics.registry import PRIMARY, find_metric
from unetseg.runs import Run, find_run
from unetseg.studies.analysis.assemble import Setup, assemble, joint_versions, run_result
from unetseg.studies.analysis.question import Question
from unetseg.studies.analysis.results import ArmResult, RunResult, StudyResults
from unetseg.studies.analysis.score_matrix import RunScores, read_scores, scores_of
from unetseg.utilities.progress import show_progress

# What is no part of an arm: its identity leaves them out.
NOT_NAMED = ("seed", "device", "workers")


def compare_runs_or_masks(
    what: Sequence[str | Path],
    ground_truth: str | Path | None = None,
    masks: MaskOptions = PLAIN_MASKS,
    *,
    primary: str = PRIMARY,
    margin: float = 0.01,
    command: str = "",
    failed: Mapping[Path, Sequence[UnscoredImage]] | None = None,
) -> StudyResults:
    """Compare runs (:func:`compare_runs`), or with ``ground_truth`` folders of masks (:func:`compare_masks`).

    Raises:
        UsageError: as they do, or for an unknown metric or a margin that is not above 0.
    """
    require_question(primary, margin)
    if ground_truth is None:
        return compare_runs([find_run(name) for name in what], primary, margin, command)
    return compare_masks(what, ground_truth, masks, primary, margin, command, failed)


def require_question(primary: str | None, margin: float | None) -> None:
    """Refuse a metric that there is not, and a margin that is none.

    Raises:
        UsageError: names the flag.
    """
    if primary is not None:
        find_metric(primary, f"--primary '{primary}': no such metric")
    if margin is not None and not 0 < margin < float("inf"):
        raise UsageError(f"--margin {margin}: must be above 0")


def compare_runs(
    runs: Sequence[Run], primary: str = PRIMARY, margin: float = 0.01, command: str = ""
) -> StudyResults:
    """Compare finished runs; those that differ in nothing but the seed are one arm, the first the baseline.

    Seeds are not paired: each arm counts with all the seeds that it has.

    Args:
        runs: finished, tested on one set of images.
        primary: key of the metric that the verdict is about.
        margin: largest difference in it that counts as none.
        command: that was typed.

    Raises:
        UsageError: if there are not two arms, or their test sets differ.
        UnetsegError: if a run's scores cannot be read.
    """
    for run in runs:
        if not run.finished:
            raise UsageError(f"{run.path}: is not finished; go on with 'unetseg fit --resume {run.path}'")
    grouped, notes = group_runs(runs)
    if len(grouped) < 2:
        raise UsageError("unetseg compare: name runs that differ in more than the seed, or a study")
    by_arm = [[arm[seed] for seed in sorted(arm)] for arm in grouped]
    configs = [arm[0].config() for arm in by_arm]
    scores = [tuple(read_scores(run) for run in arm) for arm in by_arm]
    arms = [
        _arm_of_runs(arm, sorted(seeds), config, overrides, len(scored[0].classes))
        for arm, seeds, config, overrides, scored in zip(
            by_arm, grouped, configs, differing_settings(configs), scores, strict=True
        )
    ]
    setup = Setup(
        name="comparison",
        data=configs[0].data,
        command=command,
        notes=(*notes, *_other_seeds(arms)),
        versions=joint_versions(runs),
    )
    seeds = tuple(sorted(set().union(*grouped)))
    return assemble(arms, scores, seeds, Question(arms[0].name, primary, margin), setup)


def compare_masks(
    folders: Sequence[str | Path],
    ground_truth: str | Path,
    masks: MaskOptions = PLAIN_MASKS,
    primary: str = PRIMARY,
    margin: float = 0.01,
    command: str = "",
    failed: Mapping[Path, Sequence[UnscoredImage]] | None = None,
) -> StudyResults:
    """Compare folders of masks, each an arm with one seed, the first the baseline arm.

    Args:
        folders: two or more, each with a mask for every one of the ground truth.
        ground_truth: folder of the masks to score against.
        masks: how they are read.
        primary: key of the metric that the verdict is about.
        margin: largest difference in it that counts as none.
        command: that was typed.
        failed: of folders that hold labels, those that cannot be used.

    Raises:
        UsageError: if there are not two folders, or a mask is missing or cannot be scored.
    """
    if len(folders) < 2:
        raise UsageError("unetseg compare: name two folders of masks or more")
    names = short_names([Path(folder) for folder in folders])
    scores: list[tuple[RunScores, ...]] = []
    notes: dict[str, None] = {}
    failed = failed or {}
    for folder in folders:
        evaluation, left_out = evaluate_masks(folder, ground_truth, masks, progress=show_progress("scoring"))
        left_out.failed += [*failed.get(Path(folder), ()), *failed.get(Path(ground_truth), ())]
        missing = left_out.ground_truth or left_out.failed or left_out.valid
        if missing:
            raise UsageError(
                f"{folder}: a comparison needs every image in every folder: {'; '.join(left_out.lines())}"
            )
        scores.append((scores_of(evaluation, str(folder)),))
        notes |= dict.fromkeys(evaluation.notes)
    arms = [
        ArmResult(
            name=name,
            label=f"With the masks in {name}",
            overrides={},
            config=None,
            runs=(RunResult(seed=0, path=str(folder)),),
        )
        for name, folder in zip(names, folders, strict=True)
    ]
    setup = Setup(
        name="comparison",
        data=str(ground_truth),
        command=command,
        notes=tuple(notes),
        versions={package: version(package) for package in ("unetseg", "numpy", "scipy")},
    )
    return assemble(arms, scores, (0,), Question(names[0], primary, margin), setup)


def group_runs(runs: Sequence[Run]) -> tuple[list[dict[int, Run]], list[str]]:
    """Return the runs of each arm by seed, in the order in which they were named, and what is to be said.

    A run that has the identity of an earlier one is left out, and said so.
    """
    arms: dict[str, dict[int, Run]] = {}
    notes = []
    for run in runs:
        config = run.config()
        arm = arms.setdefault(config.changed(seed=0).identity(), {})
        if config.seed in arm:
            notes.append(f"{run.path} is {arm[config.seed].path} once more (one identity): shown as one run")
        else:
            arm[config.seed] = run
    return list(arms.values()), notes


def differing_settings(configs: Sequence[RunConfig]) -> list[dict[str, Any]]:
    """Return for each configuration the settings in which they do not all agree.

    Args:
        configs: of different identities.
    """
    plain = [asdict(config) for config in configs]
    for values in plain:
        if values["skips"] == "on":
            del values["control"]  # nothing is off that it could stand for
    names = [spec.name for spec in fields(RunConfig) if spec.name not in NOT_NAMED]
    differing = {
        name for name in names if len({repr(values[name]) for values in plain if name in values}) > 1
    }
    if "skips" in differing:
        differing.add("control")
    return [{name: values[name] for name in names if name in differing & values.keys()} for values in plain]


def short_names(folders: Sequence[Path]) -> list[str]:
    """Return for each folder as many of its last parts as it takes to tell all apart.

    Raises:
        UsageError: if a folder is named twice.
    """
    parts = [folder.resolve().parts for folder in folders]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise UsageError("unetseg compare: a folder is named twice")


def _other_seeds(arms: Sequence[ArmResult]) -> list[str]:
    """Say which seeds each arm was trained with, where they are not the same."""
    seeds = {arm.name: ", ".join(str(run.seed) for run in arm.runs) for arm in arms}
    if len(set(seeds.values())) == 1:
        return []
    told = "; ".join(f"{name} {of_arm}" for name, of_arm in seeds.items())
    return [
        f"the arms were trained with different seeds, and each counts with all that it has: {told} (seeds "
        "are not paired)"
    ]


def _arm_of_runs(
    runs: Sequence[Run], seeds: Sequence[int], config: RunConfig, overrides: dict[str, Any], classes: int
) -> ArmResult:
    from unetseg.models.cost import config_cost

    cost = config_cost(config, classes)
    name = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in overrides.items())
    return ArmResult(
        name=name,
        label=f"With {name}",
        overrides=overrides,
        config={key: value for key, value in asdict(config).items() if key != "seed"},
        runs=tuple(run_result(run, seed) for run, seed in zip(runs, seeds, strict=True)),
        parameters=cost.parameters,
        gmacs=cost.gmacs,
        gmacs_size=cost.size,
    )
