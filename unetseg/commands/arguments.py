"""Flags: parsers that answer a wrong word with the nearest valid one, and the flags of a RunConfig."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, NoReturn, TypeVar, cast, get_args

from unetseg.api.settings import NetSettings, setting_names
from unetseg.config import DEVICES, HINTS, RunConfig
from unetseg.config_checks import NAMED_WEIGHTS, flag
from unetseg.errors import UsageError, did_you_mean
from unetseg.utilities.yaml_files import parse_yaml

_Settings = TypeVar("_Settings", bound=NetSettings)

TRAINER = "--trainer."
SHOW_PARSER = "--show-parser"  # in place of a verb's words: raise its parser, for the shell's completion
MASK_FLAGS = ("valid", "ignore", "instances", "names", "key")


class ParserShown(Exception):
    """Not an error: the parser of a verb, for whoever asked by ``SHOW_PARSER``."""

    def __init__(self, parser: "Parser") -> None:
        super().__init__(parser.prog)
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one plain line with the nearest valid word."""

    def __init__(self, verb: str, usage: str, description: str) -> None:
        super().__init__(
            prog=f"unetseg {verb}",
            usage=f"unetseg {usage}",
            description=description,
            allow_abbrev=False,
            formatter_class=_Help,
            add_help=False,
        )
        self.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
        self.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print with its usage."""
        raise UsageError(f"{self.prog}: {message.removeprefix('argument ')} (see {self.prog} --help)")

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parse ``argv``, refusing unknown flags by the nearest known one."""
        if SHOW_PARSER in argv:
            raise ParserShown(self)
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        namespace, extra = self.parse_known_args(argv)
        for word in extra:
            name = word.split("=")[0]
            if word.startswith("-"):
                raise UsageError(
                    f"{self.prog}: unknown flag {name}{did_you_mean(name, known) or self._pointer()}"
                )
            raise UsageError(f"{self.prog}: unexpected '{word}'{self._pointer()}")
        return namespace

    def _pointer(self) -> str:
        return f" (see {self.prog} --help)"


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help that fits a screen: one line a flag."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)


def add_config_flags(parser: argparse.ArgumentParser, settings: type) -> None:
    """Add one flag for each setting, grouped; none has a default of its own.

    Args:
        parser: to add them to.
        settings: one of the types of :mod:`unetseg.api.settings`.
    """
    wanted = setting_names(settings)
    groups: dict[str, Any] = {}
    for spec in fields(RunConfig):
        if spec.name == "trainer" or spec.name not in wanted:
            continue
        name = spec.metadata["group"]
        group = groups.setdefault(name, None) or parser.add_argument_group(name)
        groups[name] = group
        text = spec.metadata["help"].replace("%", "%%")
        if bool in (HINTS[spec.name], *get_args(HINTS[spec.name])):
            switch = argparse.BooleanOptionalAction
            group.add_argument(flag(spec.name), default=argparse.SUPPRESS, action=switch, help=text)
            continue
        choices = spec.metadata["choices"]
        shown = "" if spec.default in (None, "") else f" [{spec.default}]"
        group.add_argument(
            flag(spec.name),
            dest=spec.name,
            default=argparse.SUPPRESS,
            type=_reader(spec.name),
            metavar=_metavar(spec.name, choices),
            help=text + shown,
        )
    if "trainer" in wanted:
        groups["hardware"].add_argument(
            TRAINER + "NAME", metavar="VALUE", dest="_trainer", default=argparse.SUPPRESS,
            help=RunConfig.__dataclass_fields__["trainer"].metadata["help"],
        )  # fmt: skip


def add_mask_flags(group: Any) -> None:
    """Add the flags that say how folders of masks are read: ``MASK_FLAGS``."""
    group.add_argument("--valid", metavar="DIR", help="fields of view: pixels that are 0 there do not count")
    group.add_argument(
        "--ignore",
        type=int,
        metavar="N",
        help="pixels of this value in a reference do not count [255 if --names has more than two]",
    )
    group.add_argument(
        "--instances",
        action="store_true",
        help="labels are instances, 0 the background; predictions may be plain masks",
    )
    group.add_argument(
        "--names",
        metavar="FILE",
        help="class names, one a line, the background first [0 and 1, or 0 and 255]",
    )
    group.add_argument(
        "--key", metavar="REGEX", help="the part of the files' names that pairs [all but the suffix]"
    )


def given_mask_flags(options: argparse.Namespace) -> list[str]:
    """Return those of ``MASK_FLAGS`` that were given."""
    values = {name: getattr(options, name) for name in MASK_FLAGS}
    return [name for name, value in values.items() if value is not None and value is not False]


def add_file_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``, beneath which the flags of ``add_config_flags`` stand."""
    parser.add_argument("--config", metavar="FILE", help="YAML with any of the keys below; flags win")


def add_code_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--allow-code``, for files that build loggers or callbacks by import path."""
    parser.add_argument(
        "--allow-code",
        action="store_true",
        help="let a file build loggers and callbacks that are not Lightning's: such a file is a program",
    )


def add_device_flag(group: Any) -> None:
    """Add ``--device``; it has no default, so that it shows whether it was given."""
    group.add_argument("--device", metavar="|".join(DEVICES), help="where to compute [auto]")


def split_trainer_flags(argv: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Take ``--trainer.NAME VALUE`` out of ``argv``; values are read as YAML."""
    rest: list[str] = []
    trainer: dict[str, Any] = {}
    words = iter(argv)
    for word in words:
        if not word.startswith(TRAINER):
            rest.append(word)
            continue
        name, equals, value = word[len(TRAINER) :].partition("=")
        if not equals:
            found = next(words, None)
            if found is None:
                raise UsageError(f"{word}: needs a value")
            value = found
        try:
            trainer[name] = parse_yaml(value)
        except ValueError as error:
            raise UsageError(f"{TRAINER}{name} {value}: is not valid YAML: {error}") from None
    return rest, trainer


def settings_from(
    namespace: argparse.Namespace, settings: type[_Settings], trainer: dict[str, Any] | None = None
) -> _Settings:
    """Return the settings that were given as flags, in the order in which they were typed.

    Args:
        namespace: what was parsed.
        settings: the type that ``add_config_flags`` was given.
        trainer: arguments of Lightning's Trainer.
    """
    wanted = setting_names(settings)
    given = {name: value for name, value in vars(namespace).items() if name in wanted}
    return cast(_Settings, given | ({"trainer": trainer} if trainer else {}))


def _metavar(name: str, choices: Sequence[str] | None) -> str:
    if choices:
        return "|".join(choices)
    if name == "weights":
        return "|".join((*NAMED_WEIGHTS, "FILE"))
    kinds = get_args(HINTS[name]) or (HINTS[name],)
    if int in kinds:
        return "N"
    if float in kinds:
        return "X"
    return "DIR" if name in ("data_dir", "images", "masks") else name.upper()


def _reader(name: str) -> Callable[[str], Any]:
    """Return the function that reads a flag's text as its field's type; ``none`` where it may be empty."""
    kinds = get_args(HINTS[name]) or (HINTS[name],)
    number = int if int in kinds else float if float in kinds else None

    def read(text: str) -> Any:
        if type(None) in kinds and text.lower() == "none":
            return None
        if number is None:
            return text
        try:
            return number(text)
        except ValueError:
            kind = "a whole number" if number is int else "a number"
            raise argparse.ArgumentTypeError(f"'{text}' is not {kind}") from None

    return read
