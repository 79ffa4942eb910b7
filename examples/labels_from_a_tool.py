"""From an annotation tool to a net and back: train on its labels, write labels that it opens.

python examples/labels_from_a_tool.py LABELS IMAGES OUT     LABELS: LabelMe, COCO, YOLO, CVAT, QuPath …
"""

import sys
from typing import Any

import unetseg


def main(labels: str, images: str, out: str, format: str = "labelme", **settings: Any) -> None:
    """Train on ``labels``; write what the net finds in ``images`` into ``out``, in the tool's ``format``."""
    run = unetseg.fit(data=labels, **settings)  # which format it is, and what was left out, is said
    result = unetseg.predict(images, out, run, format=format, min_area=20)  # specks are no objects
    print(f"{result.written} files in {out}: open that folder in the tool, and mend what is wrong")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
