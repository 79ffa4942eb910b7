"""The plan that ``fit`` makes from the data where it is given a time."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from unetseg.config import RunConfig
from unetseg.planning.budget import parse_time
from unetseg.utilities.progress import Report
from unetseg.utilities.waiting import choose_waiting
from unetseg.utilities.yaml_files import load_yaml


def planned_configuration(
    complete: RunConfig,
    config: RunConfig | str | Path | None,
    settings: Mapping[str, Any],
    time: str | None,
    report: Report,
    started: float | None = None,
) -> RunConfig:
    """Return the configuration of a run that takes about so long; nothing is trained or written.

    Args:
        complete: the defaults with all that is given by hand.
        config: what was given as a file, or as a configuration: there, what differs from the defaults.
        settings: that were given by name.
        time: such as ``20m`` or ``2h``; the usual one of the hardware if not given, which is said.
        report: is given each choice with its reason, line by line.
        started: when the clock began, by ``time.perf_counter``; now if not given.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    seconds = None if time is None else parse_time(time)
    from unetseg.data.datasets.open import require_dataset

    require_dataset(complete.data)  # PyTorch, which comes next, takes seconds
    choose_waiting()
    from unetseg.data.datasets.new_split import with_stratify
    from unetseg.planning.planner import default_seconds, plan_run

    if seconds is None:
        seconds, device = default_seconds(complete)
        report(f"note      no --time is given: {seconds / 60:.0f}m, the usual one on {device}")
    return plan_run(with_stratify(complete), sorted(_given(config, settings)), seconds, report, started)


def _given(config: RunConfig | str | Path | None, settings: Mapping[str, Any]) -> set[str]:
    """Return the names of the settings that somebody chose, beside where the data and the results lie."""
    names = set(settings)
    if isinstance(config, RunConfig):
        plain = asdict(RunConfig())
        names |= {name for name, value in asdict(config).items() if value != plain[name]}
    elif config is not None:
        names |= {str(key).replace("-", "_") for key in load_yaml(config)}
    return names - {"data", "data_dir", "images", "masks"}
