"""Train one run, or every arm of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Unpack

from unetseg.api.code_in_files import refuse_code
from unetseg.api.fit_plan import planned_configuration
from unetseg.api.plain_calls import plain_calls
from unetseg.api.settings import Settings, StudySettings, configured, lists_settings
from unetseg.config import RunConfig
from unetseg.config_checks import flag
from unetseg.errors import UsageError
from unetseg.runs import Run, find_run
from unetseg.utilities.locks import one_writer
from unetseg.utilities.progress import Report, duration, print_line
from unetseg.utilities.waiting import choose_waiting

if TYPE_CHECKING:
    from unetseg.studies.analysis.results import StudyResults
    from unetseg.studies.plan import RunPlan

# In a run that goes on: where and how long it computes, and where its data lie, which must be the same.
MAY_CHANGE = ("device", "workers", "trainer", "data", "data_dir")


@lists_settings
@plain_calls
def fit(
    config: RunConfig | str | Path | None = None,
    *,
    output: str | Path | None = None,
    resume: str | Path | Run | None = None,
    time: str | None = None,
    allow_code: bool = False,
    report: Report = print_line,
    **settings: Unpack[Settings],
) -> Run:
    """Train a U-Net, test it, and return its run.

    Args:
        config: a configuration or the path of a YAML file; the defaults if not given.
        output: the run's folder; a new one under ``checkpoints/`` if not given.
        resume: go on with this run, from its last whole epoch and under its own configuration.
        time: plan the settings from the data for a run of about so long, such as ``"20m"`` or ``"2h"``. What
            ``config`` or ``settings`` give stays.
        allow_code: let the file, or the run's own, build loggers and callbacks that are not Lightning's.
        report: is given the log, line by line; it is printed if not given.
        **settings: any field of :class:`RunConfig`, such as ``skips="off"``; they win over ``config``. A run
            that is resumed takes only where and how long it computes (``device``, ``workers``, ``trainer``)
            and where its data, which must be the same, lie now (``data``, ``data_dir``).

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.

    Examples:
        >>> tiny = {"data": "cells", "stages": 2, "size": 16, "epochs": 1}
        >>> run = unetseg.fit(output="runs/first", report=log.append, **tiny)
        >>> run.finished, run.config().epochs
        (True, 1)
    """
    started = perf_counter()
    complete, resumed = fit_configuration(config, output, resume, settings, allow_code, time)
    from unetseg.data.datasets.embedded import begin_drawing
    from unetseg.data.datasets.open import DATA, require_dataset

    try:
        require_dataset(complete.data)  # PyTorch, which comes next, takes seconds
    except UsageError as error:
        if resumed is None or "data" in settings:
            raise
        raise UsageError(
            f"{resumed.path}: its data, '{complete.data}', are not here; --data PATH says where they lie now"
        ) from error
    if complete.init is not None and resumed is None:
        find_run(complete.init)
    choose_waiting()
    begin_drawing(complete.data, DATA)
    from unetseg.data.datasets.new_split import with_stratify

    if time is not None:
        complete = planned_configuration(complete, config, settings, time, report, started)
    elif resumed is None:
        complete = with_stratify(complete)
    from unetseg.experiment import resume_experiment, run_experiment

    if resumed is not None:
        return resume_experiment(resumed, complete, report)
    run = run_experiment(complete, output, report)
    if time is not None:
        report(f"planned for {time}, took {duration(perf_counter() - started)}")
    return run


def fit_configuration(
    config: RunConfig | str | Path | None,
    output: str | Path | None,
    resume: str | Path | Run | None,
    settings: Mapping[str, Any],
    allow_code: bool = False,
    time: str | None = None,
) -> tuple[RunConfig, Run | None]:
    """Return the complete configuration that ``fit`` trains, and the run that it goes on with, if any.

    The arguments are those of ``fit``.

    Raises:
        UsageError: on an unknown or wrong setting, or one that the run to go on with has decided.
    """
    if resume is None:
        _refuse_code_of(config, settings, allow_code)
        return configured(RunConfig(), config, settings, "fit()"), None
    known = {spec.name for spec in fields(RunConfig)} - {*MAY_CHANGE}
    given = [flag(name) for name in settings if name in known]
    others = {"config": config, "output": output, "time": time}
    given += [f"--{word}" for word, value in others.items() if value is not None]
    name = resume.path if isinstance(resume, Run) else resume
    if given:
        raise UsageError(
            f"--resume {name}: goes on with the run's own configuration, without "
            f"{', '.join(given)}; to start anew from its weights use --init {name}"
        )
    run = find_run(name)
    refuse_code(_left(run.config().trainer, settings), run.config_file, allow=allow_code)
    return configured(run.config(), None, settings, "fit()"), run


def _refuse_code_of(
    config: RunConfig | str | Path | None, settings: Mapping[str, Any], allow_code: bool
) -> None:
    """Refuse a file of settings that builds code of others, unless settings given here take its place."""
    if config is not None and not isinstance(config, RunConfig):
        trainer = configured(RunConfig(), config, {}, "fit()").trainer
        refuse_code(_left(trainer, settings), config, allow=allow_code)


def _left(trainer: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Trainer's arguments that no setting given here takes the place of."""
    given = settings.get("trainer")
    taken = given if isinstance(given, Mapping) else {}
    return {name: value for name, value in trainer.items() if name not in taken}


