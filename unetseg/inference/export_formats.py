"""The formats of exported runs, one record each: flags, file names, writing and loading derive from them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unetseg.inference.predictor import Predictor
    from unetseg.inference.weights import Shipped


@dataclass(frozen=True)
class ExportFormat:
    """A format in which ``export`` ships a run, and from which ``predict --run`` loads it.

    Attributes:
        name: as ``--format`` takes it; with a dot before it, the suffix of its files.
        purpose: what it is for, after the name, for the help.
        require: raises a UsageError if a package that writing needs is missing.
        write: writes to a first path what becomes the second.
        load: makes a predictor of a file; device and precision are those of ``load_models``.
    """

    name: str
    purpose: str
    require: Callable[[], None]
    write: "Callable[[Path, Shipped, Path], None]"
    load: "Callable[[Path, str, str | None], Predictor]"


def _require_onnx() -> None:
    from unetseg.inference.onnx_file import require_onnx

    require_onnx()


def _write_onnx(part: Path, shipped: "Shipped", path: Path) -> None:
    from unetseg.inference.onnx_file import write_onnx

    write_onnx(part, shipped, path)


def _load_onnx(path: Path, device: str, precision: str | None) -> "Predictor":
    from unetseg.inference.onnx_file import predictor_from_onnx

    return predictor_from_onnx(path)  # on the CPU, in the number format that it was written in


def _require_nothing() -> None:
    pass


def _write_safetensors(part: Path, shipped: "Shipped", path: Path) -> None:
    from unetseg.inference.safetensors_file import write_safetensors

    write_safetensors(part, shipped, path)


def _load_safetensors(path: Path, device: str, precision: str | None) -> "Predictor":
    from unetseg.inference.safetensors_file import predictor_from_safetensors

    return predictor_from_safetensors(path, device, precision)


EXPORT_FORMATS = {
    format.name: format
    for format in (
        ExportFormat(
            "onnx", "runs anywhere and is checked against PyTorch", _require_onnx, _write_onnx, _load_onnx
        ),
        ExportFormat(
            "safetensors", "loads back into PyTorch", _require_nothing, _write_safetensors, _load_safetensors
        ),
    )
}
