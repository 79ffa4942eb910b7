"""``unetseg data list|get|check|import|export``."""

import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from unetseg.commands import PARTLY_DONE
from unetseg.commands.arguments import Parser
from unetseg.config_checks import check_choice
from unetseg.data.annotations.label_formats import LABEL_FORMATS
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.utilities.files import atomic_path, plain_write_errors, require_absent
from unetseg.utilities.progress import show_progress
from unetseg.utilities.text import align, fold, printable

if TYPE_CHECKING:
    from unetseg.data.datasets.install import CatalogEntry
    from unetseg.data.datasets.samples import SegmentationSet

MEGABYTE = 1e6


def list_command(argv: Sequence[str]) -> int:
    """Print what can be named as a dataset, or all that a card says."""
    parser = Parser(
        "data list", "data list [NAME]", "List the datasets that can be named in --data, or show one."
    )
    parser.add_argument("name", nargs="?", metavar="NAME")
    name = parser.parse(argv).name
    from unetseg.data.datasets.install import describe_card, describe_catalog, named_card

    if name:
        print(describe_card(named_card(name)))
        return 0
    rows = [["name", "title", "licence", "download", "here"]]
    for entry in describe_catalog():
        here = "yes" if entry.present else "no"
        rows.append([entry.name, entry.title, entry.licence, _download(entry), here])
    print(align(rows, left=3))
    print("\nor the path of a folder with images/ and masks/ or a tool's labels, or of a card (.yaml)")
    print("'unetseg data list NAME' shows whose a dataset is, what is forbidden, and how to get it")
    return 0


def get_command(argv: Sequence[str]) -> int:
    """Download a dataset of the catalogue, or draw an embedded one."""
    parser = Parser(
        "data get", "data get NAME [--from FILE ...]", "Bring a dataset of the catalogue into data/."
    )
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--from",
        dest="sources",
        nargs="+",
        type=Path,
        default=(),
        metavar="FILE",
        help="archives, files or folders that you fetched yourself, instead of a download",
    )
    options = parser.parse(argv)
    name = options.name
    from unetseg.data.datasets.embedded import is_synthetic
    from unetseg.data.datasets.install import get_dataset, named_card
    from unetseg.data.datasets.open import open_dataset

    if is_synthetic(name):
        print(f"{name}: drawn into data/, {_sizes(open_dataset(name))}")
        return 0
    card = named_card(name)
    print(f"{card.texts['title']}: {card.texts['licence']}. {card.texts.get('terms', '')}")
    folder = get_dataset(name, Path("data"), _transfer, options.sources, show_progress("converting"))
    print(f"{name}: in {folder}, {_sizes(open_dataset(name))}")
    print(f"next: unetseg data check {name}")
    return 0


def check_command(argv: Sequence[str]) -> int:
    """Open every file of a dataset and say what is wrong with it."""
    parser = _dataset_parser("check", "Open every image and mask and name what is wrong.")
    parser.add_argument(
        "--contact-sheet", metavar="FILE.png", help="draw some images of each split with their masks"
    )
    options = parser.parse(argv)
    if options.contact_sheet and Path(options.contact_sheet).suffix.lower() not in (".png", ".jpg"):
        raise UsageError(f"--contact-sheet {options.contact_sheet}: end its name in .png or .jpg")
    from unetseg.data.datasets.check import inspect_dataset

    missing: list[str] = []
    dataset = _open(options, missing)
    result = inspect_dataset(dataset, progress=show_progress("checking"))
    for line in dataset.notes:
        print(line)
    print(f"{dataset.name}: {_sizes(dataset)}")
    if not dataset.pixels.eight_bit_rgb:
        scale = "" if dataset.pixels.measured else "; fit scales them by the range of the training images"
        print(f"pixels: {dataset.pixels}{scale}")
    rows = [["share of pixels", *dataset.classes, "not counted"]]
    for split in dataset.splits:
        known = result.pixels[split].any()  # none where no mask of the split can be read
        rows.append([split, *(f"{share:.1%}" if known else "?" for share in result.shares(split))])
    print(align(rows))
    found = missing + [problem.message for problem in result.problems]
    for message in [*fold(found), *(f"note: {line}" for line in result.notes())]:
        print(message)
    if options.contact_sheet:
        from unetseg.data.datasets.contact_sheet import draw_contact_sheet
        from unetseg.data.images.write import write_image

        faulty = {problem.sample for problem in result.problems}
        write_image(options.contact_sheet, draw_contact_sheet(dataset, faulty))
        print(f"contact sheet: {options.contact_sheet}")
    if found:
        problems = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        raise UnetsegError(f"{dataset.name}: {problems} found; the lines above name the files")
    print("no problem found")
    return 0


