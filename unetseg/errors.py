"""The errors that a user can act on, and the nearest valid word for a wrong one."""

import difflib
from collections.abc import Iterable


class UnetsegError(Exception):
    """A problem the user can act on.

    The message is one plain line: what is wrong, where, and what to do. The command line prints it
    without a traceback and exits with ``exit_code``.
    """

    exit_code = 1


class UsageError(UnetsegError):
    """A wrong flag, value or combination of them: nothing was started."""

    exit_code = 2


def describe(error: BaseException) -> str:
    """Return one plain line for any error: a UnetsegError's own words, or what it was."""
    if isinstance(error, UnetsegError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller --batch-size or --size"
    reason = " ".join(str(error).split())
    return f"unexpected {type(error).__name__}: {reason}"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the choice nearest to ``word``, or an empty string."""
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def one_line(error: Exception) -> str:
    """Return an error's text as one line of at most 160 characters."""
    text = " ".join(str(error).split())
    return text[:160] + ("…" if len(text) > 160 else "") or type(error).__name__
