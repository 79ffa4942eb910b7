"""``unetseg predict``: write masks."""

import sys
from collections.abc import Sequence
from pathlib import Path

from unetseg.arguments import Parser
from unetseg.commands import PARTLY_DONE
from unetseg.data.find import printable
from unetseg.runs import find_run


def run(argv: Sequence[str]) -> int:
    """Write masks."""
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
        "--run", metavar="RUN", help="the run to use [the newest finished one under checkpoints/]"
    )
    parser.add_argument("--overlay", action="store_true", help="also write the outlines over the image")
    parser.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute [auto]"
    )
    options = parser.parse(argv)
    chosen = find_run(options.run)
    from unetseg.inference.folder import predict_folder
    from unetseg.inference.loading import load_predictor

    print(f"run {chosen.path}")
    output = Path(options.output)
    predictor = load_predictor(chosen, options.device)
    written, failures = predict_folder(predictor, options.images, output, overlay=options.overlay)
    for failure in failures:
        print(f"failed: {printable(failure.reason)}", file=sys.stderr)
    print(f"{written} masks in {output}" + (f", {len(failures)} images failed" if failures else ""))
    return PARTLY_DONE if failures else 0
