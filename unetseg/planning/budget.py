"""Minutes in, epochs out: how much training fits into the time that there is. No torch."""

import re
from dataclasses import dataclass

from unetseg.errors import UsageError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_PART = r"(\d+(?:\.\d+)?)([hms])"
_LOOKING = 0.1  # share of the training's time that validation may take
_FEWEST_LOOKS = 10  # to choose the best epoch among


def parse_time(text: str) -> float:
    """Return the seconds of a time such as ``20m``, ``2h``, ``90s`` or ``1h30m``.

    Raises:
        UsageError: it is no such time, or none at all.
    """
    compact = "".join(text.split()).lower()
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, compact))
    if not re.fullmatch(f"(?:{_PART})+", compact) or not seconds > 0:
        raise UsageError(f"--time '{text}': give minutes or hours, such as 20m, 2h or 1h30m")
    if seconds > 366 * 24 * 3600:
        raise UsageError(f"--time '{text}': is more than a year")
    return seconds


@dataclass(frozen=True)
class Epochs:
    """What fits into a time.

    Attributes:
        epochs: a multiple of ``every``, so that the last one is validated.
        every: epochs from one validation to the next.
        seconds: that they take, with their validations.
    """

    epochs: int
    every: int
    seconds: float


def epochs_within(seconds: float, training: float, looking: float, every: int | None = None) -> Epochs:
    """Return the epochs that fit into a time; one where none does.

    Validation takes a tenth of it at most, unless that left fewer than ten looks to choose an epoch by.

    Args:
        seconds: for all of them.
        training: seconds of one epoch, without validation.
        looking: seconds of a validation.
        every: epochs from one validation to the next, where that is given.
    """
    if every is None:
        every = max(1, -int(-looking // (_LOOKING * training)))
        every = max(1, min(every, int(seconds / (training + looking) / _FEWEST_LOOKS)))
    cycle = every * training + looking
    cycles = max(1, int(seconds / cycle))
    return Epochs(cycles * every, every, cycles * cycle)
