"""Which long skips are on: every way to write it, and the levels that it means."""

import re
from collections.abc import Iterable
from typing import Any

from unetseg.errors import UsageError, did_you_mean


def normalise_skips(value: Any) -> str:
    """Return ``on``, ``off``, ``1,3`` or ``^1,3`` for every accepted way to write it.

    YAML reads an unquoted ``on`` as true, and a list of levels as numbers.

    Raises:
        UsageError: if it is none of these.
    """
    if value is True or value is False:
        return "on" if value else "off"
    if isinstance(value, (list, tuple)):
        value = ",".join(str(level) for level in value) or "off"
    text = str(value).replace(" ", "").lower()
    if text in ("on", "off"):
        return text
    if not re.fullmatch(r"\^?\d+(,\d+)*", text):
        raise UsageError(
            f"--skips '{value}': give on, off, levels such as 1,3, or ^1 for all but level 1"
            + did_you_mean(text, ("on", "off"))
        )
    levels = sorted({int(level) for level in text.lstrip("^").split(",")})
    return ("^" if text.startswith("^") else "") + ",".join(map(str, levels))


def select_levels(skips: str, available: Iterable[int], encoder: str) -> frozenset[int]:
    """Return the levels that ``skips`` switches on.

    Args:
        skips: in normal form.
        available: the levels that the encoder has.
        encoder: its name, for the error line.

    Raises:
        UsageError: if a level is named that the encoder does not have.
    """
    levels = frozenset(available)
    if skips in ("on", "off"):
        return levels if skips == "on" else frozenset()
    named = frozenset(int(level) for level in skips.lstrip("^").split(","))
    missing = sorted(named - levels)
    if missing:
        has = ", ".join(map(str, sorted(levels)))
        raise UsageError(
            f"--skips {skips}: encoder {encoder} has no level {missing[0]}; its levels are {has}"
        )
    return levels - named if skips.startswith("^") else named


def basic_levels(stages: int) -> list[int]:
    """Return the skip levels of the basic encoder, finest first: of every resolution but the lowest."""
    return list(range(stages - 1))
