"""Which long skips does a trained net rely on? Switch each one off, without training again.

python examples/lesions.py                    trains a net on the embedded dataset first, about a minute
python examples/lesions.py RUN RUN            runs that exist: the seeds of one configuration
"""

import sys
from typing import Any

import unetseg


def main(*runs: Any, mode: str = "mean", **settings: Any) -> None:
    """Print what image IoU loses with each level off; ``mode`` is what stands in the skip's place."""
    found = unetseg.lesion(*(runs or (unetseg.fit(**settings),)), mode=mode)
    for off, effects in found.lesions.effects.items():
        score, change = effects["iou"]
        print(f"{off:<20} {score.mean:.3f}  {change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]")


if __name__ == "__main__":
    main(*sys.argv[1:])
