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
        metavar="|".join([*EXPORT_FORMATS, "card"]),
        help="; ".join(f"{name} {each.purpose}" for name, each in EXPORT_FORMATS.items())
        + "; card is a folder to share, with a model card [onnx]",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help=f"file or folder [{', '.join(f'model.{name}' for name in EXPORT_FORMATS)}, card/ in the run's]",
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
    size = sum(each.stat().st_size for each in (path, *path.glob("*")) if each.is_file())
    print(f"wrote {printable(path)} ({size / 1e6:.1f} MB)")
    return 0
