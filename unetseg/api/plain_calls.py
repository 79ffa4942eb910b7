"""Wrong calls answered in the words of Python: one plain error that names arguments and not flags."""

import functools
import inspect
import numbers
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

from unetseg.config import HINTS
from unetseg.errors import SPEAKS_FLAGS, UnetsegError, UsageError, did_you_mean
from unetseg.utilities.text import printable

_P = ParamSpec("_P")
_R = TypeVar("_R")

_FLAG = re.compile(r"'unetseg [^']*'|(?<![\w-])--([a-z][a-z-]*[a-z])(?![\w-])|(?<![\w-])-(o)(?![\w-])")
_ARGUMENTS = {"o": "output", "names": "classes", "continue": "continue_"}
_SHOWN = {
    str: "text", int: "a whole number", float: "a number", bool: "True or False", Path: "a path",
    type(None): "None",
}  # fmt: skip


def plain_calls(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a verb plain errors: its arguments are checked by their types, and what it raises names arguments.

    The command line, which calls the verbs too, keeps its flags.
    """
    signature = inspect.signature(function)
    where, typed = f"{function.__name__}()", f"unetseg {function.__name__}: "

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if SPEAKS_FLAGS.get():
            return function(*args, **kwargs)
        _check_call(where, signature, args, kwargs)
        try:
            return function(*args, **kwargs)
        except UnetsegError as error:
            line = str(error)
            said = _in_arguments(line.removeprefix(typed), signature)
            named = line.startswith(typed) or (line.startswith("-") and said != line)
            error.args = (f"{where}: {said}" if named else said,)
            raise

    return call


def _check_call(
    where: str, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Refuse arguments that the verb does not have or whose types are others.

    Raises:
        UsageError: It names the argument.
    """
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        unknown = [name for name in kwargs if name not in signature.parameters]
        hint = did_you_mean(unknown[0], signature.parameters) if unknown else ""
        raise UsageError(f"{where}: {error}{hint}") from None
    for name, value in given.items():
        parameter = signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue  # settings, which RunConfig checks
        many = parameter.kind is inspect.Parameter.VAR_POSITIONAL
        for each in value if many else (value,):
            if _fits(each, parameter.annotation):
                continue
            if many and isinstance(each, list | tuple):
                call = f"{where[:-1]}*{name})"
                raise UsageError(f"{where}: takes them one by one: put a * before the list, {call}")
            kinds = " or ".join(_kinds(parameter.annotation))
            raise UsageError(f"{where}: {name} {printable(repr(each))}: must be {kinds}")


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of the type of an annotation; iterators are not looked into."""
    origin = get_origin(hint)
    if origin is UnionType:
        return any(_fits(value, each) for each in get_args(hint))
    if origin is Sequence:
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            return False
        return not isinstance(value, Sequence) or all(_fits(each, get_args(hint)[0]) for each in value)
    if origin is not None:  # what is called: a report
        return callable(value)
    if hint in (int, float):
        kind = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    return isinstance(value, os.PathLike if hint is Path else hint)


def _kinds(hint: Any) -> list[str]:
    """Return what an annotation allows, in words."""
    origin = get_origin(hint)
    if origin is UnionType:
        return [*dict.fromkeys(kind for each in get_args(hint) for kind in _kinds(each))]
    if origin is Sequence:
        return [f"a list of these: {', '.join(_kinds(get_args(hint)[0]))}"]
    return ["a function"] if origin is not None else [_SHOWN.get(hint, f"a {hint.__name__}")]


def _in_arguments(said: str, signature: inspect.Signature) -> str:
    """Return an error's line with the verb's arguments in place of the flags that they are."""
    own = {name: each.annotation for name, each in signature.parameters.items()}
    known = {**HINTS, **own} if "settings" in own else own

    def argument(found: re.Match[str]) -> str:
        word = found[1] or found[2]
        if word is None:  # a command to type
            return found[0]
        name = _ARGUMENTS.get(word, word.replace("-", "_"))
        if name not in known:
            return found[0]
        valued = found.string[found.end() : found.end() + 1] == ":"  # what is wrong with it follows
        return f"{name}=True" if known[name] is bool and not valued else name

    return _FLAG.sub(argument, said)
