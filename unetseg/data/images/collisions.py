"""Images whose outputs would overwrite each other, found before anything is read."""

import sys
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from unetseg.data.images.find import FoundImage, RefusedImage, find_images
from unetseg.errors import UsageError
from unetseg.utilities.text import printable

IGNORES_CASE = sys.platform in ("win32", "darwin")  # as their file systems usually do


def set_aside_collisions(
    found: Iterable[FoundImage], suffix: str
) -> tuple[list[FoundImage], list[RefusedImage]]:
    """Return the inputs whose outputs stand alone, and those whose outputs would overwrite each other.

    Two inputs collide that have one output, or of which one's output is the folder of the other's.
    """
    images = list(found)
    owners: dict[Path, list[FoundImage]] = {}
    above: dict[Path, Path | None] = {}
    for image in images:
        owners.setdefault(_as_stored(image.output(suffix)), []).append(image)
    reasons: dict[FoundImage, str] = {}
    for alike in owners.values():
        output = alike[0].output(suffix)
        if len(alike) > 1:
            names = " and ".join(printable(image.path) for image in alike)
            all_ = "both" if len(alike) == 2 else "all"
            reason = (
                f"{names} would {all_} be written to {printable(output)}; "
                "rename one, or process them into different folders"
            )
            reasons |= dict.fromkeys(alike, reason)
        folder = _nearest_owned(_as_stored(output.parent), owners, above)
        if folder is not None:
            for image in owners[folder]:
                reason = (
                    f"{printable(image.path)} would be written to {printable(folder)}, "
                    f"which is the folder that {printable(alike[0].path)} is written to; rename one"
                )
                reasons |= dict.fromkeys((image, *alike), reason)
    refused = [RefusedImage(image, reasons[image]) for image in images if image in reasons]
    return [image for image in images if image not in reasons], refused


def _as_stored(path: Path) -> Path:
    """Return what a path's files share with those of other paths: there, a.png and A.png are one file."""
    return Path(str(path).casefold()) if IGNORES_CASE else path


def _nearest_owned(folder: Path, owners: Container[Path], above: dict[Path, Path | None]) -> Path | None:
    """Return the lowest of a folder and those above it that is an image's output, each looked at once."""
    seen = []
    while folder not in above and folder not in owners and folder != folder.parent:
        seen.append(folder)
        folder = folder.parent
    found = folder if folder in owners else above.get(folder)
    above.update(dict.fromkeys(seen, found))
    return found


def find_images_apart(
    inputs: Sequence[str | Path], suffix: str
) -> tuple[list[FoundImage], list[RefusedImage]]:
    """Find the images that can each have an output of its own, and what lies beside them and is not taken.

    Args:
        inputs: As of ``find_images``.
        suffix: Of the outputs.

    Raises:
        UsageError: As of ``find_images``, or all images collide.
    """
    refused: list[RefusedImage] = []
    apart, clashing = set_aside_collisions(find_images(inputs, unread=refused), suffix)
    if not apart:
        raise UsageError(clashing[0].reason)
    return apart, refused + clashing


def check_collisions(found: Iterable[FoundImage], suffix: str) -> None:
    """Refuse inputs whose outputs would overwrite each other, before anything is read.

    Raises:
        UsageError: Two inputs have one output, or one's output is the folder of another's.
    """
    for refused in set_aside_collisions(found, suffix)[1]:
        raise UsageError(refused.reason)
