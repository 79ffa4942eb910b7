"""Channels of images as a person names them: numbers from 1, or the names that the files have."""

from typing import Any

from unetseg.errors import UsageError


def normalise_channels(value: Any) -> str | None:
    """Return ``1,2,4`` for every accepted way to write it; None stays.

    YAML reads a single number as such, and a list of them.

    Raises:
        UsageError: if it names no channel, or one twice.
    """
    if value is None:
        return None
    parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
    names = [str(part).strip() for part in parts]
    if not names or not all(names) or isinstance(value, bool) or "0" in names:
        raise UsageError(f"--channels '{value}': give numbers from 1, or names, such as 1,2,4 or red,nir")
    twice = [name for name in names if [each.casefold() for each in names].count(name.casefold()) > 1]
    if twice:
        raise UsageError(f"--channels '{value}': names channel {twice[0]} twice")
    return ",".join(names)


def split_channels(channels: str | None) -> tuple[str, ...] | None:
    """Return the channels that a normal form names, one by one."""
    return None if channels is None else tuple(channels.split(","))
