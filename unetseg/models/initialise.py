"""First weights that depend on the seed and the module's own name, and on nothing else.

Two networks that differ in one connection then start from equal values wherever their shapes agree,
whatever else was built before: arms of a study differ in what is under test and not in chance.
"""

import hashlib

import torch
from torch import nn

NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d)


def seed_for(*parts: object) -> int:
    """Return a 63-bit seed that is a fixed function of ``parts``."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def initialise(module: nn.Module, seed: int, prefix: str) -> None:
    """Give every layer below ``module`` its first weights, in place.

    Convolutions: He normal over the fan-in (He et al. 2015); linear layers: Xavier uniform; norms: one
    and zero; biases zero, but for a gate's, which names its own.

    Args:
        module: encoder, decoder or head.
        seed: the run's seed.
        prefix: the module's name within the network.
    """
    for name, layer in module.named_modules():
        generator = torch.Generator().manual_seed(seed_for(seed, prefix, name))
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu", generator=generator)
        elif isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
        elif isinstance(layer, NORMS) and layer.weight is not None:
            nn.init.ones_(layer.weight)
        bias = getattr(layer, "bias", None)
        if isinstance(bias, nn.Parameter):
            nn.init.constant_(bias, getattr(layer, "first_bias", 0.0))


def initialise_head(module: nn.Module, seed: int, prefix: str) -> None:
    """Give the segmentation head its first weights: Xavier uniform, as no activation follows."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv2d):
            generator = torch.Generator().manual_seed(seed_for(seed, prefix, name))
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
