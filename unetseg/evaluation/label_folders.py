"""Labels of annotation tools as folders of masks, for the time of an evaluation."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from unetseg.data.annotations.label_files import LabelFiles
from unetseg.data.annotations.label_formats import refuse_other_programs
from unetseg.data.datasets.class_entries import MAX_CLASSES, default_colour
from unetseg.data.datasets.label_source import LabelledSource, read_source
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.voc_folder import VocMasks, voc_masks
from unetseg.data.images.find import SUFFIXES, list_files
from unetseg.data.images.read import image_size
from unetseg.data.images.write import write_grey16, write_labels
from unetseg.errors import UnetsegError, UsageError
from unetseg.evaluation.pairing import MaskOptions, UnscoredImage
from unetseg.utilities.text import first_few, printable

Sizes = Callable[[str], tuple[int, int] | None]
REFERENCE = "reference"


@dataclass
class PlainFolders:
    """Folders of masks, and what was told of the labels that they were painted from.

    Attributes:
        masks: How they are read: with the labels' classes, and painted folders in the place of labels.
        notes: What the labels were recognised as.
        failed: Labels that cannot be used, by the source that a user named.
    """

    masks: MaskOptions
    notes: list[str] = field(default_factory=list)
    failed: dict[Path, list[UnscoredImage]] = field(default_factory=dict)

    def renamed(self, text: str) -> str:
        """Return a message with the sources in place of painted folders."""
        for source, painted in self.masks.stand_ins.items():
            text = text.replace(printable(painted), printable(source))
        return text


@contextmanager
def plain_folders(
    predictions: Sequence[str | Path], ground_truth: str | Path, masks: MaskOptions
) -> Iterator[PlainFolders]:
    """Yield folders of masks; those of labels are painted first, and gone when the block ends.

    Classes are matched by their names: those of ``masks``, or else the reference's, then the predictions'.

    Args:
        predictions: Folders of masks or labels, or files of labels.
        ground_truth: Likewise.
        masks: How masks are read.

    Raises:
        UsageError: The masks beside labels of several classes have no names for them.
        UnetsegError: Labels are of a kind that is not read; or the block's, which then names the sources.
    """
    plain = PlainFolders(masks)
    places = _named(predictions, ground_truth)
    painted: dict[str, LabelledSource | VocMasks] = {}
    for kind, place in places.items():
        other = places[next(name for name in places if (name == REFERENCE) != (kind == REFERENCE))]
        side = _side(place, _sizes_of(other))
        if isinstance(side, VocMasks) and (masks.instances or side.labels is None):
            folder = side.objects if masks.instances else side.masks
            plain.masks = plain.masks.standing_in(place, folder)
        elif side is not None:
            painted[kind] = side
    if not painted:
        yield plain
        return
    names = _classes(places, painted, masks)
    if REFERENCE in painted and painted[REFERENCE].ignores and masks.ignore is None:
        plain.masks = replace(plain.masks, ignore=IGNORED)
    if len(names) > 1:
        plain.masks = replace(plain.masks, classes=names)
    with tempfile.TemporaryDirectory(prefix="unetseg-") as scratch:
        for number, (kind, side) in enumerate(painted.items()):
            folder, place = Path(scratch, str(number)), places[kind]
            void = IGNORED if kind == REFERENCE else 0  # a prediction cannot take pixels out of the scores
            problems = _paint(folder, side, names, void, masks.instances)
            plain.masks = plain.masks.standing_in(place, folder)
            plain.notes.append(f"{kind}: {side.said}")
            plain.failed[place] = [UnscoredImage(line.partition(": ")[0], line) for line in problems]
        try:
            yield plain
        except UnetsegError as error:
            error.args = (plain.renamed(str(error)),)
            raise


def _named(predictions: Sequence[str | Path], ground_truth: str | Path) -> dict[str, Path]:
    """Return the sides by what they are called where they are told, the reference last."""
    alone = len(predictions) == 1
    kinds = ["predictions"] if alone else [f"predictions {printable(each)}" for each in predictions]
    return {**dict(zip(kinds, map(Path, predictions), strict=True)), REFERENCE: Path(ground_truth)}


def _side(place: Path, sizes: Sizes) -> LabelledSource | VocMasks | None:
    """Return the labels of one side, None where it is of masks.

    Raises:
        UsageError: They may be read in two ways.
        UnetsegError: None of them can be used.
    """
    source = read_source(place, sizes=sizes) if place.exists() else None
    voc = voc_masks(place) if place.is_dir() else None
    if source is None or not (source.labels.images or source.problems):
        if voc is None and place.is_dir() and not (files := LabelFiles(place)).images:
            refuse_other_programs(files)
        return voc
    if voc is not None:
        raise UsageError(
            f"{printable(place)}: is laid out as Pascal VOC, and holds labels of {source.said}; name "
            f"{printable(voc.masks)}, or the file of the labels"
        )
    if not source.labels.images:
        more = f" (+{len(source.problems) - 1} more)" if len(source.problems) > 1 else ""
        raise UnetsegError(f"{source.problems[0]}{more}")
    return source


def _sizes_of(place: Path) -> Sizes:
    """Return what tells (height, width) of an image by its name, from masks or from labels that know it."""
    found: dict[str, tuple[int, int]] | None = None

    def size(name: str) -> tuple[int, int] | None:
        nonlocal found
        if found is None:
            source = read_source(place, sizes=lambda name: None) if place.exists() else None
            voc = voc_masks(place) if place.is_dir() else None
            if source is not None and source.labels.images:
                found = {name: painting.size for name, painting in source.paintings.items()}
            else:
                masks = list_files(voc.masks if voc else place) if place.is_dir() else ()
                paths = {relative: path for relative, path in masks if path.suffix.lower() in SUFFIXES}
                found = {
                    Path(each).with_suffix("").as_posix(): image_size(path) for each, path in paths.items()
                }
        return found.get(name) or _by_last_part(found).get(name.rpartition("/")[2])

    return size


def _by_last_part(sizes: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Return sizes by the images' names without folders; none where two would have one name."""
    short = {name.rpartition("/")[2]: size for name, size in sizes.items()}
    return short if len(short) == len(sizes) else {}


