"""``unetseg probe``: how the gradient flows through a network, what it costs, and its loss surface."""

import math
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from unetseg.commands.arguments import Parser, add_config_flags, config_from
from unetseg.config import RunConfig, flag
from unetseg.errors import UsageError
from unetseg.runs import CHECKPOINTS, find_run
from unetseg.utilities.files import free_folder
from unetseg.utilities.progress import show_progress
from unetseg.utilities.text import printable

OUTPUTS = ("probe.csv", "probe.png", "probe_cost.csv")
LANDSCAPE_OUTPUTS = ("landscape.png", "landscape.csv", "landscape.json")
SLICES = {"directions": 5, "steps": 17, "radius": 1.0}
# What a network before training, a batch and the clock do not depend on.
NOT_ASKED = ("epochs", "lr", "weight_decay", "warmup", "patience", "init", "seed", "log_gradients", "workers")


def run(argv: Sequence[str]) -> int:
    """Measure a network, the arms of a study, or the loss surface of runs."""
    options = _parser().parse(argv)
    if options.landscape is not None:
        return _landscape(options)
    for name in SLICES:
        if getattr(options, name) is not None:
            raise UsageError(f"{flag(name)}: goes with --landscape")
    if options.run is not None:
        _refuse(options, f"--run {options.run}: shows the run as it is", ("arms", "seeds", "config"))
    elif options.arms is not None and options.study is None:
        raise UsageError("unetseg probe: --arms goes with a study")
    if options.seeds is not None and options.seeds < 1:
        raise UsageError(f"--seeds {options.seeds}: must be at least 1")
    folder = None if options.output is None else free_folder(Path(options.output), OUTPUTS)
    configs, reference = _configs(options)
    config = configs[reference]
    from unetseg.data.datasets.open import open_data
    from unetseg.probes.gradients import gradients_text, probe_gradients, probe_run, write_gradients

    dataset = open_data(config)
    seeds = [config.seed] if options.run else list(range(options.seeds or 3))
    if options.run:
        flows = probe_run(find_run(options.run), config, dataset)
    else:
        flows = probe_gradients(configs, seeds, dataset, show_progress("probing"))
    crops = f"{config.batch_size} crops of {dataset.name}, {config.size}×{config.size}"
    which = f"seed {seeds[0]}" if len(seeds) == 1 else f"medians of {len(seeds)} seeds"
    print(f"gradient of the loss on {crops}; {which}\n\n{gradients_text(flows)}")
    written = [] if folder is None else write_gradients(flows, seeds, folder)
    if options.cost:
        from unetseg.probes.speed import costs_text, measure_arms, write_costs

        costs = measure_arms(configs, dataset, show_progress("timing"))
        print(f"\n{costs_text(costs, reference)}")
        written += [] if folder is None else [write_costs(costs, folder)]
    for path in written:
        print(f"wrote {printable(path)}")
    return 0


def _landscape(options: Namespace) -> int:
    """Cut through the training loss round the weights of runs, and draw it side by side."""
    _refuse(options, "--landscape: shows runs as they are", ("run", "arms", "seeds", "cost", "config"))
    directions, steps, radius = _slices(options)
    output = options.output or CHECKPOINTS / time.strftime("landscape-%Y%m%d-%H%M%S")
    folder = free_folder(Path(output), LANDSCAPE_OUTPUTS)
    found = [find_run(name) for name in options.landscape]
    from unetseg.data.datasets.open import open_data
    from unetseg.probes.landscape import landscapes as landscape

    runs = landscape.named_runs(found)
    crops = landscape.crop_config(
        {name: config_from(options, {}, run.config()) for name, run in runs.items()}
    )
    dataset = open_data(crops)
    positions = landscape.even_positions(radius, steps)
    surfaces = landscape.probe_landscapes(
        runs, crops, dataset, positions, directions, show_progress("probing")
    )
    text = landscape.crops_text(crops, dataset)
    print(f"training loss on {text}\n\n{landscape.landscapes_text(surfaces)}")
    summary = landscape.landscape_summary(surfaces, runs, text)
    for path in landscape.write_landscapes(surfaces, summary, folder):
        print(f"wrote {printable(path)}")
    return 0


