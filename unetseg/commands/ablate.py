"""``unetseg ablate``: a study in one command."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from unetseg.api import ablate
from unetseg.api.settings import StudySettings
from unetseg.api.training_verbs import study_plan
from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import (
    Parser,
    add_code_flag,
    add_config_flags,
    add_file_flag,
    settings_from,
    split_trainer_flags,
)
from unetseg.utilities.waiting import choose_waiting


def run(argv: Sequence[str]) -> int:
    """Train every arm in every seed, and say what the arms are worth."""
    rest, trainer = split_trainer_flags(argv)
    options = _parser().parse(rest)
    settings = settings_from(options, StudySettings, trainer)
    arms = options.arms.split(",") if options.arms else None
    output, workers = options.output or None, options.side_by_side
    if options.dry_run:
        plan = study_plan(
            options.study, options.seeds, arms, output, workers, options.config, settings, options.allow_code
        )
        from unetseg.data.datasets.open import open_data
        from unetseg.studies.outlook import outlook

        dataset = open_data(plan.study.base)
        print(f"{outlook(plan, dataset)}\n", flush=True)  # what follows loads PyTorch
        choose_waiting()
        from unetseg.studies.estimate import arms_text, times_text

        print(f"{arms_text(plan, dataset)}\n", flush=True)  # what follows times the nets
        print(times_text(plan, dataset, workers))
        return 0
    results = ablate(
        options.study,
        seeds=options.seeds,
        arms=arms,
        output=output,
        minutes=options.minutes,
        workers=workers,
        config=options.config,
        allow_code=options.allow_code,
        command=shlex.join(["unetseg", "ablate", *argv]),
        **settings,
    )
    from unetseg.report.markdown import study_text

    print(f"\n{study_text(results)}\n")
    print(f"report: {Path(results.folder or '') / 'report.html'}")
    if results.failures:
        print(f"{len(results.failures)} runs failed; the same command tries them again", file=sys.stderr)
    return PARTLY_DONE if results.failures else 0


def _parser() -> Parser:
    parser = Parser(
        "ablate",
        "ablate PRESET|FILE [flags]",
        "Train every arm of a study in every seed, resumable, then compare them.\n"
        "Presets: long (long skips on, and off under each control), levels (each alone, each left out),\n"
        "merge (how they join), short (plain, residual, pre-activation, highway and dense blocks),\n"
        "activation (before or after the sum), degradation (training loss by depth), cost (of each skip),\n"
        "norm (before or after a transformer's sub-layers).",
    )
    parser.add_argument("study", metavar="PRESET|FILE", help="a preset, or a YAML file of your own")
    parser.add_argument("--seeds", metavar="N|A..B", help="seeds an arm; 3..10 looks at 3, 4, 5, 7, 10 [5]")
    parser.add_argument("--arms", metavar="A,B", help="only these arms, and the reference")
    parser.add_argument(
        "--minutes", type=float, metavar="N", help="begin no further look that would end later"
    )
    parser.add_argument("-o", "--output", metavar="DIR", help="the study's folder [checkpoints/STUDY-DATA]")
    parser.add_argument(
        "--workers", dest="side_by_side", type=int, default=1, metavar="N", help="runs side by side [1]"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan and the time it takes, and stop"
    )
    add_file_flag(parser)
    add_code_flag(parser)
    add_config_flags(parser, StudySettings)
    return parser
