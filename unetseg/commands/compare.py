"""``unetseg compare``: runs that exist, studies, or folders of masks."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill

from unetseg.api import compare
from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import Parser, add_mask_flags, given_mask_flags
from unetseg.errors import UsageError
from unetseg.runs import CHECKPOINTS

_OF_OBJECTS = ("object_recall", "pq")  # what --instances is about


def run(argv: Sequence[str]) -> int:
    """Compare, and write the report."""
    parser = _parser()
    if {"-h", "--help"}.intersection(argv):
        parser.epilog = _metrics_help()
    options = parser.parse(argv)
    if options.reference is None and (given := given_mask_flags(options)):
        raise UsageError(f"--{given[0]}: goes with --reference, for folders of masks")
    from unetseg.studies.study_file import study_folder

    output = options.output
    as_it_is = len(options.what) == 1 and study_folder(options.what[0]) is not None
    if output is None and (options.primary is not None or not as_it_is):
        output = CHECKPOINTS / time.strftime("compare-%Y%m%d-%H%M%S")
    classes = None
    if options.names is not None:
        from unetseg.evaluation.folders import read_names

        classes = read_names(options.names)
    results = compare(
        *options.what,
        reference=options.reference,
        valid=options.valid,
        classes=classes,
        ignore=options.ignore,
        instances=options.instances,
        key=options.key,
        primary=options.primary,
        margin=options.margin,
        output=output,
        figures=options.figures,
        command=shlex.join(["unetseg", "compare", *argv]),
    )
    from unetseg.report.markdown import study_text

    print(f"{study_text(results, _OF_OBJECTS if options.instances else ())}\n")
    if options.power:
        from unetseg.report.plan_figures import power_text

        print(f"{power_text(results)}\n")
    if options.figures:
        print(f"figures, tables and methods: {options.figures}")
    print(f"report: {Path(results.folder or '') / 'report.html'}")
    return PARTLY_DONE if results.failures else 0


def _metrics_help() -> str:
    """Return what ``--primary`` takes; only a request for help pays for the import of the metrics."""
    from unetseg.metrics.registry import studied

    keys = ", ".join(metric.key for metric in studied())
    return fill(f"METRIC: {keys}", 108, subsequent_indent="  ")


def _parser() -> Parser:
    parser = Parser(
        "compare",
        "compare RUN RUN ... | STUDY ... [flags]\n       unetseg compare DIR DIR ... --reference DIR [flags]",
        "Compare runs of one test split, a study's runs as they are, or folders of masks or labels.\n"
        "Runs that differ in the seed alone are one arm; the others are compared with the first arm.\n"
        "Of several studies all arms are compared with the reference of the first.",
    )
    parser.add_argument("what", nargs="+", metavar="RUN", help="runs, studies, or folders of masks or labels")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="where the report goes, unless of a study [checkpoints/compare-TIME]",
    )
    parser.add_argument(
        "--primary", metavar="METRIC", help="the metric that the verdict is about [iou, or the study's]"
    )
    parser.add_argument(
        "--margin", type=float, metavar="X", help="largest difference in it that counts as none [0.01]"
    )
    parser.add_argument(
        "--power", action="store_true", help="show what more seeds or images would show, as the report does"
    )
    parser.add_argument(
        "--figures",
        metavar="DIR",
        help="for a paper: every figure as SVG and PDF, tables as LaTeX and CSV, the methods with BibTeX",
    )
    masks = parser.add_argument_group("of folders of masks")
    masks.add_argument(
        "--reference", metavar="DIR", help="masks or labels to score them against, of the same names"
    )
    add_mask_flags(masks)
    return parser
