"""YAML files, read in one way; what is wrong with one is told in one line."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from unetseg.errors import UsageError, did_you_mean


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file; a syntax error becomes one plain line."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        UsageError: if the file is missing, unreadable or holds something else.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give the path of a YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: is not valid YAML: {reason}") from None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: must hold 'key: value' lines")
    return values


def require_keys(entry: Any, known: Collection[str], where: str) -> dict[str, Any]:
    """Return ``entry`` if it is a mapping of ``known`` keys only, else raise a UsageError."""
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: expected 'key: value' lines with {', '.join(known)}")
    for key in entry:
        if key not in known:
            raise UsageError(f"{where}: unknown key '{key}'{did_you_mean(str(key), known)}")
    return entry
