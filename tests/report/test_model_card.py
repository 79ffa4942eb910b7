"""``export --format card``: a folder that another person can read, and predict with."""

import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from unetseg.cli import main
from unetseg.runs import Run

TINY = ["--stages", "2", "--size", "16", "--epochs", "1", "--batch-size", "3", "--device", "cpu"]


@pytest.fixture(scope="module")
def run(discs, tmp_path_factory) -> Run:
    """A run with the lesions of its long skips."""
    folder = tmp_path_factory.mktemp("card") / "run"
    assert main(["fit", "--data", str(discs), *TINY, "-o", str(folder)]) == 0
    assert main(["lesion", str(folder), "--device", "cpu"]) == 0
    return Run(folder)


@pytest.fixture
def shared(run, tmp_path) -> Path:
    assert main(["export", str(run.path), "--format", "card", "-o", str(tmp_path / "first")]) == 0
    return (tmp_path / "first").rename(tmp_path / "moved")


def test_the_hub_reads_the_header_and_finds_the_scores_of_the_run(run, shared):
    card = ModelCard.load(shared / "README.md")
    assert card.data.library_name == "unetseg" and card.data.pipeline_tag == "image-segmentation"
    dataset = run.test_scores()["classes"]["foreground"]["dataset"]
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found == {"iou": dataset["iou"], "dice": dataset["dice"]}


def test_a_moved_folder_predicts_the_same_masks(run, shared, discs, tmp_path):
    for name, model in (("here", run.path), ("there", shared)):
        words = ["predict", str(discs / "images"), "-o", str(tmp_path / name), "--device", "cpu"]
        assert main([*words, "--run", str(model)]) == 0
    masks = sorted((tmp_path / "here").glob("*.png"))
    assert len(masks) == 14
    assert [path.read_bytes() for path in masks] == [
        (tmp_path / "there" / path.name).read_bytes() for path in masks
    ]


def test_the_card_says_what_the_net_relies_on_and_where_nobody_asked(run, shared, tmp_path):
    text = (shared / "README.md").read_text(encoding="utf-8")
    assert "zero in place of a long skip, image IoU on the test split changes by" in text
    assert f"expected calibration error {run.test_scores()['calibration']['ece']:.4f}" in text
    assert "- without 0: " in text and "6 train, 5 val, 3 test images" in text
    shutil.copytree(run.path, tmp_path / "other", ignore=shutil.ignore_patterns("lesion-*"))
    assert main(["export", str(tmp_path / "other"), "--format", "card"]) == 0
    assert "Not asked" in (tmp_path / "other/card/README.md").read_text(encoding="utf-8")


def test_no_path_of_this_machine_is_shared(shared, discs):
    for name in ("README.md", "config.yaml", "test.json"):
        assert str(discs.parent) not in (shared / name).read_text(encoding="utf-8")
    assert yaml.safe_load((shared / "config.yaml").read_text(encoding="utf-8"))["data"] == discs.name


def test_what_is_there_is_replaced_only_if_asked(run, shared, capsys):
    (shared / "README.md").write_text("mine")
    words = ["export", str(run.path), "--format", "card", "-o", str(shared)]
    assert main(words) == 2 and (shared / "README.md").read_text() == "mine"
    assert main([*words, "--overwrite"]) == 0
    assert (shared / "README.md").read_text(encoding="utf-8").startswith("---\n")
