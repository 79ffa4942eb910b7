"""``objects.csv``: one row an object, kept through interruptions and over several commands."""

import csv
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from unetseg.errors import UsageError
from unetseg.inference.folder.jobs import OBJECTS
from unetseg.inference.folder.prediction_table import as_lines, open_table, whole_rows
from unetseg.utilities.files import PART, abandoned_parts, plain_write_errors, write_text
from unetseg.utilities.text import in_utf8, printable, to_cell

Rows = Sequence[Sequence[str]]


class ObjectTable:
    """The table of all objects of an output folder.

    An image's rows go to a journal at once, a hidden file beside the table, and into the table with
    ``write``; they replace those that it had. The journal of a process that was killed is taken over.

    Args:
        folder: of the outputs, which exists.
        columns: beside the image's file, of the rows to come.

    Raises:
        UsageError: There is another file of the table's name.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self.path = folder / OBJECTS
        self._header = ["file", *columns]
        self._check_header()
        self._inherited = [path for path in abandoned_parts(folder) if path.name.endswith(OBJECTS)]
        self._journal_path = folder / f"{PART}{os.getpid()}-{OBJECTS}"
        self._lock = threading.Lock()
        self._journal: TextIO | None = None
        self._done: dict[str, list[list[str]]] = {}
        for journal in self._inherited:
            self._done |= _by_file(self._read(journal))

    def add(self, file: str, rows: Rows) -> None:
        """Take note of an image's objects, in place of those of before. From any thread."""
        cell = to_cell(in_utf8(file))
        cells = [[cell, *row] for row in rows]
        with self._lock, plain_write_errors(self._journal_path):
            if self._journal is None:
                self._journal = open_table(self._journal_path, "a")
            self._done[cell] = cells
            begin = [cell, *[""] * (len(self._header) - 1)]
            self._journal.write(as_lines([begin, *cells]))
            self._journal.flush()

    def write(self) -> None:
        """Write the table, sorted by file, and remove the journals.

        Raises:
            UnetsegError: It cannot be written; the journal is kept then.
        """
        if self._journal is not None:
            self._journal.close()
        rows = _by_file(self._read(self.path)) | self._done
        with plain_write_errors(self.path):
            found = (row for file in sorted(rows) for row in rows[file])
            write_text(self.path, as_lines([self._header, *found]))
        for journal in (self._journal_path, *self._inherited):
            journal.unlink(missing_ok=True)

    def _check_header(self) -> None:
        with plain_write_errors(self.path):
            if not self.path.exists():
                return
            with open_table(self.path) as file:
                header = next(csv.reader(file), [])
        if header != self._header:
            raise UsageError(
                f"{printable(self.path)}: is not the table of objects of such images; move it away, or "
                "choose another folder with -o"
            )

    def _read(self, path: Path) -> list[list[str]]:
        rows = whole_rows(path) if path.exists() else []
        return [row for row in rows if len(row) == len(self._header) and row != self._header]


def _by_file(rows: Iterable[list[str]]) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for row in rows:
        if row[1]:
            found.setdefault(row[0], []).append(row)
        else:  # with which a journal begins what it holds of an image
            found[row[0]] = []
    return found
