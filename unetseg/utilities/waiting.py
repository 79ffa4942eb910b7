"""How the threads of PyTorch wait for one another: chosen once, before it is loaded."""

import os
import sys
import time

from unetseg.utilities.processes import usable_cores

# Variables by which a user decides it himself: OpenMP's own, GNU's, and those of LLVM and Intel.
_DECIDED = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
_STAT = "/proc/stat"
_LOOK = 0.2  # seconds of looking: twenty of the kernel's ticks a core
_BUSY = 0.25  # share of the cores that others take, from which on threads sleep

_taken: list[float] = []  # that share, where it was why the threads sleep


def choose_waiting() -> None:
    """Let PyTorch's threads wait asleep if other programs use the cores now; call it before torch is loaded.

    They wait actively otherwise, which is a fifth to a third faster on a quiet machine; on a busy one a core
    spins for a thread that does not get the other core. How they wait leaves every bit of a result alone, so
    it may depend on the load; their number does not, so it may not.

    Looked at is which share of the cores that this process may use does the work of programs that have not
    been told to give way (``nice``). Only Linux tells; elsewhere, where the user's own variables decide, and
    with a single thread nothing is chosen.
    """
    if "torch" in sys.modules or any(name in os.environ for name in _DECIDED):
        return
    if usable_cores() == 1 or os.environ.get("OMP_NUM_THREADS") == "1":
        return
    try:
        share = _share_taken()
    except (OSError, ValueError):
        return
    if share > _BUSY:
        _taken[:] = [share]
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"


def waiting() -> str:
    """Return how threads wait, as words to follow "2 threads"; empty where nothing was chosen here."""
    if not _taken:
        return ""
    return f" that wait asleep (others take {_taken[0]:.0%} of the cores; OMP_WAIT_POLICY=ACTIVE overrules)"


def _share_taken() -> float:
    """Return the share of the usable cores' time, 0 to 1, that went to others while this process slept."""
    busy, total = _ticks()
    time.sleep(_LOOK)
    busy_then, total_then = _ticks()
    return (busy_then - busy) / max(1, total_then - total)


def _ticks() -> tuple[int, int]:
    """Return ticks in which the usable cores worked, and all their ticks, since the machine started."""
    busy = total = 0
    with open(_STAT) as lines:  # there is none but on Linux, which has all that follows
        cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        for line in lines:
            name, *values = line.split()
            if name in cores:
                user, nice, system, idle, waits, interrupts, soft = map(int, values[:7])
                counted = nice if os.nice(0) > 0 else 0  # this process gives way, too
                busy += user + counted + system + interrupts + soft
                total += user + nice + system + idle + waits + interrupts + soft
    return busy, total
