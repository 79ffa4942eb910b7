"""A folder to share a trained run: weights, configuration and a model card as Hugging Face's hub reads it."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unetseg.config import RunConfig
from unetseg.data.datasets.cards.card import find_card
from unetseg.data.datasets.embedded import is_synthetic
from unetseg.data.images.pixel_rule import PixelRule
from unetseg.errors import UsageError
from unetseg.evaluation.rows import MEAN
from unetseg.inference.export import export_run
from unetseg.inference.loading import SHARED_WEIGHTS
from unetseg.report.wording import number
from unetseg.runs import Run
from unetseg.training.initial import preprocessing_of
from unetseg.utilities.files import free_folder, write_text
from unetseg.utilities.text import printable

CARD = "README.md"
CONFIG = "config.yaml"
SCORES = "test.json"
FILES = (SHARED_WEIGHTS, CONFIG, SCORES, CARD)
MARGIN = 0.01  # a lesion whose interval lies within it is told as "equivalent to absent"
_SHOWN = ("iou", "dice", "boundary_iou", "hd95", "cldice")


def write_card(run: Run, folder: Path, *, overwrite: bool = False) -> Path:
    """Write the run's best weights, its configuration, its scores and its card into a folder.

    Args:
        run: trained and tested.
        folder: made if it is not there.
        overwrite: replace these files if they are there.

    Raises:
        UsageError: if the run is not finished, or a file is there already.
        UnetsegError: if the run cannot be read, or a file cannot be written.
    """
    if not run.finished:
        raise UsageError(
            f"{printable(run.path)}: has no test scores yet; finish it with 'unetseg fit --resume'"
        )
    if not overwrite:
        free_folder(folder, FILES)
    config = run.config()
    text = card_text(run, config)
    folder.mkdir(parents=True, exist_ok=True)
    export_run(run, "safetensors", folder / SHARED_WEIGHTS, overwrite=overwrite)
    write_text(
        folder / CONFIG,
        config.changed(
            data=Path(config.data).name, data_dir=None, images=None, masks=None, init=None
        ).to_yaml(),
    )
    write_text(folder / SCORES, run.test.read_text(encoding="utf-8"))
    write_text(folder / CARD, text)
    return folder


def card_text(run: Run, config: RunConfig) -> str:
    """Return the card: YAML for the hub, then what a reader must know, in Markdown."""
    scores = run.test_scores()
    data = Path(config.data).name  # a folder's own name; its path is nobody's business
    parts = [
        f"---\n{_header(config, data, scores)}\n---",
        f"# U-Net for {data}\n\nSegments {', '.join(scores['classes'])}. Trained with unetseg.",
        "## How to load\n\n```\nunetseg predict images/ -o masks/ --run FOLDER\n```\n\n"
        'where FOLDER holds these files; from Python `unetseg.predict("images/", "masks/", "FOLDER")`. No '
        "file is a pickle; none can run code.",
        f"## Data\n\n{_data(config, run)}",
        f"## Training\n\n{_training(config, run)}",
        f"## Scores\n\n{_scores(scores)}",
        f"## What the net relies on\n\n{_audit(run)}",
        f"## Limits\n\n{_limits(scores, config, preprocessing_of(run).pixels)}",
    ]
    return "\n\n".join(parts) + "\n"


def _header(config: RunConfig, data: str, scores: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-segmentation",
            dataset_type=data,
            dataset_name=data,
            dataset_split=scores["split"],
            metric_type=kind,
            metric_name=f"{name}: {kind} over the dataset",
            metric_value=value,
        )
        for name, found in scores["classes"].items()
        for kind, value in found["dataset"].items()
        if kind in ("iou", "dice") and value is not None
    ]
    card = ModelCardData(
        model_name=f"unetseg-{config.encoder}-{data}",
        library_name="unetseg",
        pipeline_tag="image-segmentation",
        tags=["image-segmentation", "u-net", "unetseg"],
        metrics=["mean_iou"],
        eval_results=results,
    )
    return card.to_yaml()


def _data(config: RunConfig, run: Run) -> str:
    split = json.loads(run.split.read_text(encoding="utf-8"))
    counts = ", ".join(f"{len(names)} {part}" for part, names in split.items())
    lines = [f"{Path(config.data).name}: {counts} images."]
    if is_synthetic(config.data):
        return f"{lines[0]} Drawn by unetseg itself, which anybody can do again."
    card = find_card(config.data.partition(":")[0])
    if card is None:
        lines.append("Licence and source of this data are not known to unetseg: name them here.")
        return " ".join(lines)
    texts = card.texts
    lines += [f"{texts['title']}.", f"Licence: {texts['licence']}."]
    lines += [texts.get("terms", ""), texts.get("citation", "")]
    return " ".join(filter(None, lines))


def _training(config: RunConfig, run: Run) -> str:
    environment = json.loads(run.environment.read_text(encoding="utf-8")) if run.environment.is_file() else {}
    packages = environment.get("packages", {})
    tools = ", ".join(f"{name} {packages[name]}" for name in ("unetseg", "torch") if name in packages)
    return (
        f"{config.net_text}, {config.epochs} epochs of {config.size}-pixel crops, {config.batch_size} a "
        f"step, rate {config.lr:g}, augmentation {config.augment}, scale {config.scale}, seed {config.seed}; "
        "weights of the epoch with the best validation IoU." + (f" {tools}." if tools else "")
    )


def _scores(scores: Mapping[str, Any]) -> str:
    rows = [
        f"{scores['images']} images of the {scores['split']} split, whole masks at original resolution; in "
        "brackets 95 % intervals over images.",
        "",
        f"| class | dataset IoU | {' | '.join(_SHOWN)} |",
        f"|---|---|{'---|' * len(_SHOWN)}",
    ]
    classes = dict(scores["classes"])
    if len(classes) > 1:
        classes[MEAN] = scores["mean"]
    for name, found in classes.items():
        cells = [_estimate(found["image"].get(key)) for key in _SHOWN]
        rows.append(f"| {name} | {number(found['dataset'].get('iou'))} | {' | '.join(cells)} |")
    further = [*_widths(scores), *_calibration(scores)]
    return "\n".join([*rows, *(["", *further] if further else [])])


def _estimate(found: Mapping[str, Any] | None) -> str:
    if found is None or found["mean"] is None:
        return "–"
    if found["low"] is None:
        return number(found["mean"])
    return f"{number(found['mean'])} [{number(found['low'])}, {number(found['high'])}]"


def _widths(scores: Mapping[str, Any]) -> Iterator[str]:
    for name, found in scores["classes"].items():
        known = {
            width: counts["recall"]
            for width, counts in (found.get("thickness") or {}).items()
            if counts.get("recall") is not None and not math.isnan(counts["recall"])
        }
        if known:
            told = ", ".join(f"{width} px {recall:.3f}" for width, recall in known.items())
            yield f"Skeleton recall of {name} by width: {told}."


def _calibration(scores: Mapping[str, Any]) -> Iterator[str]:
    if found := scores.get("calibration"):  # not in runs of before
        yield (
            f"Probabilities: expected calibration error {found['ece']:.4f}, {found['ece_before']:.4f} "
            f"without the temperature of {found['temperature']:.2f} that validation gave."
        )


def _audit(run: Run) -> str:
    """Say what lesions of the long skips found, where 'unetseg lesion' has been run."""
    files = sorted(run.path.glob("lesion-*/lesions.json"))
    lines = []
    for file in files:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found.get("mode") == "blocks" or len(found.get("runs", [])) != 1:
            continue
        split = found["split"]
        lines.append(
            f"With {found['mode']} in place of a long skip, image IoU on the {split} split changes by"
        )
        for off, scores in found["lesions"].items():
            if change := scores["iou"]["difference"]:
                lines.append(f"- {off}: {_change(change)}")
    if not lines:
        return "Not asked: `unetseg lesion RUN`, and export again, shows it here."
    lines += ["", "(This one net, intervals over images; nets that are trained without may need it less.)"]
    return "\n".join(lines)


def _change(change: Mapping[str, Any]) -> str:
    low, high = change["low"], change["high"]
    told = f"{number(change['mean'], signed=True)} [{number(low, signed=True)}, {number(high, signed=True)}]"
    if low > -MARGIN and high < MARGIN:
        return f"{told}, equivalent to absent within {MARGIN}"
    return f"{told}, relied on" if high < -MARGIN else told


def _limits(scores: Mapping[str, Any], config: RunConfig, pixels: PixelRule) -> str:
    lines = [
        "- One training (one seed): another gives other weights and other scores.",
        "- Tested on images of the data above; of other cameras, scales or stains nothing is known.",
        f"- Scale rule {config.scale}: objects of another size in pixels than in the training images may be "
        "missed.",
    ]
    if not pixels.eight_bit_rgb:
        lines.append(f"- Images are read as {pixels}: those of another type get no mask.")
    missed = {
        name: found["image"]["hd95"]["missed"]
        for name, found in scores["classes"].items()
        if found["image"].get("hd95") and found["image"]["hd95"]["missed"]
    }
    lines += [
        f"- {name}: missed whole, or found where there is none, in {count} images."
        for name, count in missed.items()
    ]
    return "\n".join([*lines, *(f"- {note}" for note in scores.get("notes") or [])])
