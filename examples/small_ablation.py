"""What are the long skips worth on your data? Train with and without them until the answer is clear.

python examples/small_ablation.py             the embedded dataset, about ten minutes on two cores
python examples/small_ablation.py FOLDER      your images/ and masks/, or labels of a tool
"""

import sys
from typing import Any

import unetseg


def main(data: str = "filaments", seeds: int | str = "3..10", **settings: Any) -> None:
    """Train three arms of the study ``long`` and print what differs; a second call trains nothing again.

    ``"3..10"`` looks after 3, 4, 5, 7 and 10 seeds and trains on only the arms that are undecided.
    """
    results = unetseg.ablate("long", data=data, seeds=seeds, arms=["on", "drop", "widen"], **settings)
    for arm in results.arms:
        print(f"{arm.label}: {arm.parameters:,} parameters, {arm.seconds:.0f} s a run")
    print(*results.sentences, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
