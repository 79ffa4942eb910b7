"""``unetseg fit``: train and test."""

from collections.abc import Sequence

from unetseg.api import fit
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
    add_config_flags(parser, Settings)
    options = parser.parse(argv)
    settings = settings_from(options, Settings, trainer)
    if options.print_config:
        config, _ = fit_configuration(
            options.config, options.output, options.resume, settings, options.allow_code
        )
        print(config.to_yaml(), end="")
        return 0
    trained = fit(
        options.config,
        output=options.output,
        resume=options.resume,
        allow_code=options.allow_code,
        **settings,
    )
    print(f"next: unetseg predict IMAGES... -o masks/ --run {trained.path}")
    return 0
