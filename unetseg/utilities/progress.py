"""Progress: a log line by line; a bar on a terminal, one line per hundred elsewhere."""

import sys
import time
from collections.abc import Callable

Report = Callable[[str], None]  # is given a log, line by line


def print_line(line: str) -> None:
    """Print a line of a log at once: a file or a pipe shows how far the work is, too."""
    print(line, flush=True)


def say_nothing(line: str) -> None:
    """Leave a line of a log out."""


def show_progress(what: str, every: int = 100) -> Callable[[int, int], None]:
    """Return a function that is told (done, total) and shows it on standard error.

    Nothing is shown in the first two seconds.

    Args:
        what: is being done, such as ``"predicting"``.
        every: on anything but a terminal, one line per this many.
    """
    started = time.perf_counter()
    stream = sys.stderr  # as it is now: it may be redirected while the work is done
    terminal = stream.isatty()

    def show(done: int, total: int) -> None:
        seconds = time.perf_counter() - started
        if terminal:
            if seconds > 2:
                filled = 30 * done // max(1, total)
                left = seconds / max(1, done) * (total - done)
                bar = "#" * filled + " " * (30 - filled)
                line = f"\r{what} [{bar}] {done}/{total}, {duration(left)} left  "
                stream.write(line if done < total else "\r" + " " * len(line) + "\r")
                stream.flush()
        elif seconds > 2 and done % every == 0 and done < total:
            print(f"{what}: {done}/{total}, {seconds:.0f} s", file=stream, flush=True)

    return show


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: ``48 s``, ``12 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
