"""One writer at a time in a folder, and none for ever."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities import locks
from unetseg.utilities.locks import LOCK, one_writer, one_writer_of

HOLDER = """
import os, sys, time
from unetseg.utilities.locks import one_writer
with one_writer(sys.argv[1]):
    if sys.argv[2] == "alone" or os.fork() == 0:
        print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the lock of ``tmp_path``, and perhaps has a child of its own."""
    started = []

    def start(kind="alone"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path), kind],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_a_second_writer_is_told_and_the_first_leaves_nothing_behind(tmp_path):
    with one_writer(tmp_path):
        assert os.listdir(tmp_path) == [LOCK]
        with (
            pytest.raises(UnetsegError, match="another process is writing there; wait"),
            one_writer(tmp_path),
        ):
            pass
        assert os.listdir(tmp_path) == [LOCK]
    assert os.listdir(tmp_path) == []
    with one_writer(tmp_path):
        pass


def test_a_second_process_is_told(tmp_path, holder):
    holder()
    with pytest.raises(UnetsegError, match="another process is writing there"), one_writer(tmp_path):
        pass


@pytest.mark.parametrize("kind", ["alone", "forks"])
def test_a_lock_dies_with_its_process_even_where_children_of_that_live_on(tmp_path, holder, kind):
    process = holder(kind)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / LOCK).exists()
    with one_writer(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_of_many_writers_one_at_a_time_is_at_work(tmp_path):
    inside, most, refused = 0, 0, 0
    guard = threading.Lock()

    def work():
        nonlocal inside, most, refused
        for _ in range(30):
            try:
                with one_writer(tmp_path):
                    with guard:
                        inside += 1
                        most = max(most, inside)
                    time.sleep(0.0005)
                    with guard:
                        inside -= 1
            except UnetsegError:
                refused += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1 and os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_a_warning_says_so_and_the_work_is_done(tmp_path, monkeypatch, number):
    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locks.fcntl, "flock", flock)
    with pytest.warns(UserWarning, match="no lock can be had there"), one_writer(tmp_path):
        (tmp_path / "done").touch()
    assert os.listdir(tmp_path) == ["done"]


def test_a_folder_that_has_gone_meanwhile_is_no_second_error(tmp_path):
    with one_writer(tmp_path):
        (tmp_path / LOCK).unlink()
        tmp_path.rmdir()
    tmp_path.mkdir()


def test_a_folder_made_for_nothing_goes_and_one_that_was_there_stays(tmp_path):
    with one_writer(tmp_path / "a/new"):
        assert (tmp_path / "a/new").is_dir()
    assert os.listdir(tmp_path / "a") == []
    with one_writer(tmp_path / "a"):
        pass
    with one_writer(tmp_path / "b"):
        (tmp_path / "b/kept").touch()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_outputs_that_are_there_or_being_written_are_not_written_over(tmp_path):
    with one_writer_of(("a.csv",), tmp_path / "out"):
        with pytest.raises(UnetsegError, match="another process"), one_writer_of(("b",), tmp_path / "out"):
            pass
        (tmp_path / "out/a.csv").write_text("")
    with pytest.raises(UsageError, match=r"a\.csv"), one_writer_of(("a.csv",), tmp_path / "out"):
        pass
    with one_writer_of(("a.csv",), None):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.csv", "out"]


def test_a_writer_that_fails_leaves_none_of_its_outputs_and_no_folder_that_it_made(tmp_path):
    with pytest.raises(OSError, match="full"), one_writer_of(("a.csv", "a.png"), tmp_path / "out"):
        (tmp_path / "out/a.csv").write_text("half of a result")
        raise OSError("the disk is full")
    assert list(tmp_path.iterdir()) == []
