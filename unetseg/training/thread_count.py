"""The number of threads that a run began with, kept when it goes on: another number gives other bits."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from unetseg.runs import Run
from unetseg.utilities.processes import usable_cores
from unetseg.utilities.progress import Report


@contextmanager
def threads_of(run: Run, report: Report) -> Iterator[None]:
    """Compute within the block with as many threads as ``run`` began with, or say that bits differ.

    That number stands in the run's ``environment.json`` from its first step on. It is not taken over where
    the environment's ``OMP_NUM_THREADS`` asks for another, or this process may use fewer cores.

    Args:
        run: one that goes on; of a new one there is nothing to keep.
        report: is given one line where the numbers differ.
    """
    here = torch.get_num_threads()
    began = _began_with(run)
    if began in (None, here):
        yield
        return
    if "OMP_NUM_THREADS" in os.environ or began > usable_cores():
        report(
            f"threads   {here}, and {began} when this run began: its numbers will differ in their last bits "
            f"from those of an unbroken run (OMP_NUM_THREADS={began} keeps them, on as many cores)"
        )
        yield
        return
    report(f"threads   {began} as when this run began, not {here}: another number gives other bits")
    torch.set_num_threads(began)
    try:
        yield
    finally:
        torch.set_num_threads(here)


def _began_with(run: Run) -> int | None:
    """Return the threads of a run that one process trains on a CPU, as far as it tells."""
    try:
        told = json.loads(run.environment.read_text())
    except (OSError, ValueError):
        return None
    if not run.last.is_file() or told.get("device") != "cpu" or told.get("processes", 1) != 1:
        return None
    threads = told.get("threads")
    return threads if isinstance(threads, int) and threads > 0 else None
