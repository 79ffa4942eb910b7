"""Labels of annotation tools as a dataset: painted once into masks."""

import hashlib
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from unetseg.data.annotations.label_files import LabelFiles
from unetseg.data.annotations.label_formats import LABEL_FORMATS, refuse_other_programs
from unetseg.data.datasets.class_entries import Classes, default_colour, parse_classes
from unetseg.data.datasets.label_source import LabelledSource, Painting, content_of, read_source
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import SPLITS, Sample, SegmentationSet, split_names
from unetseg.data.images.pixels import turns
from unetseg.data.images.write import write_grey16, write_labels
from unetseg.errors import UnetsegError
from unetseg.utilities.files import plain_write_errors
from unetseg.utilities.progress import show_progress
from unetseg.utilities.text import printable

SHARES = {"val": 0.15, "test": 0.15}
_THREADS = 8
_PAINTER = 1  # a painter that draws the same labels otherwise has another number
_KEPT_DAYS = 60  # after their last use
_PAINTED = re.compile(r"-[0-9a-f]{16}$")
NO_LABELS = f"holds no labels that are read ({', '.join(each.title for each in LABEL_FORMATS.values())})"


def read_labels(source: Path, missing: list[str] | None) -> LabelledSource | None:
    """Read the labels of a folder, or a file; None where there are none that are read. Nothing is painted.

    Args:
        source: The folder or file.
        missing: Takes one line for each file that cannot be used; without, such files are an error.

    Raises:
        UsageError: Labels of several formats are there.
        UnetsegError: Labels cannot be used.
    """
    found = read_source(source)
    if found is None:
        return None
    if missing is not None:
        missing += found.problems
    elif found.problems:
        more = f" (+{len(found.problems) - 1} more: 'unetseg data check' lists all)"
        raise UnetsegError(found.problems[0] + (more if len(found.problems) > 1 else ""))
    return found


def open_labelled(source: Path, found: LabelledSource, split_seed: int, root: Path) -> SegmentationSet:
    """Return labels as a dataset.

    Masks are painted into a folder below ``root`` whose name says what the labels are, once.

    Args:
        source: The folder or file.
        found: Its labels.
        split_seed: Draws the splits that the source does not give.
        root: Where painted masks lie.

    Raises:
        UsageError: There are more classes than a mask can hold.
        UnetsegError: Too few labels can be used; masks cannot be written.
    """
    _require_enough(source, found)
    classes = classes_of(source, found)
    split = split_names(found.paintings, found.split, SHARES, split_seed)
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
    drawn = ", ".join(f"{len(split[part])} {part}" for part in SPLITS if part not in found.split)
    pool = "training" if "train" in found.split else "other"
    rest = f"; {drawn} drawn from the {pool} images" if found.split and drawn else ""
    return SegmentationSet(
        source.resolve().name,
        classes.names,
        classes.colours,
        classes.ignore_index,
        {part: tuple(chosen[name] for name in members) for part, members in split.items()},
        classes.labels,
        notes=(found.said + rest,),
        drawn=tuple(part for part in SPLITS[1:] if part not in found.split),
    )


def classes_of(source: Path, found: LabelledSource) -> Classes:
    """Return the classes of labels, whose values in painted masks are their indices.

    Raises:
        UsageError: There are more than a mask can hold, or none.
    """
    ignored = {"values": [IGNORED]} if found.labels.ignores else None
    return parse_classes([*found.classes], ignored, f"{printable(source)}: its labels")


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
    _forget_unused(folder)
    progress = show_progress("painting masks")

    def complete(name: str) -> None:
        files = (folder / "masks" / f"{name}.png", folder / "instances" / f"{name}.png")
        if not all(file.is_file() for file in files):
            paint_into(folder, name, found.paintings[name], found)

    with plain_write_errors(folder), ThreadPoolExecutor(_THREADS) as pool:  # the disk is waited for together
        for done, _ in enumerate(pool.map(complete, found.paintings), start=1):
            progress(done, len(found.paintings))
    return folder


def _forget_unused(folder: Path) -> None:
    """Take note that painted masks are used, and remove those that no command has used for long."""
    with suppress(OSError):
        os.utime(folder)
    long_ago = time.time() - _KEPT_DAYS * 24 * 3600
    with suppress(OSError):
        for other in folder.parent.iterdir():
            if _PAINTED.search(other.name) and other != folder and other.stat().st_mtime < long_ago:
                shutil.rmtree(other, ignore_errors=True)


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
