"""The scripts in ``examples/``, run with tiny settings."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"
TINY = {"stages": 2, "size": 16, "epochs": 1, "batch_size": 3}


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[..., Any]]:
    """A function that returns the ``main`` of an example; what it writes goes into an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda name: runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_every_example_is_run_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "train_and_predict",
        "compare_masks",
        "small_ablation",
        "labels_from_a_tool",
        "lesions",
    }


def test_train_and_predict(example, discs, tmp_path, capsys):
    example("train_and_predict")(str(discs), **TINY)
    out = capsys.readouterr().out
    assert "of 1600 pixels are foreground" in out and "3 masks in masks, 0 images failed" in out
    masks = sorted(path.name for path in (tmp_path / "masks").glob("test?.png"))
    assert masks == ["test0.png", "test1.png", "test2.png"]


def test_train_and_predict_a_folder_of_other_images(example, discs, tmp_path, capsys):
    example("train_and_predict")(str(discs), str(discs / "images"), "out", **TINY)
    assert "14 masks in out, 0 images failed" in capsys.readouterr().out


def test_compare_masks(example, discs, tmp_path, capsys):
    for name, size in (("right", 1), ("wide", 5)):
        (tmp_path / name).mkdir()
        for path in (discs / "masks").iterdir():
            grown = cv2.dilate(np.array(Image.open(path)), np.ones((size, size), np.uint8))
            Image.fromarray(grown).save(tmp_path / name / path.name)
    example("compare_masks")("right", "wide", str(discs / "masks"))
    lines = capsys.readouterr().out.splitlines()
    iou = [line.split() for line in lines if line.startswith("image IoU")]
    assert iou[0][-1] == "1.000"
    # One folder a tool is one net of it: what another training would give, nobody has shown.
    assert float(iou[1][4]) < 0 and " ".join(iou[1]).endswith("for these nets only")
    assert (tmp_path / "comparison/report.html").is_file()


def test_small_ablation(example, discs, tmp_path, capsys):
    example("small_ablation")(str(discs), seeds=1, **TINY)
    out = capsys.readouterr().out
    assert out.count(" parameters, ") == 3 and "Without long skips (drop)" in out
    assert len(list((tmp_path / "checkpoints").rglob("best.ckpt"))) == 3


def test_labels_from_a_tool_come_back_as_labels(example, tmp_path, capsys):
    (tmp_path / "labels").mkdir()
    for number in range(8):
        image = np.random.default_rng(number).integers(0, 60, (40, 40, 3), np.uint8)
        image[10:30, 8:28] += 150
        Image.fromarray(image).save(tmp_path / f"labels/{number}.png")
        square = {
            "label": "square",
            "shape_type": "polygon",
            "points": [[8, 10], [28, 10], [28, 30], [8, 30]],
        }
        written = {"imagePath": f"{number}.png", "imageHeight": 40, "imageWidth": 40, "shapes": [square]}
        (tmp_path / f"labels/{number}.json").write_text(json.dumps(written), encoding="utf-8")
    example("labels_from_a_tool")("labels", "labels", "out", **TINY)
    assert "LabelMe: 8 image(s), 8 object(s)" in capsys.readouterr().out
    found = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "out").glob("*.json")]
    assert len(found) == 8 and {shape["label"] for each in found for shape in each["shapes"]} <= {"square"}


def test_lesions(example, discs, capsys):
    example("lesions")(data=str(discs), **TINY)
    rows = [
        line.split()
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(("intact", "without 0"))
    ]
    assert [row[0] for row in rows] == ["intact", "without"] and rows[0][2] == "+0.000"
