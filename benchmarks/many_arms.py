"""The report of a study of many arms: seconds and sizes of its table and page.

    python benchmarks/many_arms.py [--arms 16] [--seeds 5] [--images 300] [--rounds 1]

One tiny net is trained for an epoch on drawn images and copied for every run; each run's scores are those of
shifted masks with noise of its own. Prints processor seconds of the analysis, of ``results.csv`` and of
``report.html``, and of the same page with as many pictures as a study of two arms gets; medians over rounds.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from statistics import median
from unittest.mock import patch

import cv2
import numpy as np

from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.evaluation.run import sample_fingerprint
from unetseg.evaluation.scoring import ImageMasks, score_masks
from unetseg.evaluation.summary import Evaluation, summarise
from unetseg.experiment import run_experiment
from unetseg.metrics import registry
from unetseg.report.gallery import pictures
from unetseg.report.outputs import write_results
from unetseg.report.study_page import write_study_page
from unetseg.runs import Run
from unetseg.studies.ablation import read_study
from unetseg.studies.plan import RunPlan, make_plan
from unetseg.studies.study_file import load_study, study_yaml
from unetseg.utilities.files import write_json, write_rows, write_text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--arms", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw(folder / "set", {"train": 8, "val": 3, "test": options.images})
        plan = make_plan(load_study(study_of(folder, options.arms, options.seeds)), folder / "study")
        fill(plan, run_experiment(plan.study.base, folder / "net", lambda line: None))
        times: dict[str, list[float]] = {}
        for _ in range(options.rounds):
            measure(plan.folder, folder, times)
        for name, seconds in times.items():
            path = folder / name.partition(",")[0]
            size = f"{path.stat().st_size / 1e6:8.1f} MB" if path.is_file() else ""
            print(f"{name:44}{median(seconds):8.1f} s [{min(seconds):.1f} to {max(seconds):.1f}]{size}")


def measure(study: Path, out: Path, times: dict[str, list[float]]) -> None:
    started = processor_seconds()

    def lap(name: str) -> None:
        nonlocal started
        times.setdefault(name, []).append(processor_seconds() - started)
        started = processor_seconds()

    results = read_study(study)
    lap("analysis")
    write_results(results, out / "results.csv")
    lap("results.csv")
    write_study_page(results, out / "report.html")
    lap("report.html")
    with patch.object(pictures, "MOST_MASKS", 10**9):
        write_study_page(results, out / "full.html")
    lap("full.html, as many pictures as of two arms")


def processor_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def draw(folder: Path, counts: dict[str, int]) -> None:
    generator = np.random.default_rng(0)
    noise = cv2.GaussianBlur(generator.integers(0, 256, (768, 768, 3), np.uint8), (0, 0), 2)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for split, count in counts.items():
        names = [f"{split}{number:03}" for number in range(count)]
        for name in names:
            top, left = generator.integers(0, 512, 2)
            image, mask = noise[top : top + 256, left : left + 256].copy(), np.zeros((256, 256), np.uint8)
            for x, y, radius in generator.integers((20, 20, 4), (236, 236, 40), (5, 3)).tolist():
                cv2.circle(mask, (x, y), radius, 1, -1)
            image[mask > 0] = image[mask > 0] // 2 + 110
            cv2.imwrite(str(folder / f"images/{name}.png"), image)
            cv2.imwrite(str(folder / f"masks/{name}.png"), mask)
        (folder / f"{split}.txt").write_text("\n".join(names) + "\n")
    (folder / "dataset.yaml").write_text("classes: [background, cell]\n")


def study_of(folder: Path, arms: int, seeds: int) -> Path:
    base = f"{{data: {folder / 'set'}, epochs: 1, stages: 2, size: 64, batch_size: 4, device: cpu}}"
    lines = [f"base: {base}", "reference: arm00", f"seeds: {seeds}", "margin: 0.01", "arms:"]
    lines += [f"  arm{number:02}: {{lr: {0.001 * (number + 1):.4f}}}" for number in range(arms)]
    path = folder / "study.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def fill(plan: RunPlan, net: Run) -> None:
    """Make every run of a plan a copy of a net with drawn scores."""
    dataset = open_data(net.config())
    scores = shifted_scores(dataset)
    noisy = [each.key for each in registry.scored() if each.group != "counts"]
    generator = np.random.default_rng(1)
    write_text(plan.folder / "study.yaml", study_yaml(plan.study))
    for trial in plan.trials():
        run = trial.run
        run.path.mkdir(parents=True)
        for path in (net.best, net.metrics, net.environment):
            shutil.copy(path, run.path / path.name)
        write_text(run.config_file, trial.config.to_yaml())
        of_seed = generator.normal(0, 0.01)
        rows = []
        for row in scores.rows:
            drawn = {key: abs(row[key] + of_seed + generator.normal(0, 0.02)) for key in noisy}
            rows.append(
                row | {key: min(value, registry.METRICS[key].highest) for key, value in drawn.items()}
            )
        write_rows(run.test_images, rows)
        write_json(run.test, scores.summary())
        losses = generator.random(len(dataset.splits["train"])).tolist()
        names = [sample.name for sample in dataset.splits["train"]]
        write_rows(
            run.train_images,
            [{"image": name, "train_loss": loss} for name, loss in zip(names, losses, strict=True)],
        )


def shifted_scores(dataset: SegmentationSet) -> Evaluation:
    generator = np.random.default_rng(2)
    images = []
    for sample in dataset.splits["test"]:
        truth = dataset.mask(sample)
        shift = tuple(generator.integers(-3, 4, 2).tolist())
        masks = ImageMasks(sample.name, np.roll(truth, shift, (0, 1)), truth)
        images.append(score_masks(masks, dataset.classes, registry.allowed(False)))
    return summarise(images, dataset.classes, "test", sample_fingerprint(dataset.splits["test"]))


if __name__ == "__main__":
    main()
