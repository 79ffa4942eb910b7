"""Train U-Nets, write masks, and measure what each skip connection is worth."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# PyTorch then asks the kernel for huge pages for large tensors: on a CPU, a sixth of the time of predicting
# went into page faults. It looks once, at its first tensor, so this stands before anything imports it.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__all__ = [
    "Run",
    "RunConfig",
    "UnetsegError",
    "UsageError",
    "__version__",
    "ablate",
    "build_model",
    "compare",
    "evaluate",
    "export",
    "fit",
    "lesion",
    "load",
    "metrics",
    "predict",
    "probe",
]

if TYPE_CHECKING:
    from unetseg import metrics
    from unetseg.api import ablate, compare, evaluate, export, fit, lesion, load, predict, probe
    from unetseg.config import RunConfig
    from unetseg.errors import UnetsegError, UsageError
    from unetseg.models.unet import build_model
    from unetseg.runs import Run

    __version__: str
else:
    # Names are looked up when first used: importing torch takes seconds, and not everything needs it.
    _ELSEWHERE = {
        "RunConfig": "unetseg.config",
        "Run": "unetseg.runs",
        "UnetsegError": "unetseg.errors",
        "UsageError": "unetseg.errors",
        "build_model": "unetseg.models.unet",
    }

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'unetseg' has no attribute '{name}'")
        if name == "metrics":
            return import_module("unetseg.metrics")
        if name == "__version__":
            from importlib.metadata import version

            return version("unetseg")
        return getattr(import_module(_ELSEWHERE.get(name, "unetseg.api")), name)

    def __dir__() -> list[str]:
        return [*__all__, *(name for name in globals() if name.startswith("__"))]
