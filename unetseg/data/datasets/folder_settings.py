"""``dataset.yaml``: what a user says about a folder; and other files that were meant as one, named."""

import re
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from unetseg.errors import UsageError
from unetseg.utilities.text import printable
from unetseg.utilities.yaml_files import read_yaml, require_keys

KEYS = ("name", "classes", "ignore", "threshold", "mask_suffix", "group", "instances", "range", "generator")
_OWN = {
    "classes",
    "ignore",
    "threshold",
    "mask_suffix",
    "group",
    "instances",
    "range",
}  # keys that say what a file was meant to be
_YAML = re.compile(r"\.ya?ml(\.txt)?$", re.IGNORECASE)
# class lists of other programs
_FOREIGN = (
    "classes.txt",
    "labels.txt",
    "labelmap.txt",
    "class_dict.csv",
    "dataset.json",
    "data.yaml",
    "data.yml",
)


def read_settings(folder: Path, known: Collection[str] = ()) -> dict[str, Any]:
    """Return what ``dataset.yaml`` in ``folder`` holds, an empty mapping where there is none.

    Args:
        folder: Of the dataset.
        known: Class lists of other programs that are read elsewhere.

    Raises:
        UsageError: It is no such file, or only another file, such as ``Dataset.yaml``, was meant as one.
    """
    path = folder / "dataset.yaml"
    there = path.is_file()
    for other in sorted(folder.iterdir(), key=lambda other: other.name):
        if other.name == path.name or not other.is_file():
            continue
        if _was_meant(other):
            if not there:
                raise UsageError(f"{printable(other)}: call it dataset.yaml")
            warnings.warn(f"{printable(other)}: is not read beside dataset.yaml", stacklevel=2)
        elif not there and other.name.lower() in _FOREIGN and other.name not in known:
            warnings.warn(
                f"{printable(other)}: is not read; classes and their values belong into dataset.yaml",
                stacklevel=2,
            )
    return require_keys(read_yaml(path) or {}, KEYS, str(path)) if there else {}


def _was_meant(path: Path) -> bool:
    """Tell whether a file is a ``dataset.yaml`` by its name in another spelling, or by its content."""
    if not _YAML.search(path.name):
        return False
    if re.match(r"data[-_ ]?set\b", path.name, re.IGNORECASE):
        return True
    try:
        content = read_yaml(path)
    except UsageError:
        return False
    return isinstance(content, dict) and bool(_OWN & content.keys()) and "layout" not in content
