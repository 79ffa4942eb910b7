"""Scores solid shapes with skeletons thinned from the border, against scikit-image's passes over every pixel.

    OMP_NUM_THREADS=1 python benchmarks/scoring.py [--rounds 5] [--masks FOLDER]

Prints processor time: for one mask of each shape the skeleton alone, for a pair all scores; medians over
interleaved rounds, with the range of the ratio. FOLDER holds masks (0 is the background), each scored against
itself moved by a few pixels. The skeletons of both ways are compared. The last columns score one more
prediction of the same ground truth, whose skeleton is kept, against thinning it anew.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from unittest.mock import patch

import cv2
import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.morphology import skeletonize

from unetseg.metrics import binary_scores
from unetseg.metrics.thinning import skeleton

Pair = tuple[np.ndarray, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--quick", action="store_true", help="without the largest, one round")
    options = parser.parse_args()
    options.rounds = 1 if options.quick else options.rounds
    cv2.setNumThreads(1)
    print(
        f"{'':24}{'skeleton':>12}{'library':>10}{'':20}{'all scores':>16}{'library':>10}{'':20}"
        f"{'one more':>16}{'anew':>10}"
    )
    for side in (512, 1024) if options.quick else (512, 1024, 2048):
        report(f"blob {side}²", [blob(side)], options.rounds)
        report(f"30 blobs in {side}²", [objects(side)], options.rounds)
    if options.masks:
        found = [path for path in sorted(options.masks.iterdir()) if path.is_file()]
        report(f"{len(found)} masks of {options.masks.name}", [moved(path) for path in found], options.rounds)


def report(name: str, pairs: Sequence[Pair], rounds: int) -> None:
    """Print one row of medians, in milliseconds."""
    for _, truth in pairs:
        assert np.array_equal(skeleton(truth), skeletonize(truth)), f"{name}: other pixels"
    alone = turns(partial(thin, pairs, skeleton), partial(thin, pairs, skeletonize), rounds)
    scores = turns(partial(score, pairs, skeleton), partial(score, pairs, skeletonize), rounds)
    again(pairs)
    kept = turns(partial(again, pairs), partial(score, pairs, skeleton), rounds)
    print(f"{name:24}{cells(*alone)}    {cells(*scores)}    {cells(*kept)}", flush=True)


def thin(pairs: Sequence[Pair], way: Callable[[np.ndarray], np.ndarray]) -> None:
    for _, truth in pairs:
        way(truth)


def score(pairs: Sequence[Pair], way: Callable[[np.ndarray], np.ndarray]) -> None:
    with patch("unetseg.metrics.pair.skeleton", way), patch("unetseg.metrics.pair.skeleton_again", way):
        for pair in pairs:
            binary_scores(*pair)


def again(pairs: Sequence[Pair]) -> None:
    for pair in pairs:
        binary_scores(*pair)


def turns(
    ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> tuple[list[float], list[float]]:
    """Time both in turns: one after the other in every round."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for way, found in zip((ours, theirs), times, strict=True):
            started = time.process_time()
            way()
            found.append(1000 * (time.process_time() - started))
    return times


def cells(ours: Sequence[float], theirs: Sequence[float]) -> str:
    ratios = [other / own for own, other in zip(ours, theirs, strict=True)]
    told = f"{median(ratios):.1f} [{min(ratios):.1f} to {max(ratios):.1f}]"
    return f"{median(ours):9.1f} ms{median(theirs):10.1f}{told:>20}"


def blob(side: int) -> Pair:
    """A disc with a wavy outline, and another to be its prediction."""
    row, column = np.indices((side, side)) / side - 0.5
    waves = [wavy(side, seed) for seed in (0, 1)]
    truth = np.hypot(row, column) < 0.35 + 0.03 * waves[0]
    return np.hypot(row - 0.01, column) < 0.35 + 0.03 * waves[1], truth


def wavy(side: int, seed: int) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), side / 20)
    return field / field.std()


def objects(side: int) -> Pair:
    """Thirty discs, and the same a few pixels away."""
    generator = np.random.default_rng(2)
    masks = [np.zeros((side, side), np.uint8) for _ in range(2)]
    for x, y, radius in zip(*generator.random((3, 30)), strict=True):
        for mask, shift in zip(masks, (3, 0), strict=True):
            centre = int(x * side) + shift, int(y * side)
            cv2.circle(mask, centre, int((0.02 + 0.06 * radius) * side), 1, -1)
    return masks[0] > 0, masks[1] > 0


def moved(path: Path) -> Pair:
    truth = np.asarray(Image.open(path)) > 0
    return np.roll(truth, (4, -3), (0, 1)), truth


if __name__ == "__main__":
    main()
