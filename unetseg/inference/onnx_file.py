"""A run's network as one ONNX file, to run anywhere."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unetseg.data.appearance import APPEARANCE
from unetseg.data.images.pixel_rule import PixelRule
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError, UsageError, one_line
from unetseg.inference.calibration import TEMPERATURE
from unetseg.inference.ensemble import Member
from unetseg.inference.networks import Network, OnnxNetwork, onnx_session, with_checksum
from unetseg.inference.predictor import Predictor
from unetseg.inference.weights import (
    SETTINGS,
    Shipped,
    chosen_rule,
    exported_settings,
    learns_objects,
    net_text,
    not_ours,
)
from unetseg.utilities.quiet import quiet
from unetseg.utilities.text import printable

_CHECKED_SIZES = ((1, 2, 2), (2, 3, 5), (3, 4, 1))  # batch, and height and width in strides
_TOLERANCE = 1e-4  # of the largest logit; float32 sums in another order differ by about 1e-6 of it

_ONNX_NOTE = (
    "images: N×{channels}×H×W float32{rgb}; each channel is ({value} - mean) / deviation; H and W are "
    "multiples of the stride, padded at the right and bottom by repeating the edge. logits: N×outputs×H×W; "
    "one output is the foreground (sigmoid), several are the classes (softmax){depth}. Mean, deviation, "
    "stride, scale rule, {pixels}classes and colours are JSON in the metadata under '{settings}'."
)


def require_onnx() -> None:
    """Raise a UsageError that says how to install it, unless all that writing ONNX takes is there."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--format onnx: needs {error.name}; install it with: pip install 'unetseg[onnx]'"
        ) from None


def write_onnx(part: Path, shipped: Shipped, path: Path) -> None:
    """Write the network, and refuse the file if it differs from PyTorch, in float32 and on three sizes.

    Args:
        part: what is written.
        shipped: what it holds.
        path: what it becomes; for error lines.

    Raises:
        UnetsegError: if ONNX cannot express the network, or what was written does not do the same.
    """
    network = shipped.predictor.members[0].network
    write_graph(part, shipped.predictor.model, {**shipped.settings, "stride": network.stride}, path)
    part.write_bytes(with_checksum(part.read_bytes()))
    _check_same(predictor_from_onnx(part).members[0].network, network, path)


def predictor_from_onnx(path: Path) -> Predictor:
    """Load an exported ONNX model, to run in ONNX Runtime.

    Raises:
        UsageError: if ONNX Runtime is not installed.
        UnetsegError: if it is not one that ``unetseg export`` wrote.
    """
    session = onnx_session(path)
    settings = exported_settings(path, session.get_modelmeta().custom_metadata_map)
    try:
        network = OnnxNetwork(session, int(settings["stride"]))
        preprocessing = Preprocessing.from_dict(settings["preprocessing"])
        member = Member(network, preprocessing, net_text(settings), learns_objects(settings))
        return Predictor(
            [member],
            settings["classes"],
            settings["colours"],
            object_rule=chosen_rule(settings),
            temperature=float(settings.get(TEMPERATURE) or 1),
            appearance=settings.get(APPEARANCE),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise not_ours(path, error) from error


def write_graph(part: Path, model: torch.nn.Module, settings: dict[str, Any], path: Path) -> None:
    """Write a network, and the settings as metadata, for any batch and any size that the stride divides.

    Raises:
        UnetsegError: that names ``path``, if ONNX cannot express it.
    """
    from onnx_ir import Shape
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass

    stride = settings["stride"]
    pixels = Preprocessing.from_dict(settings["preprocessing"]).pixels
    images = torch.zeros(2, pixels.count, 2 * stride, 2 * stride)  # sizes of 1 would be taken for fixed ones
    # Sides of whole strides spare the exporter long formulas: a transformer takes half as long.
    height, width = (stride * torch.export.Dim(f"{side}_in_strides") for side in ("height", "width"))
    sizes = {0: torch.export.Dim("batch"), 2: height, 3: width}
    try:
        with quiet(logs=True, stdout=True, stderr=True):  # pages of advice, where it fails
            program = torch.onnx.export(
                model.to(memory_format=torch.contiguous_format),
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
    for value in (*program.model.graph.inputs, *program.model.graph.outputs):
        assert value.shape is not None
        value.shape = Shape(["batch", value.shape[1], "height", "width"])
    program.model.doc_string = _note(pixels, learns_objects(settings))
    program.model.metadata_props[SETTINGS] = json.dumps(settings)
    program.save(os.fspath(part), external_data=False)


def _note(pixels: PixelRule, objects: bool) -> str:
    """Return what whoever runs the file elsewhere must know of its input and output."""
    scaled = "min(max((value - low) / (high - low), 0), 1)"
    return _ONNX_NOTE.format(
        channels=pixels.count,
        rgb=", RGB" if pixels.channels is None else "",
        value="value / 255" if pixels.bytes else scaled,
        pixels="" if pixels.eight_bit_rgb else "channels, range (low and high), ",
        settings=SETTINGS,
        depth="; one more follows, how deep in its object a pixel lies (0 to 1)" if objects else "",
    )


def _root_reason(error: BaseException) -> str:
    """Return what the exporter stumbled over, without the advice that it wraps it in."""
    while error.__cause__ is not None:
        error = error.__cause__
    return printable(f"{type(error).__name__}: {one_line(error, 160)}")


def _check_same(exported: Network, original: Network, path: Path) -> None:
    generator = np.random.default_rng(0)
    for batch, high, wide in _CHECKED_SIZES:
        shape = (batch, high * original.stride, wide * original.stride, original.in_channels)
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