def _slices(options: Namespace) -> tuple[int, int, float]:
    """Return the number of directions, the steps along each, and the radius."""
    given = {name: getattr(options, name) for name in SLICES if getattr(options, name) is not None}
    directions, steps, radius = ({**SLICES, **given}[name] for name in SLICES)
    if directions < 2:
        raise UsageError(f"--directions {directions}: must be at least 2, which the map is drawn over")
    if steps < 3 or steps % 2 == 0:
        raise UsageError(
            f"--steps {steps}: must be odd, at least 3, so that the weights are a point of the grid"
        )
    if not 0 < radius < math.inf:
        raise UsageError(f"--radius {radius:g}: must be above 0")
    return int(directions), int(steps), radius


def _parser() -> Parser:
    parser = Parser(
        "probe",
        "probe [PRESET|FILE] [flags]\n       unetseg probe --run RUN [flags]\n"
        "       unetseg probe --landscape RUN [RUN ...] [flags]",
        "Measure how the gradient of a real batch flows through a network before training: its norm at\n"
        "every layer, and what each long skip brings back. With a study, all of its arms, overlaid.\n"
        "Or draw the training loss in slices round the weights of runs, and measure how rough it is.",
    )
    parser.add_argument("study", nargs="?", metavar="PRESET|FILE", help="a study whose arms to overlay")
    parser.add_argument("--run", metavar="RUN", help="a trained run, beside its own first weights")
    parser.add_argument("--arms", metavar="A,B", help="only these arms of the study, and its reference")
    parser.add_argument("--seeds", type=int, metavar="N", help="first weights and crops [3]")
    parser.add_argument("--cost", action="store_true", help="measure memory and time, too")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="write probe.csv, probe.png and, with --cost, probe_cost.csv here; or landscape.png, .csv and\n"
        ".json [checkpoints/landscape-TIME]",
    )
    parser.add_argument("--config", metavar="FILE", help="YAML with any of the keys below; flags win")
    surface = parser.add_argument_group("loss surface")
    surface.add_argument(
        "--landscape", nargs="+", metavar="RUN", help="runs to draw side by side, on one scale"
    )
    surface.add_argument(
        "--directions", type=int, metavar="N", help="random ones; two of them span the map [5]"
    )
    surface.add_argument("--steps", type=int, metavar="N", help="points along each, an odd number [17]")
    surface.add_argument(
        "--radius", type=float, metavar="X", help="how far: 1 moves each filter by its own length [1]"
    )
    add_config_flags(parser, skip=(*NOT_ASKED, "trainer"))
    return parser


def _refuse(options: Namespace, shown: str, names: Sequence[str]) -> None:
    """Refuse what a run has already decided, and the flags of these names."""
    decided = {spec.name for spec in fields(RunConfig)} - {"device"}
    given = [] if options.study is None else [options.study]
    given += [flag(name) for name in vars(options) if name in decided]
    values = {name: getattr(options, name) for name in names}
    given += [flag(name) for name, value in values.items() if value is not None and value is not False]
    if given:
        raise UsageError(f"{shown}, without {', '.join(given)}")


def _configs(options: Namespace) -> tuple[dict[str, RunConfig], str]:
    """Return what is to be measured by the names in the table, and the name that the others stand against."""
    if options.run is not None:
        run = find_run(options.run)
        config = config_from(options, {}, run.config())
        return {run.path.name: config}, run.path.name
    if options.study is None:
        config = config_from(options, {})
        return {config.encoder: config}, config.encoder
    from unetseg.probes.gradients import arm_configs
    from unetseg.studies.study_file import load_study

    study = load_study(options.study)
    study = study.based_on(config_from(options, {}, study.base))
    return arm_configs(study, options.arms.split(",") if options.arms else None), study.baseline
