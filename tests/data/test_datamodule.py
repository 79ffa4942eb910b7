"""What reaches the network: crops that depend on (seed, epoch, index) alone, validation images whole."""

import numpy as np
import pytest
import torch

from unetseg.config import RunConfig
from unetseg.data.augment import IGNORED, Augmentation
from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.open import open_dataset
from unetseg.data.preprocessing import Preprocessing
from unetseg.data.samplers import EvaluationBatches, TrainingSampler
from unetseg.data.scaled_samples import ScaledSamples, TrainingCrops
from unetseg.errors import UsageError

PLAIN = Preprocessing("native", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def loaded(folder, **changes):
    config = RunConfig(data=str(folder), size=16, batch_size=4, **changes)
    return SegmentationData(open_dataset(str(folder)), config, stride=8)


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    mask = np.zeros((50, 40), np.uint8)
    mask[10:30, 15:25] = 1
    mask[30:34] = IGNORED
    return generator.integers(0, 256, (50, 40, 3), dtype=np.uint8), mask


@pytest.mark.parametrize("strength", ["none", "light", "full"])
@pytest.mark.parametrize("size", [16, 64])
def test_augmentation_is_a_function_of_the_seed_and_invents_no_label(pair, strength, size):
    augment = Augmentation(strength, size, foreground_crops=0.0)
    image, mask = augment(*pair, seed=3)
    again, mask_again = augment(*pair, seed=3)
    assert image.shape == (size, size, 3) and mask.shape == (size, size)
    assert np.array_equal(image, again) and np.array_equal(mask, mask_again)
    assert set(np.unique(mask)) <= {0, 1, IGNORED}
    assert not np.array_equal(image, augment(*pair, seed=4)[0])


def test_the_mask_moves_with_the_image():
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 5:30] = 1
    image = np.repeat(mask[..., None] * np.uint8(200), 3, axis=2)
    augment = Augmentation("full", 48, foreground_crops=0.0)
    for seed in range(20):
        moved, moved_mask = augment(image, mask, seed)
        inside, outside = moved[moved_mask == 1], moved[moved_mask == 0]
        if inside.size and outside.size:
            assert np.median(inside) > np.median(outside) + 50


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0.0, 0.2), (0.5, 0.35, 0.7), (1.0, 1.0, 1.0)])
def test_the_given_share_of_crops_holds_foreground(share, least, most):
    mask = np.zeros((200, 200), np.uint8)
    mask[100:104, 50:54] = 1
    mask[:4, :4] = IGNORED
    image = np.zeros((200, 200, 3), np.uint8)
    augment = Augmentation("none", 16, foreground_crops=share)
    hits = np.mean([(augment(image, mask, seed)[1] == 1).any() for seed in range(60)])
    assert least <= hits <= most


def test_a_crop_depends_on_seed_epoch_and_index_and_on_nothing_drawn_before(discs):
    pairs = loaded(discs).train_samples
    crops = TrainingCrops(pairs, RunConfig(size=16, seed=1))
    first = crops[(2, 3)]
    crops[(0, 0)]
    assert all(np.array_equal(first[key], crops[(2, 3)][key]) for key in first)
    assert not np.array_equal(first["image"], crops[(3, 3)]["image"])
    other = TrainingCrops(pairs, RunConfig(size=16, seed=2))
    assert not np.array_equal(first["image"], other[(2, 3)]["image"])


def test_batches_are_float_images_channels_last_and_integer_masks(discs):
    batch = next(iter(loaded(discs).train_dataloader()))
    assert batch["image"].shape == (4, 3, 16, 16) and batch["image"].dtype == torch.float32
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["mask"].shape == (4, 16, 16) and batch["mask"].dtype == torch.int64


def test_training_images_have_zero_mean_and_unit_deviation(discs):
    data = loaded(discs)
    pixels = np.concatenate([data.preprocessing.normalise(image) for image, _ in data.train_samples])
    assert pixels.mean() == pytest.approx(0, abs=1e-3) and pixels.std() == pytest.approx(1, abs=1e-3)


def test_validation_images_are_whole_and_what_pads_them_is_not_counted(pair, discs):
    data = loaded(discs)
    for batch in data.val_dataloader():
        assert batch["image"].shape[2:] == batch["mask"].shape[1:] == (40, 40)
    image, mask = pair

    class One(ScaledSamples):
        def read(self, index):
            return image, mask

    data.val_samples = One(data.dataset, data.val_samples.samples[:1], PLAIN, budget=0)
    batch = next(iter(data.val_dataloader()))
    assert batch["image"].shape == (1, 3, 56, 40)
    assert (batch["mask"][0, 50:] == IGNORED).all()
    assert (batch["mask"][0, :50].numpy() == mask).all()


def test_images_beyond_the_memory_budget_are_read_again_with_the_same_result(discs):
    dataset = open_dataset(str(discs))
    kept, read = (ScaledSamples(dataset, dataset.splits["train"], PLAIN, budget) for budget in (1 << 20, 0))
    kept.fill()
    read.fill()
    assert len(kept.cache) == len(kept) and not read.cache
    assert all(np.array_equal(a, b) for i in range(len(kept)) for a, b in zip(kept[i], read[i], strict=True))


def test_each_epoch_has_every_index_once_in_an_order_of_its_own():
    sampler = TrainingSampler(7, seed=0)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append([index for _, index in sampler])
        assert [e for e, _ in sampler] == [epoch] * 7
        assert sorted(orders[-1]) == list(range(7))
    assert orders[0] != orders[1] != orders[2]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_validation_counts_every_image_once_over_all_processes(world_size):
    sizes = [(8, 8), (8, 16), (8, 8), (8, 8), (8, 16)]
    parts = [list(EvaluationBatches(sizes, lambda size: 2, rank, world_size)) for rank in range(world_size)]
    assert len({len(part) for part in parts}) == 1, "every process takes part in every step"
    counted = [index for part in parts for batch in part for mark, index in batch if mark == 0]
    assert sorted(counted) == [0, 1, 2, 3, 4]
    assert all(len({sizes[index] for _, index in batch}) == 1 for part in parts for batch in part)


def test_large_validation_images_make_small_batches(discs, monkeypatch):
    monkeypatch.setattr("unetseg.data.datamodule.LARGEST_BATCH", 2 * 40 * 40)
    assert [len(batch["mask"]) for batch in loaded(discs).val_dataloader()] == [2, 2, 1]
    monkeypatch.setattr("unetseg.data.datamodule.LARGEST_BATCH", 1)
    assert [len(batch["mask"]) for batch in loaded(discs).val_dataloader()] == [1] * 5


def test_class_weights_are_given_balanced_or_none(discs):
    assert loaded(discs).class_weights() is None
    assert loaded(discs, class_weights="1,3").class_weights() == [1.0, 3.0]
    background, disc = loaded(discs, class_weights="balanced").class_weights()
    assert background < 1 < disc and background + disc == pytest.approx(2)
    with pytest.raises(UsageError, match="has 2 classes, one number each"):
        loaded(discs, class_weights="1,2,3").class_weights()
