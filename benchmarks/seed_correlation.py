"""Does a shared seed make two nets alike? The correlation over seeds of two arms' mean scores.

    printf 'arms:\\n  on: {}\\n  add: {merge: add}\\nreference: on\\nseeds: 20\\n' > seeds.yaml
    unetseg ablate seeds.yaml --size 32 --workers 2 -o seeds
    python benchmarks/seed_correlation.py seeds [--arms on add] [--metric iou]

Prints each arm's mean and standard deviation over its seeds, Pearson's correlation over the seeds that both
arms have, and its 95 % interval (Fisher's z, scipy.stats.pearsonr).
"""

import argparse
import json
import re
from pathlib import Path
from statistics import fmean, mean, stdev

from scipy.stats import pearsonr

RUN = re.compile(r"(.+)-seed(\d+)")


def means_by_seed(study: Path, arm: str, metric: str) -> dict[int, float]:
    """Return by seed the mean over test images and classes of an arm's runs."""
    found = {}
    for file in study.glob(f"{arm}-seed*/test.json"):
        matched = RUN.fullmatch(file.parent.name)
        if matched and matched[1] == arm:
            classes = json.loads(file.read_text())["classes"].values()
            found[int(matched[2])] = fmean(each["image"][metric]["mean"] for each in classes)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--arms", nargs=2, default=("on", "add"))
    parser.add_argument("--metric", default="iou")
    args = parser.parse_args()
    first, second = (means_by_seed(args.study, arm, args.metric) for arm in args.arms)
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < 4:
        parser.error(f"{args.study}: {len(seeds)} seeds that both arms have; an interval needs 4")
    for arm, scores in zip(args.arms, (first, second), strict=True):
        values = [scores[seed] for seed in seeds]
        print(f"{arm}: {args.metric} {mean(values):.4f}, standard deviation over seeds {stdev(values):.4f}")
    result = pearsonr([first[seed] for seed in seeds], [second[seed] for seed in seeds])
    low, high = result.confidence_interval(0.95)
    interval = f"95 % interval {low:+.2f} to {high:+.2f}"
    print(f"correlation over {len(seeds)} seeds {result.statistic:+.2f} ({interval})")


if __name__ == "__main__":
    main()
