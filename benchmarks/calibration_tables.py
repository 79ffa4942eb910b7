"""Tables in Markdown, and the aims that their cells are held against, for ``statistics_calibration.py``."""

import numpy as np
from calibration_judging import Bools, Judged

from unetseg.studies.analysis.cautions import LEAST_FOR_EQUIVALENCE
from unetseg.studies.analysis.looks import ALPHA
from unetseg.studies.analysis.statistics import two_sided_p


class Tables:
    """Prints tables in Markdown, and counts the aims that are missed."""

    def __init__(self, studies: int) -> None:
        self.studies = studies
        self.missed = 0
        self.cells = 0

    def head(self, title: str, *columns: str) -> None:
        """Print a title and the head of a table."""
        print(f"\n**{title}**\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}", flush=True)

    def row(self, *cells: object) -> None:
        """Print a row."""
        print(f"| {' | '.join(map(str, cells))} |", flush=True)

    def rate(self, found: Bools | float, most: float = 1.0, least: float = 0.0) -> str:
        """Return a share as a cell, marked where an aim is missed by more than chance allows."""
        share = float(np.mean(found))
        error = 2 * np.sqrt(share * (1 - share) / self.studies)
        missed = bool(share - error > most > 0 or share > most == 0 or share + error < least)
        self.missed += missed
        self.cells += 1
        return f"{share:.3f}{' **missed**' * missed}".replace("0.", ".", 1)


def aim(seeds: int) -> float:
    """Return the highest family-wise error that is aimed at."""
    return 0.08 if seeds < 5 else 0.06


COLUMNS = ("family-wise", "× α / K", "held", "held, half", "false =", "all =", "true =")


def rates(tables: Tables, judged: Judged, seeds: int, most: float | None = None) -> list[str]:
    """Return the cells of ``COLUMNS`` for studies of three seeds and more."""
    comparison = judged.comparison
    arms = comparison.mean.shape[1]
    deviation = comparison.mean.std(axis=0)
    alone = (two_sided_p(comparison)[:, -1] < ALPHA / arms).mean() / (ALPHA / arms)
    half = 3 * deviation * (np.arange(arms) % 2)
    margin = 4 * float(np.median(deviation))
    first = margin * (np.arange(arms) == 0)
    cells = [
        tables.rate(judged.different().any(axis=1), most or aim(seeds)),
        f"{alone:.1f}",
        tables.rate(judged.held(), least=0.91 if most else 0.93),
        tables.rate(judged.held(half), least=0.91 if most else 0.93),
    ]
    if seeds < LEAST_FOR_EQUIVALENCE:
        return [*cells, "–", "–", "–"]
    return [
        *cells,
        tables.rate(judged.equivalent(margin, first)[:, 0], most or 0.06),
        tables.rate(judged.equivalent(margin, first, all_arms=True).all(axis=1), most or 0.06),
        tables.rate(judged.equivalent(margin)[:, -1]),
    ]
