"""Runs trained side by side: processes that each take one run after the other, on a GPU each if there are."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from unetseg.utilities.processes import no_main_module, usable_cores
from unetseg.utilities.signals import follow_parent

if TYPE_CHECKING:  # it imports torch, which must not happen before a process knows its threads
    from unetseg.studies.plan import Trial


@dataclass
class Worker:
    """One of the processes, what it is to find in its environment, and the run that it has in hand."""

    process: BaseProcess
    connection: Connection
    environment: dict[str, str]
    trial: "Trial"


def train_side_by_side(
    trials: Sequence["Trial"],
    workers: int,
    look: Callable[["Trial"], None],
    end: Callable[["Trial", str | None], None],
) -> None:
    """Train runs in several processes; one that is killed costs its run only.

    Args:
        trials: to train.
        workers: processes, at least one and no more than trials.
        look: is called whenever a run says anything.
        end: is called with each run when it ends, and with the reason if it failed.
    """
    waiting = deque(trials)
    environments = worker_environments(workers)
    busy = [_start(environment, waiting.popleft()) for environment in environments]
    try:
        while busy:
            ready = wait([worker.connection for worker in busy])
            for worker in [worker for worker in busy if worker.connection in ready]:
                try:
                    ended, reason = worker.connection.recv()
                except (EOFError, OSError):
                    ended, reason = True, _end_of(worker.process)
                if not ended:
                    look(worker.trial)
                    continue
                end(worker.trial, reason)
                busy.remove(worker)
                if waiting:
                    busy.append(_next(worker, waiting.popleft()))
                else:
                    _stop(worker)
    finally:
        for worker in busy:
            _stop(worker)


def worker_environments(workers: int) -> list[dict[str, str]]:
    """Return what each process is to find in its environment: its share of the cores, its GPU."""
    import torch

    threads = str(max(1, usable_cores() // workers))
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = named.split(",")[:count] if named else [str(index) for index in range(count)]
    gpus = [{"CUDA_VISIBLE_DEVICES": devices[i % count]} if count > 1 else {} for i in range(workers)]
    return [{"OMP_NUM_THREADS": threads} | gpu for gpu in gpus]


def _next(worker: Worker, trial: "Trial") -> Worker:
    """Give a process its next run; one that has died is replaced."""
    if not worker.process.is_alive():
        return _start(worker.environment, trial)
    worker.connection.send(trial)
    worker.trial = trial
    return worker


def _start(environment: dict[str, str], trial: "Trial") -> Worker:
    context = multiprocessing.get_context("spawn")  # a fork would share torch's threads and locks
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, environment))
    with no_main_module():
        process.start()
    theirs.close()
    ours.send(trial)
    return Worker(process, ours, environment, trial)


def _end_of(process: BaseProcess) -> str:
    process.join()
    code = process.exitcode or 0
    if code < 0:
        return f"its process was killed ({signal.Signals(-code).name}), perhaps for want of memory"
    return f"its process ended with exit code {code}"


def _stop(worker: Worker) -> None:
    """End a process; what it was training goes on from its last whole epoch another time."""
    worker.process.kill()
    worker.process.join()
    worker.connection.close()


def _serve(connection: Connection, environment: dict[str, str]) -> None:
    """Train whatever is sent, in a process of its own, and send (False, None) for each line of its log."""
    follow_parent()
    os.environ.update(environment)  # before torch, which reads it once and comes with the first trial
    while True:
        trial: Trial = connection.recv()
        from unetseg.studies.attempt import attempt

        reason = attempt(trial.config, trial.run, lambda line: connection.send((False, None)))
        connection.send((True, reason))
