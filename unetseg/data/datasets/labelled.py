"""Labels of annotation tools as a dataset: painted once into masks."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from unetseg.data.annotations.label_files import LabelFiles
from unetseg.data.annotations.label_formats import LABEL_FORMATS, refuse_other_programs
from unetseg.data.datasets.class_entries import default_colour, indexed
from unetseg.data.datasets.label_source import LabelledSource, Painting, content_of, read_source
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import Sample, SegmentationSet, split_names
from unetseg.data.images.pixels import turns
from unetseg.data.images.write import write_grey16, write_labels
from unetseg.errors import UnetsegError
from unetseg.utilities.files import plain_write_errors
from unetseg.utilities.progress import show_progress
from unetseg.utilities.text import printable

SHARES = {"val": 0.15, "test": 0.15}
_THREADS = 8
_PAINTER = 1  # a painter that draws the same labels otherwise has another number
NO_LABELS = f"holds no labels that are read ({', '.join(each.title for each in LABEL_FORMATS.values())})"


def open_labelled(
    source: Path, split_seed: int, missing: list[str] | None, root: Path
) -> SegmentationSet | None:
    """Open a folder, or a file, of labels as a dataset; None where there are no labels that are read.

    Masks are painted into a folder below ``root`` whose name says what the labels are, once.

    Args:
        source: The folder or file.
        split_seed: Draws the splits that the source does not give.
        missing: Takes one line for each file that cannot be used; without, such files are an error.
        root: Where painted masks lie.

    Raises:
        UsageError: Labels of several formats are there.
        UnetsegError: Labels cannot be used, or too few can; masks cannot be written.
    """
    found = read_source(source)
    if found is None:
        return None
    if missing is not None:
        missing += found.problems
    elif found.problems:
        more = f" (+{len(found.problems) - 1} more: 'unetseg data check' lists all)"
        raise UnetsegError(found.problems[0] + (more if len(found.problems) > 1 else ""))
    _require_enough(source, found)
    folder = _painted(source, found, root)
    chosen = {
        name: Sample(
            name,
            painting.image,
            folder / "masks" / f"{name}.png",
            instances=folder / "instances" / f"{name}.png",
        )
        for name, painting in found.paintings.items()
    }
    split = split_names(chosen, found.split, SHARES, split_seed)
    classes = indexed(found.classes, (IGNORED,) if found.labels.ignores else ())
    return SegmentationSet(
        source.resolve().name,
        classes.names,
        classes.colours,
        classes.ignore_index,
        {part: tuple(chosen[name] for name in members) for part, members in split.items()},
        classes.labels,
        notes=(found.said,),
    )


def refuse_unread(source: Path) -> None:
    """Name a program whose labels lie there and are not read, or a damaged file, in a UnetsegError."""
    refuse_other_programs(LabelFiles(source))


def _require_enough(source: Path, found: LabelledSource) -> None:
    if len(found.classes) < 2:
        raise UnetsegError(f"{printable(source)}: its labels hold no object ({found.said})")
    if len(found.paintings) < 3:
        raise UnetsegError(
            f"{printable(source)}: {len(found.paintings)} image(s) with labels ({found.said}); "
            "training needs at least 3"
        )


def _painted(source: Path, found: LabelledSource, root: Path) -> Path:
    """Return the folder of painted masks, whose name tells labels from others; what is there stays."""
    folder = root / ".labels" / f"{source.resolve().name}-{_digest(found)}"
    progress = show_progress("painting masks")

    def complete(name: str) -> None:
        files = (folder / "masks" / f"{name}.png", folder / "instances" / f"{name}.png")
        if not all(file.is_file() for file in files):
            paint_into(folder, name, found.paintings[name], found)

    with plain_write_errors(folder), ThreadPoolExecutor(_THREADS) as pool:  # the disk is waited for together
        for done, _ in enumerate(pool.map(complete, found.paintings), start=1):
            progress(done, len(found.paintings))
    return folder


def paint_into(folder: Path, name: str, painting: Painting, found: LabelledSource) -> None:
    """Write the mask and the numbered objects of an image below ``masks/`` and ``instances/``."""
    classes = found.classes
    colours = [default_colour(index) for index in range(256 if found.labels.ignores else len(classes))]
    mask, objects = painting.paint(found.numbers)
    write_labels(folder / "masks" / f"{name}.png", mask, colours)
    write_grey16(folder / "instances" / f"{name}.png", objects)


def _digest(found: LabelledSource) -> str:
    """Return 16 hexadecimal digits of all that the painted masks depend on."""
    head = repr((_PAINTER, found.classes))
    digest = hashlib.blake2b(head.encode("utf-8", "surrogateescape"), digest_size=8)
    for name, painting in found.paintings.items():
        head = repr((name, painting.size, turns(painting.orientation)))
        digest.update(head.encode("utf-8", "surrogateescape"))
        for part in content_of(painting.labelled):
            digest.update(part)
    return digest.hexdigest()
