"""What labels of any format are once they have been read: images, each with its objects.

Coordinates are pixels, x to the right from the image's left edge and y down from its top edge: the pixel of
row r and column c is the square from (c, r) to (c + 1, r + 1).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from unetseg.errors import UnetsegError

BACKGROUND = "background"
_BACKGROUND_NAMES = ("background", "_background_", "__background__")
_IGNORED_NAMES = ("ignore", "ignored", "_ignore_", "__ignore__", "void", "__void__")


@dataclass(frozen=True)
class Outline:
    """A region inside its rings, by the even-odd rule: holes are rings, too.

    Attributes:
        rings: Each N×2 float64 vertices (x, y), not closed; at least three.
    """

    rings: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Runs:
    """A region as COCO's compressed run lengths over a rectangle of the image.

    Attributes:
        counts: The compressed counts.
        height: Of the rectangle.
        width: Of the rectangle.
        top: Its first row in the image.
        left: Its first column in the image.
    """

    counts: bytes
    height: int
    width: int
    top: int = 0
    left: int = 0


Shape: TypeAlias = Outline | Runs


@dataclass(frozen=True)
class LabelledObject:
    """One object: its class's name, and the shapes that together are its region."""

    label: str
    shapes: tuple[Shape, ...]

    @property
    def rings(self) -> tuple[np.ndarray, ...]:
        """The rings of an object that is one outline, as those are that a mask is turned into."""
        (shape,) = self.shapes
        assert isinstance(shape, Outline)
        return shape.rings


@dataclass(frozen=True)
class LabelledImage:
    """The labels of one image.

    Attributes:
        name: Its path below the source, with ``/`` and without suffix.
        image: The image's file, None where it is not there.
        size: (height, width) that the labels speak of; None where the format does not say.
        objects: From the bottom to the top: where two overlap, the later one counts.
        source: The file that holds the labels.
        split: The split that the source gives it, or None.
        shared: Whether the file holds the labels of other images, too.
    """

    name: str
    image: Path | None
    size: tuple[int, int] | None
    objects: tuple[LabelledObject, ...]
    source: Path
    split: str | None = None
    shared: bool = False


@dataclass
class LabelSet:
    """All labels of a source.

    Attributes:
        images: One entry an image.
        names: Classes that the source lists, in its order, used or not.
        left_out: What was not taken → how often, such as ``"shape(s) without an area (line)"``.
        problems: A line for each file that cannot be read, and each object that is none.
    """

    images: list[LabelledImage] = field(default_factory=list)
    names: Sequence[str] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def leave_out(self, what: str, count: int = 1) -> None:
        """Count what is not taken."""
        if count:
            self.left_out[what] = self.left_out.get(what, 0) + count

    @contextmanager
    def sound_only(self) -> Iterator[None]:
        """Take an error as a problem, and take back images that were added in a block with a problem."""
        images, problems = len(self.images), len(self.problems)
        try:
            yield
        except UnetsegError as error:
            self.problems.append(str(error))
        if len(self.problems) > problems:
            del self.images[images:]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names: the background, then those of the source's list, then others that occur."""
        used = {each.label for image in self.images for each in image.objects}
        named = [*dict.fromkeys(self.names), *sorted(used - {*self.names})]
        return (BACKGROUND, *(name for name in named if not is_background(name) and not is_ignored(name)))

    @property
    def ignores(self) -> bool:
        """Whether an object marks pixels that do not count."""
        return any(is_ignored(each.label) for image in self.images for each in image.objects)

    def numbers(self, ignored: int, classes: Sequence[str] | None = None) -> Mapping[str, int]:
        """Return each label's class index; that of labels such as ``__ignore__`` is ``ignored``.

        Args:
            ignored: Such an index.
            classes: The classes' names by index, where they are not those of these labels alone.
        """
        table = {name: index for index, name in enumerate(self.classes if classes is None else classes)}
        used = {each.label for image in self.images for each in image.objects}
        table |= {label: 0 for label in used if is_background(label)}
        return table | {label: ignored for label in used if is_ignored(label)}


def is_background(label: str) -> bool:
    """Tell whether tools call the background so: a region of it is painted over what lies below."""
    return label.lower() in _BACKGROUND_NAMES


def is_ignored(label: str) -> bool:
    """Tell whether tools call pixels so that do not count."""
    return label.lower() in _IGNORED_NAMES
