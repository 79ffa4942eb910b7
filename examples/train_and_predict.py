"""Train a U-Net, look at one mask as an array, and write the masks of a folder of images.

python examples/train_and_predict.py                      the embedded dataset, about a minute
python examples/train_and_predict.py FOLDER IMAGES OUT    your images/ and masks/; then more images
"""

import sys
from typing import Any

import unetseg
from unetseg.data.datasets.open import open_dataset
from unetseg.data.images.read import read_image


def main(data: str = "filaments", images: str | None = None, out: str = "masks", **settings: Any) -> None:
    """Train on ``data``, then write the masks of ``images`` (its test images if not given) into ``out``."""
    run = unetseg.fit(data=data, **settings)  # any key of the configuration: epochs=40, encoder="resnet34"
    predictor = unetseg.load(run)

    paths = images or [sample.image for sample in open_dataset(data).splits["test"]]
    if not isinstance(paths, str):
        mask = predictor(read_image(paths[0]))  # H×W×3 uint8 → H×W uint8, class indices
        print(f"{paths[0].name}: {(mask == 1).mean():.1%} of {mask.size} pixels are {predictor.classes[1]}")

    result = unetseg.predict(paths, out, run, overlay=True)
    print(f"{result.written} masks in {out}, {len(result.failures)} images failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
