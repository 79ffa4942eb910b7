"""``unetseg predict``: write masks."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from unetseg.api import predict
from unetseg.api.mask_verbs import TTA
from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import Parser, add_device_flag
from unetseg.config import PRECISIONS
from unetseg.inference.folder.formats import FORMATS
from unetseg.inference.folder.jobs import TABLE
from unetseg.utilities.text import printable

if TYPE_CHECKING:
    from unetseg.inference.folder.pipeline import FolderResult


def run(argv: Sequence[str]) -> int:
    """Write masks."""
    options = _parser().parse(argv)
    output = Path(options.output)
    result = predict(
        options.images,
        output,
        options.run,
        tta=options.tta,
        threshold=options.threshold,
        device=options.device or "auto",
        precision=options.precision,
        format=options.format,
        overlay=options.overlay,
        save_probabilities=options.save_probabilities,
        min_area=options.min_area,
        objects=options.objects,
        explain_skips=options.explain_skips,
        review=options.review,
        overwrite=options.overwrite,
        continue_=options.continue_,
        max_pixels=options.max_pixels,
        tile=options.tile,
        overlap=options.overlap,
    )
    for failure in result.failures:
        print(f"failed: {printable(failure.reason)}", file=sys.stderr)
    print(_summary(result, output))
    if result.written and len(result.classes_seen) == 1:
        only = result.classes[next(iter(result.classes_seen))]
        print(f"note: all masks written are '{only}' and nothing else; are these images like the training's?")
    if result.review is not None:
        print(f"the most doubtful images, worst first, are in {printable(result.review)}")
    if result.unlike:
        print(f"note: {result.unlike}; look at their masks first")
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
    add_device_flag(model)
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
        "--objects",
        action="store_true",
        help="touching objects apart: NAME.objects.png, 16-bit numbers, and objects.csv",
    )
    files.add_argument(
        "--explain-skips",
        action="store_true",
        help="NAME.skips.png: the long skip that each pixel of the mask relies on, and shares in the table",
    )
    files.add_argument(
        "--review",
        type=int,
        default=0,
        metavar="N",
        help="copy the N most doubtful images, with overlays, into review/ in DIR [0]",
    )
    files.add_argument(
        "--save-probabilities", action="store_true", help="also write each class's probability, 16-bit grey"
    )
    files.add_argument(
        "--min-area", type=int, default=0, metavar="N", help="smaller regions become background, pixels [0]"
    )
    return parser


def _summary(result: "FolderResult", output: Path) -> str:
    masks = "1 mask" if result.written == 1 else f"{result.written} masks"
    parts = [f"{masks} in {printable(output)} ({result.seconds:.1f} s)"]
    if result.objects is not None:
        parts.append(f"{result.objects} object{'' if result.objects == 1 else 's'}")
    if result.kept:
        parts.append(f"{result.kept} were there already")
    if result.failures:
        parts.append(f"{len(result.failures)} failed, see {printable(output / TABLE)}")
    return ", ".join(parts)
