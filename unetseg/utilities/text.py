"""Text for people: names that can be printed, columns that line up."""

import codecs
import os
import re
from collections.abc import Iterable, Sequence

from unetseg.errors import in_one_line


def first_few(names: Iterable[str], at_most: int = 5) -> str:
    """Return the first names, comma-separated, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - at_most} more" if len(ordered) > at_most else ""
    return ", ".join(printable(name) for name in ordered[:at_most]) + more


def printable(path: str | bytes | os.PathLike[str]) -> str:
    r"""Return a file's name as one printable line; bytes that are not UTF-8 as ``\xff``."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(text: str) -> str:
    r"""Return somebody else's text as one line that a terminal shows as it is: control characters escaped."""
    joined = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)


def in_utf8(text: str) -> str:
    r"""Return text that any reader takes: the bytes of file names that are no UTF-8 as ``\xff``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def slug(text: str) -> str:
    """Return ``text`` as a part of a folder's name."""
    return "".join(c if c.isalnum() or c in ".^," else "-" for c in text)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_cell(text: str) -> str:
    """Return text as a cell of a table that no spreadsheet takes for a formula and no terminal for a command.

    Control characters are escaped; a cell that would begin a formula gets an apostrophe, numbers do not.
    """
    shown = in_one_line(text)
    if shown.startswith(_FORMULA) and not is_number(shown):
        return f"'{shown}"
    return f"'{shown}" if shown.startswith("'") and shown[1:].startswith((*_FORMULA, "'")) else shown


def from_cell(cell: str) -> str:
    """Return the text of which :func:`to_cell` made a cell; control characters stay escaped."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def is_number(text: str) -> bool:
    """Tell whether Python reads ``text`` as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def align(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return rows of cells as text: the first ``left`` columns to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)


_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_text(content: bytes) -> str:
    """Return a text file's content: UTF-8, or what its byte order mark says, or UTF-16 by its zero bytes.

    Bytes that are no UTF-8 survive as in file names (``surrogateescape``).
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return content.decode(codec, "replace")
    if b"\0" in content:
        return content.decode("utf-16-be" if content[:1] == b"\0" else "utf-16-le", "replace")
    return content.decode("utf-8", "surrogateescape")


def kind_of(line: str) -> str:
    """Return what a line ``FILE: what is wrong`` says, whatever its file, names with a folder and numbers."""
    _, _, said = line.partition(": ")
    return re.sub(r"\d[\d.,]*", "#", re.sub(r"\S*/\S*", "/", said or line))


def fold(lines: Iterable[str]) -> list[str]:
    """Return lines with those alike, but for their file, as one and a count; two alike stay two."""
    kinds: dict[str, list[str]] = {}
    for line in lines:
        kinds.setdefault(kind_of(line), []).append(line)
    return [
        text
        for alike in kinds.values()
        for text in (alike if len(alike) < 3 else [alike[0], more_like_it(alike[1:])])
    ]


def more_like_it(lines: Sequence[str]) -> str:
    """Return one line for lines like the one before: how many there are, and the first of their files."""
    names = first_few({os.path.basename(line.partition(": ")[0]) for line in lines})
    return f"  {len(lines)} more like it: {names}"
