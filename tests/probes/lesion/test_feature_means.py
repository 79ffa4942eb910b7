"""What a lesion puts in a skip's place comes from the training images alone."""

import torch

from unetseg.data.datasets.open import open_data
from unetseg.inference.loading import load_predictor
from unetseg.probes.lesion.feature_means import channel_means


def test_channel_means_are_of_the_training_images_and_of_nothing_else(fit):
    run = fit("--stages", "3", "--epochs", "1", "--precision", "float32").run
    predictor, dataset = load_predictor(run, "cpu"), open_data(run.config())
    images = [predictor.prepare(dataset.image(sample))[0] for sample in dataset.splits["train"]]
    with torch.inference_mode():
        features = [
            predictor.model.features(torch.from_numpy(each).permute(2, 0, 1)[None]) for each in images
        ]
    means = channel_means(predictor, dataset)
    assert sorted(means) == [0, 1]
    for level, mean in means.items():
        expected = torch.cat([each[level] for each in features]).double().mean(dim=(0, 2, 3))
        torch.testing.assert_close(mean, expected, atol=1e-5, rtol=0)
