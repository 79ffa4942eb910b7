"""The most doubtful images of a folder, each with its mask over it: what to look at, and annotate, next."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from unetseg.data.images.read import read_image
from unetseg.errors import UsageError
from unetseg.inference.folder.jobs import Job, OutputOptions
from unetseg.inference.folder.writing import write_overlay
from unetseg.inference.logits import drop_small
from unetseg.inference.predictor import Predictor
from unetseg.utilities.files import plain_write_errors
from unetseg.utilities.text import in_utf8, printable, to_cell

REVIEW = "review"  # the folder beside the masks


def require_no_review(output: Path) -> None:
    """Refuse a folder of an earlier review, or of the user's: what is in it is not this command's.

    Raises:
        UsageError: It holds anything.
    """
    folder = output / REVIEW
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"--review: {printable(folder)} is there already; move it away, or choose another folder with -o"
        )


def write_review(
    jobs: Sequence[Job],
    doubts: Mapping[str, float],
    output: Path,
    predictor: Predictor,
    options: OutputOptions,
) -> Path:
    """Copy the most doubtful images, worst first by their names, each with ``NAME.overlay.jpg``.

    Args:
        jobs: of the images; those without a mask have no doubt.
        doubts: by the image's name in the table.
        output: the masks' folder.
        predictor: that made the masks.
        options: how many, and how masks are made.

    Returns:
        The folder.

    Raises:
        UnetsegError: if nothing can be written there.
    """
    folder = output / REVIEW
    named = {to_cell(in_utf8(job.image.relative.as_posix())): job for job in jobs}
    known = [(doubt, name) for name, doubt in doubts.items() if name in named and named[name].finished]
    worst = sorted(known, key=lambda each: (-each[0], each[1]))[: options.review]
    digits = len(str(len(worst)))
    with plain_write_errors(folder):
        folder.mkdir(exist_ok=True)
        for rank, (_, name) in enumerate(worst, start=1):
            source = named[name].image.path
            target = folder / f"{rank:0{digits}}-{source.name}"
            shutil.copyfile(source, target)
            image = read_image(source, max_pixels=options.max_pixels, rule=predictor.pixels)
            mask = drop_small(predictor(image), options.min_area)
            write_overlay(source, target.with_suffix(".overlay.jpg"), mask, predictor, options)
    return folder
