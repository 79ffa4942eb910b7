"""YAML files, read in one way; what is wrong with one is told in one line."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from unetseg.errors import UsageError, did_you_mean, one_line
from unetseg.utilities.text import decode_text

_TEXTS = ("name", "mask_suffix")


class _AsWritten(yaml.SafeLoader):
    """Keys, lists of classes and names stay as they are written: ``no`` and ``007`` are names, too."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping by its keys' own text; a key that occurs twice is an error."""
        self.flatten_mapping(node)
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            scalar = isinstance(key_node, yaml.ScalarNode)
            key = key_node.value if scalar else self.construct_object(key_node, deep=True)
            if key in mapping:
                raise yaml.constructor.ConstructorError(
                    None, None, f"'{key}' occurs twice", key_node.start_mark
                )
            mapping[key] = self._value(key, value_node)
        return mapping

    def _value(self, key: Any, node: yaml.Node) -> Any:
        if key == "classes" and isinstance(node, yaml.SequenceNode):
            return [
                item.value if isinstance(item, yaml.ScalarNode) else self.construct_object(item, deep=True)
                for item in node.value
            ]
        if key in _TEXTS and isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":null"):
            return node.value
        return self.construct_object(node, deep=True)


def read_yaml(path: str | Path) -> Any:
    """Return the content of a YAML file, in any usual encoding; classes' names as written.

    Raises:
        UsageError: if the file is missing, unreadable or no YAML.
    """
    try:
        return yaml.load(decode_text(Path(path).read_bytes()), Loader=_AsWritten)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read ({error.strerror}); give the path of a YAML file"
        ) from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
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
