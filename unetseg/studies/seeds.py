"""Which seeds a study trains, and after how many of them it looks: ``5``, ``3..10``, or a list."""

import re
from typing import Any

from unetseg.errors import UsageError
from unetseg.studies.analysis.looks import looks_between, require_rising


def read_seeds(value: Any, where: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the seeds, and the numbers of them after which the study looks.

    Args:
        value: how many (one look, at the end), two numbers such as ``3..10``, or a list of different seeds.
        where: the value comes from, for the error line: ``--seeds``.

    Raises:
        UsageError: if it is none of these.
    """
    if isinstance(value, str) and (ends := re.fullmatch(r"(\d+)\.\.(\d+)", value.replace(" ", ""))):
        looks = looks_between(int(ends[1]), int(ends[2]))
        return tuple(range(looks[-1])), looks
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    counted = isinstance(value, int) and not isinstance(value, bool)
    seeds = list(range(value)) if counted else value
    fine = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
    if not fine or not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(
            f"{where} {value}: give how many (at least 1), two rising numbers such as 3..10 for a study that "
            "looks between, or in a file a list of different numbers"
        )
    return tuple(seeds), (len(seeds),)


def read_looks(value: Any, seeds: tuple[int, ...], where: str) -> tuple[int, ...]:
    """Return the looks that a file lists; they end with the last of the seeds.

    Args:
        value: the list.
        seeds: of the study.
        where: the value comes from, for the error line.

    Raises:
        UsageError: if it is no list of rising numbers, or ends elsewhere.
    """
    fine = isinstance(value, list) and all(type(look) is int for look in value)
    if not fine:
        raise UsageError(f"{where} {value}: give a list of numbers of seeds, such as [3, 4, 5, 7, 10]")
    require_rising(value, where)
    if value[-1] != len(seeds):
        raise UsageError(
            f"{where}: the last is at {value[-1]} seeds, and there are {len(seeds)}; let them end there, or "
            "leave one of the two out"
        )
    return tuple(value)
