"""Times the metrics on one thread against MONAI, MedPy and scikit-image computing the same quantity.

    python benchmarks/metrics_speed.py [--repeats 15] [--skip-large]

Prints median milliseconds of processor time, which other work on the machine disturbs least, and how many
times as long the library takes.
"""

# ruff: noqa: E402  (the thread counts must be set before any library starts its threads)
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median

import cv2
import numpy as np
import torch
from medpy.metric import binary as medpy
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_panoptic_quality,
    compute_surface_dice,
)
from scipy.ndimage import gaussian_filter
from skimage import measure, metrics

from unetseg.metrics import binary_scores, mask_pair, registry, scored_keys

# MONAI calls itself by an argument that it gives up.
warnings.filterwarnings("ignore", "monai.metrics.utils get_mask_edges", FutureWarning)

DISTANCES = ["hd", "hd95", "assd", "nsd"]
SKELETONS = [each.key for each in registry.scored() if "skeleton" in each.needs]
NO_SKELETONS = [key for key in scored_keys() if key not in SKELETONS]


def noise(side: int, scale: float, seed: int) -> np.ndarray:
    """Gaussian noise of unit deviation with structures about ``scale`` pixels across."""
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), scale)
    return field / field.std()


def smooth_blob(side: int) -> tuple[np.ndarray, np.ndarray]:
    row, column = np.indices((side, side)) / side - 0.5
    reference = np.hypot(row, column) < 0.3 + 0.03 * noise(side, side / 20, 0)
    return np.hypot(row - 0.01, column) < 0.3 + 0.03 * noise(side, side / 20, 1), reference


def rough_texture(side: int) -> tuple[np.ndarray, np.ndarray]:
    field = noise(side, 2, 2)
    return field + 0.4 * noise(side, 2, 3) > 0, field > 0


def thin_tree(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A tree of forking lines 7 to 1 pixels wide; the prediction has lost its last forks."""
    masks = []
    for depth in (8, 9):
        canvas = np.zeros((side, side), np.uint8)
        branches = [((side / 2, side - 1.0), -np.pi / 2, side / 4, 7)]
        for _ in range(depth):
            grown = []
            for (x, y), angle, length, width in branches:
                end = (x + length * np.cos(angle), y + length * np.sin(angle))
                cv2.line(canvas, (int(x), int(y)), (int(end[0]), int(end[1])), 1, width)
                grown += [(end, angle + turn, length * 0.75, max(width - 1, 1)) for turn in (-0.5, 0.45)]
            branches = grown
        masks.append(canvas.astype(bool))
    return masks[0], masks[1]


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Median over ``repeats`` calls after one to warm up; a single one is not warmed up."""
    if repeats > 1:
        call()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return 1000 * median(times)


def panoptic_of_labels(prediction: np.ndarray, reference: np.ndarray) -> object:
    labels = (torch.from_numpy(measure.label(mask, connectivity=2)) for mask in (prediction, reference))
    return compute_panoptic_quality(*labels)


def hausdorff_of_borders(prediction: np.ndarray, reference: np.ndarray) -> float:
    pair = mask_pair(prediction, reference)
    return metrics.hausdorff_distance(pair.prediction_border, pair.ground_truth_border)


def comparisons(prediction: np.ndarray, reference: np.ndarray) -> list[tuple]:
    """(what, our keys, {library: call}) on one pair of masks."""
    batch = tuple(torch.from_numpy(mask)[None, None].float() for mask in (prediction, reference))
    hausdorff = partial(compute_hausdorff_distance, *batch, include_background=True)
    surface = partial(compute_average_surface_distance, *batch, include_background=True, symmetric=True)
    near = partial(compute_surface_dice, *batch, class_thresholds=[2.0], include_background=True)
    both = (prediction, reference)
    return [
        (
            "hd+hd95+assd+nsd against HD95 alone",
            DISTANCES,
            {"MONAI": partial(hausdorff, percentile=95), "MedPy": partial(medpy.hd95, *both)},
        ),
        (
            "hd",
            ["hd"],
            {
                "MONAI": hausdorff,
                "MedPy": partial(medpy.hd, *both),
                "scikit-image": partial(hausdorff_of_borders, *both),
            },
        ),
        ("assd", ["assd"], {"MONAI": surface, "MedPy": partial(medpy.assd, *both)}),
        ("nsd", ["nsd"], {"MONAI": near}),
        ("iou+dice", ["iou", "dice"], {"MedPy": lambda: (medpy.jc(*both), medpy.dc(*both))}),
        ("boundary_iou", ["boundary_iou"], {}),
        ("boundary_f", ["boundary_f"], {}),
        ("trimap_iou", ["trimap_iou"], {}),
        ("object_recall+pq", ["object_recall", "pq"], {"MONAI": partial(panoptic_of_labels, *both)}),
        ("cldice+skeleton_recall", SKELETONS, {}),
        ("all keys without skeletons", NO_SKELETONS, {}),
        ("all keys", list(scored_keys()), {}),
    ]


def report(name: str, masks: tuple[np.ndarray, np.ndarray], repeats: int) -> None:
    """Print one table: ours, and each library with its ratio to ours."""
    libraries = ["MONAI", "MedPy", "scikit-image"]
    print(f"\n{name}, {masks[1].shape[0]}²: median ms of {repeats} (times ours)")
    print(f"{'':38}{'ours':>9}" + "".join(f"{library:>20}" for library in libraries))
    for what, keys, others in comparisons(*masks):
        large = masks[1].shape[0] > 1000
        # Thinning a blob 2400 pixels wide takes scikit-image over a thousand passes: seconds, so one call.
        thins = large and "cldice" in keys
        ours = milliseconds(partial(binary_scores, *masks, metrics=keys), 1 if thins else repeats)
        cells = []
        for library in libraries:
            # MONAI compares whole images once per pair of objects: a second on a texture, so one call.
            slow = large or what == "object_recall+pq"
            theirs = milliseconds(others[library], 1 if slow else repeats) if library in others else None
            cells.append("" if theirs is None else f"{theirs:.1f} ({theirs / ours:.1f}×)")
        print(f"{what:38}{ours:9.2f}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--skip-large", action="store_true", help="leave out the 4096² pair")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for name, draw in [
        ("smooth blob", smooth_blob),
        ("rough texture", rough_texture),
        ("thin tree", thin_tree),
    ]:
        report(name, draw(512), arguments.repeats)
    if not arguments.skip_large:
        report("smooth blob", smooth_blob(4096), 3)


if __name__ == "__main__":
    main()
