"""Planned runs against the defaults and against a plain smp loop, each in the same minutes.

    python benchmarks/recipe.py drive=DIR dsb2018=DIR pets=DIR filaments --minutes 5 --seeds 3 -o FOLDER

    planned    fit --time
    default    fit with every default, as many epochs as fit into the time
    smp        stock smp.Unet with ResNet-18 from scratch, Adam at 1e-3, BCE and Dice, crops at fixed places,
               until the time is over; start counts, its test does not

A run that is done is not trained again, and one of fit that was stopped goes on: the same command goes on
where it stood. The table is made from the runs' files, written to FOLDER/table.md and printed; the lines
between the marks of --page are replaced by it. Scores are of the test split: nothing is to be chosen by them.
"""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch

import unetseg
from unetseg.config import RunConfig
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.evaluation.run import sample_fingerprint, score_images
from unetseg.evaluation.scoring import ImageMasks
from unetseg.evaluation.summary import summarise
from unetseg.metrics.registry import METRICS
from unetseg.models.hardware import Hardware, choose_hardware
from unetseg.runs import Run
from unetseg.studies.analysis.means import difference_of_means
from unetseg.studies.analysis.populations import options_of
from unetseg.studies.analysis.score_matrix import RunScores, read_scores, score_matrix
from unetseg.utilities.files import write_json, write_rows, write_text

SIDES = ("planned", "default", "smp")
SHOWN = ("dataset_iou", "boundary_iou")
MARKS = ("<!-- table of benchmarks/recipe.py -->", "<!-- end of the table -->")
STRIDE, CROP, BATCH = 32, 128, 8
SECONDS = "recipe.json"  # in each run's folder


def main() -> None:
    """Train what is not there yet, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="NAME[=DIR]", help="dataset, and where it lies")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--page", type=Path, help="Markdown file with the marks")
    parser.add_argument("-o", "--output", type=Path, default=Path("checkpoints/recipe"), metavar="FOLDER")
    options = parser.parse_args()
    names = []
    for each in options.sets:
        name, _, folder = each.partition("=")
        names.append(name)
        for seed in range(options.seeds):
            for side in SIDES:
                run = Run(folder_of(options.output, name, options.minutes, side, seed))
                if not run.test.is_file():
                    train_side(side, run, name, folder or None, options.minutes, seed)
    told = table(options.output, names, options.minutes, options.seeds)
    write_text(options.output / "table.md", told + "\n")
    print(told)
    if options.page:
        before, _, rest = options.page.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        write_text(options.page, f"{before}{MARKS[0]}\n{told}\n{MARKS[1]}{after}")


def folder_of(output: Path, name: str, minutes: float, side: str, seed: int) -> Path:
    """Return the folder of a run; a dataset that is a folder gives the last part of its path."""
    return output / f"{Path(name).name}-{minutes:g}m-{side}-seed{seed}"


def train_side(side: str, run: Run, name: str, folder: str | None, minutes: float, seed: int) -> None:
    """Train and test one side; how long it took is kept beside its scores, unless it went on from a stop."""
    print(f"{run.path.name}", flush=True)
    started = time.perf_counter()
    goes_on = run.last.is_file() and side != "smp"
    where = {"data": name} | ({"data_dir": folder} if folder else {})
    if goes_on:
        unetseg.fit(resume=run.path)
    elif side == "smp":
        plain_smp(run, open_data(RunConfig(**where)), 60 * minutes, seed)
    else:
        stays = {"trainer": {"check_val_every_n_epoch": 1}} if side == "default" else {}
        if side == "default":
            stays |= {key: value for key, value in asdict(RunConfig()).items() if key not in _OPEN}
        unetseg.fit(output=run.path, time=f"{60 * minutes:g}s", **(stays | where), seed=seed)
    seconds = None if goes_on else time.perf_counter() - started
    write_json(run.path / SECONDS, {"minutes": minutes, "seconds": seconds})


# What a default run leaves to the time, is said by name, or is of studies alone.
_OPEN = ("epochs", "trainer", "data", "data_dir", "images", "masks", "seed", "folds", "fold")


def plain_smp(run: Run, dataset: SegmentationSet, seconds: float, seed: int) -> None:
    """Train stock smp.Unet as its examples do, and leave its scores where a run has them.

    It computes in the number format and memory format that fit would choose.
    """
    started = time.perf_counter()
    torch.manual_seed(seed)
    outputs = 1 if len(dataset.classes) == 2 else len(dataset.classes)
    hardware = choose_hardware(RunConfig())
    model = smp.Unet("resnet18", encoder_weights=None, classes=outputs)
    model.to(hardware.device, memory_format=hardware.memory_format)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    dice = smp.losses.DiceLoss("binary" if outputs == 1 else "multiclass", ignore_index=IGNORED)
    bce = smp.losses.SoftBCEWithLogitsLoss(ignore_index=IGNORED)
    entropy = torch.nn.CrossEntropyLoss(ignore_index=IGNORED)
    crops = [centre_crop(dataset, sample) for sample in dataset.splits["train"]]
    images = torch.stack([image for image, _ in crops])
    masks = torch.stack([mask for _, mask in crops])
    steps = 0
    while steps == 0 or time.perf_counter() - started < seconds:
        for chosen in torch.randperm(len(images)).split(BATCH):
            if len(chosen) == 1 and len(images) > 1:
                continue  # batch norm needs two
            target = masks[chosen].to(hardware.device)
            with hardware.autocast():
                logits = model(on(images[chosen], hardware))
            logits = logits.float()
            if outputs == 1:
                loss = bce(logits, target[:, None].float()) + dice(logits, target[:, None])
            else:
                loss = entropy(logits, target) + dice(logits, target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            steps += 1
            if time.perf_counter() - started > seconds:
                break
    model.eval()
    test = dataset.splits["test"]
    jobs = ((predicted(model, hardware, dataset, sample),) for sample in test)
    scores = [image for (image,) in score_images(jobs, dataset, len(test))]
    evaluation = summarise(scores, dataset.classes, "test", sample_fingerprint(test))
    run.path.mkdir(parents=True, exist_ok=True)
    write_rows(run.test_images, evaluation.rows)
    write_json(run.test, evaluation.summary() | {"steps": steps})


def normal(image: np.ndarray) -> torch.Tensor:
    """Normalise by ImageNet's usual values; channels first."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    return torch.from_numpy(((image / 255 - mean) / deviation).astype(np.float32).transpose(2, 0, 1))


