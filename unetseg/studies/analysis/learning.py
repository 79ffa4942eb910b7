"""Which nets learned nothing, so that what is compared with them says nothing."""

from collections.abc import Sequence

import numpy as np

from unetseg.studies.analysis.results import RunResult
from unetseg.studies.analysis.score_matrix import RunScores

# A loss that has not fallen by a tenth since the first epoch is at its start's level.
_FALLEN = 0.9
# What chance adds to the overlap of a mask that has nothing to do with the image.
_CHANCE = 0.02


def learned_nothing(run: RunResult, scores: RunScores) -> str:
    """Say of a net that it learned nothing, in a few words; nothing of any other.

    Its training loss is at its start's level (nine tenths of the first epoch's or more, both in training and
    of whole images afterwards), and in every class its overlap is that of a mask of everything, which is the
    class's share of the image. An image counts as ``diagonal² / 2`` pixels; that is exact for squares.

    Args:
        run: with its epochs; without any nothing is known.
        scores: of the same run.
    """
    losses = [epoch["train_loss"] for epoch in run.epochs if np.isfinite(epoch.get("train_loss", np.nan))]
    if not losses:
        return ""
    whole = [row["train_loss"] for row in scores.training if np.isfinite(row["train_loss"])]
    reached = min(losses[-1], float(np.mean(whole)) if whole else losses[-1])
    if reached < _FALLEN * losses[0] or any(_overlaps(scores, name) for name in scores.classes):
        return ""
    return f"training loss {reached:.2f}, {losses[0]:.2f} in its first epoch, and masks as good as none"


def untrained(name: str, runs: Sequence[RunResult], scores: Sequence[RunScores]) -> str:
    """Say of an arm that half of its nets or more learned nothing; nothing of any other."""
    failed = sum(bool(learned_nothing(run, scored)) for run, scored in zip(runs, scores, strict=True))
    if 2 * failed < len(runs) or not failed:
        return ""
    return f"{name} learned nothing in {failed} of {len(runs)} runs"


def _overlaps(scores: RunScores, name: str) -> bool:
    """Return whether a class is found better than by a mask of everything."""
    rows = [row for row in scores.table[name].values() if row["tp"] + row["fn"]]
    if not rows:
        return False
    found = np.mean([row["tp"] / (row["tp"] + row["fp"] + row["fn"]) for row in rows])
    share = np.mean([(row["tp"] + row["fn"]) / (row["diagonal"] ** 2 / 2) for row in rows])
    return bool(found > share + _CHANCE)
