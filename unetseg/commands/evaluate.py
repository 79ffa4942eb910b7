"""``unetseg evaluate``: a run, or masks made by any tool."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import MASK_FLAGS, Parser, add_mask_flags
from unetseg.errors import UsageError
from unetseg.evaluation.score_table import score_table
from unetseg.runs import find_run
from unetseg.utilities.files import write_json
from unetseg.utilities.text import printable

OF_A_RUN = ("data", "data_dir", "split", "device")


def run(argv: Sequence[str]) -> int:
    """Score a run, or masks."""
    options = _parser().parse(argv)
    of_masks = options.predictions is not None or options.reference is not None
    _refuse_mixture(options, of_masks)
    if options.run is None and not of_masks:
        raise UsageError("unetseg evaluate: name a run, or --predictions DIR and --reference DIR")
    for name in ("json", "html"):
        path = getattr(options, name)
        if path and Path(path).is_dir():
            raise UsageError(f"--{name} {printable(path)}: is a folder; name a file")
    command = shlex.join(["unetseg", "evaluate", *argv])
    result, left_out = _score_masks(options, command) if of_masks else (_score_run(options, command), [])
    print(score_table(result, every_class=True))
    for line in left_out:
        print(line, file=sys.stderr)
    if options.json:
        with _plain_errors(options.json):
            write_json(options.json, result)
    return PARTLY_DONE if left_out else 0


def _parser() -> Parser:
    parser = Parser(
        "evaluate",
        "evaluate RUN [flags]\n       unetseg evaluate --predictions DIR --reference DIR [flags]",
        "Score a run on a split of its dataset, or of another; or score masks made by any tool.",
    )
    parser.add_argument("run", nargs="?", metavar="RUN", help="the run's folder")
    parser.add_argument("--json", metavar="FILE", help="also write all numbers here")
    parser.add_argument("--html", metavar="FILE", help="also write a page with pictures here")
    run = parser.add_argument_group("of a run")
    run.add_argument("--data", metavar="DATA", help="another dataset of the same classes")
    run.add_argument("--data-dir", metavar="DIR", help="where the named dataset already lies on disk")
    run.add_argument("--split", metavar="train|val|test", help="the split [test]")
    run.add_argument("--device", metavar="auto|cpu|cuda|mps", help="where to compute [auto]")
    masks = parser.add_argument_group("of masks")
    masks.add_argument("--predictions", metavar="DIR", help="masks to score")
    masks.add_argument("--reference", metavar="DIR", help="masks to score them against, of the same names")
    add_mask_flags(masks)
    return parser


def _refuse_mixture(options: argparse.Namespace, of_masks: bool) -> None:
    """Refuse flags of the other way to evaluate."""
    if of_masks and options.run is not None:
        raise UsageError("unetseg evaluate: name a run, or --predictions and --reference, not both")
    if of_masks and (options.predictions is None or options.reference is None):
        missing = "--predictions" if options.predictions is None else "--reference"
        raise UsageError(f"unetseg evaluate: {missing} DIR is missing")
    for name in OF_A_RUN if of_masks else MASK_FLAGS:
        if getattr(options, name):
            other = "a run" if of_masks else "--predictions and --reference"
            raise UsageError(f"unetseg evaluate: --{name.replace('_', '-')} goes with {other} only")


def _score_run(options: argparse.Namespace, command: str) -> dict[str, Any]:
    run = find_run(options.run)
    from unetseg.experiment import evaluate_existing, with_data

    evaluation = evaluate_existing(
        run, options.data, options.data_dir, options.split or "test", options.device or "auto"
    )
    if options.html:
        from unetseg.report.run_page import write_run_page
        from unetseg.utilities.progress import show_progress

        config = with_data(run.config(), options.data, options.data_dir)
        config = config.changed(device=options.device or "auto")
        with _plain_errors(options.html):
            write_run_page(options.html, run, evaluation, config, command, show_progress("drawing"))
    return evaluation.as_dict()


def _score_masks(options: argparse.Namespace, command: str) -> tuple[dict[str, Any], list[str]]:
    from unetseg.evaluation.folders import evaluate_masks, read_names
    from unetseg.utilities.progress import show_progress

    names = None if options.names is None else read_names(options.names)
    how = {"valid": options.valid, "classes": names, "instances": options.instances, "key": options.key}
    folders = (options.predictions, options.reference)
    evaluation, left_out = evaluate_masks(*folders, **how, progress=show_progress("scoring"))
    if options.html:
        from unetseg.report.run_page import write_masks_page

        with _plain_errors(options.html):
            write_masks_page(options.html, *folders, evaluation, command, **how)
    return evaluation.as_dict() | {"left_out": left_out.as_dict()}, left_out.lines()


def _plain_errors(path: str) -> AbstractContextManager[None]:
    from unetseg.utilities.files import plain_write_errors

    return plain_write_errors(path)
