"""Labels of annotation tools as folders of masks, for the time of an evaluation."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from unetseg.data.annotations.objects import is_background, is_ignored
from unetseg.data.datasets.class_entries import default_colour
from unetseg.data.datasets.label_source import LabelledSource, Painting, read_source
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.images.find import SUFFIXES, list_files
from unetseg.data.images.read import image_size
from unetseg.data.images.write import write_grey16, write_labels
from unetseg.errors import UnetsegError, UsageError
from unetseg.evaluation.pairing import MaskOptions, UnscoredImage
from unetseg.utilities.text import first_few, printable

Sizes = Callable[[str], tuple[int, int] | None]


@dataclass
class PlainFolders:
    """Two folders of masks, and what was told of the labels that they were painted from.

    Attributes:
        predictions: Of masks.
        ground_truth: Of masks.
        masks: How they are read: with the labels' classes.
        notes: What the labels were recognised as.
        failed: Labels that cannot be used.
        given: Painted folder → the source that a user named.
    """

    predictions: Path
    ground_truth: Path
    masks: MaskOptions
    notes: list[str] = field(default_factory=list)
    failed: list[UnscoredImage] = field(default_factory=list)
    given: dict[Path, Path] = field(default_factory=dict)

    def renamed(self, text: str) -> str:
        """Return a message with the sources in place of painted folders."""
        for painted, source in self.given.items():
            text = text.replace(printable(painted), printable(source))
        return text


@contextmanager
def plain_folders(
    predictions: str | Path, ground_truth: str | Path, masks: MaskOptions
) -> Iterator[PlainFolders]:
    """Yield two folders of masks; those of labels are painted first, and gone when the block ends.

    Classes are matched by their names: those of ``masks``, or else the reference's, then the predictions'.

    Args:
        predictions: A folder of masks or labels, or a file of labels.
        ground_truth: Likewise.
        masks: How masks are read.

    Raises:
        UsageError: The masks beside labels of several classes have no names for them.
        UnetsegError: Labels are of a kind that is not read; or the block's, which then names the sources.
    """
    plain = PlainFolders(Path(predictions), Path(ground_truth), masks)
    places = {"predictions": plain.predictions, "reference": plain.ground_truth}
    sources = {
        kind: read_source(place, sizes=_sizes_of(other)) if place.exists() else None
        for (kind, place), other in zip(places.items(), reversed(places.values()), strict=True)
    }
    labelled = {kind: each for kind, each in sources.items() if each is not None and each.labels.images}
    if not labelled:
        yield plain
        return
    names = _classes(places, labelled, masks)
    if any(each.labels.ignores for each in labelled.values()) and masks.ignore is None:
        plain.masks = replace(masks, ignore=IGNORED)
    if len(names) > 1:
        plain.masks = replace(plain.masks, classes=names)
    with tempfile.TemporaryDirectory(prefix="unetseg-") as scratch:
        for kind, each in labelled.items():
            folder = Path(scratch, kind)
            for name, painting in each.paintings.items():
                _paint(folder / f"{name}.png", painting, names, masks.instances)
            plain.given[folder] = places[kind]
            plain.notes.append(f"{kind}: {each.said}")
            plain.failed += [UnscoredImage(line.partition(": ")[0], line) for line in each.problems]
        plain.predictions = Path(scratch, "predictions") if "predictions" in labelled else plain.predictions
        plain.ground_truth = Path(scratch, "reference") if "reference" in labelled else plain.ground_truth
        try:
            yield plain
        except UnetsegError as error:
            error.args = (plain.renamed(str(error)),)
            raise


def _sizes_of(place: Path) -> Sizes:
    """Return what tells (height, width) of an image by its name, from masks or from labels that know it."""
    found: dict[str, tuple[int, int]] | None = None

    def size(name: str) -> tuple[int, int] | None:
        nonlocal found
        if found is None:
            source = read_source(place, sizes=lambda name: None) if place.exists() else None
            if source is not None and source.labels.images:
                found = {name: painting.size for name, painting in source.paintings.items()}
            else:
                masks = list_files(place) if place.is_dir() else ()
                paths = {relative: path for relative, path in masks if path.suffix.lower() in SUFFIXES}
                found = {
                    Path(each).with_suffix("").as_posix(): image_size(path) for each, path in paths.items()
                }
        return found.get(name)

    return size


def _classes(
    places: dict[str, Path], labelled: dict[str, LabelledSource], masks: MaskOptions
) -> tuple[str, ...]:
    """Return the class names that indices of both folders stand for."""
    found = dict.fromkeys(
        name
        for kind in ("reference", "predictions")
        if kind in labelled
        for name in labelled[kind].labels.classes
    )
    if masks.classes is not None:
        unknown = [name for name in [*found][1:] if name not in masks.classes[1:]]
        if unknown:
            raise UsageError(f"--names: lacks {first_few(unknown)}, which the labels hold")
        return tuple(masks.classes)
    if len(found) > 2 and len(labelled) < 2 and not masks.instances:
        (kind,) = labelled
        raise UsageError(
            f"{printable(places[kind])}: holds labels of {first_few([*found][1:])}; say with --names FILE "
            "which of them the masks' values 0, 1, 2, ... are, the background first"
        )
    return tuple(found)


def _paint(path: Path, painting: Painting, names: Sequence[str], instances: bool) -> None:
    labels = {each.label for each in painting.labelled.objects}
    numbers = {name: index for index, name in enumerate(names)}
    numbers |= {label: 0 for label in labels if is_background(label)}
    numbers |= {label: IGNORED for label in labels if is_ignored(label)}
    mask, objects = painting.paint(numbers)
    if instances:
        write_grey16(path, objects)
    else:
        write_labels(path, mask, [default_colour(index) for index in range(256)])
