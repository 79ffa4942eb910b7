"""Ask nets how their gradient flows and what they cost, and how rough their loss is round their weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from unetseg.api.plain_calls import plain_calls
from unetseg.api.settings import NetSettings, configured
from unetseg.config import RunConfig
from unetseg.config_checks import flag
from unetseg.errors import UsageError
from unetseg.runs import Run, find_run
from unetseg.utilities.locks import one_writer_of
from unetseg.utilities.progress import Report, say_nothing, show_progress
from unetseg.utilities.waiting import choose_waiting

if TYPE_CHECKING:
    from unetseg.probes.gradients import Flows
    from unetseg.probes.landscape.surface import Landscape
    from unetseg.probes.speed import ArmCost

OUTPUTS = ("probe.csv", "probe.png", "probe_cost.csv")
LANDSCAPE_OUTPUTS = ("landscape.png", "landscape.csv", "landscape.json")
SEEDS = 3
SLICES = {"directions": 5, "steps": 17, "radius": 1.0}


@dataclass(frozen=True)
class Probed:
    """What ``probe`` found; what was not asked is empty.

    Attributes:
        flows: of the gradient, one a seed, by the arm.
        costs: by the arm.
        landscapes: of the loss, by the run.
        written: files.
    """

    flows: "Flows" = field(default_factory=dict)
    costs: "Mapping[str, ArmCost]" = field(default_factory=dict)
    landscapes: "Mapping[str, Landscape]" = field(default_factory=dict)
    written: tuple[Path, ...] = ()


@plain_calls
def probe(
    study: str | Path | None = None,
    *,
    run: str | Path | Run | None = None,
    arms: Sequence[str] | None = None,
    seeds: int | None = None,
    cost: bool = False,
    landscape: Sequence[str | Path | Run] | None = None,
    directions: int | None = None,
    steps: int | None = None,
    radius: float | None = None,
    output: str | Path | None = None,
    config: RunConfig | str | Path | None = None,
    report: Report = say_nothing,
    **settings: Unpack[NetSettings],
) -> Probed:
    """Measure how the gradient of a real batch flows through a net before training, or its loss surface.

    Args:
        study: whose arms are measured side by side; one net of these settings if not given.
        run: in its place a trained run, beside its own first weights.
        arms: only these arms of the study, and its reference.
        seeds: first weights and crops, 3 if not given.
        cost: measure memory and time, too.
        landscape: instead, runs whose training loss is cut in slices round their weights, on one scale.
        directions: of the slices, random ones; 5 if not given.
        steps: points along each, an odd number; 17 if not given.
        radius: how far: 1, if not given, moves each filter by its own length.
        output: folder for ``probe.csv``, ``probe.png`` and ``probe_cost.csv``, or ``landscape.png``, ``.csv``
            and ``.json``; nothing is written if not given.
        config: a YAML file that changes the base, or a configuration in its place.
        report: is given each table as text, as soon as it is measured.
        **settings: fields of :class:`RunConfig` that a net before training depends on; of a run ``device``.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.

    Examples:
        >>> found = unetseg.probe(data="cells", stages=2, size=16, seeds=1)
        >>> found.written
        ()
    """
    asked = {"study": study, "run": run, "arms": arms, "seeds": seeds, "cost": cost, "config": config}
    slices = {"directions": directions, "steps": steps, "radius": radius}
    if landscape is not None:
        _refuse("--landscape: shows runs as they are", asked, settings)
        folder = None if output is None else Path(output)
        with one_writer_of(LANDSCAPE_OUTPUTS, folder):
            return _probe_landscapes(landscape, slices, folder, settings, report)
    for name, value in slices.items():
        if value is not None:
            raise UsageError(f"{flag(name)}: goes with --landscape")
    if run is not None:
        shown = run.path if isinstance(run, Run) else run
        _refuse(f"--run {shown}: shows the run as it is", {**asked, "run": None, "cost": None}, settings)
    elif arms is not None and study is None:
        raise UsageError("unetseg probe: --arms goes with a study")
    if seeds is not None and seeds < 1:
        raise UsageError(f"--seeds {seeds}: must be at least 1")
    folder = None if output is None else Path(output)
    found = None if run is None else run if isinstance(run, Run) else find_run(run)
    choose_waiting()  # before the nets of a study load PyTorch
    configs, baseline = _configs(found, study, arms, config, settings)
    with one_writer_of(OUTPUTS, folder):
        return _probe_gradients(configs, baseline, found, seeds or SEEDS, cost, folder, report)


def _probe_gradients(
    configs: Mapping[str, RunConfig],
    baseline: str,
    run: Run | None,
    seeds: int,
    cost: bool,
    folder: Path | None,
    report: Report,
) -> Probed:
    from unetseg.data.datasets.open import open_data

    choose_waiting()
    from unetseg.probes import gradients

    config = configs[baseline]
    dataset = open_data(config)
    numbers = [config.seed] if run is not None else list(range(seeds))
    if run is not None:
        flows = gradients.probe_run(run, config, dataset)
    else:
        flows = gradients.probe_gradients(configs, numbers, dataset, show_progress("probing"))
    crops = f"{config.batch_size} crops of {dataset.name}, {config.size}×{config.size}"
    which = f"seed {numbers[0]}" if len(numbers) == 1 else f"medians of {len(numbers)} seeds"
    report(f"gradient of the loss on {crops}; {which}\n\n{gradients.gradients_text(flows)}")
    written = [] if folder is None else gradients.write_gradients(flows, numbers, folder)
    if not cost:
        return Probed(flows, written=tuple(written))
    from unetseg.probes.speed import costs_text, measure_arms, write_costs

    costs = measure_arms(configs, dataset, show_progress("timing", every=5))
    report(f"\n{costs_text(costs, baseline)}")
    written += [] if folder is None else [write_costs(costs, folder)]
    return Probed(flows, costs, written=tuple(written))


def _probe_landscapes(
    names: Sequence[str | Path | Run],
    slices: Mapping[str, float | None],
    folder: Path | None,
    settings: Mapping[str, Any],
    report: Report,
) -> Probed:
    directions, steps, radius = _slices(slices)
    found = [name if isinstance(name, Run) else find_run(name) for name in names]
    from unetseg.data.datasets.open import open_data

    choose_waiting()
    from unetseg.probes.landscape import landscapes as landscape

    runs = landscape.named_runs(found)
    crops = landscape.crop_config(
        {name: configured(run.config(), None, settings, "probe()", NetSettings) for name, run in runs.items()}
    )
    dataset = open_data(crops)
    positions = landscape.even_positions(radius, steps)
    surfaces = landscape.probe_landscapes(
        runs, crops, dataset, positions, directions, show_progress("probing")
    )
    text = landscape.crops_text(crops, dataset)
    report(f"training loss on {text}\n\n{landscape.landscapes_text(surfaces)}")
    if folder is None:
        return Probed(landscapes=surfaces)
    summary = landscape.landscape_summary(surfaces, runs, text)
    return Probed(landscapes=surfaces, written=tuple(landscape.write_landscapes(surfaces, summary, folder)))


def _slices(given: Mapping[str, float | None]) -> tuple[int, int, float]:
    """Return the number of directions, the steps along each, and the radius."""
    known = {name: value for name, value in given.items() if value is not None}
    directions, steps, radius = ({**SLICES, **known}[name] for name in SLICES)
    if directions < 2:
        raise UsageError(f"--directions {directions}: must be at least 2, which the map is drawn over")
    if steps < 3 or steps % 2 == 0:
        raise UsageError(
            f"--steps {steps}: must be odd, at least 3, so that the weights are a point of the grid"
        )
    if not 0 < radius < math.inf:
        raise UsageError(f"--radius {radius:g}: must be above 0")
    return int(directions), int(steps), radius


def _refuse(shown: str, asked: Mapping[str, object], settings: Mapping[str, object]) -> None:
    """Refuse what a run has already decided, and what is asked of nets that are no runs."""
    decided = {spec.name for spec in fields(RunConfig)} - {"device"}
    given = [] if asked["study"] is None else [str(asked["study"])]
    given += [flag(name) for name in settings if name in decided]
    words = ("run", "arms", "seeds", "cost", "config")
    given += [flag(name) for name in words if asked[name] is not None and asked[name] is not False]
    if given:
        raise UsageError(f"{shown}, without {', '.join(given)}")


def _configs(
    run: Run | None,
    study: str | Path | None,
    arms: Sequence[str] | None,
    config: RunConfig | str | Path | None,
    settings: Mapping[str, Any],
) -> tuple[dict[str, RunConfig], str]:
    """Return what is to be measured by the names in the table, and the name that the others stand against."""
    if run is not None:
        return {
            run.path.name: configured(run.config(), None, settings, "probe()", NetSettings)
        }, run.path.name
    if study is None:
        only = configured(RunConfig(), config, settings, "probe()", NetSettings)
        return {only.encoder: only}, only.encoder
    from unetseg.probes.gradients import arm_configs
    from unetseg.studies.study_file import load_study

    asked = load_study(study)
    asked = asked.based_on(configured(asked.base, config, settings, "probe()", NetSettings))
    return arm_configs(asked, arms), asked.baseline
