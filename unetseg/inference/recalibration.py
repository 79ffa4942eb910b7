"""Batch norm's running statistics estimated anew, where those that training left lag behind the weights.

In training, batch norm divides by the statistics of each batch; in inference by their running average, which
follows with a delay. After a short training, or one that ends at a high learning rate, the two differ, and
the scores are those of statistics that no weights ever had.
"""

from collections.abc import Iterable

import numpy as np
from torch.nn.modules.batchnorm import _BatchNorm

from unetseg.inference.networks import TorchNetwork


def recalibrate(network: TorchNetwork, batches: Iterable[np.ndarray]) -> int:
    """Replace the running statistics of every batch norm by their mean over batches; nothing else changes.

    Args:
        network: whose model is changed in place.
        batches: normalised images, N×H×W×3 float32. One that leaves a single value a channel at the lowest
            resolution has no variance, and is passed over.

    Returns:
        How many images counted; 0 if the model has no batch norm, or no batch counts, and is as it was.
    """
    norms = [module for module in network.model.modules() if isinstance(module, _BatchNorm)]
    kept = {name: value.clone() for name, value in network.model.state_dict().items()}
    momenta = [norm.momentum for norm in norms]
    counted = 0
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over batches
            norm.train()
        for batch in batches if norms else ():
            if len(batch) > 1 or max(batch.shape[1:3]) > network.stride:
                network(batch)
                counted += len(batch)
    finally:
        network.model.eval()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        if not counted:
            network.model.load_state_dict(kept)
    return counted
