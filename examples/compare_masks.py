"""Which of two tools draws the better masks? Compare their folders against a folder of references.

python examples/compare_masks.py MASKS_A MASKS_B REFERENCES
"""

import sys

import unetseg


def main(first: str, second: str, references: str, report: str = "comparison") -> None:
    """Print how ``second`` differs from ``first``, with intervals, and write a report."""
    results = unetseg.compare(first, second, reference=references, output=report)
    for key in ("iou", "boundary_iou", "skeleton_recall"):
        metric = results.metric(key)
        for name, score in metric.arms.items():
            line = f"{metric.label:<16} {name:<20} {score.estimate.mean:.3f}"
            if score.difference is not None:
                low, high = score.difference.low, score.difference.high
                line += f"  {score.difference.mean:+.3f} [{low:+.3f}, {high:+.3f}]  {score.verdict}"
            print(line)
    print(*results.sentences, f"report: {report}/report.html", sep="\n")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