def export_command(argv: Sequence[str]) -> int:
    """Copy the images of a split into a folder."""
    parser = _dataset_parser("export", "Copy the images of a split into a folder, something to predict.")
    parser.add_argument("--split", default="test", metavar="train|val|test", help="the split [test]")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="where the images go")
    options = parser.parse(argv)
    dataset = _open(options)
    if options.split not in dataset.splits:
        hint = did_you_mean(options.split, dataset.splits)
        raise UsageError(f"--split '{options.split}': choose from {', '.join(dataset.splits)}{hint}")
    output = Path(options.output)
    targets = [(s.image, output / f"{s.name}{s.image.suffix}") for s in dataset.splits[options.split]]
    require_absent(target for _, target in targets)
    _copy_all(targets)
    print(f"{len(targets)} images of {dataset.name} ({options.split}) in {output}")
    print(f"next: unetseg predict {output} -o masks/")
    return 0


def import_command(argv: Sequence[str]) -> int:
    """Write the labels of an annotation tool in the plain layout."""
    parser = Parser(
        "data import",
        "data import SRC -o FOLDER [--format NAME]",
        "Write the labels of an annotation tool as images/, masks/ and dataset.yaml.",
    )
    parser.add_argument("source", type=Path, metavar="SRC", help="a folder of labels and images, or a file")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FOLDER", help="the new folder")
    parser.add_argument(
        "--format",
        metavar="|".join(LABEL_FORMATS),
        help="of the labels, where several are there [told by the files]",
    )
    options = parser.parse(argv)
    if options.format is not None:
        check_choice("--format", options.format, LABEL_FORMATS)
    from unetseg.data.datasets.plain_layout import import_labels

    found = import_labels(options.source, options.output, options.format, show_progress("painting"))
    for line in fold(found.problems):
        print(f"failed: {line}", file=sys.stderr)
    print(found.said)
    print(f"{found.images} images with masks in {printable(options.output)}")
    print(f"next: unetseg data check {printable(options.output)}")
    return PARTLY_DONE if found.problems else 0


def _copy_all(targets: Sequence[tuple[Path, Path]]) -> None:
    """Copy files to where none is; all of them, or none is left there."""
    try:
        for source, target in targets:
            with (
                open(source, "rb") as read,
                plain_write_errors(target),
                atomic_path(target) as part,
                open(part, "wb") as written,
            ):
                shutil.copyfileobj(read, written)
    except BaseException:
        for _, target in targets:
            with suppress(OSError):
                target.unlink()
        raise


COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "list": (list_command, "list [NAME]                       what can be named in --data"),
    "get": (get_command, "get NAME [--from FILE ...]        download a dataset into data/"),
    "check": (check_command, "check NAME|FOLDER                 open every file and name what is wrong"),
    "import": (import_command, "import SRC -o FOLDER              labels of an annotation tool as masks"),
    "export": (export_command, "export NAME --split test -o DIR   copy the images of a split"),
}


def run(argv: Sequence[str]) -> int:
    """Show, fetch, check and export datasets."""
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: unetseg data ACTION ...\n")
        print("\n".join(f"  unetseg data {usage}" for _, usage in COMMANDS.values()))
        return 0
    if argv[0] not in COMMANDS:
        raise UsageError(
            f"unetseg data: no action '{argv[0]}'{did_you_mean(argv[0], COMMANDS)} ({', '.join(COMMANDS)})"
        )
    return COMMANDS[argv[0]][0](argv[1:])


def _dataset_parser(action: str, description: str) -> Parser:
    parser = Parser(f"data {action}", f"data {action} NAME|FOLDER [flags]", description)
    parser.add_argument("name", metavar="NAME|FOLDER")
    parser.add_argument("--data-dir", metavar="DIR", help="where the named dataset already lies on disk")
    parser.add_argument("--images", metavar="DIR", help="a folder's images, where they do not lie in images/")
    parser.add_argument("--masks", metavar="DIR", help="a folder's masks, where they do not lie in masks/")
    parser.add_argument(
        "--split-seed", type=int, default=0, metavar="N", help="draws splits that are not given [0]"
    )
    return parser


def _open(options: Namespace, missing: list[str] | None = None) -> "SegmentationSet":
    from unetseg.data.datasets.open import open_dataset

    return open_dataset(
        options.name,
        data_dir=Path(options.data_dir) if options.data_dir else None,
        split_seed=options.split_seed,
        missing=missing,
        images=options.images,
        masks=options.masks,
    )


def _download(entry: "CatalogEntry") -> str:
    if entry.by_hand:
        return "by hand"
    if entry.size == 0:
        return "drawn"
    return "size unknown" if entry.size is None else f"{entry.size / MEGABYTE:.0f} MB"


def _sizes(dataset: "SegmentationSet") -> str:
    return ", ".join(f"{len(samples)} {split}" for split, samples in dataset.splits.items()) + " images"


def _transfer(name: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        whole = f" of {total / MEGABYTE:.0f}" if total else ""
        sys.stderr.write(f"\r{name}: {done / MEGABYTE:.0f}{whole} MB ")
        sys.stderr.flush()
