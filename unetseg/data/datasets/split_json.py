"""A split in one JSON file: ``{"train": [...], "val": [...], "test": [...]}``."""

import json
import re
from pathlib import Path
from typing import Any

from unetseg.errors import UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, printable

_CALLED = ("split", "splits", "datasplit", "datasplits", "datasetsplit", "datasetsplits", "splitsfinal")
_FORM = 'write {"train": [NAME, ...], "val": [NAME, ...], "test": [NAME, ...]}'


def is_split_json(path: Path) -> bool:
    """Tell whether a file is called like a split in JSON (``splits.json``, ``dataset_split.json``)."""
    return path.suffix.lower() == ".json" and re.sub(r"[^a-z]+", "", path.stem.lower()) in _CALLED


def read_split_json(path: Path) -> dict[str, list[str]]:
    """Return the names under each key of a split in JSON, in any usual encoding.

    A list of one such split (nnU-Net's ``splits_final.json`` of one fold) is that split.

    Raises:
        UsageError: It is no such file, or holds several folds.
    """
    try:
        document: Any = json.loads(decode_text(read_file(path)))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{printable(path)}: is no JSON ({error}); {_FORM}") from error
    if isinstance(document, list) and len(document) > 1 and all(isinstance(each, dict) for each in document):
        raise UsageError(
            f"{printable(path)}: holds {len(document)} folds; keep the one that is meant, or delete "
            "the file to have a split drawn"
        )
    split = document[0] if isinstance(document, list) and len(document) == 1 else document
    if not isinstance(split, dict) or not all(_are_names(names) for names in split.values()):
        raise UsageError(f"{printable(path)}: is no split; {_FORM}, or rename the file")
    return split


def _are_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)
