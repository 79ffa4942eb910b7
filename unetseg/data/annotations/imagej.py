"""ImageJ's regions of interest: a ZIP file (or a ``.roi`` file) an image; needs the package roifile."""

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unetseg.data.annotations.label_files import (
    LabelFiles,
    sound_shapes,
    vertices,
)
from unetseg.data.annotations.objects import LabelledImage, LabelledObject, LabelSet, Outline, Shape
from unetseg.data.annotations.rasterise import ellipse, rectangle
from unetseg.data.annotations.vectorise import mask_objects
from unetseg.errors import UnetsegError, UsageError, one_line
from unetseg.utilities.files import read_file
from unetseg.utilities.text import printable

if TYPE_CHECKING:
    from roifile import ImagejRoi

_UNNAMED = "object"
_NUMBER = re.compile(r"[-_ ]*\d+([-_]\d+)*$")  # that ends a region's name; a name may be nothing else
_SET = re.compile(r"[-_ ]*(roi[-_ ]?set|rois?)$", re.IGNORECASE)  # that ends a file's name
_LARGEST = 1 << 28  # bytes of regions in one file
_MOVE, _LINE, _CLOSE = 0, 1, 4  # of a path
_OURS = b"regions by unetseg"
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def find(files: LabelFiles) -> list[Path]:
    """Return the files of this format: ``.roi``, and ZIP files of nothing else."""
    return [*files.ending(".roi"), *(path for path in files.ending(".zip") if _is_one(path))]


def _is_one(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names, comment = archive.namelist(), archive.comment
    except (OSError, zipfile.BadZipFile):
        return False
    return all(name.lower().endswith(".roi") for name in names) if names else comment == _OURS


def read(files: LabelFiles, found: Sequence[Path]) -> LabelSet:
    """Read ImageJ's files, each of the image of its name; of two that overlap the later is on top.

    A region's class is its name without the number that ends it; of names that are numbers only, ``object``.

    Raises:
        UsageError: The package roifile is missing.
    """
    labels = LabelSet()
    for path in found:
        with labels.sound_only():
            regions = _load(path)
            called = (
                path.with_name(_SET.sub("", path.stem) + path.suffix) if _SET.sub("", path.stem) else path
            )
            name, image = files.place(files.namesake(called), called.name, called, alone=True)
            objects = _objects(regions, printable(path), labels)
            size = None if image else files.size_of(name)
            labels.images.append(LabelledImage(name, image, size, objects, path))
    return labels


def _load(path: Path) -> "list[ImagejRoi]":
    from_file = _package().ImagejRoi.frombytes
    try:
        if path.suffix.lower() == ".roi":
            return [from_file(read_file(path))]
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST:
                raise UnetsegError(f"{printable(path)}: holds more than {_LARGEST >> 20} MiB of regions")
            return [from_file(archive.read(name)) for name in archive.namelist()]
    except UnetsegError:
        raise
    except Exception as error:  # the library raises every type there is on damaged files
        raise UnetsegError(f"{printable(path)}: is damaged ({one_line(error)}); save it again") from error


def _objects(regions: "Sequence[ImagejRoi]", where: str, labels: LabelSet) -> tuple[LabelledObject, ...]:
    found = []
    for each in regions:
        with sound_shapes(labels, f"{where}: region '{printable(each.name)}'"):
            shape = _shape(each)
            if shape is None:
                labels.leave_out(f"shape(s) without an area ({each.roitype.name.lower()})")
            else:
                found.append(LabelledObject(_NUMBER.sub("", each.name) or _UNNAMED, (shape,)))
    return tuple(found)


def _shape(region: "ImagejRoi") -> Shape | None:
    kinds = type(region.roitype)
    if region.composite:
        return Outline(tuple(vertices(ring) for ring in region.coordinates(multi=True)))
    if region.roitype in (kinds.RECT, kinds.OVAL):
        box: list[tuple[float, float]] = [(region.left, region.top), (region.right, region.bottom)]
        if region.subpixelrect:
            box = [(region.xd, region.yd), (region.xd + region.widthd, region.yd + region.heightd)]
        (left, top), (right, bottom) = vertices(box, least=2).tolist()
        if region.roitype == kinds.RECT:
            return rectangle(left, top, right, bottom)
        return ellipse(((left + right) / 2, (top + bottom) / 2), ((right - left) / 2, (bottom - top) / 2))
    if region.roitype in (kinds.POLYGON, kinds.FREEHAND, kinds.TRACED):
        return Outline((vertices(region.coordinates()),))
    return None


def encode(
    mask: np.ndarray,
    classes: Sequence[str],
    colours: Sequence[Any],
    name: str,
    numbers: np.ndarray | None = None,
) -> bytes:
    """Return a mask as a ZIP file of regions: a polygon each, a composite where there are holes.

    Names are the class and a number, groups the class's index.

    Args:
        mask: H×W uint8 class indices, 0 the background.
        classes: Class names by index.
        colours: RGB of each class.
        name: Not written; ImageJ opens a file over the image that is shown.
        numbers: H×W, the objects, as of :func:`mask_regions`.

    Raises:
        UsageError: The package roifile is missing.
    """
    indices = {label: index for index, label in enumerate(classes)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = _OURS  # by which one without regions is known
        for number, each in enumerate(mask_objects(mask, classes, numbers), start=1):
            region = _region(each)
            region.name = f"{each.label}-{number:04}"
            region.group = indices[each.label]
            region.stroke_color = bytes((255, *colours[indices[each.label]]))
            member = f"{number:04}-{re.sub('[^0-9A-Za-z]+', '-', each.label)}.roi"
            archive.writestr(zipfile.ZipInfo(member, _FIRST_DAY), region.tobytes())
    return packed.getvalue()


def _region(each: LabelledObject) -> "ImagejRoi":
    roifile = _package()
    outer, *holes = each.rings
    region: ImagejRoi = roifile.ImagejRoi.frompoints(outer)
    region.roitype = roifile.ROI_TYPE.POLYGON
    if holes:
        path = np.concatenate([_path(ring) for ring in each.rings]).astype(np.float32)
        region = roifile.ImagejRoi(
            roitype=roifile.ROI_TYPE.RECT,
            left=region.left,
            top=region.top,
            right=region.right - 1,
            bottom=region.bottom - 1,
            shape_roi_size=len(path),
            multi_coordinates=path,
        )
    return region


def _path(ring: np.ndarray) -> np.ndarray:
    """Return a ring as a path: to the first vertex, lines to the others, and back."""
    steps = np.insert(ring, 0, _LINE, axis=1)
    steps[0, 0] = _MOVE
    return np.append(steps.ravel(), _CLOSE)


def _package() -> Any:
    try:
        import roifile
    except ModuleNotFoundError as error:
        raise UsageError(
            "ImageJ's files need roifile; install it with: pip install 'unetseg[imagej]'"
        ) from error
    return roifile
