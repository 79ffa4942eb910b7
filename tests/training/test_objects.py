"""``fit --objects``: the depth in objects is learned, how deep to cut is chosen, and both go with the run."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from unetseg.cli import main
from unetseg.config import RunConfig
from unetseg.data.augment import Augmentation
from unetseg.data.object_distance import depth_in_objects
from unetseg.evaluation.object_depth import DEPTHS
from unetseg.inference.loading import load_models, load_predictor
from unetseg.inference.substitute import unet_of
from unetseg.models.lesioned_unet import LesionedUnet
from unetseg.models.replacements import zeros
from unetseg.probes.lesion.block_deletion import BlockDeletions, find_blocks
from unetseg.runs import Run
from unetseg.training import checkpoints
from unetseg.training.task import SegmentationTask


def draw_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two discs that touch, bright on dark, with their numbers."""
    generator = np.random.default_rng(seed)
    numbers = np.zeros((32, 48), np.uint16)
    for number, x in ((1, 14), (2, 30)):
        disc = cv2.circle(np.zeros(numbers.shape, np.uint8), (x, 16), 8, 1, -1)
        numbers[(disc > 0) & (numbers == 0)] = number
    image = generator.normal(60, 8, (*numbers.shape, 3)) + 120 * (numbers > 0)[..., None]
    return image.clip(0, 255).astype(np.uint8), numbers


@pytest.fixture(scope="module")
def touching(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("touching")
    for kind in ("images", "masks", "instances"):
        (folder / kind).mkdir()
    for seed in range(9):
        image, numbers = draw_pair(seed)
        Image.fromarray(image).save(folder / f"images/{seed}.png")
        Image.fromarray((numbers > 0).astype(np.uint8)).save(folder / f"masks/{seed}.png")
        Image.fromarray(numbers).save(folder / f"instances/{seed}.png")
    (folder / "dataset.yaml").write_text("instances: instances\n")
    return folder


@pytest.fixture(scope="module")
def learned(touching, tmp_path_factory) -> Run:
    """A run that learned objects."""
    run = Run(tmp_path_factory.mktemp("learned") / "run")
    words = ["fit", "--objects", "--data", str(touching), "-o", str(run.path), "--stages", "2"]
    words += ["--size", "32", "--epochs", "12", "--batch-size", "3", "--lr", "0.01", "--precision", "float32"]
    assert main(words) == 0
    return run


def test_the_depth_is_chosen_on_validation_and_kept_in_the_run(learned):
    assert learned.config().objects
    chosen = checkpoints.load(learned.best)["inference"]["objects"]
    assert chosen["depth"] in DEPTHS
    assert chosen["pq"] > 0.5 and chosen["pq_components"] == 0
    rule = load_predictor(learned).object_rule
    assert rule.learned and rule.depth == chosen["depth"]


def test_what_a_run_with_objects_is_tested_on_is_its_objects(learned):
    scores = json.loads(learned.test.read_text())["classes"]["foreground"]["image"]
    assert scores["object_recall"]["mean"] == 1 and scores["pq"]["mean"] > 0.5


def test_prediction_parts_what_touches_by_what_was_learned(learned, touching, tmp_path, capsys):
    assert main(["predict", str(touching / "images"), "-o", str(tmp_path), "--run", str(learned.path),
                 "--objects", "--min-area", "40"]) == 0  # fmt: skip
    assert "objects by the distance that was learned, depth" in capsys.readouterr().out
    assert {int(np.array(Image.open(path)).max()) for path in tmp_path.glob("*.objects.png")} == {2}


def test_masks_and_probabilities_do_not_show_the_further_output(learned):
    predictor = load_predictor(learned)
    image, _ = draw_pair(77)
    assert predictor.probabilities(image).shape == (2, 32, 48)
    mask, depth = predictor.masks_with_depth([image])[0]
    assert np.array_equal(mask, predictor(image))
    assert depth[16, 14] > depth[16, 22]


def test_an_exported_model_tells_objects_apart_as_its_run_does(learned, tmp_path):
    path = tmp_path / "model.safetensors"
    assert main(["export", str(learned.path), "--format", "safetensors", "-o", str(path)]) == 0
    run, exported = load_predictor(learned, "cpu"), load_models([path], "cpu")
    assert exported.object_rule == run.object_rule
    image, _ = draw_pair(5)
    assert np.array_equal(*(each.masks_with_depth([image])[0] for each in (run, exported)))


def test_lesions_and_deleted_blocks_are_of_the_logits_alone(learned):
    model = unet_of(load_predictor(learned, "cpu"))
    images = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        intact = model(images)
        lesioned = LesionedUnet(model, [frozenset(), frozenset({0})], zeros)(images)
        deleted = BlockDeletions(model, find_blocks(model)[0][:1])(images)
    assert intact.shape[1] == 2 and lesioned.shape[1] == deleted.shape[1] == 2
    assert torch.allclose(lesioned[:, :1], intact[:, :1], atol=1e-5)
    assert torch.allclose(deleted[:, :1], intact[:, :1], atol=1e-5)


def test_skip_maps_and_learned_objects_are_made_one_at_a_time(learned, touching, tmp_path, capsys):
    words = ["predict", str(touching / "images"), "-o", str(tmp_path / "out"), "--run", str(learned.path)]
    assert main([*words, "--objects", "--explain-skips"]) == 2
    assert "only one at a time" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, "--explain-skips"]) == 0


