"""The formats of masks: label images as PNG and TIFF, outlines for maps, labels for annotation tools.

Flags, file names, refusals and writing derive from ``FORMATS``: a format is added by one more record. Writers
import what they need when they write, so that the names alone cost nothing.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unetseg.data.annotations.label_formats import LABEL_FORMATS, LabelFormat
from unetseg.errors import UsageError
from unetseg.utilities.files import plain_write_errors, write_bytes, write_text
from unetseg.utilities.text import printable

if TYPE_CHECKING:
    import numpy as np

    from unetseg.data.images.georeference import Place

_Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Legend:
    """What a file says of a mask besides its pixels.

    Attributes:
        classes: class names by index, 0 the background.
        colours: RGB of each class.
        image: name of the image that the mask belongs to.
        place: where it lies on the map, and whether it names a value for no data.
        numbers: H×W integers, the mask's objects by their numbers; None where each region is one.
    """

    classes: Sequence[str]
    colours: Sequence[tuple[int, int, int]]
    image: str
    place: "Place | None" = None
    numbers: "np.ndarray | None" = None


@dataclass(frozen=True)
class MaskFormat:
    """A format in which ``predict`` writes masks.

    Attributes:
        name: as ``--format`` takes it.
        suffix: of its files.
        write: writes a mask, H×W uint8 class indices, to a path, whole or not at all; raises a UnetsegError
            if it holds an index that is no class or the file cannot be written.
        stream: does so from bands of rows, top to bottom, and (height, width), while further bands are
            computed; None where a format needs the whole mask.
        probability_suffix: of the 16-bit grey images of ``--save-probabilities`` that go with it.
        packages: that it needs beyond those of an installation.
        extra: that brings them; the format's name if None.
        place: what becomes of a georeference: ``lost``, ``kept``, ``outlines`` (in the map's coordinates
            where the image has one) or ``required``.
        beside: name of a file that is written once, for all masks of a folder.
        gather: returns its content from the masks' files by the images' names, classes and colours.
    """

    name: str
    suffix: str
    write: "Callable[[_Path, np.ndarray, Legend], None]"
    stream: "Callable[[_Path, Iterable[np.ndarray], tuple[int, int], Legend], None] | None" = None
    probability_suffix: Literal[".png", ".tif"] = ".png"
    packages: tuple[str, ...] = ()
    extra: str | None = None
    place: Literal["lost", "kept", "outlines", "required"] = "lost"
    beside: str | None = None
    gather: "Callable[[Mapping[str, Path], Sequence[str], Sequence[tuple[int, int, int]]], bytes] | None" = (
        None
    )


def write_mask(
    path: _Path,
    mask: "np.ndarray",
    *,
    format: str,
    classes: Sequence[str],
    colours: Sequence[tuple[int, int, int]],
    name: str,
) -> None:
    """Write a mask whole or not at all.

    Args:
        path: the file, with the format's suffix.
        mask: H×W uint8 class indices, 0 the background.
        format: a key of ``FORMATS``: ``png`` and ``tiff`` hold the indices and a palette of ``colours``,
            ``geojson`` and ``gpkg`` one Feature a region of a class; those of ``LABEL_FORMATS`` one object a
            region.
        classes: class names by index.
        colours: RGB of each class.
        name: of the image that the mask belongs to, written where a format names images.

    Raises:
        UsageError: if there is no such format, or the suffix does not belong to it.
        UnetsegError: if the mask holds an index that is no class, or the file cannot be written.
    """
    chosen = FORMATS.get(format)
    suffix = None if chosen is None else chosen.suffix
    if chosen is None or not os.fspath(path).endswith(chosen.suffix):
        raise UsageError(f"{printable(path)}: cannot be written as {format}; its name must end in {suffix}")
    chosen.write(path, mask, Legend(classes, colours, name))


def _write_png(path: _Path, mask: "np.ndarray", legend: Legend) -> None:
    from unetseg.data.images.write import write_labels

    write_labels(path, mask, legend.colours)


def _stream_tiff(path: _Path, bands: "Iterable[np.ndarray]", size: tuple[int, int], legend: Legend) -> None:
    """Write a TIFF, with the image's georeference; in a mask of an image with no data, 255 stands for it."""
    from unetseg.data.datasets.labels import IGNORED
    from unetseg.data.images.regions import write_tiled_tiff

    colours, tags = legend.colours, []
    if legend.place is not None:
        tags = legend.place.tags_of_mask(IGNORED)
        if legend.place.no_data:
            colours = [*colours, *[(0, 0, 0)] * (IGNORED + 1 - len(colours))]
    write_tiled_tiff(path, bands, *size, colours=colours, extratags=tags)


def _write_tiff(path: _Path, mask: "np.ndarray", legend: Legend) -> None:
    height, width = mask.shape
    _stream_tiff(path, [mask], (height, width), legend)


def _write_geojson(path: _Path, mask: "np.ndarray", legend: Legend) -> None:
    from unetseg.data.images.write import check_colours
    from unetseg.inference.folder.vectors import to_geojson

    check_colours(path, mask, legend.colours)
    if legend.place is not None and legend.place.tags:
        from unetseg.inference.folder.maps import map_geojson, require_map

        require_map(legend.image, legend.place)
        content = map_geojson(mask, legend.classes, legend.image, legend.place, legend.numbers)
    else:
        content = to_geojson(mask, legend.classes, legend.image, legend.numbers)
    with plain_write_errors(path):
        write_text(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n")


def _write_geopackage(path: _Path, mask: "np.ndarray", legend: Legend) -> None:
    from unetseg.data.images.write import check_colours
    from unetseg.inference.folder.maps import geopackage, require_map

    check_colours(path, mask, legend.colours)
    require_map(legend.image, legend.place)
    assert legend.place is not None
    content = geopackage(mask, legend.classes, legend.place, legend.numbers)
    with plain_write_errors(path):
        write_bytes(path, content)


def _of_labels(format: LabelFormat) -> MaskFormat:
    """Return a format of annotation tools as one of masks."""

    def write(path: _Path, mask: "np.ndarray", legend: Legend) -> None:
        from unetseg.data.images.write import check_colours

        check_colours(path, mask, legend.colours)
        content = format.load().encode(mask, legend.classes, legend.colours, legend.image, legend.numbers)
        with plain_write_errors(path):
            write_bytes(path, content)

    def gather(
        files: Mapping[str, Path], classes: Sequence[str], colours: Sequence[tuple[int, int, int]]
    ) -> bytes:
        return format.load().gather(files, classes, colours)

    return MaskFormat(
        format.name,
        format.suffix,
        write,
        packages=(format.package,) if format.package else (),
        beside=format.beside,
        gather=gather if format.beside else None,
    )


FORMATS = {
    format.name: format
    for format in (
        MaskFormat("png", ".png", _write_png),
        MaskFormat("tiff", ".tif", _write_tiff, _stream_tiff, probability_suffix=".tif", place="kept"),
        MaskFormat("geojson", ".geojson", _write_geojson, place="outlines"),
        MaskFormat(
            "gpkg",
            ".gpkg",
            _write_geopackage,
            packages=("rasterio", "pyogrio"),
            extra="geo",
            place="required",
        ),
        *map(_of_labels, LABEL_FORMATS.values()),
    )
}
