"""The formats of labels that are read and written: a format is added by one module and one line here.

Their modules are imported when a format is met, so that the names alone cost nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from unetseg.errors import UnetsegError, UsageError, one_line
from unetseg.utilities.text import printable

if TYPE_CHECKING:
    import numpy as np

    from unetseg.data.annotations.label_files import LabelFiles
    from unetseg.data.annotations.objects import LabelSet


class FormatModule(Protocol):
    """What the module of a format offers; ``gather`` where the format has a file beside."""

    find: "Callable[[LabelFiles], list[Path]]"
    read: "Callable[[LabelFiles, Sequence[Path]], LabelSet]"
    encode: "Callable[[np.ndarray, Sequence[str], Sequence[Any], str, np.ndarray | None], bytes]"
    gather: "Callable[[Mapping[str, Path], Sequence[str], Sequence[Any]], bytes]"


@dataclass(frozen=True)
class LabelFormat:
    """A format of labels.

    Attributes:
        name: As ``--format`` takes it.
        title: What people call it.
        suffix: Of the files that are written.
        module: Where it is read and written.
        beside: A file that is written once beside those of the images, by ``gather`` of the module.
        package: One that it needs beyond those of an installation; an extra of the format's name brings it.
    """

    name: str
    title: str
    suffix: str
    module: str
    beside: str | None = None
    package: str | None = None

    def load(self) -> FormatModule:
        """Import its module."""
        return cast(FormatModule, import_module(self.module))


LABEL_FORMATS = {
    format.name: format
    for format in (
        LabelFormat("labelme", "LabelMe", ".json", "unetseg.data.annotations.labelme"),
        LabelFormat("coco", "COCO", ".coco.json", "unetseg.data.annotations.coco_json"),
        LabelFormat("yolo", "YOLO", ".txt", "unetseg.data.annotations.yolo_text", "data.yaml"),
        LabelFormat("cvat", "CVAT", ".xml", "unetseg.data.annotations.cvat_xml", "annotations.xml"),
        LabelFormat("qupath", "QuPath", ".geojson", "unetseg.data.annotations.qupath"),
        LabelFormat("imagej", "ImageJ", ".zip", "unetseg.data.annotations.imagej", package="roifile"),
    )
}


@dataclass(frozen=True)
class Recognised:
    """Files of one format below a source."""

    format: LabelFormat
    files: "LabelFiles"
    found: Sequence[Path]

    def read(self) -> "LabelSet":
        """Read the labels; files of the format's suffix that are damaged are problems, too.

        Raises:
            UnetsegError: They are of a kind that is not read.
        """
        try:
            labels = self.format.load().read(self.files, self.found)
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            raise UnetsegError(
                f"{self}: an entry has another form than the format knows ({one_line(error, 120)}); "
                "export it anew"
            ) from error
        endings = {path.suffix.lower() for path in self.found}
        broken = [line for path, line in self.files.broken.items() if path.suffix.lower() in endings]
        labels.problems = [*broken, *labels.problems]
        return labels

    def __str__(self) -> str:
        """Return the format, and its first file or how many files it has."""
        if len(self.found) == 1:
            return f"{self.format.title} ({printable(self.files.relative(self.found[0]))})"
        return f"{self.format.title} ({len(self.found)} files)"


def recognise(files: "LabelFiles", name: str | None = None) -> Recognised | None:
    """Return the format whose files lie below a source, None where there are none.

    Args:
        files: Of the source.
        name: The format, where it is given.

    Raises:
        UsageError: Files of several formats lie there; or none of the format that was named.
    """
    formats = LABEL_FORMATS.values() if name is None else [LABEL_FORMATS[name]]
    readings = [Recognised(each, files, found) for each in formats if (found := each.load().find(files))]
    if len(readings) > 1:
        raise UsageError(
            f"{printable(files.root)}: holds labels of {' and of '.join(map(str, readings))}; name one: "
            f"'unetseg data import {printable(files.root)} --format {readings[0].format.name} -o FOLDER'"
        )
    if readings:
        return readings[0]
    if name is not None:
        raise UsageError(f"{printable(files.root)}: holds no labels of {LABEL_FORMATS[name].title}")
    return None


def refuse_other_programs(files: "LabelFiles") -> None:
    """Name a program whose files are not read, with the way through a format that is.

    Raises:
        UnetsegError: One of the files is of such a program, or is damaged.
    """
    from unetseg.data.annotations.other_programs import whose

    for path in files.ending(".json", ".geojson", ".xml"):
        refusal = whose(files.xml(path) if path.suffix.lower() == ".xml" else files.json(path))
        if refusal:
            raise UnetsegError(f"{printable(path)}: {refusal}")
    if files.broken:
        raise UnetsegError(next(iter(files.broken.values())))
