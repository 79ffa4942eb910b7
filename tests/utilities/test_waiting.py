"""Threads wait asleep where others use the cores, unless the user decides it."""

import os
import sys
import time
from collections.abc import Set

import pytest

from unetseg.models.hardware import Hardware
from unetseg.utilities import waiting

VARIABLES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY", "OMP_NUM_THREADS")


def stat(user: int = 0, nice: int = 0, idle: int = 0) -> str:
    """The kernel's table of four cores with these ticks each."""
    cores = [f"cpu{number} {user} {nice} 0 {idle} 0 0 0 0 0 0" for number in range(4)]
    return "\n".join([f"cpu {4 * user} {4 * nice} 0 {4 * idle} 0 0 0 0 0 0", *cores, "intr 5", ""])


@pytest.fixture
def look(monkeypatch, tmp_path):
    """Choose as if torch were not loaded, on four cores that spend ticks so while it is looked."""

    def choose(cores: Set[int] = frozenset(range(4)), niceness: int = 0, **ticks: int) -> str | None:
        table = tmp_path / "stat"
        table.write_text(stat(100, 100, 100))
        after = stat(**{name: 100 + ticks.get(name, 0) for name in ("user", "nice", "idle")})
        monkeypatch.setattr(waiting, "_STAT", str(table))
        monkeypatch.setattr(waiting, "_taken", [])
        monkeypatch.setattr(time, "sleep", lambda seconds: table.write_text(after))
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: cores)
        monkeypatch.setattr(os, "nice", lambda step: niceness)
        monkeypatch.delitem(sys.modules, "torch", raising=False)
        waiting.choose_waiting()
        return os.environ.get("OMP_WAIT_POLICY")

    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return choose


def test_on_a_quiet_machine_nothing_is_chosen(look):
    assert look(user=2, idle=18) is None
    assert waiting.waiting() == ""


def test_beside_other_programs_threads_sleep_and_the_log_says_so(look):
    assert look(user=15, idle=5) == "PASSIVE"
    assert "threads that wait asleep (others take 75% of the cores" in str(Hardware("cpu", "float32", True))


def test_programs_that_give_way_do_not_count_but_for_one_that_does_so_itself(look):
    assert look({0, 1, 2, 3}, niceness=0, nice=20) is None
    assert look({0, 1, 2, 3}, niceness=10, nice=20) == "PASSIVE"


@pytest.mark.parametrize("name", VARIABLES[:4])
def test_the_users_own_variables_decide(look, monkeypatch, name):
    monkeypatch.setenv(name, "ACTIVE")
    assert look(user=20) == ("ACTIVE" if name == "OMP_WAIT_POLICY" else None)


def test_a_single_thread_waits_for_none(look, monkeypatch):
    assert look({2}, user=20) is None
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert look(user=20) is None


def test_where_nobody_tells_nothing_is_chosen(look, monkeypatch):
    look()
    monkeypatch.setattr(waiting, "_STAT", "gone")
    waiting.choose_waiting()
    assert "OMP_WAIT_POLICY" not in os.environ