def test_flips_and_several_runs_average_the_depth(learned):
    image, _ = draw_pair(3)
    single = load_models([learned])
    both = load_models([learned, learned])
    assert both.object_rule == single.object_rule
    ours, theirs = (each.masks_with_depth([image])[0].astype(int) for each in (single, both))
    assert np.abs(ours - theirs).max() <= 1
    flipped = load_models([learned], flips=True).masks_with_depth([image])[0]
    turned = load_models([learned], flips=True).masks_with_depth([image[:, ::-1].copy()])[0]
    assert np.abs(flipped.astype(int) - turned[..., ::-1]).max() <= 1


def test_data_that_do_not_number_their_objects_are_refused(fit):
    outcome = fit("--objects")
    assert outcome.code == 2
    assert "does not number the objects of 11 of its 11 images" in outcome.line
    assert not outcome.run.path.exists()


def test_a_run_with_objects_starts_from_one_without_with_a_head_of_its_own(fit, touching):
    assert fit(data=touching, out="plain").code == 0
    outcome = fit("--objects", "--init", "plain", "--epochs", "1", data=touching, out="second")
    assert outcome.code == 0, outcome.err
    assert "only one of the two learns objects: the head starts anew" in outcome.out


def test_the_depth_is_the_share_of_each_objects_own():
    numbers = np.zeros((9, 20), np.uint16)
    numbers[1:8, 1:8], numbers[3:6, 12:15] = 3, 7
    depth = depth_in_objects(numbers)
    assert depth[4, 4] == depth[4, 13] == 255
    assert (depth > 0).tolist() == (numbers > 0).tolist()
    assert depth[1, 1] == round(255 / 4)


def test_augmentation_moves_the_depth_with_the_mask():
    image, numbers = draw_pair(0)
    mask = (numbers > 0).astype(np.uint8)
    steps = Augmentation("full", 32, 0.5)
    for seed in range(20):
        alone = steps(image, mask, seed)
        picture, moved, depth = steps.with_depth(image, mask, mask * np.uint8(200), seed)
        assert np.array_equal(picture, alone[0]) and np.array_equal(moved, alone[1])
        assert np.array_equal(depth, moved * np.uint8(200))


def test_the_loss_of_the_classes_does_not_see_the_depth():
    task = SegmentationTask(torch.nn.Identity(), RunConfig(objects=True), ["background", "a"])
    generator = torch.Generator().manual_seed(0)
    outputs, depth = torch.randn(2, 2, 8, 8, generator=generator), torch.rand(2, 8, 8, generator=generator)
    masks = torch.randint(0, 2, (2, 8, 8), generator=generator)
    alone = task.loss(outputs, masks)
    assert torch.equal(alone, task.loss(outputs[:, :1], masks))
    error = (outputs[:, 1] - depth).abs().mean()
    assert torch.isclose(task.loss(outputs, masks, depth), alone + 2 * error)
