"""The other processes of a distributed training: started, watched and ended by the first.

Lightning would run the whole command again in each of them and kill the first without a word when one
dies. Here each is a fresh interpreter that calls the same function with the same arguments.
"""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import lightning.pytorch as pl
import torch.distributed
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher

from unetseg.errors import UnetsegError, one_line
from unetseg.utilities.signals import follow_parent

GRACE = 15.0  # seconds in which a process that lost its partner finds out by itself


@dataclass(frozen=True)
class Partner:
    """One of the other processes and the line it sends when it fails."""

    rank: int
    process: BaseProcess
    messages: Connection

    def failure(self) -> str | None:
        """Return why it has ended, or None while it runs or when it came to its end."""
        if not self.process.exitcode:
            return None
        try:
            reason = self.messages.recv() if self.messages.poll() else ""
        except (EOFError, OSError):
            reason = ""
        return reason or f"it ended with exit code {self.process.exitcode}"


@contextmanager
def partners(trainer: pl.Trainer, target: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Run ``target(*arguments)`` in as many further processes as the Trainer's strategy needs.

    The processes share out the processor's cores, unless OMP_NUM_THREADS says how many each takes.

    Args:
        trainer: of the first process, just built.
        target: an importable function that builds the same Trainer and trains.
        *arguments: can be pickled.

    Raises:
        UnetsegError: if one of the processes fails while the block runs; the others are ended.
    """
    ours = isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher)
    if not ours or "LOCAL_RANK" in os.environ:  # a single process, or one of those started here
        yield
        return
    environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
    size = trainer.strategy.num_processes  # type: ignore[attr-defined]
    settings = {
        "MASTER_ADDR": environment.main_address,
        "MASTER_PORT": str(environment.main_port),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(size),
    }
    done = threading.Event()
    started: list[Partner] = []
    threads = torch.get_num_threads()
    share = threads if "OMP_NUM_THREADS" in os.environ else max(1, threads // size)
    try:
        torch.set_num_threads(share)
        for rank in range(1, size):
            started.append(_start(rank, settings, share, target, arguments))
        threading.Thread(target=_watch, args=(started, done), daemon=True).start()
        with _environment({**settings, "LOCAL_RANK": "0"}):
            yield
        for partner in started:
            partner.process.join(GRACE)
    except UnetsegError:
        raise
    except Exception as error:  # the library's own words for a partner that is gone
        wait([partner.process.sentinel for partner in started], timeout=GRACE / 3)
        lost = _describe_failure(started)
        if lost is None:
            raise
        raise UnetsegError(lost) from error
    finally:
        done.set()
        torch.set_num_threads(threads)
        for partner in started:
            partner.process.kill()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _start(
    rank: int,
    settings: Mapping[str, str],
    threads: int,
    target: Callable[..., None],
    arguments: tuple[Any, ...],
) -> Partner:
    context = multiprocessing.get_context("spawn")  # a fork would share the threads' locks
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_take_part, args=(threads, target, arguments, sender), name=f"unetseg-{rank}"
    )
    with _environment({**settings, "LOCAL_RANK": str(rank)}):
        process.start()
    sender.close()
    return Partner(rank, process, receiver)


def _take_part(
    threads: int, target: Callable[..., None], arguments: tuple[Any, ...], messages: Connection
) -> None:
    """Run in a further process: train, and send one line if that fails."""
    torch.set_num_threads(threads)
    follow_parent()
    try:
        target(*arguments)
    except Exception as error:
        with suppress(OSError):  # nobody may be listening any more
            messages.send(one_line(error))
        sys.exit(1)


def _watch(started: list[Partner], done: threading.Event) -> None:
    """End the first process if a partner dies and the library goes on waiting for it.

    An ended process is asked for its exit code only when the main thread has had its time to do so: of two
    threads that ask at once, one is told that there is no such process.
    """
    running: dict[Any, Partner] = {partner.process.sentinel: partner for partner in started}
    while running and not done.is_set():
        for sentinel in wait(list(running), timeout=1):
            partner = running.pop(sentinel)
            if done.wait(GRACE):
                return
            lost = _describe_failure([partner])
            if lost is not None:
                print(f"unetseg: {lost}", file=sys.stderr, flush=True)
                os._exit(1)


def _describe_failure(started: list[Partner]) -> str | None:
    for partner in started:
        reason = partner.failure()
        if reason:
            return (
                f"process {partner.rank + 1} of {len(started) + 1} failed: {reason}; the last whole epoch is "
                "kept: continue with --resume"
            )
    return None


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