def on(images: torch.Tensor, hardware: Hardware) -> torch.Tensor:
    """Put images where the net is, in its memory format."""
    return images.to(hardware.device, memory_format=hardware.memory_format)


def centre_crop(dataset: SegmentationSet, sample: Sample) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the middle of an image and its mask, padded where it is too small."""
    image, mask = dataset.image(sample), dataset.mask(sample)
    valid = dataset.valid(sample)
    if valid is not None:
        mask = np.where(valid, mask, np.uint8(IGNORED))
    top, left = (max(0, (side - CROP) // 2) for side in mask.shape)
    image, mask = (each[top : top + CROP, left : left + CROP] for each in (image, mask))
    pads = [CROP - side for side in mask.shape]
    image = cv2.copyMakeBorder(image, 0, pads[0], 0, pads[1], cv2.BORDER_REFLECT_101)
    mask = cv2.copyMakeBorder(mask, 0, pads[0], 0, pads[1], cv2.BORDER_CONSTANT, value=IGNORED)
    return normal(image), torch.from_numpy(mask.astype(np.int64))


def predicted(
    model: torch.nn.Module,
    hardware: Hardware,
    dataset: SegmentationSet,
    sample: Sample,
) -> ImageMasks:
    """Predict a whole test image at its own scale."""
    image = dataset.image(sample)
    height, width = image.shape[:2]
    below, right = -height % STRIDE, -width % STRIDE
    padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
    with torch.no_grad(), hardware.autocast():
        logits = model(on(normal(padded)[None], hardware))[0, :, :height, :width].float().cpu().numpy()
    mask = (logits[0] > 0) if len(logits) == 1 else logits.argmax(0)
    return ImageMasks(
        sample.name,
        mask.astype(np.uint8),
        dataset.mask(sample),
        dataset.valid(sample),
        dataset.instances(sample),
        group=sample.group,
    )


def table(folder: Path, names: list[str], minutes: float, seeds: int) -> str:
    """Return a Markdown table: what planned runs reach, and by how much they differ from both others."""
    lines = [
        f"{minutes:g} minutes a run, {seeds} seed(s), test split; planned less the other, 95 % intervals.",
        "",
        "| set | metric | planned | less default | less smp | seconds of planned |",
        "|---|---|---|---|---|---|",
    ]
    wins = {side: [0, 0, 0] for side in SIDES[1:]}
    for name in names:
        paths = {
            side: [folder_of(folder, name, minutes, side, seed) for seed in range(seeds)] for side in SIDES
        }
        runs = {side: [read_scores(Run(path)) for path in each] for side, each in paths.items()}
        took = [json.loads((path / SECONDS).read_text())["seconds"] for path in paths["planned"]]
        spent = ", ".join("stopped once" if each is None else f"{each:.0f}" for each in took)
        for key in SHOWN:
            row = _row(runs, key, wins)
            if row is not None:
                lines.append(f"| {Path(name).name} | {METRICS[key].label} | {' | '.join(row)} | {spent} |")
    counted = "; ".join(
        f"against {side}: {better} better, {worse} worse, {same} undecided"
        for side, (better, worse, same) in wins.items()
    )
    return "\n".join([*lines, "", f"Rows by their intervals, {counted}."])


def _row(runs: dict[str, list[RunScores]], key: str, wins: dict[str, list[int]]) -> list[str] | None:
    values = {side: score_matrix(each, key, _class(each[0])) for side, each in runs.items()}
    if any(value is None for value in values.values()):
        return None
    options = options_of(runs["planned"][0], METRICS[key], _class(runs["planned"][0]))
    cells = [f"{np.nanmean(values['planned']):.3f}"]
    for side in SIDES[1:]:
        found = difference_of_means(values["planned"], values[side], **options)
        wins[side][0 if found.low > 0 else 1 if found.high < 0 else 2] += 1
        known = np.isfinite(found.low) and np.isfinite(found.high)
        bounds = f"[{found.low:+.3f}, {found.high:+.3f}]" if known else "(no interval)"
        cells.append(f"{found.mean:+.3f} {bounds}")
    return cells


def _class(run: RunScores) -> str:
    return run.classes[0] if len(run.classes) == 1 else "mean"


if __name__ == "__main__":
    main()
