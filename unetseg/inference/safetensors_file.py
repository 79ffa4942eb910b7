"""A run's weights as one safetensors file, to load back into PyTorch."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from unetseg.errors import UnetsegError, one_line
from unetseg.inference.predictor import Predictor
from unetseg.inference.weights import CHECKSUM, SETTINGS, Shipped, exported_settings, predictor_from_weights


def write_safetensors(part: Path, shipped: Shipped, path: Path) -> None:
    """Write the weights, with the settings as the file's metadata.

    Args:
        part: what is written.
        shipped: what it holds.
        path: what it becomes; for error lines.
    """
    tensors = {name: tensor.contiguous() for name, tensor in shipped.state.items()}
    settings = json.dumps(shipped.settings)
    metadata = {SETTINGS: settings, CHECKSUM: _checksum(settings, tensors)}
    part.write_bytes(save(tensors, metadata=metadata))


def predictor_from_safetensors(path: Path, device: str = "auto", precision: str | None = None) -> Predictor:
    """Load exported weights into the network that the file's own metadata describe.

    Raises:
        UnetsegError: if it is not one that ``unetseg export`` wrote.
    """
    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except Exception as error:
        reason = one_line(error, 120)
        raise UnetsegError(f"{path}: is no whole safetensors file ({reason}); export it again") from error
    if CHECKSUM in metadata and metadata[CHECKSUM] != _checksum(metadata.get(SETTINGS, ""), state):
        raise UnetsegError(f"{path}: is damaged (its checksum is wrong); copy it again, or export it again")
    return predictor_from_weights(path, state, exported_settings(path, metadata), device, precision)


def _checksum(settings: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 of the settings and of every tensor's name, type, shape and values."""
    digest = hashlib.sha256(settings.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
