"""The loss: class weights and ignored pixels; the counts behind the validation IoU."""

import pytest
import torch
from torch import nn

from unetseg.config import RunConfig
from unetseg.data.augment import IGNORED
from unetseg.training.task import SegmentationTask


def task(classes, weights=None):
    names = ["background", "a", "b"][:classes]
    return SegmentationTask(nn.Identity(), RunConfig(), names, weights)


def drawn(classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    outputs = 1 if classes == 2 else classes
    logits = torch.randn(2, outputs, 8, 8, generator=generator)
    return logits, torch.randint(0, classes, (2, 8, 8), generator=generator)


@pytest.mark.parametrize("classes", [2, 3])
def test_ignored_pixels_have_no_gradient(classes):
    logits, masks = drawn(classes)
    masks[:, :4] = IGNORED
    logits.requires_grad_()
    task(classes).loss(logits, masks).backward()
    assert (logits.grad[:, :, :4] == 0).all() and (logits.grad[:, :, 4:] != 0).any()


@pytest.mark.parametrize("classes", [2, 3])
def test_what_stands_under_ignored_pixels_does_not_matter(classes):
    logits, masks = drawn(classes)
    masks[:, :4] = IGNORED
    other = torch.cat([torch.randn_like(logits[:, :, :4]) * 9, logits[:, :, 4:]], dim=2)
    assert torch.equal(task(classes).loss(logits, masks), task(classes).loss(other, masks))


@pytest.mark.parametrize("classes", [2, 3])
def test_a_batch_with_nothing_but_ignored_pixels_harms_nothing(classes):
    logits, masks = drawn(classes)
    logits.requires_grad_()
    loss = task(classes).loss(logits, torch.full_like(masks, IGNORED))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_of_more_weight_pulls_harder(classes):
    logits, masks = drawn(classes)
    pulls = []
    for weights in (None, [1.0] * (classes - 1) + [5.0]):
        each = logits.clone().requires_grad_()
        task(classes, weights).pixel_loss(
            each, masks.unsqueeze(1).float() if classes == 2 else masks
        ).backward()
        of_class = each.grad[:, -1][masks == classes - 1].abs().sum()
        pulls.append(float(of_class / each.grad.abs().sum()))
    assert pulls[1] > 1.3 * pulls[0]


def test_equal_weights_are_no_weights():
    for classes in (2, 3):
        logits, masks = drawn(classes)
        assert task(classes, [2.0] * classes).loss(logits, masks) == pytest.approx(
            float(task(classes).loss(logits, masks))
        )


@pytest.mark.parametrize("classes", [2, 3])
def test_validation_counts_hits_false_alarms_and_misses_of_counted_pixels(classes):
    each = task(classes)
    for seed in (0, 1):
        logits, masks = drawn(classes, seed)
        masks[:, 0] = IGNORED
        each.validation_step({"image": logits, "mask": masks}, seed)
    expected = torch.zeros_like(each.counts)
    for seed in (0, 1):
        logits, masks = drawn(classes, seed)
        predicted = (logits[:, 0] > 0).long() if classes == 2 else logits.argmax(1)
        predicted, masks = predicted[:, 1:], masks[:, 1:]
        for index in range(classes):
            found, there = predicted == index, masks == index
            expected[index] += torch.stack(
                [(found & there).sum(), (found & ~there).sum(), (~found & there).sum()]
            )
    assert torch.equal(each.counts, expected)
