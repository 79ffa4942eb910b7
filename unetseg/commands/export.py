"""``unetseg export``: a trained run as one file."""

from collections.abc import Sequence

from unetseg.api import export
from unetseg.commands.arguments import Parser
from unetseg.inference.export_formats import EXPORT_FORMATS
from unetseg.utilities.progress import print_line
from unetseg.utilities.text import printable


def run(argv: Sequence[str]) -> int:
    """Export a run."""
    parser = Parser(
        "export",
        "export [RUN] [flags]",
        "Write a run's best weights, and all that inference must know, as one file. 'unetseg predict --run\n"
        "FILE' uses it; other programs find normalisation, scale rule and classes in its metadata.",
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="the run's folder [the newest finished one under checkpoints/]"
    )
    parser.add_argument(
        "--format",
        default="onnx",
        metavar="|".join(EXPORT_FORMATS),
        help="; ".join(f"{name} {each.purpose}" for name, each in EXPORT_FORMATS.items()) + " [onnx]",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"the file [{' or '.join(f'model.{name}' for name in EXPORT_FORMATS)} in the run's folder]",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    options = parser.parse(argv)
    path = export(
        options.run,
        format=options.format,
        output=options.output or None,
        overwrite=options.overwrite,
        report=print_line,
    )
    print(f"wrote {printable(path)} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0
