"""The table and the figure of results on real images, from the summaries that the studies left.

    python benchmarks/public_results.py checkpoints/levels-drive checkpoints/long-pets --figure PNG

Prints a Markdown table a study and, with --figure, draws the differences of all of them.
"""

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unetseg.report.wording import number
from unetseg.utilities.files import write_bytes

NAMES = {
    "dataset_iou": "dataset IoU",
    "dataset_dice": "dataset Dice",
    "iou": "image IoU",
    "boundary_iou": "Boundary IoU",
    "trimap_iou": "IoU within 3 px of the outline",
    "recall_1_2": "recall of vessels 1–2 px wide",
    "object_recall": "nuclei found",
}
# What is asked of each dataset; its last metric is that of the finest things.
METRICS = {
    "drive": ("dataset_dice", "iou", "recall_1_2"),
    "dsb2018": ("dataset_iou", "iou", "boundary_iou", "object_recall"),
    "pets": ("dataset_iou", "iou", "boundary_iou", "trimap_iou"),
    "pets:trimap": ("dataset_iou", "iou", "boundary_iou", "trimap_iou"),
}
COLOURS = {"iou": "#0072b2", "boundary_iou": "#d55e00"}
FINEST = "#009e73"


def main() -> None:
    """Print the tables, and draw the figure where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", nargs="+", type=Path, help="folder of a finished study of a public dataset")
    parser.add_argument("--figure", type=Path, metavar="PNG")
    options = parser.parse_args()
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in options.study]
    for summary in summaries:
        print(f"{summary['name']} on {summary['data']}\n\n{table(summary)}\n")
    if options.figure:
        write_bytes(options.figure, draw(summaries))


def scores(summary: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a metric of the class that the study speaks of, by arm."""
    wanted = (key, summary["primary_class"])
    return next(each["arms"] for each in summary["metrics"] if (each["key"], each["class_name"]) == wanted)


def table(summary: dict[str, Any]) -> str:
    """Return the arms as rows: what the reference reaches, and how the others differ from it."""
    keys = METRICS[summary["data"]]
    head = ["arm", *(NAMES[key] for key in keys), f"verdict on {NAMES[summary['primary']]}"]
    rows = [head, ["---"] * len(head)]
    for arm in (arm["name"] for arm in summary["arms"]):
        judgement = scores(summary, summary["primary"])[arm]["judgement"]
        cells = [cell(scores(summary, key)[arm]) for key in keys]
        rows.append([f"`{arm}`", *cells, verdict(judgement) if judgement else "reference"])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(score: dict[str, Any]) -> str:
    """Return an arm's difference with its interval, or the reference's mean."""
    difference = score["difference"]
    if difference is None:
        return number(score["estimate"]["mean"])
    low, high = (number(difference[end], signed=True) for end in ("low", "high"))
    return f"{number(difference['mean'], signed=True)} [{low}, {high}]"


def verdict(judgement: dict[str, Any]) -> str:
    """Return a verdict with its adjusted p-value."""
    p = judgement["p_adjusted"]
    return f"{judgement['verdict']}, p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"


def draw(summaries: list[dict[str, Any]]) -> bytes:
    """Return a PNG with a panel a study: differences from the reference, with their intervals."""
    rows = [len(summary["arms"]) - 1 for summary in summaries]
    figure = Figure(figsize=(9, 0.42 * sum(rows) + 0.7 * len(rows) + 0.4), layout="constrained")
    panels = figure.subplots(len(rows), 1, height_ratios=rows, squeeze=False)[:, 0]
    for axes, summary in zip(panels, summaries, strict=True):
        draw_study(axes, summary)
    figure.supxlabel("difference from all long skips on, 95 % interval over seeds and images", fontsize=9)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def draw_study(axes: Axes, summary: dict[str, Any]) -> None:
    """Draw a line an arm, in it a point with its interval a metric."""
    keys = [key for key in METRICS[summary["data"]] if not key.startswith("dataset")]
    arms = [arm["name"] for arm in summary["arms"] if arm["name"] != summary["reference"]]
    lines = np.arange(len(arms))
    axes.axvline(0, color="#888888", linewidth=1)
    for place, key in enumerate(keys):
        of_metric = scores(summary, key)
        found = [of_metric[arm]["difference"] for arm in arms]
        means = np.array([each["mean"] for each in found])
        ends = np.array([[each["mean"] - each["low"], each["high"] - each["mean"]] for each in found])
        axes.errorbar(
            means,
            lines + 0.22 * (place - (len(keys) - 1) / 2),
            xerr=ends.T,
            fmt="o",
            markersize=4,
            color=COLOURS.get(key, FINEST),
            label=f"{NAMES[key]}, {number(of_metric[summary['reference']]['estimate']['mean'])}",
        )
    axes.set_yticks(lines, arms)
    axes.invert_yaxis()
    axes.margins(y=0.5 / len(arms))
    axes.set_title(f"{summary['data']}, study {summary['name']}", fontsize=10, loc="left")
    axes.legend(
        loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8, title="with all skips"
    )
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
