"""``unetseg fit``: train and test."""

import argparse
from collections.abc import Sequence
from time import perf_counter

from unetseg.api import fit
from unetseg.api.fit_plan import planned_configuration
from unetseg.api.settings import Settings
from unetseg.api.training_verbs import fit_configuration
from unetseg.commands.arguments import (
    Parser,
    add_code_flag,
    add_config_flags,
    add_file_flag,
    settings_from,
    split_trainer_flags,
)
from unetseg.errors import UsageError
from unetseg.utilities.progress import print_line, say_nothing


def run(argv: Sequence[str]) -> int:
    """Train and test."""
    argv, trainer = split_trainer_flags(argv)
    parser = Parser("fit", "fit [flags]", "Train a U-Net, test it, and keep the run under checkpoints/.")
    add_file_flag(parser)
    add_code_flag(parser)
    parser.add_argument("--print-config", action="store_true", help="print the whole configuration and stop")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="the run's folder [checkpoints/TIME-DATA-SKIPS]"
    )
    parser.add_argument("--resume", metavar="RUN", help="go on with a run that was interrupted")
    parser.add_argument("--time", metavar="20m|2h", help="plan the rest for a run of about so long")
    parser.add_argument("--plan", action="store_true", help="print that plan, with its reasons, and stop")
    add_config_flags(parser, Settings)
    options = parser.parse(argv)
    settings = settings_from(options, Settings, trainer)
    if options.print_config or options.plan:
        _print(options, settings)
        return 0
    trained = fit(
        options.config,
        output=options.output,
        resume=options.resume,
        time=options.time,
        allow_code=options.allow_code,
        **settings,
    )
    print(f"next: unetseg predict IMAGES... -o masks/ --run {trained.path}")
    return 0


def _print(options: argparse.Namespace, settings: Settings) -> None:
    """Print the configuration, the plan, or the configuration as planned."""
    started = perf_counter()
    planned = options.plan or options.time is not None
    config, resumed = fit_configuration(
        options.config,
        options.output,
        options.resume,
        settings,
        options.allow_code,
        options.time,
    )
    if options.plan and resumed is not None:
        raise UsageError(f"--resume {options.resume}: goes on as it was planned, without --plan")
    if planned:
        report = say_nothing if options.print_config else print_line
        config = planned_configuration(config, options.config, settings, options.time, report, started)
    if options.print_config:
        print(config.to_yaml(), end="")
