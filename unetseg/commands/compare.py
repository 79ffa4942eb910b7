"""``unetseg compare``: runs that exist, a study, or folders of masks."""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import MASK_FLAGS, Parser, add_mask_flags
from unetseg.errors import UsageError
from unetseg.runs import CHECKPOINTS


def run(argv: Sequence[str]) -> int:
    """Compare, and write the report."""
    options = _parser().parse(argv)
    masks = {}
    if options.reference is not None:
        masks = {"valid": options.valid, "instances": options.instances, "key": options.key}
    else:
        for name in MASK_FLAGS:
            if getattr(options, name):
                raise UsageError(f"--{name}: goes with --reference, for folders of masks")
    from unetseg.api import compare
    from unetseg.report.markdown import study_text
    from unetseg.studies.study_file import study_folder

    study = study_folder(options.what[0]) if len(options.what) == 1 else None
    output = options.output
    if study is None and output is None:
        output = CHECKPOINTS / time.strftime("compare-%Y%m%d-%H%M%S")
    if options.names is not None:
        from unetseg.evaluation.folders import read_names

        masks["classes"] = read_names(options.names)
    results = compare(
        *options.what,
        reference=options.reference,
        primary=options.primary,
        margin=options.margin,
        output=output,
        command=shlex.join(["unetseg", "compare", *argv]),
        **masks,
    )
    print(f"{study_text(results)}\n\nreport: {Path(study or output) / 'report.html'}")
    return PARTLY_DONE if results.failures else 0


def _parser() -> Parser:
    parser = Parser(
        "compare",
        "compare RUN RUN ... | STUDY [flags]\n       unetseg compare DIR DIR ... --reference DIR [flags]",
        "Compare runs of one test split, a study's runs as they are, or folders of masks by any tool.\n"
        "Runs that differ in the seed alone are one arm; the others are compared with the first arm.",
    )
    parser.add_argument("what", nargs="+", metavar="RUN", help="runs, one study, or folders of masks")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="where the report goes, unless of a study [checkpoints/compare-TIME]",
    )
    parser.add_argument("--primary", metavar="METRIC", help="the metric that the verdict is about [iou]")
    parser.add_argument(
        "--margin", type=float, metavar="X", help="largest difference in it that counts as none [0.01]"
    )
    masks = parser.add_argument_group("of folders of masks")
    masks.add_argument("--reference", metavar="DIR", help="masks to score them against, of the same names")
    add_mask_flags(masks)
    return parser
