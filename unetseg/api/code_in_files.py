"""Files that are programs: a logger or a callback by import path runs whatever lies there."""

from collections.abc import Iterator, Mapping
from typing import Any

from unetseg.errors import UsageError

_OURS = "lightning.pytorch."


def refuse_code(trainer: object, source: object, *, allow: bool) -> None:
    """Refuse a file whose Trainer arguments build objects that are not Lightning's own, unless they may.

    Args:
        trainer: arguments of Lightning's Trainer, as the file has them.
        source: the file, for the error line.
        allow: the user trusts it.

    Raises:
        UsageError: It builds such an object.
    """
    if not isinstance(trainer, Mapping):
        return  # no Trainer argument at all: the configuration refuses it
    paths = [path for key in ("logger", "callbacks") for path in _import_paths(trainer.get(key))]
    foreign = [path for path in paths if not path.startswith(_OURS)]
    if foreign and not allow:
        raise UsageError(
            f"{source}: builds {', '.join(foreign)}, which is code that runs here; give --allow-code if you "
            "trust the file, as you would a program"
        )


def _import_paths(value: Any) -> Iterator[str]:
    """Yield the import paths in a value of ``--trainer.logger`` or ``--trainer.callbacks``."""
    if isinstance(value, list):
        for each in value:
            yield from _import_paths(each)
    elif isinstance(value, Mapping):
        yield from _import_paths(str(value.get("class_path", "")))
    elif isinstance(value, str) and "." in value:
        yield value
