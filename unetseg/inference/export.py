"""Trained runs as single files to ship: ONNX for any runtime, safetensors to load back."""

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from unetseg.config import RunConfig, check_choice
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.loading import SETTINGS, not_ours, predictor_from_onnx, predictor_from_weights
from unetseg.inference.networks import Network
from unetseg.runs import EXPORT_FORMATS, Run
from unetseg.training import checkpoints
from unetseg.utilities.files import atomic_path, plain_write_errors
from unetseg.utilities.text import printable

_CHECKED_SIZES = ((1, 2, 2), (2, 3, 5), (3, 4, 1))  # batch, and height and width in strides
_TOLERANCE = 1e-4  # of the largest logit; float32 sums in another order differ by about 1e-6 of it

_ONNX_NOTE = (
    "images: N×3×H×W float32, RGB; each channel is (value / 255 - mean) / deviation; H and W are multiples "
    "of the stride, padded at the right and bottom by repeating the edge. logits: N×outputs×H×W; one output "
    "is the foreground (sigmoid), several are the classes (softmax). Mean, deviation, stride, scale rule, "
    f"classes and colours are JSON in the metadata under '{SETTINGS}'."
)


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
    if format == "onnx":
        _check_packages()
    content = checkpoints.load(run.best)
    try:
        state, settings = content["state_dict"], _shipped(content["inference"])
    except (KeyError, TypeError) as error:
        raise not_ours(run.best, error) from error
    predictor = predictor_from_weights(run.best, state, settings, "cpu", "float32")
    network = predictor.members[0].network
    with plain_write_errors(path), atomic_path(path) as part:
        if format == "safetensors":
            tensors = {name: tensor.contiguous() for name, tensor in state.items()}
            part.write_bytes(save(tensors, metadata={SETTINGS: json.dumps(settings)}))
        else:
            _write_onnx(part, predictor.model, {**settings, "stride": network.stride}, path)
            _check_same(predictor_from_onnx(part).members[0].network, network, path)
    return path


def _check_target(path: Path, format: str, overwrite: bool) -> None:
    if path.suffix.lower() != f".{format}":
        raise UsageError(f"{printable(path)}: must end in .{format}; rename it, or give another --format")
    if path.exists() and not overwrite:
        raise UsageError(f"{printable(path)}: is already there; --overwrite replaces it, -o names another")


def _check_packages() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--format onnx: needs {error.name}; install it with: pip install 'unetseg[onnx]'"
        ) from None


def _shipped(inference: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without what belongs to the training alone, such as paths to its data."""
    needed = {spec.name for spec in fields(RunConfig) if spec.metadata["group"] == "model"}
    needed |= {"precision", "channels_last"}
    config = {name: value for name, value in inference["config"].items() if name in needed}
    return {**inference, "config": config}


def _write_onnx(part: Path, model: torch.nn.Module, settings: dict[str, Any], path: Path) -> None:
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    side = 2 * settings["stride"]
    images = torch.zeros(2, 3, side, side)  # sizes of 1 would be taken for fixed ones
    sizes = {0: "batch", 2: "height", 3: "width"}
    try:
        with _quiet():
            program = torch.onnx.export(
                model.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
                (images,),
                dynamo=True,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=(sizes,),
                verbose=False,
            )
            assert program is not None
            ClearMetadataAndDocStringPass()(program.model)  # names of this machine's source files
    except Exception as error:
        raise UnetsegError(
            f"{printable(path)}: the network cannot be expressed in ONNX ({_root_reason(error)}); "
            "--format safetensors takes any"
        ) from error
    program.model.doc_string = _ONNX_NOTE
    program.model.metadata_props[SETTINGS] = json.dumps(settings)
    program.save(os.fspath(part), external_data=False)


def _root_reason(error: BaseException) -> str:
    """Return what the exporter stumbled over, without the advice that it wraps it in."""
    while error.__cause__ is not None:
        error = error.__cause__
    return printable(f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")


def _check_same(exported: Network, original: Network, path: Path) -> None:
    generator = np.random.default_rng(0)
    for batch, high, wide in _CHECKED_SIZES:
        shape = (batch, high * original.stride, wide * original.stride, 3)
        images = generator.standard_normal(shape, dtype=np.float32)
        expected = original(images)
        problem = None
        try:
            difference = np.abs(exported(images) - expected).max()
            if not difference <= _TOLERANCE * max(1.0, np.abs(expected).max()):
                problem = f"differs from PyTorch by {difference:.2g}"
        except Exception as error:  # ONNX Runtime has types of its own
            problem = f"fails ({_root_reason(error)})"
        if problem:
            raise UnetsegError(
                f"{printable(path)}: was not written: ONNX Runtime {problem} on {batch} images of "
                f"{shape[1]}×{shape[2]}; --format safetensors ships this network"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and complaints off the screen; its errors are raised."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
