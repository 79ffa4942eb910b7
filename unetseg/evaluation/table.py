"""The closing table of fit and evaluate, as plain text."""

import time
from collections.abc import Sequence
from typing import Any

from unetseg.runs import Run

SHOWN = {
    "iou": "IoU",
    "dice": "Dice",
    "trimap_iou": "trimap IoU",
    "boundary_iou": "Boundary IoU",
    "boundary_f": "boundary F",
    "nsd": "NSD",
    "hd95": "HD95 (px)",
    "assd": "ASSD (px)",
    "cldice": "clDice",
    "skeleton_recall": "skeleton recall",
    "object_recall": "object recall",
    "pq": "PQ",
}


def score_table(summary: dict[str, Any]) -> str:
    """Return a table of the summary of an ``Evaluation``: one block a class, one line a score."""
    blocks = dict(summary["classes"])
    if len(blocks) > 1:
        blocks["mean of classes"] = summary["mean"]
    parts = [_block(name, scores) for name, scores in blocks.items()]
    title = f"{summary['split']} split, {summary['images']} images, whole masks at original resolution"
    return "\n\n".join([title, *parts, *summary["notes"]])


def _block(name: str, scores: dict[str, Any]) -> str:
    rows = [[name, "dataset", "image mean", "95 % interval", "median", "missed"]]
    for key, label in SHOWN.items():
        image = scores["image"].get(key)
        if image is None:
            continue
        dataset = scores["dataset"].get(key)
        interval = "" if image["low"] is None else f"{image['low']:.3f} to {image['high']:.3f}"
        median = "inf" if image["median"] == "inf" else f"{image['median']:.3f}"
        missed = str(image["missed"]) if key in ("hd95", "assd") else ""
        rows.append(
            [
                label,
                "" if dataset is None else f"{dataset:.3f}",
                f"{image['mean']:.3f}",
                interval,
                median,
                missed,
            ]
        )
    return align(rows)


def run_table(runs: Sequence[Run]) -> str:
    """Return a line a run: what it is, when it was made, how it scored."""
    if not runs:
        return "no runs here; 'unetseg fit' trains one"
    rows = [["run", "data", "skips", "encoder", "seed", "test IoU", "made"]]
    for run in runs:
        config = run.config()
        score = f"{run.test_scores()['mean']['dataset']['iou']:.3f}" if run.finished else "unfinished"
        skips = config.skips if config.skips == "on" else f"{config.skips} ({config.control})"
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.config_file.stat().st_mtime))
        rows.append([str(run.path), config.data, skips, config.encoder, str(config.seed), score, made])
    return align(rows, left=4)


def align(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return rows of cells as text: the first ``left`` columns to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        for row in rows
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)
