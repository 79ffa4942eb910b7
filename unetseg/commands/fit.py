"""``unetseg fit``: train and test."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields

from unetseg.commands.arguments import Parser, add_config_flags, config_from, split_trainer_flags
from unetseg.config import RunConfig, flag
from unetseg.errors import UsageError
from unetseg.runs import Run, find_run


def run(argv: Sequence[str]) -> int:
    """Train and test."""
    argv, trainer = split_trainer_flags(argv)
    parser = Parser("fit", "fit [flags]", "Train a U-Net, test it, and keep the run under checkpoints/.")
    parser.add_argument("--config", metavar="FILE", help="YAML with any of the keys below; flags win")
    parser.add_argument("--print-config", action="store_true", help="print the whole configuration and stop")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="the run's folder [checkpoints/TIME-DATA-SKIPS]"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was interrupted")
    add_config_flags(parser)
    options = parser.parse(argv)
    resumed = None if options.resume is None else _resumable(options)
    config = config_from(options, trainer, resumed.config() if resumed else None)
    if options.print_config:
        print(config.to_yaml(), end="")
        return 0
    from unetseg.data.datasets.open import require_dataset

    require_dataset(config.data)  # torch, which comes next, takes seconds
    from unetseg.experiment import resume_experiment, run_experiment

    trained = resume_experiment(resumed, config) if resumed else run_experiment(config, options.output)
    print(f"next: unetseg predict IMAGES... -o masks/ --run {trained.path}")
    return 0


def _resumable(options: Namespace) -> Run:
    """Return the run to go on with; it keeps its own configuration, but for where it is computed."""
    fixed = {spec.name for spec in fields(RunConfig)} - {"device", "workers"}
    given = [flag(name) for name in vars(options) if name in fixed]
    given += [f"--{word}" for word in ("config", "output") if getattr(options, word) is not None]
    if given:
        raise UsageError(
            f"--resume {options.resume}: goes on with the run's own configuration, without "
            f"{', '.join(given)}; to start anew from its weights use --init {options.resume}"
        )
    return find_run(options.resume)
