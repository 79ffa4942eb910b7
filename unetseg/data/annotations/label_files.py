"""The files below a source of labels: JSON, XML and text opened with plain errors, images found by name."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

import numpy as np

from unetseg.data.annotations.objects import LabelledObject, LabelSet, Outline
from unetseg.data.images.find import SUFFIXES, is_beside_masks, list_files
from unetseg.data.images.pixels import Refused, check_pixels
from unetseg.errors import UnetsegError, one_line
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, printable

Size = tuple[int, int]
IMAGE_FOLDERS = ("images", "imgs", "img", "jpegimages")
ABSENT = "labelled image(s) that are not there"
TOO_FEW = "outline(s) of fewer than three vertices"


class BadShape(ValueError):
    """A shape that cannot be one; the text says why, without file and place."""


class LabelFiles:
    """What lies below a folder, or one file of labels with the folder that it lies in.

    Attributes:
        root: The folder.
        broken: Files that hold no JSON or XML → a line that says so.
        size_of: Tells (height, width) of an image by its name where its file is not there, or None.
    """

    def __init__(self, source: Path, size_of: Callable[[str], Size | None] = lambda name: None) -> None:
        self.root = source if source.is_dir() else source.parent
        below = [path for _, path in list_files(self.root)]
        self._files = below if source.is_dir() else [source]
        self._images = [
            path for path in below if path.suffix.lower() in SUFFIXES and not is_beside_masks(path)
        ]
        self._by_last_part: dict[str, list[Path]] = {}
        for path in self._images:
            self._by_last_part.setdefault(_folded(path.name), []).append(path)
        self._documents: dict[Path, Any] = {}
        self.broken: dict[Path, str] = {}
        self.size_of = size_of

    @property
    def images(self) -> list[Path]:
        """All image files."""
        return self._images

    def ending(self, *suffixes: str) -> list[Path]:
        """Return the files with one of these suffixes."""
        return [path for path in self._files if path.suffix.lower() in suffixes]

    def relative(self, path: Path) -> str:
        """Return a file's path below the root, with ``/``."""
        return path.relative_to(self.root).as_posix()

    def json(self, path: Path) -> Any:
        """Return what a JSON file holds, None where it is none; then ``broken`` says why."""
        return self._document(path, _load_json)

    def xml(self, path: Path) -> ElementTree.Element | None:
        """Return the root element of an XML file, None where it is none; then ``broken`` says why."""
        element: ElementTree.Element | None = self._document(path, _load_xml)
        return element

    def _document(self, path: Path, load: Callable[[bytes], Any]) -> Any:
        if path not in self._documents:
            try:
                self._documents[path] = load(read_file(path))
            except OSError as error:
                self._documents[path] = None
                self.broken[path] = f"{printable(path)}: cannot be read: {error.strerror}"
            except (ValueError, RecursionError, SyntaxError) as error:
                self._documents[path] = None
                reason = one_line(error, 160)
                self.broken[path] = f"{printable(path)}: is damaged ({reason}); save or export it again"
        return self._documents[path]

    def find_image(self, text: str, beside: Path) -> Path | None:
        r"""Return the image that a file of labels names, or None.

        Its name may be a path on another machine (``C:\data\a.jpg``): the longest end of it that fits
        decides, then the folder of the file of labels.

        Raises:
            UnetsegError: Several images fit equally well.
        """
        parts = text.replace("\\", "/").split("/")
        fitting = self._by_last_part.get(_folded(parts[-1]), [])
        if len(fitting) < 2:
            return fitting[0] if fitting else None
        ends = [_common_end(parts, path.parts) for path in fitting]
        longest = [path for path, end in zip(fitting, ends, strict=True) if end == max(ends)]
        near = [path for path in longest if path.parent == beside.parent] or longest
        if len(near) > 1:
            raise UnetsegError(
                f"{printable(beside)}: '{printable(text)}' may be {printable(near[0])} or "
                f"{printable(near[1])}; put labels and images of one name into folders of one name"
            )
        return near[0]

    def namesake(self, path: Path) -> Path | None:
        """Return the image that is called like a file of labels, beside it or the only one, or None."""
        stems = {path.name.split(".")[0], path.stem}
        alike = [image for image in self._images if image.stem in stems]
        near = [image for image in alike if image.parent == path.parent]
        return near[0] if near else alike[0] if len(alike) == 1 else None

    def name(self, image: Path) -> str:
        """Return an image's name: its path below the root without suffix and folders called ``images``."""
        parts = PurePosixPath(self.relative(image)).with_suffix("").parts
        return "/".join([*(part for part in parts[:-1] if part.lower() not in IMAGE_FOLDERS), parts[-1]])

    def place(self, image: Path | None, text: str, source: Path, *, alone: bool) -> tuple[str, Path | None]:
        """Return an image's name, by its file or by what a file of labels calls it, and its file.

        Args:
            image: Its file, None where it is not there.
            text: What the file of labels calls it.
            source: That file.
            alone: Whether it holds this one image only.

        Raises:
            UnetsegError: The text is no name.
        """
        if image is not None:
            return self.name(image), image
        return name_of_absent(text, self.relative(source), alone=alone), None


