"""What lesions found, as text, tables and pictures, and beside it what retraining found."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unetseg.metrics import registry
from unetseg.metrics.registry import METRICS, PRIMARY
from unetseg.models.lesioned_unet import Lesion
from unetseg.plots import heat_map, interval_bars
from unetseg.probes.lesion.effects import INTACT, Effect, Lesions, lesion_name, skip_lesions
from unetseg.probes.lesion.retraining import Retrained
from unetseg.utilities.files import plain_write_errors, write_json, write_rows
from unetseg.utilities.text import align

MEANING = (
    "a lesion measures what a trained net relies on; what the connection is worth to a net that is trained\n"
    "without it, 'unetseg ablate' measures"
)


def lesion_text(lesions: Lesions, what: str) -> str:
    """Return a table: each lesion's means, and their differences from the intact network.

    Args:
        lesions: of skips or blocks.
        what: stands in a lesion's place, for the first line.
    """
    one = lesions.one
    metrics = [each for each in registry.shown("lesion table") if each.key in lesions.effects[INTACT]]
    head = [""]
    for metric in metrics:
        head += [metric.label, "change", "95 % interval"]
    rows = [head]
    for name, effects in lesions.effects.items():
        row = [name]
        for metric in metrics:
            row += _cells(effects[metric.key], name == INTACT)
        rows.append(row)
    images = len({each["image"] for each in one.rows})
    chance = "chance in images only" if len(lesions.runs) == 1 else f"{len(lesions.runs)} seeds"
    sample = f"{images} images of the {one.split} split, intervals over {chance}"
    if len(one.classes) > 1:
        sample += "; mean over the classes"
    return f"{what}; {sample}\n\n{align(rows)}\n\n{MEANING}"


def retrained_text(lesions: Lesions, retrained: Mapping[Lesion, Retrained], study: str) -> str:
    """Return a table of its own: what nets lack that were trained without the skips, in the lesions' order.

    Args:
        lesions: whose levels are shown.
        retrained: by the levels that are off.
        study: that it comes from.
    """
    rows = [["", "image IoU, change", "95 % interval", "arm"]]
    for name, levels in lesions.levels.items():
        if levels in retrained:
            arm = retrained[levels]
            rows.append([name, f"{arm.mean:+.3f}", _span(arm.low, arm.high), arm.arm])
    return f"trained without them, from {study}: necessity, where lesions show reliance\n\n{align(rows)}"


def write_lesions(lesions: Lesions, settings: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``lesions.csv`` (one row an image, run and lesion), ``lesions.json`` and ``lesions.png``.

    Args:
        lesions: of skips or blocks.
        settings: of the command, for the JSON.
        folder: made if it is not there.

    Raises:
        UnetsegError: if they cannot be written.
    """
    table, record, picture = (folder / f"lesions.{suffix}" for suffix in ("csv", "json", "png"))
    rows = [
        {"lesion": name, "run": run.path.name, **row}
        for name, evaluations in lesions.evaluations.items()
        for run, evaluation in zip(lesions.runs, evaluations, strict=True)
        for row in evaluation.rows
    ]
    with plain_write_errors(folder):
        write_rows(table, rows)
        write_json(record, _summary(lesions, settings))
        _draw(lesions, picture)
    return [table, record, picture]


def _summary(lesions: Lesions, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **settings,
        "runs": [str(run.path) for run in lesions.runs],
        "split": lesions.one.split,
        "fingerprint": lesions.one.fingerprint,
        "meaning": " ".join(MEANING.split()),
        "lesions": {
            name: {
                key: {
                    "mean": effect.estimate.mean,
                    "difference": None if name == INTACT else effect.difference.as_dict(),
                }
                for key, effect in effects.items()
            }
            for name, effects in lesions.effects.items()
        },
    }


def _draw(lesions: Lesions, path: Path) -> None:
    names = [name for name in lesions.effects if name != INTACT]
    primary = {name: effects[PRIMARY] for name, effects in lesions.effects.items()}
    every = sorted(frozenset().union(*lesions.levels.values()))
    if not lesions.levels:
        ends = [(primary[name].difference.low, primary[name].difference.high) for name in names]
        title = f"{METRICS[PRIMARY].label} without one block (intact {primary[INTACT].estimate.mean:.3f})"
        interval_bars(names, [primary[name].difference.mean for name in names], ends, title, path)
    elif len(lesions.levels) == 2 ** len(every) and len(every) > 1:
        fine, deep = every[: (len(every) + 1) // 2], every[(len(every) + 1) // 2 :]
        rows, columns = (list(skip_lesions(side, every=True).values()) for side in (deep, fine))
        values = [[primary[lesion_name(row | column)].estimate.mean for column in columns] for row in rows]
        labels = [[_levels(each) for each in side] for side in (rows, columns)]
        axes = ("deep levels off", "fine levels off")
        heat_map(values, labels[0], labels[1], METRICS[PRIMARY].label, path, axes=axes)
    else:
        keys = list(lesions.effects[INTACT])
        values = [[lesions.effects[name][key].difference.mean for key in keys] for name in names]
        heat_map(values, names, [METRICS[key].label for key in keys], "change from the intact net", path)


def _levels(lesion: Lesion) -> str:
    return ",".join(map(str, sorted(lesion))) or "none"


def _cells(effect: Effect, intact: bool) -> list[str]:
    mean = f"{effect.estimate.mean:.3f}"
    if intact:
        return [mean, "", ""]
    difference = effect.difference
    return [mean, f"{difference.mean:+.3f}", _span(difference.low, difference.high)]


def _span(low: float, high: float) -> str:
    return f"{low:+.3f} to {high:+.3f}" if math.isfinite(high - low) else "unknown"
