"""``unetseg data list|get|check|export``."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from unetseg.arguments import Parser
from unetseg.data.check import inspect_dataset
from unetseg.data.datasets import open_dataset
from unetseg.data.install import describe_catalog, get_dataset, named_card
from unetseg.data.samples import SegmentationSet
from unetseg.data.synthetic import is_synthetic
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.evaluation.table import align
from unetseg.files import atomic_path
from unetseg.progress import show_progress

MEGABYTE = 1e6


def list_command(argv: Sequence[str]) -> int:
    """Print what can be named as a dataset."""
    Parser("data list", "data list", "List the datasets that can be named in --data.").parse(argv)
    rows = [["name", "title", "licence", "download", "here"]]
    for entry in describe_catalog():
        size = (
            "drawn"
            if entry.size == 0
            else "by hand"
            if entry.size is None
            else f"{entry.size / MEGABYTE:.0f} MB"
        )
        rows.append([entry.name, entry.title, entry.licence, size, "yes" if entry.present else "no"])
    print(align(rows, left=3))
    print("\nor the path of a folder with images/ and masks/, or of a card (.yaml)")
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
    options = parser.parse(argv)
    dataset = _open(options.name, options.data_dir, options.split_seed)
    result = inspect_dataset(dataset, progress=show_progress("checking"))
    print(f"{dataset.name}: {_sizes(dataset)}")
    rows = [["share of pixels", *dataset.classes, "ignored"]]
    for split in dataset.splits:
        rows.append([split, *(f"{share:.1%}" for share in result.shares(split))])
    print(align(rows))
    for problem in result.problems:
        print(problem.message)
    if result.problems:
        raise UnetsegError(
            f"{dataset.name}: {len(result.problems)} problems found; the lines above name the files"
        )
    print("no problem found")
    return 0


def export_command(argv: Sequence[str]) -> int:
    """Copy the images of a split into a folder."""
    parser = _dataset_parser("export", "Copy the images of a split into a folder, something to predict.")
    parser.add_argument("--split", default="test", metavar="train|val|test", help="the split [test]")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="where the images go")
    options = parser.parse(argv)
    dataset = _open(options.name, options.data_dir, options.split_seed)
    if options.split not in dataset.splits:
        hint = did_you_mean(options.split, dataset.splits)
        raise UsageError(f"--split '{options.split}': choose from {', '.join(dataset.splits)}{hint}")
    output = Path(options.output)
    targets = [(s.image, output / f"{s.name}{s.image.suffix}") for s in dataset.splits[options.split]]
    there = [target for _, target in targets if target.exists()]
    if there:
        raise UsageError(f"{there[0]}: exists already; give another -o, nothing is overwritten")
    for source, target in targets:
        with atomic_path(target) as part:
            shutil.copyfile(source, part)
    print(f"{len(targets)} images of {dataset.name} ({options.split}) in {output}")
    print(f"next: unetseg predict {output} -o masks/")
    return 0


COMMANDS: dict[str, tuple[Callable[[Sequence[str]], int], str]] = {
    "list": (list_command, "list                              what can be named in --data"),
    "get": (get_command, "get NAME                          download a dataset into data/"),
    "check": (check_command, "check NAME|FOLDER                 open every file and name what is wrong"),
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
    parser.add_argument(
        "--split-seed", type=int, default=0, metavar="N", help="draws splits that are not given [0]"
    )
    return parser


def _open(name: str, data_dir: str | None, split_seed: int) -> SegmentationSet:
    return open_dataset(name, data_dir=Path(data_dir) if data_dir else None, split_seed=split_seed)


def _sizes(dataset: SegmentationSet) -> str:
    return ", ".join(f"{len(samples)} {split}" for split, samples in dataset.splits.items()) + " images"


def _transfer(name: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        whole = f" of {total / MEGABYTE:.0f}" if total else ""
        sys.stderr.write(f"\r{name}: {done / MEGABYTE:.0f}{whole} MB ")
        sys.stderr.flush()
