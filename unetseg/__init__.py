"""Train U-Nets, write masks, and measure what each skip connection is worth."""

import os
from importlib import import_module
from typing import Any

# PyTorch then asks the kernel for huge pages for large tensors: on a CPU, a sixth of the time of predicting
# went into page faults. It looks once, at its first tensor, so this stands before anything imports it.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

# Names are looked up when first used: importing torch takes seconds, and not everything needs it.
_OFFERED = {
    "RunConfig": "unetseg.config",
    "Run": "unetseg.runs",
    "fit": "unetseg.api",
    "load": "unetseg.api",
    "predict": "unetseg.api",
    "evaluate": "unetseg.api",
    "ablate": "unetseg.api",
    "compare": "unetseg.api",
    "build_model": "unetseg.models.unet",
}

__all__ = [
    "Run",
    "RunConfig",
    "ablate",
    "build_model",
    "compare",
    "evaluate",
    "fit",
    "load",
    "metrics",
    "predict",
]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("unetseg.metrics")
    if name in _OFFERED:
        return getattr(import_module(_OFFERED[name]), name)
    raise AttributeError(f"module 'unetseg' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *_OFFERED, "metrics", "predict"]