@plain_calls
def ablate(
    study: str | Path = "long",
    *,
    seeds: int | str | None = None,
    arms: Sequence[str] | None = None,
    output: str | Path | None = None,
    minutes: float | None = None,
    workers: int = 1,
    config: RunConfig | str | Path | None = None,
    command: str = "",
    allow_code: bool = False,
    report: Report = print_line,
    **settings: Unpack[StudySettings],
) -> "StudyResults":
    """Train every arm of a study in every seed, compare them, and write the report into the study's folder.

    Runs that are there are not trained again, and interrupted ones go on.

    Args:
        study: a preset such as ``long`` or ``levels``, or a YAML file.
        seeds: how many, or such as ``"3..10"``: three of every arm, then more of those that are undecided, up
            to ten, with a look after 3, 4, 5, 7 and 10; the study's own if not given.
        arms: names of a part of the arms; the reference is always one.
        output: the study's folder; ``checkpoints/STUDY-DATA`` if not given.
        minutes: after which no further look is begun; the same call goes on another time.
        workers: runs side by side.
        config: a YAML file that changes the base of the study, or a configuration in its place.
        command: what the report names as the way to repeat it.
        allow_code: let the files build loggers and callbacks that are not Lightning's.
        report: is given the log, line by line; it is printed if not given.
        **settings: any field of :class:`RunConfig` but the seed, for the base that the arms change; they win
            over ``config``.

    Returns:
        What was found; its ``folder`` holds ``report.html``.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.

    Examples:
        >>> tiny = {"data": "cells", "stages": 2, "size": 16, "epochs": 1}
        >>> results = unetseg.ablate("long", arms=["drop"], seeds=1, report=log.append, **tiny)
        >>> [arm.name for arm in results.arms]
        ['on', 'drop']
    """
    if minutes is not None and not minutes > 0:
        raise UsageError(f"--minutes {minutes:g}: must be above 0")
    choose_waiting()  # before the nets of a plan load PyTorch
    plan = study_plan(study, seeds, arms, output, workers, config, settings, allow_code)
    from unetseg.report.outputs import require_free, write_outputs
    from unetseg.studies.ablation import run_study

    require_free(plan.folder, of_study=True)
    with one_writer(plan.folder):
        return write_outputs(run_study(plan, workers, report, command, minutes), plan.folder)


def study_plan(
    study: str | Path,
    seeds: int | str | None,
    arms: Sequence[str] | None,
    output: str | Path | None,
    workers: int,
    config: RunConfig | str | Path | None,
    settings: Mapping[str, Any],
    allow_code: bool = False,
) -> "RunPlan":
    """Return the runs that ``ablate`` trains; its arguments are those of ``ablate``, and nothing is written.

    Raises:
        UsageError: if the study, a setting of its base or an arm is unknown or wrong.
    """
    from unetseg.studies.study_file import load_study

    if workers < 1:
        raise UsageError(f"--workers {workers}: must be at least 1")
    asked = load_study(study)
    _refuse_code_of(config, settings, allow_code)
    refuse_code(_left(asked.base.trainer, settings), f"{study}: base", allow=allow_code)
    for arm in asked.arms:
        refuse_code(arm.overrides.get("trainer") or {}, f"{study}: arm {arm.name}", allow=allow_code)
    asked = asked.based_on(configured(asked.base, config, settings, "ablate()", StudySettings), seeds)
    from unetseg.studies.plan import default_folder, make_plan, recalibrated, restratified

    folder = default_folder(asked) if output is None else Path(output)
    return make_plan(restratified(recalibrated(asked, folder), folder), folder, arms)
