"""How well a trained network fits what it was trained on: the loss of each training image, un-augmented."""

import numpy as np
import torch

from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.labels import IGNORED
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.data.loaders import collate
from unetseg.data.scaled_samples import WholeImages
from unetseg.evaluation.rows import Row
from unetseg.inference.predictor import Predictor
from unetseg.metrics.registry import TRAIN_LOSS
from unetseg.runs import Run
from unetseg.training.task import SegmentationTask


def training_losses(run: Run, predictor: Predictor, dataset: SegmentationSet) -> list[Row]:
    """Return the loss of every whole training image under the run's best weights, one row an image.

    The loss is the one that was trained (cross-entropy plus Dice), at the scale the network sees, each image
    by itself; one where no pixel counts has none and is left out. The loss that training logs is of augmented
    crops and of weights that still change.

    Args:
        run: the trained run.
        predictor: of that run.
        dataset: that it was trained on.
    """
    config = run.config()
    data = SegmentationData(dataset, config, predictor.stride, predictor.preprocessing)
    task = SegmentationTask(predictor.model, config, dataset.classes, data.class_weights())
    network = predictor.members[0].network
    whole = WholeImages(data.train_samples, predictor.stride)
    losses: dict[int, float] = {}
    for items in data.whole_batches(data.train_samples):
        batch = [whole[item] for item in items]
        masks = collate(batch)["mask"].long()
        images = data.preprocessing.standardise(np.stack([each["image"] for each in batch]))
        logits = torch.from_numpy(network(images))
        for (_, index), *image in zip(items, logits.split(1), masks.split(1), strict=True):
            if bool((image[1] != IGNORED).any()):
                losses[index] = float(task.loss(*image))
    samples = dataset.splits["train"]
    return [{"image": samples[index].name, TRAIN_LOSS: losses[index]} for index in sorted(losses)]