@contextmanager
def sound_shapes(labels: LabelSet, where: str) -> Iterator[None]:
    """Take a bad shape as a problem of the labels, at ``where``; one of too few vertices is left out."""
    try:
        yield
    except BadShape as error:
        if str(error) == TOO_FEW:
            labels.leave_out(TOO_FEW)
        else:
            labels.problems.append(f"{where} {error}")


def written_size(document: Any, height: str = "height", width: str = "width") -> Size | None:
    """Return (height, width) as two entries of a document say it, None where they do not."""
    entries = document if isinstance(document, dict) else {}
    sides = entries.get(height), entries.get(width)
    return (sides[0], sides[1]) if isinstance(sides[0], int) and isinstance(sides[1], int) else None


def name_of_absent(text: str, source: str, *, alone: bool) -> str:
    """Return the name of an image whose file is not there.

    Args:
        text: What the file of labels calls it.
        source: That file's path below the root.
        alone: Whether it holds this one image only.

    Raises:
        UnetsegError: It is no name.
    """
    slashed = PurePosixPath(text.replace("\\", "/"))
    if not slashed.name or "\0" in text:
        raise UnetsegError(
            f"{printable(source)}: names an image '{printable(text)}', which is no file's name"
        )
    absolute = slashed.is_absolute() or ":" in slashed.parts[0] or ".." in slashed.parts
    relative = PurePosixPath(slashed.name) if absolute else slashed
    parent = PurePosixPath(source).parent
    if alone and PurePosixPath(source).name.startswith(f"{relative.stem}."):
        relative = parent / relative.name
    return relative.with_suffix("").as_posix()


def outline(points: Any) -> Outline:
    """Return a polygon from a sequence of (x, y) pairs.

    Raises:
        BadShape: They are none, not finite, or fewer than three.
    """
    return Outline((vertices(points),))


def vertices(points: Any, least: int = 3) -> np.ndarray:
    """Return N×2 float64 from a sequence of (x, y) pairs, without a last one that closes the ring.

    Raises:
        BadShape: They are none, not finite, or fewer than ``least``.
    """
    try:
        ring = np.array(points, np.float64)
    except (TypeError, ValueError) as error:
        raise BadShape("has a vertex that is no pair of numbers") from error
    if ring.size and (ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all()):
        raise BadShape("has a vertex that is no pair of finite numbers")
    if len(ring) > 1 and least == 3 and (ring[0] == ring[-1]).all():
        ring = ring[:-1]
    if len(ring) < least:
        raise BadShape(TOO_FEW if least == 3 else f"has {len(ring)} vertices, not {least}")
    return ring


def check_area(height: int, width: int) -> None:
    """Refuse a rectangle of more pixels than an image may have, before memory is taken for it.

    Raises:
        BadShape: It has more, or a side that is none.
    """
    try:
        check_pixels(height, width, None)
    except Refused as error:
        raise BadShape(f"has {width}×{height} pixels, more than an image may have") from error
    if height < 1 or width < 1:
        raise BadShape(f"has {width}×{height} pixels")


def joined(objects: Iterable[tuple[LabelledObject, Any]]) -> tuple[LabelledObject, ...]:
    """Join the shapes of objects of one label and group, where they have one, in the first one's place."""
    found: dict[Any, LabelledObject] = {}
    for number, (each, group) in enumerate(objects):
        key = ("alone", number) if group is None else (each.label, str(group))
        before = found[key].shapes if key in found else ()
        found[key] = LabelledObject(each.label, (*before, *each.shapes))
    return tuple(found.values())


def _load_json(content: bytes) -> Any:
    document = json.loads(decode_text(content))
    if isinstance(document, dict):
        document.pop("imageData", None)  # LabelMe's copy of the picture, often megabytes
    return document


def _load_xml(content: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(content)


def _common_end(first: Iterable[str], second: Iterable[str]) -> int:
    count = 0
    for one, other in zip(reversed([*first]), reversed([*second]), strict=False):
        if _folded(one) != _folded(other):
            break
        count += 1
    return count


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
