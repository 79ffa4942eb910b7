"""Deleting one block of a trained encoder at a time, without retraining (Veit et al. 2016).

A residual block whose residue F(x) is dropped hands on its input: what it carries is never negative where a
ReLU follows the sum. So in every kind of net a deleted block is the identity, and nets with and without short
skips go through the same.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from unetseg.models.blocks import BLOCKS
from unetseg.models.unet import Unet


class BlockDeletions(nn.Module):
    """A network as it is, and without each of some blocks of its encoder.

    Args:
        model: trained.
        blocks: names of the blocks within the encoder, as ``find_blocks`` returned them.
    """

    def __init__(self, model: Unet, blocks: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.stride = model.stride
        self.in_channels = model.in_channels
        self.blocks = list(blocks)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, 3, H, W) to the logits of the whole net, then without each block in turn.

        Returns:
            (N, (1 + blocks) · outputs, H, W).
        """
        logits = [self.model(images)[:, : self.model.outputs]]
        for name in self.blocks:
            with without_block(self.model.encoder, name):
                logits.append(self.model(images)[:, : self.model.outputs])
        return torch.cat(logits, dim=1)


@contextmanager
def without_block(encoder: nn.Module, name: str) -> Iterator[None]:
    """Put the identity in the place of a block of ``encoder`` until the ``with`` block ends."""
    block = encoder.get_submodule(name)
    encoder.set_submodule(name, nn.Identity())
    try:
        yield
    finally:
        encoder.set_submodule(name, block)


def find_blocks(model: Unet) -> tuple[list[str], list[str]]:
    """Return the names of the encoder's blocks that can be deleted, and of those that change the shape.

    Blocks are those of the basic encoder (but for dense stages, which have none), and the basic and the
    bottleneck blocks of ResNets.
    """
    kinds = {*BLOCKS.values(), *_resnet_blocks()}
    blocks = {name: part for name, part in model.encoder.named_modules() if type(part) in kinds}
    keeps: dict[str, bool] = {}

    def recorder(name: str) -> Callable[[nn.Module, tuple[Tensor], Tensor], None]:
        def record(block: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
            keeps[name] = inputs[0].shape == output.shape

        return record

    hooks = [block.register_forward_hook(recorder(name)) for name, block in blocks.items()]
    first = next(model.parameters())
    try:
        with torch.inference_mode():
            model.encoder(torch.zeros(1, model.in_channels, 2 * model.stride, 2 * model.stride).to(first))
    finally:
        for hook in hooks:
            hook.remove()
    return [name for name in blocks if keeps[name]], [name for name in blocks if not keeps[name]]


def _resnet_blocks() -> tuple[type[nn.Module], ...]:
    import timm.models.resnet
    import torchvision.models.resnet

    return tuple(
        getattr(library.models.resnet, name)
        for library in (timm, torchvision)
        for name in ("BasicBlock", "Bottleneck")
    )
