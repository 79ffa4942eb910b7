"""The loss surface round a network's weights: filter-normalised random slices, and how rough they are."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from unetseg.errors import UnetsegError
from unetseg.models.initialise import seed_for

Direction = dict[str, Tensor]


@dataclass(frozen=True)
class Landscape:
    """The loss in slices through the weights of one network.

    Attributes:
        positions: along every direction, in units of the length of the network's own filters; the weights
            themselves are in the middle, at 0.
        plane: the loss at each pair of positions; a row for each along the second direction, in it a column
            for each along the first.
        lines: for each direction, the loss along it.
    """

    positions: list[float]
    plane: list[list[float]]
    lines: list[list[float]]

    @property
    def centre(self) -> float:
        """The loss at the weights themselves."""
        return self.lines[0][len(self.positions) // 2]

    @property
    def values(self) -> list[float]:
        """All losses, of the plane and of the lines."""
        return [value for row in (*self.plane, *self.lines) for value in row]

    @property
    def roughness(self) -> list[float]:
        """The roughness along each direction."""
        return [roughness(line) for line in self.lines]


def roughness(losses: Sequence[float]) -> float:
    """Return how much of a line's rise and fall is something else than one valley: 0 to 1.

    With f the losses at even steps from one end of a line to the other,

        roughness = 1 − (f(first) + f(last) − 2·min f) / Σ |f(i+1) − f(i)|

    The fraction's numerator is the least variation that a line with these ends and this minimum can have:
    down to the minimum and up again. So the roughness is 0 for every bowl, steep or flat, convex or not, for
    a slope and for a constant; it is nearly 1 where ripple is all there is; and it stays the same if the loss
    is multiplied or shifted, or the line is stretched. It says nothing of how deep the valley is, and cannot
    see ripple that is finer than the steps: lines of other steps, or losses of another batch, do not compare.

    The roughness index of Wu et al. (2021, arXiv 2103.11069) is made of the total variation along random
    lines, too, by another formula.

    Args:
        losses: at least two finite values.
    """
    f = np.asarray(losses, dtype=np.float64)
    variation = float(np.abs(np.diff(f)).sum())
    if variation <= len(f) * np.finfo(np.float32).eps * np.abs(f).max():
        return 0.0  # the losses are computed in float32: that is rounding
    return max(0.0, 1 - float(f[0] + f[-1] - 2 * f.min()) / variation)


def filter_normalised(model: nn.Module, number: int) -> Direction:
    """Return a Gaussian direction in which each filter is as long as the network's own (Li et al. 2018).

    A filter is all that leads to one output: ``weight[i]``. Biases and the parameters of norms are not in the
    direction, as in the paper.

    Args:
        model: the network.
        number: of the direction. Weights of one name and shape get the same draw in every network, so that
            networks which differ in one connection are cut along the same direction as far as they agree.

    Returns:
        By the parameter's name, a tensor of its shape, device and memory format.
    """
    direction = {}
    for name, weight in model.named_parameters():
        if weight.dim() > 1:
            generator = torch.Generator().manual_seed(seed_for("landscape", number, name))
            drawn = torch.randn(weight.shape, generator=generator)
            scale = _filter_norms(weight.detach().cpu()) / _filter_norms(drawn)
            direction[name] = torch.empty_like(weight, requires_grad=False).copy_(drawn * scale)
    return direction


def _filter_norms(weight: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(weight, dim=tuple(range(1, weight.dim())), keepdim=True)
    return norms


def slice_landscape(
    model: nn.Module,
    images: Tensor,
    loss: Callable[[Tensor], Tensor],
    positions: Sequence[float],
    directions: int,
    progress: Callable[[], None] | None = None,
) -> Landscape:
    """Evaluate the loss on the plane of the first two filter-normalised directions, and along each of all.

    Batch norm takes the statistics of ``images`` at every point, not its running ones as in the paper. Those
    belong to the weights where training ended: a little away from there, the features of a deep plain net no
    longer have them, grow from layer to layer and blow the loss up exponentially (measured with 64
    convolutions at distance 1: 10⁹ to 10¹¹, against 1.3 with the batch's). That says nothing of the loss
    which training descends. With the batch's statistics it is that loss, and it does not depend on the length
    of a filter before a norm, as the normalisation of the directions asks for. Dropout and stochastic depth
    are off.

    The network itself is left as it is: moved copies of its weights take their place for one pass each.

    Args:
        model: the network.
        images: normalised, (N, 3, H, W).
        loss: maps logits (N, outputs, H, W) to a scalar.
        positions: an odd number of them, 0 in the middle.
        directions: how many, at least 2.
        progress: is called after every forward pass.

    Raises:
        UnetsegError: if a loss is not finite.
    """
    weights = dict(model.named_parameters())
    along = [filter_normalised(model, number) for number in range(directions)]

    def at(amounts: Mapping[int, float]) -> float:
        moved = {
            name: weights[name] + sum(amount * along[number][name] for number, amount in amounts.items())
            for name in along[0]
        }
        value = float(loss(functional_call(model, moved, (images,))))
        if not math.isfinite(value):
            distance = max(abs(amount) for amount in amounts.values())
            raise UnetsegError(f"the loss is {value} at distance {distance:g}; give a smaller --radius")
        if progress:
            progress()
        return value

    middle = len(positions) // 2
    # cuDNN's default for float32 drops bits of it, and what is lost there would look like roughness.
    exact = torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
    with torch.inference_mode(), exact, _batch_statistics(model):
        plane = [[at({0: x, 1: y}) for x in positions] for y in positions]
        lines = [plane[middle], [row[middle] for row in plane]]
        lines += [[at({number: x}) for x in positions] for number in range(2, directions)]
    return Landscape(list(positions), plane, lines)


def passes(steps: int, directions: int) -> int:
    """Return how many forward passes ``slice_landscape`` takes with so many positions and directions."""
    return steps * (steps + directions - 2)


@contextmanager
def _batch_statistics(model: nn.Module) -> Iterator[None]:
    """Let batch norm take the statistics of each batch and keep none; all else is in evaluation mode."""
    training = {module: module.training for module in model.modules()}
    tracking = {module: module.track_running_stats for module in training if isinstance(module, _BatchNorm)}
    model.eval()
    try:
        for norm in tracking:
            norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for module, mode in training.items():
            module.training = mode
        for norm, tracks in tracking.items():
            norm.track_running_stats = tracks
