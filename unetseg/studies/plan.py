"""From a study to runs: which configurations, in which folders, and which of them are there already."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from unetseg.config import RunConfig
from unetseg.data.datasets.new_split import with_stratify
from unetseg.errors import UsageError
from unetseg.runs import CHECKPOINTS, STUDY_FILE, Run
from unetseg.skip_levels import basic_levels, select_levels
from unetseg.studies.study import Arm, Study
from unetseg.studies.study_file import load_study
from unetseg.utilities.text import slug


@dataclass(frozen=True)
class Trial:
    """One run of the plan: the arm that it was first planned for, its configuration and its folder."""

    arm: str
    config: RunConfig
    run: Run

    @property
    def done(self) -> bool:
        """Whether it is trained, tested and measured on its training images."""
        return self.run.finished and self.run.train_images.is_file()


@dataclass(frozen=True)
class Setting:
    """One way to configure an arm, in every seed.

    Attributes:
        values: those that were taken from lists; empty where the arm lists none.
        config: the configuration, of the base's seed.
        trials: one a seed.
    """

    values: dict[str, Any]
    config: RunConfig
    trials: tuple[Trial, ...]


@dataclass(frozen=True)
class RunPlan:
    """A study's runs.

    Attributes:
        study: with its levels expanded.
        folder: the study's; its runs lie below it.
        settings: by arm, what is to be tried; most arms have one.
    """

    study: Study
    folder: Path
    settings: dict[str, tuple[Setting, ...]]

    def trials(self) -> list[Trial]:
        """Return every run that the study may come to, once."""
        every = [setting for settings in self.settings.values() for setting in settings]
        return trials_of(every, len(self.study.seeds))


def trials_of(settings: Sequence[Setting], seeds: int) -> list[Trial]:
    """Return the runs of the first so many seeds, each once.

    All settings of the first seed come first: so that a part is a comparison, too.
    """
    first: dict[Path, Trial] = {}
    for position in range(seeds):
        for setting in settings:
            trial = setting.trials[position]
            first.setdefault(trial.run.path, trial)
    return list(first.values())


def default_folder(study: Study) -> Path:
    """Return where a study lies if nobody says: by its name and that of its data."""
    return CHECKPOINTS / slug(f"{study.name}-{Path(study.base.data).name}")


def make_plan(study: Study, folder: Path, only: Sequence[str] | None = None) -> RunPlan:
    """Plan a study's runs below ``folder``; nothing is written.

    Runs that are there are recognised by their identity, whatever their folders are called, and arms of one
    identity share their runs. The first plan stands: once a run is finished in the folder, what its
    ``study.yaml`` says is the plan, and the study may depart from it.

    Args:
        study: with or without its levels expanded.
        folder: the study's.
        only: the arms to take; all if not given.

    Raises:
        UsageError: if an arm's configuration is wrong, or a folder is taken by a run of other settings.
    """
    study = study.expanded(_levels(study.base))
    names = [arm.name for arm in study.arms]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{study.name}: two arms are called '{name}'")
    if only is not None:
        study = study.only(only)
    study = study.planned_as(_earlier(folder))
    runs = {config.identity(): run for run, config in _existing(folder)}
    taken = {run.path for run in runs.values()}
    settings = {arm.name: tuple(_settings(study, arm, folder, runs, taken)) for arm in study.arms}
    return RunPlan(study, folder, settings)


def recalibrated(study: Study, folder: Path) -> Study:
    """Return the study with batch norm re-estimated before testing, unless it or earlier runs say otherwise.

    Args:
        study: as it was asked for.
        folder: the study's; where runs are, the new ones are tested as these were.
    """
    if study.base.recalibrate is not None:
        return study
    kept = _kept_base(folder)
    return replace(study, base=study.base.changed(recalibrate=kept.recalibrate if kept else True))


def restratified(study: Study, folder: Path) -> Study:
    """Return the study with drawn parts that hold every class if they can, unless earlier runs say otherwise.

    Args:
        study: as it was asked for.
        folder: the study's; where runs are, the new ones learn and are tested on the same images.
    """
    if study.base.stratify is not None:
        return study
    kept = _kept_base(folder)
    base = study.base.changed(stratify=kept.stratify) if kept else with_stratify(study.base)
    return replace(study, base=base)


def _kept_base(folder: Path) -> RunConfig | None:
    """Return the base of the study in a folder, where it has runs."""
    there = (folder / STUDY_FILE).is_file() and _existing(folder)
    return load_study(folder / STUDY_FILE).base if there else None


def _earlier(folder: Path) -> Study | None:
    """Return what the study in a folder was asked for last, if anything of it has been seen."""
    seen = any(Run(path.parent).finished for path in folder.glob("*/config.yaml"))
    if not seen or not (folder / STUDY_FILE).is_file():
        return None
    study = load_study(folder / STUDY_FILE)
    return study.expanded(_levels(study.base))


def _settings(
    study: Study, arm: Arm, folder: Path, runs: dict[str, Run], taken: set[Path]
) -> Iterator[Setting]:
    """Yield an arm's settings; new runs are entered into ``runs`` (by identity) and ``taken``."""
    for values, written in arm.settings(study.base, study.name):
        config = with_plain_skips(written)
        chosen = "".join(f"-{key}{value}" for key, value in values.items())
        trials = []
        for seed in study.seeds:
            seeded = config.changed(seed=seed)
            run = runs.get(seeded.identity())
            if run is None:
                run = Run(folder / slug(f"{arm.name}{chosen}-seed{seed}"))
                if run.path in taken:
                    raise _taken(run, seeded)
                runs[seeded.identity()] = run
                taken.add(run.path)
            trials.append(Trial(arm.name, seeded, run))
        yield Setting(values, config, tuple(trials))


def with_plain_skips(config: RunConfig) -> RunConfig:
    """Return the configuration with its skips written in one way, so that equal nets have one identity.

    Of a net with two levels, ``0``, ``^1`` and ``^1,2`` may be the same.

    Raises:
        UsageError: if the encoder has no such level.
    """
    levels = _levels(config)
    active_levels = select_levels(config.skips, levels, config.encoder)
    plain = ",".join(map(str, sorted(active_levels))) or "off"
    return config.changed(skips="on" if active_levels == set(levels) else plain)


def _levels(config: RunConfig) -> list[int]:
    return _levels_of(config.encoder, config.width, config.stages)


@cache
def _levels_of(encoder: str, width: int, stages: int) -> list[int]:
    if encoder == "basic":
        return basic_levels(stages)  # a plan of our own encoder's nets needs no PyTorch
    from unetseg.models.unet import skip_levels

    return skip_levels(RunConfig(encoder=encoder, width=width, stages=stages))


def _existing(folder: Path) -> list[tuple[Run, RunConfig]]:
    runs = [Run(path.parent) for path in sorted(folder.glob("*/config.yaml"))]
    return [(run, run.config()) for run in runs]


def _taken(run: Run, wanted: RunConfig) -> UsageError:
    """Return the error for a folder that another run has, on the disk or in the plan."""
    if not run.config_file.is_file():
        return UsageError(f"two arms would share the folder {run.path}; rename one of them")
    there, here = asdict(run.config()), asdict(wanted)
    differing = [f"{key} {there[key]} there, {here[key]} here" for key in here if there[key] != here[key]]
    return UsageError(
        f"{run.path}: is a run of other settings ({'; '.join(differing)}); give the study another -o, "
        "or move that run away"
    )
