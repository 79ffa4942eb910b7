"""One function over many jobs: here while that is quick, else in one process a core."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from types import ModuleType
from typing import TypeVar

from unetseg.errors import UnetsegError
from unetseg.utilities.signals import follow_parent

Job = TypeVar("Job")
Result = TypeVar("Result")

# Processes take a second or two to start; they pay where more work than this is left.
_WORTH_SECONDS = 5.0


def run_jobs(
    function: Callable[[Job], Result], jobs: Iterable[Job], total: int, workers: int | None = None
) -> Iterator[Result]:
    """Yield ``function(job)`` for each job, in order; the results are the same for any number of workers.

    Args:
        function: of an importable module without torch, or a ``partial`` of one.
        jobs: drawn only a few ahead of the results, so that they need not all fit into memory.
        total: how many jobs there are.
        workers: processes; 1 for none. If None, as many as the process may use cores, once the pace of the
            first jobs shows that they pay.

    Raises:
        UnetsegError: if a process was killed.
    """
    jobs = iter(jobs)
    if workers is None:
        workers = usable_cores()
        yield from _while_quick(function, jobs, total, workers)
    if workers == 1:
        yield from map(function, jobs)
    else:
        yield from _in_processes(function, jobs, workers)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _while_quick(
    function: Callable[[Job], Result], jobs: Iterator[Job], total: int, workers: int
) -> Iterator[Result]:
    spent = 0.0
    for done, job in enumerate(jobs, start=1):
        started = time.perf_counter()
        result = function(job)
        spent += time.perf_counter() - started
        yield result
        if workers > 1 and spent > 1 and spent / done * (total - done) > _WORTH_SECONDS:
            return


def _in_processes(function: Callable[[Job], Result], jobs: Iterator[Job], workers: int) -> Iterator[Result]:
    first = next(jobs, None)
    if first is None:
        return
    # Forking a process that runs threads (torch's, OpenCV's) can hang; so each starts afresh.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
    try:
        with no_main_module():
            waiting: deque[Future[Result]] = deque([pool.submit(function, first)])
        for job in jobs:
            with no_main_module():
                waiting.append(pool.submit(function, job))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise UnetsegError(
            "a scoring process was killed, perhaps for want of memory; free some, or score fewer images"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def no_main_module() -> Iterator[None]:
    """Hide the main module from processes that start within the block.

    They would import it, and a script that calls unetseg without ``if __name__ == "__main__"`` would run once
    more in each of them. The functions that they are given lie elsewhere.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker() -> None:
    import cv2

    follow_parent()
    cv2.setNumThreads(1)  # one process a core already
