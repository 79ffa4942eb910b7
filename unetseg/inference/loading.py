"""From the names of runs and exported models to one predictor."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from unetseg.config import from_mapping
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.networks import OnnxNetwork, TorchNetwork, onnx_session
from unetseg.inference.predictor import Member, Predictor
from unetseg.models.hardware import choose_hardware
from unetseg.models.unet import build_model
from unetseg.runs import EXPORT_FORMATS, Run, find_run
from unetseg.training import checkpoints

SETTINGS = "unetseg"  # the key of an exported file's metadata that holds all settings as JSON


def find_models(names: Sequence[str]) -> list[Run | Path]:
    """Return what ``--run`` names: runs, or exported models; the newest finished run if it names none.

    Raises:
        UsageError: if there is none of a name.
    """
    return [_find(name) for name in names] if names else [find_run(None)]


def load_models(
    models: Sequence[Run | Path],
    device: str = "auto",
    precision: str | None = None,
    *,
    flips: bool = False,
    threshold: float = 0.5,
) -> Predictor:
    """Load runs and exported models as one predictor; several average their probabilities.

    Args:
        models: runs, ``.onnx`` and ``.safetensors`` files.
        device: auto, cpu, cuda or mps; ONNX models run on the CPU.
        precision: auto, float32, bfloat16 or float16; None for that of the training;
            ONNX models have their own.
        flips: average over the flips of each image, too.
        threshold: probability above which a pixel is foreground, where there is one foreground class.

    Raises:
        UsageError: if their classes differ, or a threshold is given for several foreground classes.
        UnetsegError: if a file is missing, damaged or not one of ours.
    """
    loaded = [_load(model, device, precision) for model in models]
    first = loaded[0]
    for model, each in zip(models, loaded, strict=True):
        if each.classes != first.classes:
            raise UsageError(
                f"{path_of(model)}: its classes ({', '.join(each.classes)}) are not those of "
                f"{path_of(models[0])} ({', '.join(first.classes)}); runs of an ensemble must have the same"
            )
    if threshold != 0.5 and len(first.classes) != 2:
        raise UsageError(f"--threshold: is for one foreground class; {path_of(models[0])} has several")
    members = [member for each in loaded for member in each.members]
    return Predictor(members, first.classes, first.colours, flips=flips, threshold=threshold)


def load_predictor(run: Run, device: str = "auto", precision: str | None = None) -> Predictor:
    """Load the best weights of a run; the arguments are those of ``predictor_from_weights``.

    Raises:
        UnetsegError: if the checkpoint is missing, damaged or not one of ours.
    """
    content = checkpoints.load(run.best)
    try:
        state, settings = content["state_dict"], content["inference"]
    except KeyError as error:
        raise not_ours(run.best, error) from error
    return predictor_from_weights(run.best, state, settings, device, precision)


def predictor_from_weights(
    path: Path,
    state: dict[str, torch.Tensor],
    settings: dict[str, Any],
    device: str = "auto",
    precision: str | None = None,
) -> Predictor:
    """Build the network that ``settings`` describe and give it its weights, strictly.

    Args:
        path: where they come from, for the error line.
        state: the module's state dict.
        settings: ``config``, ``classes``, ``colours`` and ``preprocessing``, plain values.
        device: auto, cpu, cuda or mps.
        precision: auto, float32, bfloat16 or float16; None for that of the training.

    Raises:
        UnetsegError: if they do not belong together.
    """
    try:
        config = from_mapping(settings["config"], str(path)).changed(weights="none", device=device)
        config = config.changed(precision=precision or _anywhere(config.precision))
        classes = settings["classes"]
        model = build_model(config, 1 if len(classes) == 2 else len(classes))
        model.load_state_dict(state, strict=True)
        member = Member(
            TorchNetwork(model, choose_hardware(config)), Preprocessing.from_dict(settings["preprocessing"])
        )
        return Predictor([member], classes, settings["colours"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise not_ours(path, error) from error


def not_ours(path: Path, error: Exception) -> UnetsegError:
    """Return the error for a file of weights that is not one of this package's."""
    reason = " ".join(str(error).split())[:120]
    return UnetsegError(f"{path}: is not a checkpoint of unetseg's, or of another version ({reason})")


def predictor_from_onnx(path: Path) -> Predictor:
    """Load an exported ONNX model, to run in ONNX Runtime.

    Raises:
        UsageError: if ONNX Runtime is not installed.
        UnetsegError: if it is not one that ``unetseg export`` wrote.
    """
    session = onnx_session(path)
    settings = _settings(path, session.get_modelmeta().custom_metadata_map)
    try:
        network = OnnxNetwork(session, int(settings["stride"]))
        member = Member(network, Preprocessing.from_dict(settings["preprocessing"]))
        return Predictor([member], settings["classes"], settings["colours"])
    except (KeyError, TypeError, ValueError) as error:
        raise not_ours(path, error) from error


def predictor_from_safetensors(path: Path, device: str = "auto", precision: str | None = None) -> Predictor:
    """Load exported weights into the network that the file's own metadata describe.

    Raises:
        UnetsegError: if it is not one that ``unetseg export`` wrote.
    """
    from safetensors import safe_open

    try:
        with safe_open(os.fspath(path), framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UnetsegError(f"{path}: is no whole safetensors file ({reason}); export it again") from error
    return predictor_from_weights(path, state, _settings(path, metadata), device, precision)


def _find(name: str) -> Run | Path:
    if Path(name).suffix.lower().removeprefix(".") not in EXPORT_FORMATS:
        return find_run(name)
    if not Path(name).is_file():
        raise UsageError(f"{name}: no such file; check the path")
    return Path(name)


def _load(model: Run | Path, device: str, precision: str | None) -> Predictor:
    if isinstance(model, Run):
        return load_predictor(model, device, precision)
    if model.suffix.lower() == ".onnx":
        return predictor_from_onnx(model)
    return predictor_from_safetensors(model, device, precision)


def path_of(model: Run | Path) -> Path:
    """Return the folder of a run, the file of an exported model."""
    return model.path if isinstance(model, Run) else model


def _settings(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        settings = json.loads(metadata[SETTINGS])
    except (KeyError, ValueError) as error:
        raise UnetsegError(f"{path}: was not written by 'unetseg export'; export the run again") from error
    if not isinstance(settings, dict):
        raise not_ours(path, TypeError("its metadata hold no settings"))
    return settings


def _anywhere(precision: str) -> str:
    """Return a precision that every device has: a run of a GPU in float16 predicts on a CPU, too."""
    return "auto" if precision == "float16" else precision
