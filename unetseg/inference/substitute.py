"""A run's predictor with another network in the place of its own, such as one of several variants of it."""

from collections.abc import Sequence
from functools import cached_property

from torch import nn

from unetseg.inference.ensemble import Member
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.predictor import Predictor
from unetseg.models.unet import Unet


class SubstitutePredictor(Predictor):
    """Hands images to another network as a run's own predictor hands them to the run's.

    That includes the tiles of large images: only so can the two be compared. What the other network returns,
    the logits of several variants or none at all, does not tell how far tiles must overlap, and its layers,
    run once a variant, not how much memory is in use at once.

    Args:
        own: of one run, in PyTorch.
        network: with the stride of the run's; may hold the run's own module, and must not need much more
            memory at once.
    """

    def __init__(self, own: Predictor, network: nn.Module) -> None:
        (member,) = own.members
        assert isinstance(member.network, TorchNetwork)
        substitute = Member(TorchNetwork(network, member.network.hardware), member.preprocessing, member.name)
        super().__init__(
            [substitute],
            own.classes,
            own.colours,
            threshold=own.threshold,
            flips=own.flips,
            object_rule=own.object_rule,
            temperature=own.temperature,
            appearance=own.appearance,
        )
        self.own = own

    def too_large(self, sizes: Sequence[tuple[int, int]]) -> str:
        """Return why images of these sizes cannot go through whole, by what the run's own network needs."""
        return self.own.too_large(sizes)

    @cached_property
    def whole_pixels(self) -> int:
        """The most pixels that go through the run's own network at once."""
        return self.own.whole_pixels

    @cached_property
    def reach(self) -> int:
        """How far from a tile's edge the run's own probabilities change visibly, pixels."""
        return self.own.reach


def unet_of(predictor: Predictor) -> Unet:
    """Return the network of a predictor of one run."""
    assert isinstance(predictor.model, Unet)
    return predictor.model
