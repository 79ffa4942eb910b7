"""Labels of annotation tools as they fit their images: what was recognised, left out, and its split."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np

from unetseg.data.annotations.label_files import ABSENT, LabelFiles
from unetseg.data.annotations.label_formats import recognise
from unetseg.data.annotations.objects import LabelledImage, LabelSet, Outline
from unetseg.data.annotations.rasterise import paint
from unetseg.data.datasets.label_places import check_place, count_beyond
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import SPLITS
from unetseg.data.datasets.split_lists import Names, find_lists, read_list, split_called
from unetseg.data.images.pixels import Refused, check_pixels, turns, upright, upright_size
from unetseg.data.images.read import stored_size
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.text import printable

_UNLABELLED = "image(s) without labels"
_NO_USABLE = "image(s) without labels that can be used"
_BEYOND = "part(s) of objects beyond their image"
_NO_SPLIT = "image(s) of no split"


@dataclass(frozen=True)
class Painting:
    """An image with labels that fit it.

    Attributes:
        labelled: Its labels.
        image: Its file; that of the labels where it is not there.
        size: (height, width) that its labels speak of.
        orientation: The EXIF orientation by which a mask of that size is turned to fit the upright image.
    """

    labelled: LabelledImage
    image: Path
    size: tuple[int, int]
    orientation: object = 1

    def paint(self, numbers: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return class indices (uint8) and objects' numbers (uint16), H×W, of the upright image.

        Args:
            numbers: Each label's class index.

        Raises:
            UnetsegError: There are more objects than can be numbered.
        """
        mask, objects = paint(self.labelled.objects, *self.size, numbers)
        return upright(mask, self.orientation), upright(objects, self.orientation)


@dataclass
class LabelledSource:
    """What the labels of a source come to.

    Attributes:
        said: One line: the format, what was taken and what was left out.
        labels: As they were read.
        paintings: By the images' names.
        split: Split → names, where the source gives one.
    """

    said: str
    labels: LabelSet
    paintings: dict[str, Painting] = field(default_factory=dict)
    split: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, the background first."""
        return self.labels.classes

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Each label's class index, 255 where it marks pixels that do not count."""
        return self.labels.numbers(IGNORED)

    @property
    def ignores(self) -> bool:
        """Whether an object marks pixels that do not count."""
        return self.labels.ignores

    @property
    def problems(self) -> list[str]:
        """A line for each file, object or image that cannot be used."""
        return self.labels.problems


def read_source(
    source: Path,
    format: str | None = None,
    sizes: Callable[[str], tuple[int, int] | None] | None = None,
) -> LabelledSource | None:
    """Read the labels below a folder, or of one file; None where there are none.

    Args:
        source: The folder or file.
        format: A key of ``LABEL_FORMATS``, where it is given.
        sizes: Tells (height, width) of images by their names, where labels count whose images are not there
            and a format does not say it; without, such labels are left out.

    Raises:
        UsageError: Labels of several formats are there, or none of the one that was named.
        UnetsegError: They are of a kind that is not read.
    """
    files = LabelFiles(source, sizes or (lambda name: None))
    recognised = recognise(files, format)
    if recognised is None:
        return None
    labels = recognised.read()
    found = LabelledSource("", labels)
    for each in _once(labels):
        if each.image is None and sizes is None:
            labels.leave_out(ABSENT)
            continue
        try:
            found.paintings[each.name] = (
                _without_image(each) if each.image is None else _fitted(each, each.image)
            )
        except UnetsegError as error:
            labels.problems.append(str(error))
    labelled = {each.image for each in labels.images}
    labels.leave_out(
        _BEYOND, sum(count_beyond(each.labelled, each.size) for each in found.paintings.values())
    )
    missing = _NO_USABLE if labels.problems else _UNLABELLED
    labels.leave_out(missing, sum(image not in labelled for image in files.images))
    if sizes is None:
        found.split = _given_split(found.paintings.values(), files, labels) or _listed(found, files)
    if (
        sizes is None
        and (files.root / "dataset.yaml") not in recognised.found
        and (files.root / "dataset.yaml").is_file()
    ):
        labels.leave_out("dataset.yaml (not read beside labels: write its keys into the imported one)")
    found.said = _summary(recognised.format.title, found)
    return found


def _once(labels: LabelSet) -> Iterable[LabelledImage]:
    """Yield each image once; one that two files label differently is a problem."""
    kept: dict[str, LabelledImage] = {}
    for each in labels.images:
        before = kept.setdefault(each.name, each)
        if before.image != each.image:
            labels.problems.append(
                f"{printable(each.image or each.source)}: is called '{printable(each.name)}' like "
                f"{printable(before.image or before.source)}; rename one"
            )
        elif before is not each and content_of(before) != content_of(each):
            labels.problems.append(
                f"{printable(each.source)}: labels '{printable(each.name)}' differently than "
                f"{printable(before.source)}; name one of the files instead of the folder"
            )
    return kept.values()


