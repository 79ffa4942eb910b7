"""What are the long skips worth on your data? Train with and without them, over seeds, and compare.

python examples/small_ablation.py             the embedded dataset, about ten minutes on two cores
python examples/small_ablation.py FOLDER      your images/ and masks/
"""

import sys
from typing import Any

import unetseg


def main(data: str = "filaments", seeds: int = 3, **settings: Any) -> None:
    """Train three arms of the study ``long`` and print what differs; a second call trains nothing again."""
    results = unetseg.ablate("long", data=data, seeds=seeds, arms=["on", "drop", "widen"], **settings)
    for arm in results.arms:
        print(f"{arm.label}: {arm.parameters:,} parameters, {arm.seconds:.0f} s a run")
    print(*results.sentences, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
