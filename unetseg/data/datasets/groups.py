"""The ``group`` entry of a card or a ``dataset.yaml``: which images belong together."""

import csv
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from unetseg.data.datasets.samples import SPLITS
from unetseg.errors import UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, first_few, printable
from unetseg.utilities.yaml_files import require_keys

_FORMS = (
    "'folder', {regex: PATTERN} for the names of the images, or {csv: FILE, name: COLUMN, column: COLUMN} "
    "for a column of a table"
)


def find_groups(entry: Any, folder: Path, names: Iterable[str], where: str) -> dict[str, str]:
    """Return the group of each image: of one patient, slide or sequence, say.

    Args:
        entry: ``folder``: images in one folder belong together. ``{regex: PATTERN}``: those in whose names
            the pattern finds the same, or its first bracket does. ``{csv: FILE, name: COLUMN, column:
            COLUMN}``: those with the same value in a column of a table, whose column ``name`` (``name`` if
            not given) names images, with or without folders and suffix.
        folder: where the table lies.
        names: of the images: paths below their folder, with ``/`` and without suffix.
        where: what the errors name as the place.

    Raises:
        UsageError: if the entry is not of that form, or an image has no group.
    """
    check_groups(entry, where)
    place = f"{where}: group"
    names = list(names)
    if entry == "folder":
        found = {name: str(PurePosixPath(name).parent) for name in names if "/" in name}
        return _complete(found, names, place, "lie in no folder of their own")
    if "regex" in entry:
        return _by_pattern(re.compile(entry["regex"]), names, place)
    return _by_table(entry, folder, names, place)


def check_groups(entry: Any, where: str) -> None:
    """Check the form of a ``group`` entry, as :func:`find_groups` takes it.

    Raises:
        UsageError: if it is of another.
    """
    place = f"{where}: group"
    if entry == "folder":
        return
    if isinstance(entry, dict) and "regex" in entry:
        require_keys(entry, ("regex",), place)
        try:
            re.compile(entry["regex"])
        except (re.error, TypeError) as error:
            raise UsageError(f"{place}: regex '{entry['regex']}': {error}") from error
        return
    if not isinstance(entry, dict):
        raise UsageError(f"{place}: give {_FORMS}")
    require_keys(entry, ("csv", "name", "column"), place)
    if not {"csv", "column"} <= entry.keys():
        raise UsageError(f"{place}: give {_FORMS}")


def warn_of_cut_groups(split: Mapping[str, Sequence[str]], groups: Mapping[str, str], where: str) -> None:
    """Say so where a split that was given puts images of one group into several parts.

    Args:
        split: names of the images in each part.
        groups: of each image.
        where: what the warning names as the place.
    """
    owners: dict[str, set[str]] = {}
    for part in SPLITS:
        for name in split.get(part, ()):
            owners.setdefault(groups[name], set()).add(part)
    cut = [group for group, parts in owners.items() if len(parts) > 1]
    if cut:
        warnings.warn(
            f"{where}: the split cuts {len(cut)} group(s) of images that belong together: {first_few(cut)}; "
            "what is known from training is no test",
            stacklevel=2,
        )


def _by_pattern(pattern: re.Pattern[str], names: Sequence[str], place: str) -> dict[str, str]:
    part = 1 if pattern.groups else 0
    matches = {name: pattern.search(name) for name in names}
    found = {name: str(match[part]) for name, match in matches.items() if match and match[part] is not None}
    return _complete(found, names, place, f"do not fit '{pattern.pattern}'")


def _by_table(entry: Mapping[str, Any], folder: Path, names: Sequence[str], place: str) -> dict[str, str]:
    path = folder / str(entry["csv"])
    key, column = str(entry.get("name", "name")), str(entry["column"])
    try:
        rows = list(csv.DictReader(decode_text(read_file(path)).splitlines()))
    except OSError as error:
        raise UsageError(f"{place}: {printable(path)} cannot be read: {error.strerror}") from error
    except csv.Error as error:
        raise UsageError(f"{place}: {printable(path)}: {error}") from error
    for wanted in (key, column):
        if not rows or wanted not in rows[0]:
            has = ", ".join(map(str, rows[0])) if rows else "no row"
            raise UsageError(f"{place}: {printable(path)} has no column '{wanted}', but {has}")
    table: dict[str, set[str]] = {}
    for row in rows:
        written, value = str(row[key] or "").strip(), str(row[column] or "").strip()
        if value:  # an image may be named with or without its suffix
            for spelling in {written, str(PurePosixPath(written).with_suffix(""))} if written else ():
                table.setdefault(spelling, set()).add(value)
    found = {}
    for name in names:
        values = table.get(name) or table.get(PurePosixPath(name).name) or set()
        if len(values) > 1:
            raise UsageError(f"{place}: {printable(path)} puts '{name}' into {' and '.join(sorted(values))}")
        if values:
            (found[name],) = values
    return _complete(found, names, place, f"have no value in '{column}' of {path.name}")


def _complete(found: dict[str, str], names: Sequence[str], place: str, lack: str) -> dict[str, str]:
    left = [name for name in names if name not in found]
    if left:
        raise UsageError(f"{place}: {len(left)} of {len(names)} images {lack}: {first_few(left)}")
    return found
