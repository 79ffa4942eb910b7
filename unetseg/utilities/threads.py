"""Work done ahead of its consumer, within bounds."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
_CHUNK = 8


@contextmanager
def ahead(source: Iterable[T], items: int = 1) -> Iterator[Iterator[T]]:
    """Run through ``source`` in a thread of its own, up to ``items`` ahead of who takes them.

    Yields:
        An iterator over the same items in the same order; what ``source`` raises is raised there. When the
        block ends, however it ends, the thread has ended too.
    """
    ready: queue.Queue[tuple[bool, T | BaseException | None]] = queue.Queue(items)
    stopped = threading.Event()

    def put(entry: tuple[bool, T | BaseException | None]) -> None:
        while not stopped.is_set():
            try:
                return ready.put(entry, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in source:
                put((True, item))
                if stopped.is_set():
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    def take() -> Iterator[T]:
        while True:
            more, entry = ready.get()
            if more:
                yield entry  # type: ignore[misc]
            elif isinstance(entry, BaseException):
                raise entry
            else:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stopped.set()
        thread.join()


def by_threads(function: Callable[[T], R], items: Sequence[T], workers: int) -> Iterator[R]:
    """Yield ``function(item)`` of each item in order, computed by threads a few at a time.

    It differs from ``Executor.map`` in costing little where the function does.
    """
    chunks = [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for results in pool.map(lambda chunk: [function(item) for item in chunk], chunks):
            yield from results


def in_order(pool: Executor, function: Callable[[T], R], source: Iterable[T], items: int) -> Iterator[R]:
    """Yield ``function(item)`` of each item in order, computed by ``pool`` up to ``items`` ahead.

    ``source`` is run through by whoever takes the results. It differs from ``Executor.map`` in taking no
    more of ``source`` than it may.
    """
    pending: deque[Future[R]] = deque()
    for item in source:
        pending.append(pool.submit(function, item))
        if len(pending) > items:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
