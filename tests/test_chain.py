"""From a dataset to a run, its scores, its masks: what the first commands of a new user leave behind."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import unetseg
from unetseg.cli import main
from unetseg.data.images.find import find_images

FILES = {
    "config.yaml", "best.ckpt", "last.ckpt", "metrics.csv", "curves.png", "split.json", "test.json",
    "test_images.csv", "environment.json",
}  # fmt: skip


def test_a_run_folder_holds_all_that_it_takes_to_trust_or_repeat_it(fit):
    done = fit(curves=True)
    assert done.code == 0
    assert not FILES - {path.name for path in done.run.path.iterdir()}
    assert [row["epoch"] for row in done.run.epochs()] == [1, 2]
    environment = json.loads(done.run.environment.read_text())
    assert environment["packages"]["torch"] and environment["training_seconds"] > 0
    assert {name: len(names) for name, names in json.loads(done.run.split.read_text()).items()} == {
        "train": 6, "val": 5, "test": 3,
    }  # fmt: skip
    with Image.open(done.run.curves) as picture:
        assert picture.format == "PNG" and picture.width > 400


def test_the_log_says_what_is_trained_and_what_to_type_next(fit):
    out = fit("--skips", "0").out
    assert "parameters" in out and "GMACs at 16×16" in out and "skips on at levels: 0" in out
    assert "hardware  cpu" in out and "6 train, 5 val, 3 test" in out
    assert all(f"\n{name} " in out for name in ("IoU", "Dice", "trimap IoU", "Boundary IoU"))
    assert "dataset" in out and "image mean" in out
    assert out.splitlines()[-1] == "next: unetseg predict IMAGES... -o masks/ --run run"


def test_the_dataset_iou_is_that_of_the_counts_in_the_table_of_images(fit):
    run = fit().run
    with run.test_images.open(newline="") as file:
        rows = list(csv.DictReader(file))
    tp, fp, fn = (sum(float(row[key]) for row in rows) for key in ("tp", "fp", "fn"))
    assert len(rows) == 3
    assert run.test_scores()["mean"]["dataset"]["iou"] == pytest.approx(tp / (tp + fp + fn))


@pytest.mark.parametrize(
    "flags", [(), ("--encoder", "resnet18", "--size", "32", "--skips", "^2", "--control", "self")]
)
def test_the_same_command_twice_gives_the_same_bits(fit, assert_same_bits, flags):
    assert_same_bits(fit(*flags, out="first").run, fit(*flags, out="second").run)


def test_another_seed_gives_another_net(fit):
    first, second = (fit("--seed", seed, out=f"seed{seed}").run.metrics.read_text() for seed in "01")
    assert first != second


def test_a_checkpoint_holds_plain_values_and_all_that_inference_repeats(fit):
    content = torch.load(fit("--scale", "longest:24").run.best, weights_only=True)
    assert content["inference"]["preprocessing"]["scale"] == "longest:24"
    assert content["inference"]["classes"] == ["background", "foreground"]
    assert len(content["inference"]["preprocessing"]["mean"]) == 3


def test_masks_have_the_images_sizes_and_the_classes_as_palette_indices(fit, discs, capsys):
    fit()
    assert main(["predict", str(discs / "images"), "-o", "masks", "--run", "run"]) == 0
    images = find_images([discs / "images"])
    assert len(list(Path("masks").glob("*.png"))) == len(images) == 14
    for image in images:
        with Image.open(Path("masks") / image.output(".png")) as mask, Image.open(image.path) as original:
            assert mask.mode == "P" and mask.size == original.size
            assert set(np.unique(np.asarray(mask))) <= {0, 1}
            assert mask.getpalette()[:3] == [0, 0, 0] != mask.getpalette()[3:6]


@pytest.mark.parametrize(
    ("last", "standing"), [(1, "epoch 1 of 3"), (3, "epoch 3 of 3, not tested"), (0, "no whole epoch")]
)
def test_predicting_with_an_interrupted_run_says_so(fit, discs, capsys, last, standing):
    begun = fit("--epochs", "3").run
    image = str(discs / "images" / "test0.png")
    assert main(["predict", image, "-o", "finished", "--run", "run"]) == 0
    assert "not finished" not in capsys.readouterr().out
    begun.test.unlink()
    begun.metrics.write_text("".join(begun.metrics.read_text().splitlines(keepends=True)[: last + 1]))
    assert main(["predict", image, "-o", "masks", "--run", "run"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    assert f"run is not finished ({standing})" in line and "'unetseg fit --resume run'" in line
    for words in (["evaluate", "run"], ["export", "run", "--format", "safetensors", "--overwrite"]):
        assert main(words) == 0
        assert line in capsys.readouterr().out.splitlines()


def test_where_no_run_is_finished_the_one_to_go_on_with_is_named(fit, discs, capsys):
    begun = fit(out="checkpoints/begun").run
    begun.test.unlink()
    assert main(["predict", str(discs / "images"), "-o", "masks"]) == 2
    assert "go on with one by 'unetseg fit --resume checkpoints/begun'" in capsys.readouterr().err


def test_the_newest_finished_run_under_checkpoints_is_taken_and_named(fit, discs, capsys):
    for name in ("older", "newer"):
        fit(out=f"checkpoints/{name}")
    inside = fit(out="checkpoints/study/inside").run  # a study's runs lie below their study
    (inside.path.parent / "study.yaml").write_text("base: {data: discs}\n")
    Path("checkpoints/broken").mkdir()
    Path("checkpoints/broken/config.yaml").write_text("seed: 1\n")
    assert main(["predict", str(discs / "images" / "test0.png"), "-o", "masks"]) == 0
    assert str(Path("checkpoints/newer")) in capsys.readouterr().out
    assert main(["runs"]) == 0
    listed = capsys.readouterr().out.split("\n\n")[0].splitlines()[1:]
    assert [Path(line.split()[0]).name for line in listed] == ["older", "newer", "broken"]
    assert "unfinished" in listed[2]


def test_a_folder_that_holds_a_run_is_not_written_over(fit):
    before = fit().run.best.read_bytes()
    again = fit()
    assert again.code == 2 and "already holds a run" in again.line
    assert again.run.best.read_bytes() == before


def test_python_offers_the_same_by_name(discs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = unetseg.fit(data=str(discs), stages=2, size=16, epochs=1, skips="off", output="run")
    predictor = unetseg.load(run)
    mask = predictor(np.zeros((30, 45, 3), np.uint8))
    assert mask.shape == (30, 45) and mask.dtype == np.uint8
    probabilities = predictor.probabilities(np.zeros((30, 45, 3), np.uint8))
    assert probabilities.shape == (2, 30, 45) and np.allclose(probabilities.sum(axis=0), 1)
    assert unetseg.build_model(unetseg.RunConfig(skips="off")).active_levels == frozenset()


def test_exported_images_are_copies_that_can_be_predicted(discs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["data", "export", str(discs), "--split", "val", "-o", "out"]) == 0
    copies = sorted(Path("out").iterdir())
    assert [copy.name for copy in copies] == [f"val{number}.png" for number in range(5)]
    assert all(copy.read_bytes() == (discs / "images" / copy.name).read_bytes() for copy in copies)
    assert main(["data", "export", str(discs), "--split", "val", "-o", "out"]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
