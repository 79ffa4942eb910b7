"""Loggers and callbacks of the user's choice, by name or import path."""

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import lightning.pytorch as pl

from unetseg.errors import UsageError, did_you_mean, one_line

LOGGERS = {
    name.removesuffix("Logger").lower(): f"lightning.pytorch.loggers.{name}"
    for name in pl.loggers.__all__
    if name != "Logger"
}


def build_logger(value: Any, folder: Path) -> Any:
    """Return what ``--trainer.logger VALUE`` means: one of Lightning's loggers, several, or none.

    Args:
        value: true, false, the short name of one of Lightning's own (``csv``, ``tensorboard``, ``wandb``,
            …), an import path, a mapping of ``class_path`` and ``init_args``, or a list of these.
        folder: given to a logger as its ``save_dir`` where it takes one and is not told another.

    Raises:
        UsageError: if there is no such logger, or it cannot be built.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [build_logger(each, folder) for each in value]
    return _build("--trainer.logger", value, pl.loggers.Logger, LOGGERS, folder)


def find_logger(value: Any) -> None:
    """Raise the UsageError of ``build_logger`` if there is no such logger, and build none."""
    for each in value if isinstance(value, list) else [value]:
        if each is not None and not isinstance(each, bool):
            _find("--trainer.logger", each, pl.loggers.Logger, LOGGERS)


def find_callbacks(value: Any) -> None:
    """Raise the UsageError of ``build_callbacks`` if there is no such callback, and build none."""
    for each in value if isinstance(value, list) else [value]:
        _find("--trainer.callbacks", each, pl.Callback)


def build_callbacks(value: Any) -> list[pl.Callback]:
    """Return what ``--trainer.callbacks VALUE`` means.

    Args:
        value: an import path, a mapping of ``class_path`` and ``init_args``, or a list of these.

    Raises:
        UsageError: if there is no such callback, or it cannot be built.
    """
    values = value if isinstance(value, list) else [value]
    return [_build("--trainer.callbacks", each, pl.Callback) for each in values]


def _build(
    flag: str,
    value: Any,
    base: type,
    short: Mapping[str, str] = MappingProxyType({}),
    folder: Path | None = None,
) -> Any:
    """Return the object that an import path, or ``{class_path: …, init_args: {…}}``, describes.

    Args:
        flag: is named in errors.
        value: what the user gave.
        base: what the object must be.
        short: import paths by shorter names.
        folder: given as ``save_dir`` where the class takes one and is not told another.
    """
    given, kind, init = _find(flag, value, base, short)
    try:
        arguments = dict(init or {})
        if folder is not None and "save_dir" in inspect.signature(kind).parameters:
            arguments.setdefault("save_dir", folder)
        return kind(**arguments)
    except Exception as error:
        raise UsageError(f"{flag} {given}: cannot be used: {one_line(error)}") from error


def _find(
    flag: str, value: Any, base: type, short: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, Any, Any]:
    """Return what a description names, its class, and its ``init_args``; arguments as of ``_build``."""
    entry: Any = {"class_path": value} if isinstance(value, str) else value
    if not isinstance(entry, Mapping) or not isinstance(entry.get("class_path"), str):
        names = f"{', '.join(short)}, " if short else ""
        raise UsageError(
            f"{flag} {value}: give {names}an import path, or {{class_path: …, init_args: {{…}}}}"
        )
    given = str(entry["class_path"])
    module, _, name = short.get(given, given).rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
        if not issubclass(kind, base):
            raise TypeError
    except (ImportError, AttributeError, TypeError, ValueError):
        known = f"{', '.join(short)}, or " if short else ""
        raise UsageError(
            f"{flag} {given}: is no {base.__name__.lower()}{did_you_mean(given, short)}; "
            f"give {known}the import path of one"
        ) from None
    return given, kind, entry.get("init_args")
