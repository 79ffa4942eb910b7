"""The command line: from words to a verb, from an error to one plain line and an exit code."""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from threading import Lock

from unetseg.commands import VERBS
from unetseg.errors import SPEAKS_FLAGS, UnetsegError, UsageError, describe, did_you_mean, in_one_line
from unetseg.utilities.current_file import with_file
from unetseg.utilities.signals import Stopped, stop_on_signals
from unetseg.utilities.text import kind_of, more_like_it

HELP = """usage: unetseg VERB ...

Train U-Nets, write masks, and measure what each skip connection is worth.

  unetseg fit --skips on                train on the embedded dataset and test: about a minute, no download
  unetseg fit --data FOLDER             train on images/ and masks/ of your own
  unetseg fit --data FOLDER --time 20m  the same, planned from the images for about so long
  unetseg fit --resume RUN              go on with a run that was interrupted
  unetseg predict images/ -o masks/     write a mask for every image, with the newest run
  unetseg evaluate RUN                  score a run on its test split
  unetseg ablate long --seeds 5         what the long skips are worth: a study, resumable, with its report
  unetseg compare RUN RUN ...           the same analysis of runs that exist, or of folders of masks
  unetseg probe short                   gradient flow and cost of nets before training, arms overlaid
  unetseg lesion RUN                    what a trained net loses when each skip is switched off
  unetseg demo RUN                      a page here: a slider for each skip, and the mask of an image follows
  unetseg export RUN                    the trained net as one file, ONNX or safetensors
  unetseg runs                          list the runs here
  unetseg data list|get|check|import    the datasets
  unetseg completion bash|zsh|tcsh      lets the shell complete all of this

'unetseg VERB --help' shows the flags of a verb. --debug shows the traceback of an error.
"""


READER_LEFT = 128 + 13  # the shell's convention for SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after ``unetseg``; the process's own if not given.

    Returns:
        The exit code: 0 done, 1 failed, 2 wrong usage, 3 some inputs failed, 130 and 143 stopped.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    before = SPEAKS_FLAGS.set(True)
    try:
        with stop_on_signals(), warnings.catch_warnings(), _WarningLines() as lines:
            warnings.showwarning = lines.show
            code = _dispatch(words)
            sys.stdout.flush()
            return code
    except SystemExit as exit_:  # argparse, after printing help
        return int(exit_.code or 0)
    except (
        BrokenPipeError
    ):  # whoever read the output has left, as head does: what is still to be said goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    except (Stopped, Exception) as error:
        if "--debug" in words:
            traceback.print_exc()
        line = str(error) if isinstance(error, Stopped) else describe(error)
        if not isinstance(error, (UnetsegError, Stopped, MemoryError)):
            line += " (--debug shows where)"
        print(_printable(line if line.startswith("unetseg") else f"unetseg: {line}"), file=sys.stderr)
        return getattr(error, "exit_code", 1)
    finally:
        SPEAKS_FLAGS.reset(before)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"unetseg {version('unetseg')}")
        return 0
    if words[0] not in VERBS:
        raise UsageError(
            f"unetseg: no verb '{words[0]}'{did_you_mean(words[0], VERBS) or '; see unetseg --help'}"
        )
    code: int = import_module(f"unetseg.commands.{words[0]}").run(words[1:])
    return code


class _WarningLines:
    """Prints warnings as plain lines without their place in the source: the first of a kind, then a count."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, None]] = {}
        self._lock = Lock()  # files are read in several threads

    def show(self, message: Warning | str, *where: object, **more: object) -> None:
        line = _printable(with_file(" ".join(str(message).split())))
        with self._lock:
            alike = self._kinds.setdefault(kind_of(line), {})
            if not alike:
                print(f"warning: {line}", file=sys.stderr, flush=True)
            alike[line] = None

    def __enter__(self) -> "_WarningLines":
        return self

    def __exit__(self, *raised: object) -> None:
        for first, *more in map(list, self._kinds.values()):
            if more:
                print(f"warning: {first}\n{more_like_it(more)}", file=sys.stderr)


def _printable(text: str) -> str:
    """Return ``text`` as one line, with the bytes of file names that are no UTF-8 written out."""
    return in_one_line(text).encode("utf-8", "backslashreplace").decode()


def entry() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(main())