def _classes(
    places: Mapping[str, Path], painted: Mapping[str, LabelledSource | VocMasks], masks: MaskOptions
) -> tuple[str, ...]:
    """Return the class names that indices of all folders stand for."""
    order = sorted(painted, key=lambda kind: kind != REFERENCE)
    found = dict.fromkeys(name for kind in order for name in painted[kind].classes)
    if masks.classes is not None:
        unknown = [name for name in [*found][1:] if name not in masks.classes[1:]]
        if unknown:
            raise UsageError(f"--names: lacks {first_few(unknown)}, which the labels hold")
        return tuple(masks.classes)
    first = printable(places[order[0]])
    if len(found) > 2 and len(painted) < len(places) and not masks.instances:
        raise UsageError(
            f"{first}: holds labels of {first_few([*found][1:])}; say with --names FILE "
            "which of them the masks' values 0, 1, 2, ... are, the background first"
        )
    if len(found) > MAX_CLASSES and not masks.instances:
        raise UsageError(
            f"{first}: the labels hold {len(found) - 1} classes; at most {MAX_CLASSES - 1} can be scored, "
            "beside the background"
        )
    return tuple(found)


def _paint(
    folder: Path, side: LabelledSource | VocMasks, names: Sequence[str], void: int, instances: bool
) -> list[str]:
    """Write the masks of one side, and return a line for each file that cannot be used."""
    colours = [default_colour(index) for index in range(256)]
    if isinstance(side, VocMasks):
        return side.write(folder, names, colours, void)
    numbers = side.labels.numbers(void, names)
    for name, painting in side.paintings.items():
        mask, objects = painting.paint(numbers)
        if instances:
            write_grey16(folder / f"{name}.png", objects)
        else:
            write_labels(folder / f"{name}.png", mask, colours)
    return side.problems
