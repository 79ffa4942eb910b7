"""What is written for each image, under which names, and what is refused before anything is read."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from unetseg.config_checks import check_choice
from unetseg.data.images.collisions import check_collisions
from unetseg.data.images.find import FoundImage
from unetseg.errors import UsageError
from unetseg.inference.folder.formats import FORMATS
from unetseg.utilities.files import require_absent
from unetseg.utilities.text import printable

TABLE = "predictions.csv"
OBJECTS = "objects.csv"


@dataclass(frozen=True)
class OutputOptions:
    """What to write for each image, and what to do where it is already there.

    Attributes:
        format: of the masks, a key of ``FORMATS``.
        overlay: also write ``NAME.overlay.jpg``, the mask's colours and outlines over the image.
        save_probabilities: also write each foreground class's probability as a 16-bit grey image.
        min_area: foreground regions, or objects, of fewer pixels become background.
        objects: tell touching objects apart, number them in a 16-bit image, and measure them.
        explain_skips: also write a map of the long skip that each pixel of the mask relies on.
        review: copy so many of the most doubtful images, with overlays, into a folder of their own.
        overwrite: replace masks that are already there.
        continue_: leave out images whose mask is already there.
        max_pixels: the largest image that is decoded whole; None stands for Pillow's own limit.
        tile: side of the tiles of large images, pixels; None chooses it by the free memory.
        overlap: of neighbouring tiles, pixels; None measures what the network needs.
    """

    format: str = "png"
    overlay: bool = False
    save_probabilities: bool = False
    min_area: int = 0
    objects: bool = False
    explain_skips: bool = False
    review: int = 0
    overwrite: bool = False
    continue_: bool = False
    max_pixels: int | None = None
    tile: int | None = None
    overlap: int | None = None

    def __post_init__(self) -> None:
        check_choice("--format", self.format, FORMATS)
        format = FORMATS[self.format]
        require_packages(f"--format {self.format}", format.packages, format.extra or self.format)
        if self.overwrite and self.continue_:
            raise UsageError("--overwrite and --continue: give one of them")
        for name, least in (("min_area", 0), ("review", 0), ("max_pixels", 1), ("tile", 1), ("overlap", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be at least {least}")


@dataclass(frozen=True)
class Job:
    """One image and the files that it becomes; the mask is written last, so that it marks a finished one."""

    image: FoundImage
    mask: Path
    overlay: Path | None
    probabilities: tuple[Path, ...]
    objects: Path | None = None
    skips: Path | None = None

    @property
    def all_outputs(self) -> tuple[Path, ...]:
        """Every file that is written for the image."""
        others = [path for path in (self.overlay, self.objects, self.skips) if path is not None]
        return (self.mask, *others, *self.probabilities)

    @property
    def finished(self) -> bool:
        """Whether the mask is there."""
        return os.path.exists(self.mask)

    @property
    def explained(self) -> bool:
        """Whether no skip map is missing."""
        return self.skips is None or os.path.exists(self.skips)


def require_packages(what: str, packages: Sequence[str], extra: str) -> None:
    """Refuse what needs packages that are not there, with the extra that brings them."""
    absent = [package for package in packages if find_spec(package) is None]
    if absent:
        raise UsageError(
            f"{what}: needs {' and '.join(absent)}; install it with: pip install 'unetseg[{extra}]'"
        )


def plan_jobs(
    found: Sequence[FoundImage], output: Path, classes: Sequence[str], options: OutputOptions
) -> list[Job]:
    """Return one job an image, after everything that can be refused up front was.

    Raises:
        UsageError: if two images would write one file, a file of the user's would be written over, or
            masks are already there and neither ``overwrite`` nor ``continue_`` says what to do.
    """
    check_collisions(found, FORMATS[options.format].suffix)
    jobs = [_job(image, output, classes, options) for image in found]
    beside = _beside(jobs, output, options)
    _check_extras(jobs)
    _check_inputs_kept(jobs)
    _check_inside(jobs, output)
    if not (options.overwrite or options.continue_):
        require_absent(
            (*(path for job in jobs for path in job.all_outputs), *beside),
            "is already there; --continue leaves out images that have their mask, --overwrite replaces what "
            "is there",
        )
    return jobs


def _beside(jobs: Sequence[Job], output: Path, options: OutputOptions) -> list[Path]:
    """Return the file that the format has once for all masks, which no mask may be."""
    name = FORMATS[options.format].beside
    path = None if name is None else output / name
    for job in jobs:
        if job.mask == path:
            raise UsageError(
                f"{printable(job.image.path)}: its mask would be {name}, the file for all masks; rename it"
            )
    return [] if path is None else [path]


def without_outputs(found: Iterable[FoundImage], output: Path) -> list[FoundImage]:
    """Leave out what lies in the output folder, where that lies inside a folder of images.

    Masks of an earlier command would otherwise be taken for images; an output folder that is
    itself the folder of all the images is left as it is.
    """
    images = list(found)
    inside = Path(os.path.realpath(output))
    kept = [image for image in images if inside not in Path(os.path.realpath(image.path)).parents]
    return kept or images


def _job(image: FoundImage, output: Path, classes: Sequence[str], options: OutputOptions) -> Job:
    def target(suffix: str) -> Path:
        return output / image.output(suffix)

    names = [""] if len(classes) == 2 else [f"-{index}" for index in range(1, len(classes))]
    format = FORMATS[options.format]
    return Job(
        image,
        target(format.suffix),
        target(".overlay.jpg") if options.overlay else None,
        tuple(target(f".probability{name}{format.probability_suffix}") for name in names)
        if options.save_probabilities
        else (),
        target(f".objects{format.probability_suffix}") if options.objects else None,
        target(f".skips{format.probability_suffix}") if options.explain_skips else None,
    )


def _check_extras(jobs: Sequence[Job]) -> None:
    """Refuse an image named such that its mask is another's overlay or probability."""
    owners: dict[Path, Job] = {}
    for job in jobs:
        for path in job.all_outputs:
            if path in owners:
                raise UsageError(
                    f"{printable(owners[path].image.path)} and {printable(job.image.path)} would both be "
                    f"written to {printable(path)}; rename one"
                )
            owners[path] = job


def _check_inputs_kept(jobs: Sequence[Job]) -> None:
    inputs = {os.path.realpath(job.image.path) for job in jobs}
    for job in jobs:
        for path in job.all_outputs:
            if os.path.realpath(path) in inputs:
                raise UsageError(
                    f"{printable(job.image.path)}: its output {printable(path)} would replace an input "
                    "image; choose another folder with -o"
                )


def _check_inside(jobs: Sequence[Job], output: Path) -> None:
    """Refuse a folder of outputs that a link leads out of the output folder."""
    inside = os.path.realpath(output)
    for folder in {job.mask.parent for job in jobs}:
        real = os.path.realpath(folder)
        if os.path.commonpath([inside, real]) != inside:
            raise UsageError(
                f"{printable(folder)}: a link leads from it to {printable(real)}, out of the output folder; "
                "remove the link, or choose another folder with -o"
            )
