"""YAML files, read in one way; what is wrong with one is told in one line."""

import errno
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from unetseg.errors import UsageError, did_you_mean, one_line
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text

_TEXTS = ("name", "mask_suffix")
# Nobody writes a settings file beyond these; larger ones take the reader's time or memory
_LARGEST_FILE, _MOST_VALUES, _DEEPEST, _LARGEST_NUMBER = 100_000, 20_000, 50, 2**63


class _Bounded(yaml.SafeLoader):
    """Refuses what is small to write and large to read: references to references, deep nesting, numbers."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._values: dict[int, int] = {}  # of each node: how many values it stands for
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Read a node, and count what it stands for; what is referred to counts each time."""
        self._depth += 1
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self._depth > _DEEPEST:
            raise yaml.composer.ComposerError(None, None, f"is nested deeper than {_DEEPEST} levels", mark)
        reference = self.check_event(yaml.AliasEvent)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None or id(node) in self._values:
            return node
        if reference:
            raise yaml.composer.ComposerError(None, None, "refers to itself", mark)
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        pairs = (each if isinstance(each, tuple) else (each,) for each in below)
        total = 1 + sum(self._values.get(id(each), 1) for pair in pairs for each in pair)
        if total > _MOST_VALUES:
            raise yaml.composer.ComposerError(
                None, None, f"stands for more than {_MOST_VALUES:,} values", mark
            )
        self._values[id(node)] = total
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return a whole number that other software can hold, too."""
        number = super().construct_yaml_int(node)
        if abs(number) >= _LARGEST_NUMBER:
            raise yaml.constructor.ConstructorError(None, None, "a number is too large", node.start_mark)
        return number


_Bounded.add_constructor("tag:yaml.org,2002:int", _Bounded.construct_yaml_int)


class _AsWritten(_Bounded):
    """Keys, lists of classes and names stay as they are written: ``no`` and ``007`` are names, too."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping by its keys' own text; a key that occurs twice is an error."""
        self.flatten_mapping(node)
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            scalar = isinstance(key_node, yaml.ScalarNode)
            key = key_node.value if scalar else self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict | set):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be one word, not a list or a mapping", key_node.start_mark
                )
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
        content = read_file(path, _LARGEST_FILE)
        return yaml.load(decode_text(content), Loader=_AsWritten)
    except (ValueError, OverflowError, RecursionError) as error:  # a number or date that there is not
        raise UsageError(f"{path}: not valid YAML: {one_line(error, 160)}") from error
    except OSError as error:
        large = error.errno == errno.EFBIG
        what = f"{error.strerror}, no settings" if large else f"cannot be read ({error.strerror})"
        raise UsageError(f"{path}: {what}; give the path of a YAML file") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: not valid YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {one_line(error)}") from error


def parse_yaml(text: str) -> Any:
    """Return the value of YAML text, under the bounds of files.

    Raises:
        ValueError: if it is no YAML.
    """
    try:
        return yaml.load(text, Loader=_Bounded)
    except (yaml.YAMLError, OverflowError, RecursionError) as error:
        raise ValueError(one_line(error)) from error


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
