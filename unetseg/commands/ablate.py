"""``unetseg ablate``: a study in one command."""

import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import Parser, add_config_flags, config_from, split_trainer_flags
from unetseg.errors import UsageError

if TYPE_CHECKING:
    from unetseg.studies.study import Study

NOT_BASE = ("seed", "workers")  # the study has its own seeds, and --workers means runs side by side here


def run(argv: Sequence[str]) -> int:
    """Train every arm in every seed, and say what the arms are worth."""
    rest, trainer = split_trainer_flags(argv)
    options = _parser().parse(rest)
    study = _study(options, trainer)
    from unetseg.studies.ablation import default_folder, run_study
    from unetseg.studies.plan import make_plan

    folder = Path(options.output) if options.output else default_folder(study)
    plan = make_plan(study, folder, options.arms.split(",") if options.arms else None)
    if options.dry_run:
        from unetseg.studies.estimate import plan_text

        print(plan_text(plan, options.side_by_side))
        return 0
    from unetseg.report.markdown import study_text
    from unetseg.report.outputs import require_free, write_outputs

    require_free(folder, of_study=True)
    results = run_study(plan, options.side_by_side, command=shlex.join(["unetseg", "ablate", *argv]))
    write_outputs(results, folder)
    print(f"\n{study_text(results)}\n")
    print(f"report: {folder / 'report.html'}")
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
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds an arm [5]")
    parser.add_argument("--arms", metavar="A,B", help="only these arms, and the reference")
    parser.add_argument("-o", "--output", metavar="DIR", help="the study's folder [checkpoints/STUDY-DATA]")
    parser.add_argument(
        "--workers", dest="side_by_side", type=int, default=1, metavar="N", help="runs side by side [1]"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan and the time it takes, and stop"
    )
    parser.add_argument("--config", metavar="FILE", help="YAML with any of the keys below; flags win")
    add_config_flags(parser, skip=NOT_BASE)
    return parser


def _study(options: Namespace, trainer: dict[str, object]) -> "Study":
    """Return the study under the base that the flags make."""
    from unetseg.studies.study_file import load_study

    if options.side_by_side < 1:
        raise UsageError(f"--workers {options.side_by_side}: must be at least 1")
    study = load_study(options.study)
    return study.based_on(config_from(options, trainer, study.base), options.seeds)
