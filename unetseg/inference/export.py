"""Trained runs as single files to ship: ONNX for any runtime, safetensors to load back."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from unetseg.config import RunConfig
from unetseg.config_checks import NAMED_WEIGHTS, check_choice
from unetseg.errors import UsageError
from unetseg.inference.export_formats import EXPORT_FORMATS
from unetseg.inference.weights import Shipped, not_ours, predictor_from_weights
from unetseg.runs import Run
from unetseg.training import checkpoints
from unetseg.utilities.files import atomic_path, plain_write_errors, require_absent
from unetseg.utilities.text import printable


def export_run(run: Run, format: str, path: Path | None = None, *, overwrite: bool = False) -> Path:
    """Write the best weights of a run, and all that inference must know, as one file.

    An ONNX model takes any batch and any size that the stride divides. It is run beside PyTorch, in
    float32 and on three sizes, before it is put in place: one that differs is not written.

    Args:
        run: with a ``best.ckpt``.
        format: one of ``EXPORT_FORMATS``.
        path: the file; the run's own place for it if not given.
        overwrite: replace the file if it is there.

    Returns:
        The file's path.

    Raises:
        UsageError: if the path has another suffix or is taken, or a package that ONNX needs is missing.
        UnetsegError: if the run cannot be read, ONNX cannot express its network, or the file cannot be
            written.
    """
    check_choice("--format", format, EXPORT_FORMATS)
    path = path or run.exported(format)
    _check_target(path, format, overwrite)
    chosen = EXPORT_FORMATS[format]
    chosen.require()
    content = checkpoints.load(run.best)
    try:
        state, settings = content["state_dict"], _shipped(content["inference"])
    except (KeyError, TypeError) as error:
        raise not_ours(run.best, error) from error
    predictor = predictor_from_weights(run.best, state, settings, "cpu", "float32")
    shipped = Shipped(predictor, state, settings)
    with plain_write_errors(path), atomic_path(path) as part:
        chosen.write(part, shipped, path)
    return path


def _check_target(path: Path, format: str, overwrite: bool) -> None:
    if path.suffix.lower() != f".{format}":
        raise UsageError(f"{printable(path)}: must end in .{format}; rename it, or give another --format")
    if not overwrite:
        require_absent([path], "is already there; --overwrite replaces it, -o names another")


def _shipped(inference: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without what belongs to the training alone, such as paths to its data."""
    needed = {spec.name for spec in fields(RunConfig) if spec.metadata["group"] == "model"}
    needed |= {"precision", "channels_last", "channels"}
    config = {name: value for name, value in inference["config"].items() if name in needed}
    if config.get("weights") not in NAMED_WEIGHTS:
        config["weights"] = "none"  # a file of the encoder's first weights, which nobody needs any more
    return {**inference, "config": config}
