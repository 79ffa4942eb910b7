"""The split that a card describes: lists, tables and fields of the path select; what is left is drawn."""

import csv
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from unetseg.data.datasets.cards.layout import Fields, Layout
from unetseg.data.datasets.cards.values import path_inside, template, text, whole
from unetseg.data.datasets.samples import SPLITS, split_names
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, first_few
from unetseg.utilities.yaml_files import require_keys

_SELECTORS = ("list", "column", "csv", "name", "where", "otherwise")
_REST = "rest"


def check_split(entry: Any, layout: Layout, where: str) -> None:
    """Check the ``split`` entry of a card.

    ``train``, ``val`` and ``test`` are selections:

    - ``{list: FILE, column: 0}``: images named in a file, one a line;
    - ``{csv: FILE, name: COLUMN, where: {COLUMN: VALUE}}``: images named in some rows of a table;
    - ``{where: {FIELD: VALUE}}``: images with some values (one, or a list) in the fields of their path.

    ``val`` and ``test`` may instead be a share of the training images. ``otherwise`` holds where the file of
    a selection is not there: a share, or ``rest`` for train. Images of one ``group`` stay together: that is
    a template, or ``{by: TEMPLATE, until: TEXT}`` for its first part.

    Raises:
        UsageError: The entry is not of that form.
    """
    for split, selector in require_keys(entry, (*SPLITS, "group"), f"{where}: split").items():
        place = f"{where}: split: {split}"
        if split == "group":
            _check_group(selector, place)
            layout.image.require_fields(_group_template(selector)[0], where, also=("name",))
        elif isinstance(selector, dict):
            _check_selector(selector, place)
            if not selector.keys() & {"list", "csv", "where"}:
                raise UsageError(f"{place} needs 'list', 'csv' or 'where'")
            if "otherwise" in selector and not _may_replace(selector["otherwise"], split):
                raise UsageError(f"{place}: otherwise: give a share between 0 and 1, for train 'rest'")
        elif split == "train" or not _is_share(selector):
            raise UsageError(f"{place} is neither a selection nor a share between 0 and 1")
    for split in SPLITS[1:]:
        if split not in entry:
            raise UsageError(f"{where}: split: lacks '{split}' (a selection, or a share of train)")


def _check_group(entry: Any, place: str) -> None:
    if not isinstance(entry, dict):
        template(entry, place)
        return
    if require_keys(entry, ("by", "until"), place).keys() != {"by", "until"}:
        raise UsageError(f"{place} needs 'by' and 'until'")
    template(entry["by"], f"{place}: by")
    text(entry["until"], f"{place}: until")


def _check_selector(selector: dict[str, Any], place: str) -> None:
    require_keys(selector, _SELECTORS, place)
    for key in selector.keys() & {"list", "csv"}:
        path_inside(selector[key], f"{place}: {key}")
    whole(selector.get("column", 0), f"{place}: column")
    text(selector.get("name", "name"), f"{place}: name")
    where = selector.get("where", {})
    if not isinstance(where, dict):
        raise UsageError(f"{place}: where: expected 'key: value' lines")
    for name, wanted in where.items():
        for choice in wanted if isinstance(wanted, list) else [wanted]:
            text(choice, f"{place}: where: {name}")


def divide(
    entry: Mapping[str, Any],
    folder: Path,
    fields: Mapping[str, Fields],
    groups: Mapping[str, str],
    seed: int,
    missing: list[str] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return the names of each split.

    Args:
        entry: A ``split`` entry that :func:`check_split` has passed.
        folder: Where its lists and tables lie.
        fields: Every image's name, and what its path filled the fields with.
        groups: Of the images that belong together; others are their own.
        seed: Draws what is not given.
        missing: Takes one line for each image that is named and not there; without, that is an error.

    Raises:
        UnetsegError: A list is missing or empty, or names images that are not there.
    """
    fixed, shares = {}, {}
    for split in SPLITS:
        selector = entry.get(split, _REST)
        if isinstance(selector, dict) and "otherwise" in selector and not _table(selector, folder).is_file():
            selector = selector["otherwise"]
        if isinstance(selector, dict):
            fixed[split] = _selected(selector, folder, fields, split, missing)
        elif selector != _REST:
            shares[split] = selector
    return split_names(fields, fixed, shares, seed, lambda name: groups.get(name, name))


def template_groups(entry: Mapping[str, Any], fields: Mapping[str, Fields]) -> dict[str, str]:
    """Return the groups that a ``split`` entry makes of the images' paths; none if it names no ``group``."""
    if "group" not in entry:
        return {}
    template, until = _group_template(entry["group"])
    found = {name: template.format(**{"name": name, **each}) for name, each in fields.items()}
    return {name: text.split(until)[0] if until else text for name, text in found.items()}


def _group_template(entry: Any) -> tuple[str, str]:
    return (str(entry["by"]), str(entry["until"])) if isinstance(entry, dict) else (str(entry), "")


def _may_replace(value: Any, split: str) -> bool:
    return value == _REST if split == "train" else _is_share(value)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value < 1


def _table(selector: Mapping[str, Any], folder: Path) -> Path:
    return folder / str(selector.get("list") or selector.get("csv"))


def _selected(
    selector: Mapping[str, Any],
    folder: Path,
    fields: Mapping[str, Fields],
    split: str,
    missing: list[str] | None,
) -> list[str]:
    """Return the names that a split's selector picks: by a list, a table's rows, or the path's fields."""
    table = _table(selector, folder)
    try:
        if "list" in selector:
            names = [line.split()[selector.get("column", 0)] for line in _lines(table)]
        elif "csv" in selector:
            rows = csv.DictReader(_lines(table))
            names = [row[selector.get("name", "name")] for row in rows if _fits(row, selector)]
        else:
            names = [name for name, values in fields.items() if _fits(values, selector)]
    except csv.Error as error:
        raise UnetsegError(f"{table}: is no table of plain text ({error}); save it as CSV") from error
    except (IndexError, KeyError) as error:
        raise UnetsegError(f"{table}: lacks the column that the card names for {split}") from error
    names = [name if name in fields else PurePosixPath(name).stem for name in names]
    absent = [name for name in names if name not in fields]
    if missing is not None:
        missing += [f"{folder}: the image of '{name}' ({split}) is missing" for name in absent]
        names = [name for name in names if name in fields]
    elif absent:
        raise UnetsegError(
            f"{folder}: {len(absent)} image(s) of the {split} split are missing: {first_few(absent)}"
        )
    if not names:
        raise UnetsegError(f"{folder}: the {split} split is empty")
    return names


def _fits(values: Mapping[str, str], selector: Mapping[str, Any]) -> bool:
    """Tell whether a row or an image's fields have the values of ``where``; a list there is a choice."""
    for key, wanted in selector.get("where", {}).items():
        choices = wanted if isinstance(wanted, list) else [wanted]
        if values.get(key) not in {str(choice) for choice in choices}:
            return False
    return True


def _lines(path: Path) -> list[str]:
    try:
        lines = decode_text(read_file(path)).splitlines()
    except OSError as error:
        raise UnetsegError(f"{path}: the split list cannot be read: {error.strerror}") from error
    return [line for line in lines if line.strip() and not line.startswith("#")]
