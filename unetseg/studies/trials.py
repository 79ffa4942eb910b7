"""The runs of a study trained, one after the other or side by side, with one display of how far all are."""

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from unetseg.studies.attempt import attempt
from unetseg.studies.plan import Trial
from unetseg.studies.workers import train_side_by_side
from unetseg.utilities.progress import Report, duration, print_line, show_progress
from unetseg.utilities.signals import Stopped


def train_trials(trials: Sequence[Trial], workers: int = 1, report: Report = print_line) -> dict[Path, str]:
    """Train, test and measure every run that is not done yet; one that fails does not keep the others.

    Args:
        trials: of a plan, each run once.
        workers: how many at a time, each in a process of its own if more than one.
        report: is given a line a run.

    Returns:
        By the run's folder, why it failed, in one line.

    Raises:
        Stopped: by Ctrl-C or SIGTERM; every whole epoch is kept.
    """
    todo = [trial for trial in trials if not trial.done]
    if len(todo) < len(trials):
        report(f"{len(trials) - len(todo)} of {len(trials)} runs are there already")
    if not todo:
        return {}
    display = Display(todo, report)
    try:
        if workers > 1:
            train_side_by_side(todo, min(workers, len(todo)), display.look, display.end)
        else:
            for trial in todo:
                reason = attempt(trial.config, trial.run, partial(display.look, trial))
                display.end(trial, reason)
    except Stopped as stopped:
        done = len(trials) - len(todo) + display.ended
        reason = str(stopped).partition(";")[0]
        stopped.args = (
            f"{reason}; {done} of {len(trials)} runs are done and every whole epoch of the others is kept: "
            "the same command goes on",
        )
        raise
    return display.failures


class Display:
    """Says which run has ended and how long the rest will take.

    Args:
        todo: the runs that are to be trained.
        report: is given a line a run.
    """

    def __init__(self, todo: Sequence[Trial], report: Report) -> None:
        self.todo = todo
        self.report = report
        self.failures: dict[Path, str] = {}
        self.ended = 0
        self.started = time.perf_counter()
        self.left = {trial.run.path: trial.config.epochs - len(trial.run.epochs()) for trial in todo}
        self.total = sum(self.left.values())
        self.bar = show_progress(f"{len(todo)} runs, epochs", every=sys.maxsize)

    def look(self, trial: Trial, line: str = "") -> None:
        """Look how far a run is: called with every line of its log, which is not shown."""
        self.left[trial.run.path] = trial.config.epochs - len(trial.run.epochs())
        if self.done:
            self.bar(self.done, self.total)

    def end(self, trial: Trial, reason: str | None) -> None:
        """Report that a run has ended, or failed and why."""
        self.ended += 1
        self.left[trial.run.path] = 0
        what = trial.run.path.name
        if reason is not None:
            self.failures[trial.run.path] = reason
            line = f"{what}: failed: {reason}"
        else:
            line = f"{what}: test IoU {trial.run.test_iou:.3f}"
        left = (time.perf_counter() - self.started) * (self.total / max(1, self.done) - 1)
        rest = f", about {duration(left)} left" if self.done and left >= 1 else ""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)  # the bar would stay behind the line
        self.report(f"{line} ({self.ended} of {len(self.todo)}{rest})")

    @property
    def done(self) -> int:
        """Epochs that were trained, or are no longer to be."""
        return self.total - sum(self.left.values())
