"""``unetseg probe``: how the gradient flows through a network, and what the network costs."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from unetseg.arguments import Parser, add_config_flags, config_from
from unetseg.config import RunConfig, flag
from unetseg.data.find import printable
from unetseg.errors import UsageError
from unetseg.progress import show_progress
from unetseg.runs import find_run

OUTPUTS = ("probe.csv", "probe.png", "probe_cost.csv")
# What a network before training, a batch and the clock do not depend on.
NOT_ASKED = ("epochs", "lr", "weight_decay", "warmup", "patience", "init", "seed", "log_gradients", "workers")


def run(argv: Sequence[str]) -> int:
    """Measure a network, or the arms of a study."""
    options = _parser().parse(argv)
    if options.run is not None:
        _refuse_beside_run(options)
    elif options.arms is not None and options.study is None:
        raise UsageError("unetseg probe: --arms goes with a study")
    if options.seeds is not None and options.seeds < 1:
        raise UsageError(f"--seeds {options.seeds}: must be at least 1")
    folder = None if options.output is None else _free(Path(options.output))
    configs, reference = _configs(options)
    config = configs[reference]
    from unetseg.evaluation.experiment import open_data
    from unetseg.studies.gradients import gradients_text, probe_gradients, probe_run, write_gradients

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
        from unetseg.studies.speed import costs_text, measure_arms, write_costs

        costs = measure_arms(configs, dataset, show_progress("timing"))
        print(f"\n{costs_text(costs, reference)}")
        written += [] if folder is None else [write_costs(costs, folder)]
    for path in written:
        print(f"wrote {printable(path)}")
    return 0


def _free(folder: Path) -> Path:
    """Return the folder to write into, unless something would be lost there."""
    for name in OUTPUTS:
        if (folder / name).exists():
            raise UsageError(f"{folder / name}: exists already; give another -o, nothing is overwritten")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder}: is no folder")
    return folder


def _parser() -> Parser:
    parser = Parser(
        "probe",
        "probe [PRESET|FILE] [flags]\n       unetseg probe --run RUN [flags]",
        "Measure how the gradient of a real batch flows through a network before training: its norm at\n"
        "every layer, and what each long skip brings back. With a study, all of its arms, overlaid.",
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
        help="write probe.csv, probe.png and, with --cost, probe_cost.csv here",
    )
    parser.add_argument("--config", metavar="FILE", help="YAML with any of the keys below; flags win")
    add_config_flags(parser, skip=(*NOT_ASKED, "trainer"))
    return parser


def _refuse_beside_run(options: Namespace) -> None:
    """Refuse what a run has already decided."""
    decided = {spec.name for spec in fields(RunConfig)} - {"device"}
    given = [] if options.study is None else [options.study]
    given += [flag(name) for name in vars(options) if name in decided]
    given += [flag(name) for name in ("arms", "seeds", "config") if getattr(options, name) is not None]
    if given:
        raise UsageError(f"--run {options.run}: shows the run as it is, without {', '.join(given)}")


def _configs(options: Namespace) -> tuple[dict[str, RunConfig], str]:
    """Return what is to be measured by the names in the table, and the name that the others stand against."""
    if options.run is not None:
        run = find_run(options.run)
        config = config_from(options, {}, run.config())
        return {run.path.name: config}, run.path.name
    if options.study is None:
        config = config_from(options, {})
        return {config.encoder: config}, config.encoder
    from unetseg.studies.gradients import arm_configs
    from unetseg.studies.study_file import load_study

    study = load_study(options.study)
    study = study.based_on(config_from(options, {}, study.base))
    return arm_configs(study, options.arms.split(",") if options.arms else None), study.reference
