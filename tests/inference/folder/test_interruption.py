"""Signals and kills, in processes of their own: only whole files stay, and ``--continue`` does the rest."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

COUNT = 30


@pytest.fixture
def many(images, picture) -> Path:
    """Images of two sizes, for which the network takes about a second and a half."""
    for index in range(COUNT):
        Image.fromarray(picture(120, 150 + 40 * (index % 2), index)).save(images / f"{index:03}.png")
    return images


@pytest.fixture
def stopped_by(started) -> Callable[..., tuple[int, str]]:
    """Start ``unetseg predict``, send a signal when some masks are there; return exit code and errors."""

    def stop(number: int, run, *flags: str, after: int = 5) -> tuple[int, str]:
        words = ["predict", "images", "-o", "masks", "--run", str(run.path), *flags]
        process = started(*words, errors="errors.txt")
        while process.is_alive() and len(visible()) < after:
            time.sleep(0.005)
        os.kill(process.pid, number)
        process.join()
        return process.exitcode, Path("errors.txt").read_text().strip()

    return stop


def visible() -> list[Path]:
    return [path for path in Path("masks").glob("*") if not path.name.startswith(".")]


def assert_whole() -> int:
    """Hold that every visible mask can be read to its end; return how many there are."""
    masks = [path for path in visible() if path.suffix == ".png"]
    for path in masks:
        Image.open(path).load()
    return len(masks)


@pytest.fixture
def slow_run(make_run):
    return make_run(stages=3, width=32)


def test_ctrl_c_and_sigterm_keep_whole_masks_and_say_how_to_go_on(stopped_by, predict, many, slow_run, table):
    code, errors = stopped_by(signal.SIGINT, slow_run)
    done = assert_whole()
    assert code == 130 and 5 <= done < COUNT
    assert errors == (
        f"unetseg: stopped by SIGINT; {done} of {COUNT} masks are in masks, whole; "
        "go on with the same command and --continue"
    )
    assert len(table()) == done  # the table is written on the way out
    code, errors = stopped_by(signal.SIGTERM, slow_run, "--continue", after=done + 6)
    assert code == 143 and "stopped by SIGTERM" in errors
    assert done + 5 <= assert_whole() < COUNT
    assert not [name for name in os.listdir("masks") if name.startswith(".")]


def test_after_a_kill_continue_ends_where_an_unbroken_run_does(
    stopped_by, predict, many, slow_run, files, table
):
    code, _ = stopped_by(signal.SIGKILL, slow_run)
    assert code == -signal.SIGKILL and 0 < assert_whole() < COUNT
    assert predict("--continue", runs=(slow_run,)).code == 0
    assert predict(runs=(slow_run,), out="unbroken").code == 0
    continued, unbroken = files("masks"), files("unbroken")
    del continued["predictions.csv"], unbroken["predictions.csv"]  # which hold seconds
    assert continued == unbroken

    def rows(folder: str) -> list[dict[str, str]]:
        return [{**row, "seconds": ""} for row in table(folder).values()]

    assert rows("masks") == rows("unbroken")
