"""YAML files, read in one way; what is wrong with one is told in one line."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from unetseg.errors import UsageError, did_you_mean, one_line


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file.

    Raises:
        UsageError: if the file is missing, unreadable or no YAML.
    """
    try:
        return yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); give the path of a YAML file"
        ) from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid YAML: {one_line(error)}") from error


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping.

    Raises:
        UsageError: if the file is missing, unreadable or holds something else.
    """
    values = read_yaml(path)
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
