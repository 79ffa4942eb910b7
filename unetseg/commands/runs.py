"""``unetseg runs``: what was trained here."""

import math
import time
from collections.abc import Sequence

from unetseg.commands.arguments import Parser
from unetseg.runs import Run, list_runs
from unetseg.utilities.text import align


def run(argv: Sequence[str]) -> int:
    """List runs."""
    Parser("runs", "runs", "List the runs under checkpoints/, newest last.").parse(argv)
    print(run_table(list_runs()))
    return 0


def run_table(runs: Sequence[Run]) -> str:
    """Return a line a run: what it is, when it was made, how it scored."""
    if not runs:
        return "no runs here; 'unetseg fit' trains one"
    rows = [["run", "data", "skips", "encoder", "seed", "test IoU", "made"]]
    for run in runs:
        config = run.config()
        iou = run.test_iou if run.finished else None
        score = "unfinished" if iou is None else "–" if math.isnan(iou) else f"{iou:.3f}"
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.config_file.stat().st_mtime))
        rows.append(
            [str(run.path), config.data, config.skips_text, config.encoder, str(config.seed), score, made]
        )
    return align(rows, left=4)