def _fitted(labelled: LabelledImage, image: Path) -> Painting:
    """Return labels as they fit an image.

    Tools speak of the upright image or of the stored one: where the two differ in size, the labels' size
    tells which.

    Raises:
        UnetsegError: They fit neither, or lie far outside.
    """
    height, width, orientation = stored_size(image)
    sizes = {upright_size(height, width, orientation): 1, (height, width): orientation}
    if turns(orientation)[0] is False or height == width:
        sizes = {(height, width): 1}  # cannot be told: as the image is shown
    size = labelled.size or upright_size(height, width, orientation)
    if size not in sizes:
        raise UnetsegError(
            f"{printable(labelled.source)}: its labels are for {size[1]}×{size[0]} pixels, but "
            f"{printable(image)} has {width}×{height}"
        )
    check_place(labelled, size)
    return Painting(labelled, image, size, sizes[size])


def _without_image(labelled: LabelledImage) -> Painting:
    if labelled.size is None:
        raise UnetsegError(f"{printable(labelled.source)}: its image is not there, and no size is given")
    try:
        check_pixels(*labelled.size, None)
    except Refused as error:
        raise UnetsegError(f"{printable(labelled.source)}: an image of {error}") from error
    check_place(labelled, labelled.size)
    return Painting(labelled, labelled.source, labelled.size)


def _given_split(
    paintings: Iterable[Painting], files: LabelFiles, labels: LabelSet
) -> dict[str, tuple[str, ...]]:
    """Return the split that the source gives, empty if none: its own words, or names of files and folders.

    It may be one part only; the others are drawn then. Where training images are given, others without a
    split are left out.
    """
    found: dict[str, list[str]] = {}
    lost = 0
    for each in paintings:
        split = _split_of(each.labelled, files)
        if split is None:
            lost += 1
        else:
            found.setdefault(split, []).append(each.labelled.name)
    if "train" in found:
        labels.leave_out(_NO_SPLIT, lost)
    elif not lost:  # nothing is left to train with, so that a word such as "test" is but a name
        if len(found) == 1:
            labels.leave_out(f"the word '{next(iter(found))}' in all names, as a split")
        return {}
    return {split: tuple(found[split]) for split in SPLITS if split in found}


def _listed(found: LabelledSource, files: LabelFiles) -> dict[str, tuple[str, ...]]:
    """Return the split of lists such as ``train.txt`` beside the labels, empty if there are none.

    Raises:
        UsageError: A list names what is no image with labels, or two name one.
    """
    sources = {each.labelled.source for each in found.paintings.values()}
    lists = {split: path for split, path in find_lists(files.root).items() if path not in sources}
    names = Names(found.paintings.keys())
    split = {part: read_list(path, names, found.problems, part) for part, path in lists.items()}
    owner: dict[str, str] = {}
    for part, members in split.items():
        for name in members:
            if owner.setdefault(name, part) != part:
                raise UsageError(
                    f"{printable(files.root)}: '{name}' is listed in {owner[name]} and in {part}"
                )
    if "train" in split:
        found.labels.leave_out(_NO_SPLIT, len(found.paintings) - len(owner))
    return {part: members for part, members in split.items() if members}


def _split_of(labelled: LabelledImage, files: LabelFiles) -> str | None:
    if labelled.split:
        return split_called(labelled.split)
    texts = [PurePosixPath(labelled.name).parent, PurePosixPath(files.relative(labelled.source)).parent]
    if labelled.shared:  # instances_train.json
        texts.append(PurePosixPath(labelled.source.stem))
    words = [word for text in texts for word in re.findall("[A-Za-z]+", str(text))]
    called = [split for split in map(split_called, words) if split]
    return called[-1] if called else None


def _summary(title: str, found: LabelledSource) -> str:
    objects = sum(len(each.labelled.objects) for each in found.paintings.values())
    classes = len(found.classes) - 1
    counts = f"{len(found.paintings)} image(s), {objects} object(s) in {classes} class(es)"
    split = ", ".join(f"{len(names)} {part}" for part, names in found.split.items())
    given = f", given split of {split}" if split else ""
    left = ", ".join(f"{count} {what}" for what, count in sorted(found.labels.left_out.items()))
    return f"{title}: {counts}{given}{f'; left out: {left}' if left else ''}"


def content_of(labelled: LabelledImage) -> Sequence[bytes]:
    """Return what an image's labels are, as bytes to compare."""
    parts = [repr(labelled.size).encode()]
    for each in labelled.objects:
        parts.append(each.label.encode("utf-8", "surrogateescape"))
        for shape in each.shapes:
            if isinstance(shape, Outline):
                parts += [ring.tobytes() for ring in shape.rings]
            else:
                parts.append(repr((shape.top, shape.left, shape.height, shape.width)).encode() + shape.counts)
    return parts
