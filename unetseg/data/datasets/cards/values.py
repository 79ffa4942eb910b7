"""What may stand in a card: texts, whole numbers, and paths that stay inside the set's own folder."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from unetseg.errors import UsageError

_FIELD = re.compile(r"{[^\W\d]\w*}")
_LONGEST = 10_000  # characters; a description is a paragraph
_SIDE_BY_SIDE = re.compile(r"({\w+}){4}")  # matching would take for ever


def text(value: Any, place: str) -> str:
    """Return a text, of one line or several; a number counts as one.

    Args:
        value: as the card has it.
        place: names the card and the key.

    Raises:
        UsageError: It is something else, or too long.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).strip():
        raise UsageError(f"{place}: must be a text")
    if len(str(value)) > _LONGEST:
        raise UsageError(f"{place}: is a text of {len(str(value)):,} characters; {_LONGEST:,} are the most")
    return str(value).strip()


def items(value: Any, place: str) -> Sequence[Any]:
    """Return a list.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(value, list):
        raise UsageError(f"{place}: must be a list")
    return value


def whole(value: Any, place: str, least: int = 0) -> int:
    """Return a whole number of at least ``least``.

    Raises:
        UsageError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise UsageError(f"{place}: must be a whole number from {least} on")
    return value


def template(value: Any, place: str) -> str:
    """Return a text whose braces are all fields, such as ``{name}``.

    Raises:
        UsageError: It is no such text.
    """
    given = text(value, place)
    if set(_FIELD.sub("", given)) & set("{}"):
        raise UsageError(f"{place}: '{given}': braces may hold a field's name only, as in {{name}}")
    if _SIDE_BY_SIDE.search(given):
        raise UsageError(f"{place}: '{given}': four fields side by side cannot be told apart")
    return given


def path_inside(value: Any, place: str) -> str:
    """Return a path, with fields or without, that stays inside the folder it is put below.

    Raises:
        UsageError: It would lead out, or is no path.
    """
    given = template(value, place)
    parts = PurePosixPath(given).parts
    if given.startswith("/") or ".." in parts or "\\" in given or ":" in given or "\0" in given:
        raise UsageError(f"{place}: '{given}' does not lie below the set's folder")
    if set(given) & set("*?["):
        raise UsageError(f"{place}: '{given}' holds one of * ? [; write a field, as in {{name}}")
    if not given.isprintable():
        raise UsageError(f"{place}: holds characters that cannot be printed")
    return given
