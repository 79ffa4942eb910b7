"""The means of what comes over each long skip, over the training images of a run."""

from torch import Tensor, nn

from unetseg.data.datasets.samples import SegmentationSet
from unetseg.inference.predictor import Predictor
from unetseg.inference.substitute import SubstitutePredictor, unet_of
from unetseg.models.unet import Unet

BATCH = 8  # images


def channel_means(predictor: Predictor, dataset: SegmentationSet) -> dict[int, Tensor]:
    """Return the means over the training images of what comes over each long skip, (C,) float64, by level.

    The images reach the network as they do in a prediction, without augmentation: padded ones with their
    padding, and of large ones the pixels where tiles overlap more than once.
    """
    means = FeatureMeans(unet_of(predictor))
    measuring = SubstitutePredictor(predictor, means)
    dataset, samples = dataset.read_by(predictor.pixels), dataset.splits["train"]
    for start in range(0, len(samples), BATCH):
        measuring.logits([dataset.image(sample) for sample in samples[start : start + BATCH]])
    return means.means


class FeatureMeans(nn.Module):
    """Adds up, over all images that it is given, the channels of what comes over each long skip.

    It stands in the place of a network, so that images reach it as they reach the network itself; what it
    returns in the place of logits means nothing.
    """

    def __init__(self, model: Unet) -> None:
        super().__init__()
        self.model = model
        self.stride = model.stride
        self.in_channels = model.in_channels
        self._sums: dict[int, Tensor] = {}
        self._counts = dict.fromkeys(model.active_levels, 0)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 3, H, W) to (N, 1, H, W)."""
        features = self.model.decoder.received(self.model.features(images))
        for level in self.model.active_levels:
            channels = features[level].float().sum(dim=(0, 2, 3)).cpu().double()
            self._sums[level] = self._sums.get(level, 0) + channels
            self._counts[level] += features[level][:, 0].numel()
        return images[:, :1]

    @property
    def means(self) -> dict[int, Tensor]:
        """The mean of each channel over all positions of all images, (C,) float64, by level."""
        return {level: total / self._counts[level] for level, total in self._sums.items()}
