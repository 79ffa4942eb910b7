"""One function over many jobs, in this process or in several: order, laziness, and how the processes end."""

import operator
import os
import signal
import subprocess
import sys
import time
from functools import partial
from types import ModuleType

import pytest

from unetseg.errors import UnetsegError
from unetseg.utilities import processes as workers
from unetseg.utilities.processes import run_jobs


@pytest.mark.parametrize("processes", [None, 1, 2])
def test_results_keep_the_order_of_the_jobs(processes):
    jobs = [-3, 2, -1, 0, -7, 5, 4]
    assert list(run_jobs(abs, jobs, len(jobs), processes)) == [3, 2, 1, 0, 7, 5, 4]


def test_no_jobs_have_no_results():
    assert list(run_jobs(abs, [], 0, workers=2)) == []


def test_jobs_are_drawn_only_a_few_ahead_of_the_results():
    drawn = []

    def jobs():
        for number in range(50):
            drawn.append(number)
            yield number

    results = run_jobs(abs, jobs(), 50, workers=2)
    assert next(results) == 0
    assert len(drawn) < 8
    results.close()


def test_processes_start_once_the_first_jobs_show_that_they_pay(monkeypatch):
    monkeypatch.setattr(workers, "_WORTH_SECONDS", 0)
    monkeypatch.setattr(workers, "usable_cores", lambda: 2)
    slow = partial(time.sleep, 1.01)
    _, first, second = run_jobs(operator.call, [slow, os.getpid, os.getpid], 3)
    assert os.getpid() not in (first, second)


def test_an_error_in_a_process_arrives_here():
    with pytest.raises(TypeError, match="bad operand"):
        list(run_jobs(abs, [1, "x", 2], 3, workers=2))


def test_a_killed_process_is_one_plain_line():
    with pytest.raises(UnetsegError, match="a scoring process was killed"):
        list(run_jobs(os._exit, [1, 1], 2, workers=2))


def test_a_script_without_a_main_guard_does_not_run_again_in_each_process(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("open(__file__ + '.ran', 'w')")
    main = ModuleType("__main__")
    main.__file__ = str(script)
    monkeypatch.setitem(sys.modules, "__main__", main)
    assert list(run_jobs(abs, [-1, -2], 2, workers=2)) == [1, 2]
    assert sys.modules["__main__"] is main
    assert [file.name for file in tmp_path.iterdir()] == ["script.py"]


def test_processes_end_when_the_one_that_started_them_is_killed():
    script = """
import operator, os, time
from functools import partial
from unetseg.utilities.processes import run_jobs
jobs = [os.getpid, os.getpid, *[partial(time.sleep, 60)] * 8]
for result in run_jobs(operator.call, jobs, len(jobs), workers=2):
    print(result, flush=True)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert int(parent.stdout.readline()) != parent.pid
    parent.send_signal(signal.SIGKILL)
    # The processes hold the same pipe: it ends with the last of them.
    parent.communicate(timeout=30)
