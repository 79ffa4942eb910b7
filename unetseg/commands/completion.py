"""``unetseg completion``: what a shell needs to complete verbs, flags and their values."""

import argparse
from collections.abc import Sequence
from importlib import import_module

from unetseg.commands import VERBS
from unetseg.commands.arguments import SHOW_PARSER, Parser, ParserShown
from unetseg.config_checks import check_choice

SHELLS = ("bash", "zsh", "tcsh")
# Values that are files or folders; all others are the user's to know.
_PATHS = {"DIR", "FILE", "FOLDER", "IMAGES", "RUN", "SRC", "PRESET", "STUDY"}


def run(argv: Sequence[str]) -> int:
    """Print the script of a shell."""
    parser = Parser(
        "completion",
        "completion SHELL",
        "Print what lets a shell complete verbs, flags and values:\n"
        "  bash: unetseg completion bash > ~/.local/share/bash-completion/completions/unetseg\n"
        "  zsh:  unetseg completion zsh > FOLDER/_unetseg, where $fpath has FOLDER",
    )
    parser.add_argument("shell", metavar="|".join(SHELLS))
    shell = parser.parse(argv).shell
    check_choice("SHELL", shell, SHELLS)
    import shtab

    print(shtab.complete(whole_parser(), shell=shell))
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """Return one parser with every verb, and every action of ``data``, as parsers below it."""
    from unetseg.commands.data import COMMANDS

    root = argparse.ArgumentParser("unetseg")
    verbs = root.add_subparsers()
    for verb in VERBS:
        if verb == "data":
            actions = verbs.add_parser(verb, help="the datasets").add_subparsers()
            for action in COMMANDS:
                _add(actions, action, verb, action)
        else:
            _add(verbs, verb, verb)
    return root


def _add(below: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, *words: str) -> None:
    """Add the parser of a command, with what its values can be."""
    try:
        import_module(f"unetseg.commands.{words[0]}").run([*words[1:], SHOW_PARSER])
    except ParserShown as shown:
        parser = shown.parser
    import shtab

    for action in parser._actions:
        values = (action.metavar if isinstance(action.metavar, str) else "").split("|")
        if _PATHS.intersection(values):
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif len(values) > 1:
            action.choices = values
    below.add_parser(name, parents=[parser], add_help=False, help=(parser.description or "").split("\n")[0])
