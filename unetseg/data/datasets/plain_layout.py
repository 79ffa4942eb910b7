"""Labels of any kind written in the plain layout: images, masks, numbered objects, settings and lists."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from unetseg.data.datasets.class_entries import default_colour
from unetseg.data.datasets.label_source import LabelledSource, read_source
from unetseg.data.datasets.labelled import NO_LABELS, classes_of, paint_into, refuse_unread
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.split_lists import find_lists
from unetseg.data.datasets.voc_folder import open_voc, voc_folder
from unetseg.data.images.write import write_grey16, write_labels
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import plain_write_errors, require_absent, write_text
from unetseg.utilities.text import printable

Progress = Callable[[int, int], None]


def say_nothing(done: int, total: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Imported:
    """What became of labels.

    Attributes:
        said: One line: as what they were recognised, what was taken and what was left out.
        images: Images written.
        problems: A line for each file or object that cannot be used; its image is left out.
    """

    said: str
    images: int
    problems: Sequence[str]


def import_labels(
    source: Path, output: Path, format: str | None = None, progress: Progress = say_nothing
) -> Imported:
    """Write labels in the plain layout: ``images/``, ``masks/``, ``dataset.yaml`` and lists of a given split.

    ``instances/`` holds the objects' numbers, where there are such.

    Args:
        source: The folder or file.
        output: The new folder; it appears when all is written.
        format: A key of ``LABEL_FORMATS``, where it is given.
        progress: Told (images done, images in all).

    Raises:
        UsageError: There are no labels, labels of several formats, or ``output`` is there.
        UnetsegError: Nothing can be used, or a file cannot be written.
    """
    if not source.exists():
        raise UsageError(f"{printable(source)}: no such file or folder")
    require_absent([output])
    found = read_source(source, format)
    voc = voc_folder(source) if format is None and source.is_dir() else None
    if found is not None and voc is not None:
        raise UsageError(
            f"{printable(source)}: is laid out as Pascal VOC, and holds labels of {found.said}; "
            "name their format with --format"
        )
    if voc is not None:
        return _import_voc(voc, output, progress)
    if found is None:
        refuse_unread(source)
        unpack = "; unpack it first" if source.suffix.lower() in (".zip", ".gz", ".tar", ".7z") else ""
        raise UsageError(f"{printable(source)}: {NO_LABELS}{unpack}")
    return _import_painted(source, found, output, progress)


def _import_painted(source: Path, found: LabelledSource, output: Path, progress: Progress) -> Imported:
    if not found.paintings:
        problem = f"; {found.problems[0]}" if found.problems else ""
        raise UnetsegError(f"{printable(source)}: no image with labels ({found.said}){problem}")
    classes_of(source, found)  # refuses more of them than a mask can hold
    with _appearing(output) as fresh:
        for done, (name, painting) in enumerate(found.paintings.items(), start=1):
            _copy(painting.image, fresh / "images" / f"{name}{painting.image.suffix}")
            paint_into(fresh, name, painting, found)
            progress(done, len(found.paintings))
        _write_settings(fresh, output.name, found.classes, found.labels.ignores, instances=True)
        _write_lists(fresh, found.split)
    return Imported(found.said, len(found.paintings), found.problems)


def _import_voc(voc: Path, output: Path, progress: Progress) -> Imported:
    problems: list[str] = []
    dataset = open_voc(voc, 0, problems)
    samples = [sample for members in dataset.splits.values() for sample in members]
    colours = [default_colour(index) for index in range(256)]
    with _appearing(output) as fresh:
        for done, sample in enumerate(samples, start=1):
            _copy(sample.image, fresh / "images" / f"{sample.name}{sample.image.suffix}")
            write_labels(fresh / "masks" / f"{sample.name}.png", dataset.mask(sample), colours)
            objects = dataset.instances(sample)
            if objects is not None:
                write_grey16(fresh / "instances" / f"{sample.name}.png", objects.astype("uint16"))
            progress(done, len(samples))
        ignores = dataset.ignore_index is not None
        _write_settings(fresh, output.name, dataset.classes, ignores, (fresh / "instances").is_dir())
        given = find_lists(voc)
        split: dict[str, list[str]] = {}
        for part, members in dataset.splits.items():  # what was drawn goes back to where it was drawn from
            split.setdefault(part if part in given else "train", []).extend(each.name for each in members)
        _write_lists(fresh, split if given else {})
    return Imported("; ".join(dataset.notes), len(samples), problems)


@contextmanager
def _appearing(output: Path) -> Iterator[Path]:
    """Yield a new folder that becomes ``output`` when the block ends well."""
    with plain_write_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-part-", dir=output.parent) as scratch:
            fresh = Path(scratch, "fresh")
            yield fresh
            os.replace(fresh, output)


def _copy(image: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(image, target)


def _write_settings(folder: Path, name: str, classes: Sequence[str], ignores: bool, instances: bool) -> None:
    settings: dict[str, object] = {"name": name, "classes": [*classes]}
    if ignores:
        settings["ignore"] = IGNORED
    if instances:
        settings["instances"] = "instances"
    write_text(folder / "dataset.yaml", yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def _write_lists(folder: Path, split: Mapping[str, Sequence[str]]) -> None:
    for part, names in split.items():
        write_text(folder / f"{part}.txt", "".join(f"{each}\n" for each in sorted(names)))
