"""``unetseg predict``: write masks."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import Parser
from unetseg.config import DEVICES, PRECISIONS, check_choice
from unetseg.data.images.find import find_images
from unetseg.errors import UsageError
from unetseg.inference.folder.formats import FORMATS
from unetseg.inference.folder.jobs import TABLE, OutputOptions
from unetseg.utilities.progress import show_progress
from unetseg.utilities.text import printable

if TYPE_CHECKING:
    from unetseg.inference.folder.pipeline import FolderResult

TTA = ("flips", "none")


def run(argv: Sequence[str]) -> int:
    """Write masks."""
    options = _parser().parse(argv)
    outputs = _checked(options)
    found = find_images(options.images)
    from unetseg.inference.folder.predict_folder import predict_images
    from unetseg.inference.loading import find_models, load_models, path_of

    models = find_models(options.run)
    predictor = load_models(
        models, options.device, options.precision, flips=options.tta == "flips", threshold=options.threshold
    )
    names = ", ".join(printable(path_of(model)) for model in models)
    print(f"run {names} ({predictor})", flush=True)
    output = Path(options.output)
    result = predict_images(predictor, found, output, outputs, show_progress)
    for failure in result.failures:
        print(f"failed: {printable(failure.reason)}", file=sys.stderr)
    print(_summary(result, output))
    if result.written and len(result.classes_seen) == 1:
        only = predictor.classes[next(iter(result.classes_seen))]
        print(f"note: all masks written are '{only}' and nothing else; are these images like the training's?")
    return PARTLY_DONE if result.failures else 0


def _parser() -> Parser:
    parser = Parser(
        "predict", "predict IMAGES... -o DIR [flags]", "Write one mask an image, at the image's own size."
    )
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGES",
        help="files, folders or globs; - reads names from standard input",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="DIR", help="where the masks go; sub-folders are kept"
    )
    parser.add_argument(
        "--continue", dest="continue_", action="store_true", help="leave out what has its mask"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace masks that are there")
    parser.add_argument(
        "--max-pixels",
        type=int,
        metavar="N",
        help="largest image to decode whole [178956970, Pillow's limit]",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="RUN",
        help="a run or an exported file; several are averaged [newest finished run in checkpoints/]",
    )
    model.add_argument(
        "--tta",
        default="none",
        metavar="|".join(TTA),
        help="flips: average over the image's four flips [none]",
    )
    model.add_argument(
        "--threshold", type=float, default=0.5, metavar="P", help="foreground above this probability [0.5]"
    )
    model.add_argument("--device", default="auto", metavar="|".join(DEVICES), help="where to compute [auto]")
    model.add_argument(
        "--precision", metavar="|".join(PRECISIONS), help="number format [that of the training]"
    )
    model.add_argument(
        "--tile", type=int, metavar="N", help="side of the tiles of large images, pixels [by the free memory]"
    )
    model.add_argument(
        "--overlap",
        type=int,
        metavar="N",
        help="of tiles, pixels [what the network needs, up to half a tile]",
    )
    files = parser.add_argument_group("files")
    files.add_argument("--format", default="png", metavar="|".join(FORMATS), help="of the masks [png]")
    files.add_argument(
        "--overlay", action="store_true", help="also write NAME.overlay.jpg, the mask over the image"
    )
    files.add_argument(
        "--save-probabilities", action="store_true", help="also write each class's probability, 16-bit grey"
    )
    files.add_argument(
        "--min-area", type=int, default=0, metavar="N", help="smaller regions become background, pixels [0]"
    )
    return parser


def _checked(options: argparse.Namespace) -> OutputOptions:
    """Refuse wrong values before anything takes time, and return what concerns the files."""
    check_choice("--tta", options.tta, TTA)
    check_choice("--device", options.device, DEVICES)
    if options.precision is not None:
        check_choice("--precision", options.precision, PRECISIONS)
    check_choice("--format", options.format, FORMATS)
    if not 0 < options.threshold < 1:
        raise UsageError(f"--threshold {options.threshold}: must lie between 0 and 1")
    return OutputOptions(**{spec.name: getattr(options, spec.name) for spec in fields(OutputOptions)})


def _summary(result: "FolderResult", output: Path) -> str:
    masks = "1 mask" if result.written == 1 else f"{result.written} masks"
    parts = [f"{masks} in {printable(output)} ({result.seconds:.1f} s)"]
    if result.kept:
        parts.append(f"{result.kept} were there already")
    if result.failures:
        parts.append(f"{len(result.failures)} failed, see {printable(output / TABLE)}")
    return ", ".join(parts)
