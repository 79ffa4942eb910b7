"""``unetseg lesion``: what a trained net loses when its long skips, or blocks, are switched off."""

from collections.abc import Sequence

from unetseg.api import lesion
from unetseg.commands.arguments import Parser, add_device_flag
from unetseg.probes.lesion.modes import MODES
from unetseg.utilities.progress import print_line
from unetseg.utilities.text import printable


def run(argv: Sequence[str]) -> int:
    """Switch parts of trained runs off, and score what is left."""
    options = _parser().parse(argv)
    found = lesion(
        *options.runs,
        mode=options.mode,
        all=options.all,
        delete_blocks=options.delete_blocks,
        against=options.against or None,
        split=options.split,
        device=options.device or "auto",
        output=options.output or None,
        report=print_line,
    )
    for path in found.written:
        print(f"wrote {printable(path)}")
    return 0


def _parser() -> Parser:
    parser = Parser(
        "lesion",
        "lesion RUN [RUN ...] [flags]",
        "Switch off each long skip of a trained net, without retraining, and score what is left: what does\n"
        "this net rely on? Several runs are the seeds of one configuration.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the run's folder; or those of several seeds")
    parser.add_argument("--mode", metavar="|".join(MODES), help="what stands in a skip's place [zero]")
    parser.add_argument("--all", action="store_true", help="every combination of levels, 2^L of them")
    parser.add_argument(
        "--delete-blocks", action="store_true", help="instead delete one block of the encoder at a time"
    )
    parser.add_argument(
        "--against", metavar="STUDY", help="show beside it what nets lost that this study trained without"
    )
    parser.add_argument("--split", metavar="train|val|test", default="test", help="the split [test]")
    add_device_flag(parser)
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="for lesions.csv, .json and .png [RUN/lesion-MODE…]"
    )
    return parser
