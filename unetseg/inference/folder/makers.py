"""Which run made the masks of a folder, with which settings: those of two are not mixed without a word."""

import hashlib
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unetseg.errors import UsageError
from unetseg.inference.folder.formats import FORMATS
from unetseg.inference.folder.jobs import Job
from unetseg.inference.loading import path_of
from unetseg.runs import Run
from unetseg.utilities.text import in_utf8, printable, to_cell

_FORMAT = re.compile(r", format (\w+)\)$")
_DIGITS = 12  # of the weights' hash


@dataclass(frozen=True)
class Maker:
    """What makes masks: the runs, and all that decides how their masks look.

    Attributes:
        names: of the runs and exported models.
        mark: a hash of their weights, and the settings that differ from what is usual.
        format: of the masks.
    """

    names: str
    mark: str
    format: str = "png"

    @classmethod
    def of(
        cls,
        models: Sequence[Run | Path],
        *,
        flips: bool = False,
        threshold: float = 0.5,
        precision: str | None = None,
        min_area: int = 0,
        objects: str = "",
        tile: int | None = None,
        overlap: int | None = None,
        format: str = "png",
    ) -> "Maker":
        """Return the maker that models are under these settings, which are those of ``predict``.

        ``objects`` says how objects are told apart, empty where they are not.
        """
        digest = hashlib.sha256()
        for model in models:
            with open(model.best if isinstance(model, Run) else model, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        settings = {
            "flips": flips,
            f"threshold {threshold:g}": threshold != 0.5,
            f"precision {precision}": precision is not None,
            f"min-area {min_area}": min_area > 0,
            f"objects by {objects}": bool(objects),
            f"tile {tile}": tile is not None,
            f"overlap {overlap}": overlap is not None,
            f"format {format}": format != "png",
        }
        given = [text for text, differs in settings.items() if differs]
        names = " + ".join(printable(path_of(model)) for model in models)
        return cls(names, ", ".join([f"weights {digest.hexdigest()[:_DIGITS]}", *given]), format)

    def __str__(self) -> str:
        return f"{self.names} ({self.mark})"

    def made(self, text: str) -> bool:
        """Tell whether a table says of a mask of this format that this made it; older ones name no format."""
        marks = {self.mark, self.mark.removesuffix(f", format {self.format}")}
        return any(text.endswith(f"({mark})") for mark in marks)


def require_same_maker(maker: Maker, jobs: Iterable[Job], known: dict[str, str], output: Path) -> None:
    """Refuse to go on in a folder whose masks another run made, or the same under other settings.

    Args:
        maker: of the masks to come.
        jobs: those whose mask is there count.
        known: the maker of each image's mask by the image's name in the table, as text; empty where unknown.
        output: the masks' folder.

    Raises:
        UsageError: It names both.
    """
    makers = [known.get(to_cell(in_utf8(job.image.relative.as_posix())), "") for job in jobs if job.finished]
    _require_same_format(maker, known, output)
    others = [text for text in makers if text and not maker.made(text)]
    if others:
        raise UsageError(
            f"{printable(output)}: {len(others)} of its masks are of {others[0]}, and --continue would mix "
            f"them with those of {maker}: give that run and its settings, choose another folder with -o, or "
            "make all anew with --overwrite"
        )
    unknown = makers.count("")
    if unknown:
        warnings.warn(
            f"{printable(output)}: does not say which run made {unknown} of its masks (of an older version, "
            f"or of another program); they are taken as those of {printable(maker.names)}",
            stacklevel=2,
        )


def _require_same_format(maker: Maker, known: dict[str, str], output: Path) -> None:
    """Refuse to go on in a folder whose masks are of another format."""
    formats = {file: _FORMAT.search(text) for file, text in known.items() if text}
    for file, found in formats.items():
        format = FORMATS.get(found[1] if found else "png")
        if format is None or format.name == maker.format:
            continue
        if (output / file).with_suffix(format.suffix).exists():
            raise UsageError(
                f"{printable(output)}: holds masks of --format {format.name}, and --continue would mix them "
                f"with --format {maker.format}: give that format, or choose another folder with -o"
            )
