"""``predictions.csv``: one row an image, kept through interruptions and over several commands."""

import csv
import io
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from unetseg.errors import UsageError
from unetseg.inference.folder.jobs import TABLE
from unetseg.utilities.files import PART, abandoned_parts, plain_write_errors, write_text
from unetseg.utilities.text import in_utf8, printable, to_cell

MADE_BY = "made_by"


@dataclass(frozen=True)
class Row:
    """What is known of one image after its prediction.

    Attributes:
        file: path below the folder that outputs are relative to.
        size: height and width of the image, pixels; None where it could not be read.
        seconds: spent on it: reading, its share of the network's time, writing.
        shares: of the pixels, one a class; empty for an image that failed.
        confidence: mean over the pixels of the most probable class's probability.
        error: why it has no mask, or nothing.
    """

    file: str
    size: tuple[int, int] | None
    seconds: float
    shares: tuple[float, ...] = ()
    confidence: float | None = None
    error: str = ""

    def cells(self, classes: int) -> list[str]:
        """Return the row's text, column by column."""
        size = ["", ""] if self.size is None else [str(self.size[1]), str(self.size[0])]
        shares = [f"{share:.6f}" for share in self.shares] or [""] * classes
        confidence = "" if self.confidence is None else f"{self.confidence:.4f}"
        return [
            to_cell(in_utf8(self.file)),
            *size,
            f"{self.seconds:.3f}",
            *shares,
            confidence,
            to_cell(self.error),
        ]


class PredictionTable:
    """The table of an output folder.

    Rows go to a journal at once, a hidden file beside the table, and into the table with ``write``; the
    journal of a process that was killed is taken over. Rows of other images are kept; where the table says
    what made each mask, rows of before have nothing there.

    Args:
        folder: of the outputs, which exists.
        classes: their names.
        made_by: what makes the masks of the rows to come, for the last column; a new table has none if it is
            empty.

    Raises:
        UsageError: if there is another file of the table's name.
        UnetsegError: if nothing can be written there.
    """

    def __init__(self, folder: Path, classes: Sequence[str], made_by: str = "") -> None:
        self.path = folder / TABLE
        self._classes = len(classes)
        self._made_by = to_cell(made_by)
        self._header = ["file", "width", "height", "seconds", *(f"share_{name}" for name in classes)]
        self._header += ["mean_confidence", "error"]
        self._columns = len(self._header) + (self._check_header() or bool(made_by))
        self._inherited = [path for path in abandoned_parts(folder) if path.name.endswith(TABLE)]
        self._journal_path = folder / f"{PART}{os.getpid()}-{TABLE}"  # may be there after a full disk
        self._rows: dict[str, list[str]] = {}
        for journal in (*self._inherited, self._journal_path):
            self._rows |= self._read(journal)
        self._lock = threading.Lock()
        self._journal: TextIO | None = None

    def makers(self) -> dict[str, str]:
        """Return what made each mask, by the image's cell; empty where the table does not say."""
        return {file: row[-1] for file, row in (self._read(self.path) | self._rows).items()}

    def begin(self) -> None:
        """Open the journal.

        Raises:
            UnetsegError: Nothing can be written there.
        """
        with plain_write_errors(self.path):
            self._journal = open_table(self._journal_path, "a")

    def add(self, row: Row) -> None:
        """Take note of a row, in place of an earlier one of the same file. From any thread."""
        cells = [*row.cells(self._classes), self._made_by]
        with self._lock, plain_write_errors(self._journal_path):
            if self._journal is None:
                self.begin()
            assert self._journal is not None
            self._rows[cells[0]] = cells
            self._journal.write(as_lines([cells[: self._columns]]))
            self._journal.flush()

    def write(self) -> None:
        """Write the table, sorted by file, and remove the journals.

        Raises:
            UnetsegError: if it cannot be written; the journal is kept then.
        """
        if self._journal is not None:
            self._journal.close()
        rows = self._read(self.path) | self._rows  # as the file is now: another command may have written it
        with plain_write_errors(self.path):
            table = [[*self._header, MADE_BY], *(rows[file] for file in sorted(rows))]
            write_text(self.path, as_lines(row[: self._columns] for row in table))
        for journal in (self._journal_path, *self._inherited):
            journal.unlink(missing_ok=True)

    def _check_header(self) -> bool:
        """Return whether the table that is there says what made each mask."""
        with plain_write_errors(self.path):
            if not self.path.exists():
                return False
            with open_table(self.path) as file:
                header = next(csv.reader(file), [])
        if header not in (self._header, [*self._header, MADE_BY]):
            raise UsageError(
                f"{printable(self.path)}: is not the table of predictions of these classes; move it away, or "
                "choose another folder with -o"
            )
        return header != self._header

    def _read(self, path: Path) -> dict[str, list[str]]:
        """Return the whole rows of a table or journal by file; the last line of a journal may be torn."""
        if not path.exists():
            return {}
        full = ([*row, ""] if len(row) == len(self._header) else row for row in whole_rows(path))
        columns = len(self._header)
        return {row[0]: row for row in full if len(row) == columns + 1 and row[:columns] != self._header}


def whole_rows(path: Path) -> Iterable[list[str]]:
    """Return the rows of a table or journal but for a last line without its end, which may be torn."""
    with open_table(path) as file:
        text = in_utf8(file.read())
    return csv.reader(io.StringIO(text[: text.rfind("\n") + 1], newline=""))


def open_table(path: Path, mode: str = "r") -> TextIO:
    """Open a table for its text as it is, whatever bytes the files' names hold."""
    return cast(TextIO, open(path, mode, encoding="utf-8", errors="surrogateescape", newline=""))


def as_lines(rows: Iterable[Sequence[str]]) -> str:
    """Return rows as lines of CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return in_utf8(text.getvalue())
