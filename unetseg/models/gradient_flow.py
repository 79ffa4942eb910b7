"""How the gradient flows through a network: its norm at every layer, and what each long skip brings back."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from unetseg.models.unet import Unet
from unetseg.plots import FlowCurve

# Beside the largest gradient, one smaller than this is lost in float32.
DEAD = float(torch.finfo(torch.float32).eps)
BESIDE = (".shortcut.", ".gate", ".merges.")
COLUMNS = ("kind", "name", "norm")


@dataclass(frozen=True)
class Arrival:
    """The gradient that arrives at the output of one encoder stage, by the way it came.

    Attributes:
        by_skip: L2 norm of what the stage's own long skip brings.
        by_depth: L2 norm of what comes back through the stages below it.
    """

    by_skip: float
    by_depth: float

    @property
    def share(self) -> float:
        """The skip's share of the two norms, 0 to 1; 0 where nothing arrives."""
        total = self.by_skip + self.by_depth
        return self.by_skip / total if total > 0 else 0.0


@dataclass(frozen=True)
class GradientFlow:
    """Gradients of one network on one batch.

    Attributes:
        layers: L2 norm of the gradient of each layer's weights (convolutions and linear layers), in the order
            in which the forward pass comes to them.
        levels: what arrives at the encoder's stages, by the level of their long skip, finest first.
    """

    layers: dict[str, float]
    levels: dict[int, Arrival]

    @property
    def first_to_last(self) -> float:
        """The gradient of the first layer over that of the last before the head.

        Far above 1 it has exploded on its way back, far below 1 it has vanished.
        """
        norms = [norm for name, norm in self.layers.items() if not name.startswith("segmentation_head")]
        return norms[0] / norms[-1] if norms[-1] > 0 else float("nan")

    @property
    def dead(self) -> list[str]:
        """The layers whose gradient is nothing beside the largest one."""
        largest = max(self.layers.values())
        return [name for name, norm in self.layers.items() if not norm > DEAD * largest]

    def rows(self) -> list[dict[str, str | float]]:
        """Return all norms as rows of a table with the columns ``COLUMNS``."""
        found = [("layer", name, norm) for name, norm in self.layers.items()]
        for level, arrival in self.levels.items():
            found += [("by_skip", str(level), arrival.by_skip), ("by_depth", str(level), arrival.by_depth)]
        return [dict(zip(COLUMNS, each, strict=True)) for each in found]


def flow_from_rows(rows: Iterable[Mapping[str, str]]) -> GradientFlow:
    """Return what :meth:`GradientFlow.rows` wrote."""
    kinds: dict[str, dict[str, float]] = {"layer": {}, "by_skip": {}, "by_depth": {}}
    for row in rows:
        kinds[row["kind"]][row["name"]] = float(row["norm"])
    levels = {int(level): Arrival(norm, kinds["by_depth"][level]) for level, norm in kinds["by_skip"].items()}
    return GradientFlow(kinds["layer"], levels)


def flow_curve(label: str, flows: Sequence[GradientFlow]) -> FlowCurve:
    """Return the flows of networks of one kind as one curve of a figure.

    Layers beside the way from input to output, such as gates, are left out: theirs are norms of another kind.
    """
    names = [name for name in flows[0].layers if not any(part in name for part in BESIDE)]
    middle = {
        level: (
            median(flow.levels[level].by_skip for flow in flows),
            median(flow.levels[level].by_depth for flow in flows),
        )
        for level in flows[0].levels
    }
    return FlowCurve(label, [[flow.layers[name] for name in names] for flow in flows], middle)


def gradient_flow(model: Unet, images: Tensor, loss: Callable[[Tensor], Tensor]) -> GradientFlow:
    """Measure the gradient of ``loss`` with respect to ``model``'s weights and features.

    The network is taken in the mode that it is in; in training mode its norms take note of the batch. Of an
    encoder that hands out rearranged copies of its features (timm's Swin), all seems to come by the skips.

    Args:
        model: the network.
        images: normalised, (N, 3, H, W).
        loss: maps logits (N, outputs, H, W) to a scalar.
    """
    with _recording_layers(model) as weights:
        features = model.encoder(images)
        # The decoder is given another node of the same values, so that the gradient which comes by a skip
        # can be told from the whole of it.
        sent = [feature.view_as(feature) for feature in features]
        logits = model.segmentation_head(model.decoder([*sent[:-1], model.bottleneck(sent[-1])]))
    stages = [features[level] for level in model.levels]
    skip_features = [sent[level] for level in model.levels]
    asked = [*weights.values(), *stages, *skip_features]
    gradients = iter(torch.autograd.grad(loss(logits), asked, allow_unused=True, materialize_grads=True))
    layers = {name: _norm(next(gradients)) for name in weights}
    whole = {level: next(gradients) for level in model.levels}
    by_skip = {level: next(gradients) for level in model.levels}
    return GradientFlow(
        layers,
        {
            level: Arrival(_norm(by_skip[level]), _norm(whole[level] - by_skip[level]))
            for level in model.levels
        },
    )


@contextmanager
def _recording_layers(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Yield a dictionary that is filled with the weights of the layers that are called, in their order."""
    weights: dict[str, Tensor] = {}

    def recorder(name: str) -> Callable[[nn.Module, object], None]:
        return lambda layer, inputs: weights.update({name: layer.weight})  # type: ignore[dict-item]

    hooks = [
        layer.register_forward_pre_hook(recorder(name))
        for name, layer in model.named_modules()
        if isinstance(layer, (nn.Conv2d, nn.Linear))
    ]
    try:
        yield weights
    finally:
        for hook in hooks:
            hook.remove()


def _norm(gradient: Tensor) -> float:
    return float(torch.linalg.vector_norm(gradient))
