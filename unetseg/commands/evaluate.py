"""``unetseg evaluate``: a run, or masks made by any tool."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from unetseg.api import evaluate
from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import Parser, add_device_flag, add_mask_flags, given_mask_flags
from unetseg.errors import UsageError
from unetseg.utilities.files import plain_write_errors, write_json
from unetseg.utilities.progress import print_line
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
    names = None
    if options.names is not None:
        from unetseg.evaluation.folders import read_names

        names = read_names(options.names)
    left_out: list[str] = []
    result = evaluate(
        options.run,
        data=options.data,
        data_dir=options.data_dir,
        split=options.split or "test",
        device=options.device or "auto",
        predictions=options.predictions,
        reference=options.reference,
        valid=options.valid,
        classes=names,
        ignore=options.ignore,
        instances=options.instances,
        key=options.key,
        rows=True,
        html=options.html or None,
        command=shlex.join(["unetseg", "evaluate", *argv]),
        report=left_out.append if of_masks else print_line,
    )
    from unetseg.evaluation.score_table import score_table

    print(score_table(result, every_class=True))
    for line in left_out:
        print(line, file=sys.stderr)
    if options.json:
        with plain_write_errors(options.json):
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
    add_device_flag(run)
    masks = parser.add_argument_group("of masks")
    masks.add_argument("--predictions", metavar="DIR", help="masks, or labels of a tool, to score")
    masks.add_argument(
        "--reference", metavar="DIR", help="masks or labels to score them against, of the same names"
    )
    add_mask_flags(masks)
    return parser


def _refuse_mixture(options: argparse.Namespace, of_masks: bool) -> None:
    """Refuse flags of the other way to evaluate."""
    if of_masks and options.run is not None:
        raise UsageError("unetseg evaluate: name a run, or --predictions and --reference, not both")
    if of_masks and (options.predictions is None or options.reference is None):
        missing = "--predictions" if options.predictions is None else "--reference"
        raise UsageError(f"unetseg evaluate: {missing} DIR is missing")
    of_a_run = [name for name in OF_A_RUN if getattr(options, name) is not None]
    given = of_a_run if of_masks else given_mask_flags(options)
    if given:
        other = "a run" if of_masks else "--predictions and --reference"
        raise UsageError(f"unetseg evaluate: --{given[0].replace('_', '-')} goes with {other} only")
