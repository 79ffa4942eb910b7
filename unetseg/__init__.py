"""Train U-Nets, write masks, and measure what each skip connection is worth."""

from importlib import import_module
from typing import Any

# Names are looked up when first used: importing torch takes seconds, and not everything needs it.
_OFFERED = {
    "RunConfig": "unetseg.config",
    "Run": "unetseg.runs",
    "fit": "unetseg.api",
    "load": "unetseg.api",
    "evaluate": "unetseg.api",
    "ablate": "unetseg.api",
    "compare": "unetseg.api",
    "build_model": "unetseg.models.unet",
}

__all__ = ["Run", "RunConfig", "ablate", "build_model", "compare", "evaluate", "fit", "load", "metrics"]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("unetseg.metrics")
    if name in _OFFERED:
        return getattr(import_module(_OFFERED[name]), name)
    raise AttributeError(f"module 'unetseg' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*globals(), *_OFFERED, "metrics"]
