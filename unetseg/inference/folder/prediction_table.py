"""``predictions.csv``: one row an image, kept through interruptions and over several commands."""

import csv
import io
import os
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from unetseg.errors import UsageError
from unetseg.inference.folder.jobs import TABLE
from unetseg.utilities.files import PART, abandoned_parts, plain_write_errors, write_text
from unetseg.utilities.text import in_utf8, printable, to_cell

MADE_BY = "made_by"
DOUBT = "doubt"
SKIPS = "skips_"  # begins the columns of the shares of a skip map


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
        skips: of the pixels, one an entry of the skip map's legend; empty where there is no map.
        doubt: how far the mask may be off, 0 to 1, by its own probabilities.
    """

    file: str
    size: tuple[int, int] | None
    seconds: float
    shares: tuple[float, ...] = ()
    confidence: float | None = None
    error: str = ""
    skips: tuple[float, ...] = ()
    doubt: float | None = None

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
            *(f"{share:.6f}" for share in self.skips),
        ]


class PredictionTable:
    """The table of an output folder.

    Rows go to a journal at once, a hidden file beside the table, and into the table with ``write``; the
    journal of a process that was killed is taken over. Rows of other images are kept; where the table says
    what made each mask, or has columns of skip maps, rows that know nothing of it have nothing there.

    Args:
        folder: of the outputs, which exists.
        classes: their names.
        made_by: what makes the masks of the rows to come, for the last column; a new table has neither
            that nor the masks' doubt if it is empty.
        skips: the names of a skip map's legend, for a column each; those that the table has are kept.

    Raises:
        UsageError: if there is another file of the table's name.
        UnetsegError: if nothing can be written there.
    """

    def __init__(
        self, folder: Path, classes: Sequence[str], made_by: str = "", skips: Sequence[str] = ()
    ) -> None:
        self.path = folder / TABLE
        self._classes = len(classes)
        self._made_by = to_cell(made_by)
        self._header = ["file", "width", "height", "seconds", *(f"share_{name}" for name in classes)]
        self._header += ["mean_confidence", "error"]
        self._skips = [f"{SKIPS}{name}" for name in skips]
        self._says_maker = self._check_header() or bool(made_by)
        self._more = [*self._skips, *([DOUBT] if self._says_maker else [])]
        self._inherited = [path for path in abandoned_parts(folder) if path.name.endswith(TABLE)]
        self._journal_path = folder / f"{PART}{os.getpid()}-{TABLE}"  # may be there after a full disk
        self._rows: dict[str, dict[str, str]] = {}
        for journal in (*self._inherited, self._journal_path):
            self._rows |= self._read(journal)
        self._lock = threading.Lock()
        self._journal: TextIO | None = None

    def makers(self) -> dict[str, str]:
        """Return what made each mask, by the image's cell; empty where the table does not say."""
        return {file: row.get(MADE_BY, "") for file, row in (self._read(self.path) | self._rows).items()}

    def doubts(self) -> dict[str, float]:
        """Return the doubt of each mask, by the image's cell, where the table tells it."""
        rows = self._read(self.path) | self._rows
        return {file: float(row[DOUBT]) for file, row in rows.items() if row.get(DOUBT)}

    def begin(self) -> None:
        """Open the journal.

        Raises:
            UnetsegError: Nothing can be written there.
        """
        with plain_write_errors(self.path):
            self._journal = open_table(self._journal_path, "a")
            if self._more:  # else the number of columns says which they are
                self._journal.write(as_lines([self._columns(self._more)]))

    def add(self, row: Row) -> None:
        """Take note of a row, in place of an earlier one of the same file. From any thread."""
        names = [*self._header, *(self._skips if row.skips else ())]
        cells = dict(zip(names, row.cells(self._classes), strict=True))
        cells |= {DOUBT: "" if row.doubt is None else f"{row.doubt:.4f}", MADE_BY: self._made_by}
        with self._lock, plain_write_errors(self._journal_path):
            if self._journal is None:
                self.begin()
            assert self._journal is not None
            self._rows[cells["file"]] = cells
            self._journal.write(as_lines([_in_columns(cells, self._columns(self._more))]))
            self._journal.flush()

    def write(self) -> None:
        """Write the table, sorted by file, and remove the journals.

        Raises:
            UnetsegError: if it cannot be written; the journal is kept then.
        """
        if self._journal is not None:
            self._journal.close()
        rows = self._read(self.path) | self._rows  # as the file is now: another command may have written it
        told = (name for row in rows.values() for name, cell in row.items() if cell or name != DOUBT)
        columns = self._columns(dict.fromkeys(told))
        with plain_write_errors(self.path):
            lines = (_in_columns(rows[file], columns) for file in sorted(rows))
            write_text(self.path, as_lines([columns, *lines]))
        for journal in (self._journal_path, *self._inherited):
            journal.unlink(missing_ok=True)

    def _columns(self, names: Collection[str]) -> list[str]:
        """Return the table's columns in their order, with those of ``names`` that not every table has."""
        skips = [name for name in names if name.startswith(SKIPS)]
        doubt = [DOUBT] if DOUBT in names else []
        return [*self._header, *skips, *doubt, *([MADE_BY] if self._says_maker else [])]

    def _check_header(self) -> bool:
        """Return whether the table that is there says what made each mask."""
        with plain_write_errors(self.path):
            if not self.path.exists():
                return False
            with open_table(self.path) as file:
                header = next(csv.reader(file), [])
        if not self._is_header(header):
            raise UsageError(
                f"{printable(self.path)}: is not the table of predictions of these classes; move it away, or "
                "choose another folder with -o"
            )
        return header[-1] == MADE_BY

    def _is_header(self, cells: list[str]) -> bool:
        known = [name for name in cells if name != DOUBT and not name.startswith(SKIPS)]
        return known in (self._header, [*self._header, MADE_BY])

    def _read(self, path: Path) -> dict[str, dict[str, str]]:
        """Return the whole rows of a table or journal by file; the last line of a journal may be torn.

        Cells go by the last header above them. A journal without one, and rows of a command that made no skip
        maps, have the columns that every table has.
        """
        found: dict[str, dict[str, str]] = {}
        header = plain = [*self._header, MADE_BY]
        for row in whole_rows(path) if path.exists() else ():
            if self._is_header(row):
                header = row
            elif len(row) == len(header):
                found[row[0]] = dict(zip(header, row, strict=True))
            elif len(row) in (len(plain) - 1, len(plain)):
                found[row[0]] = dict(zip(plain, row, strict=False))
        return found


def _in_columns(row: dict[str, str], columns: Sequence[str]) -> list[str]:
    return [row.get(name, "") for name in columns]


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
