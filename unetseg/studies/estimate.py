"""What a study will take, before it is started: its arms' nets, and the time that they take, measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from unetseg.config import RunConfig
from unetseg.config_checks import flag
from unetseg.data.datasets.check import require_sound
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.planning.pace import Pace, measure_pace, same_pace
from unetseg.studies.costs import plan_costs
from unetseg.studies.outlook import runs_ahead
from unetseg.studies.plan import RunPlan, Setting, Trial
from unetseg.utilities.progress import duration, show_progress
from unetseg.utilities.text import align


def arms_text(plan: RunPlan, dataset: SegmentationSet) -> str:
    """Return a study's arms with parameters, GMACs and runs.

    Args:
        plan: of the study; nothing is written.
        dataset: its data.

    Raises:
        UnetsegError: for whatever would keep the study from starting.
    """
    costs = plan_costs(plan, len(dataset.classes) - 1)
    rows = [["arm", "what it changes", "parameters", "GMACs", "runs", "done"]]
    for arm, setting in _settings(plan):
        cost = costs[setting.config.identity()]
        done = sum(trial.done for trial in setting.trials)
        rows.append(
            [
                arm,
                _changes(setting, plan.study.base),
                f"{cost.parameters:,}",
                f"{cost.gmacs:.3f}",
                str(len(setting.trials)),
                str(done),
            ]
        )
    claim = f"the claim under test: {plan.study.claim}" if plan.study.claim else ""
    return "\n\n".join(filter(None, (claim, align(rows, left=2))))


def times_text(plan: RunPlan, dataset: SegmentationSet, workers: int = 1) -> str:
    """Measure each distinct net once, and return the time that a run of each arm takes, and that of all.

    Args:
        plan: of the study; nothing is written.
        dataset: its data.
        workers: runs that will go side by side.

    Raises:
        UnetsegError: for whatever would keep the study from starting.
    """
    require_sound(dataset)
    settings = _settings(plan)
    nets = {same_pace(setting.config): setting.config for _, setting in settings}
    paces: dict[str, Pace] = {}
    show = show_progress("measuring")
    for name, config in nets.items():
        paces[name] = measure_pace(config, dataset)
        show(len(paces), len(nets))
    seconds = {
        setting.config.identity(): paces[same_pace(setting.config)].run_seconds(setting.config)
        for _, setting in settings
    }
    by_time: dict[str, dict[str, None]] = {}
    for arm, setting in settings:
        by_time.setdefault(duration(seconds[setting.config.identity()]), {})[arm] = None
    a_run = "; ".join(f"{time} ({', '.join(arms)})" for time, arms in by_time.items())
    return f"a run takes {a_run}\n{_closing(plan, seconds, workers)}"


def _settings(plan: RunPlan) -> list[tuple[str, Setting]]:
    return [(arm, setting) for arm, tried in plan.settings.items() for setting in tried]


def _closing(plan: RunPlan, seconds: Mapping[str, float], workers: int) -> str:
    first, most = runs_ahead(plan)
    cut = f", each of {plan.study.base.folds} nets, one a fold," if plan.study.base.folds else ""
    text = (
        f"{_to_do(first)} of {len(first)} runs{cut} are to be trained in {plan.folder}; by a few measured "
        f"steps of each net this takes {_time(plan, first, seconds, workers)}, with testing, beside the "
        "programs that run now"
    )
    if len(most) == len(first):
        return text
    return f"{text}; to the last look at most {_to_do(most)} runs, {_time(plan, most, seconds, workers)}"


def _to_do(trials: Sequence[Trial]) -> int:
    return sum(not trial.done for trial in trials)


def _time(plan: RunPlan, trials: Sequence[Trial], seconds: Mapping[str, float], workers: int) -> str:
    left = seconds_left(plan, trials, seconds)
    side = f", {workers} side by side at best {duration(left / workers)}" if workers > 1 else ""
    return duration(left) + side


def seconds_left(plan: RunPlan, trials: Sequence[Trial], seconds: Mapping[str, float]) -> float:
    """Return the time that the epochs still to be trained will take.

    Args:
        plan: of the study.
        trials: those of its runs that count.
        seconds: that a whole run takes, by the identity of its setting.
    """
    per_run = {
        trial.run.path: seconds[setting.config.identity()]
        for settings in plan.settings.values()
        for setting in settings
        for trial in setting.trials
    }
    return sum(
        per_run[trial.run.path] * (1 - len(trial.run.epochs()) / trial.config.epochs)
        for trial in trials
        if not trial.done
    )


def _changes(setting: Setting, base: RunConfig) -> str:
    """Return what a setting changes in the base, as flags."""
    plain, changed = asdict(base), asdict(setting.config)
    differing = [name for name in changed if changed[name] != plain[name]]
    return " ".join(f"{flag(name)} {changed[name]}" for name in differing) or "the base as it is"
