"""From the names of runs and exported models to one predictor."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError, UsageError
from unetseg.inference.networks import OnnxNetwork, onnx_session
from unetseg.inference.predictor import (
    Member,
    Predictor,
    load_predictor,
    not_ours,
    predictor_from_weights,
)
from unetseg.runs import EXPORT_FORMATS, Run, find_run

SETTINGS = "unetseg"  # the key of an exported file's metadata that holds all settings as JSON


def find_models(names: Sequence[str]) -> list[Run | Path]:
    """Return what ``--run`` names: runs, or exported models; the newest finished run if it names none.

    Raises:
        UsageError: if there is none of a name.
    """
    return [_find(name) for name in names] if names else [find_run(None)]


def load_models(
    models: Sequence[Run | Path], device: str = "auto", *, flips: bool = False, threshold: float = 0.5
) -> Predictor:
    """Load runs and exported models as one predictor; several average their probabilities.

    Args:
        models: runs, ``.onnx`` and ``.safetensors`` files.
        device: auto, cpu, cuda or mps; ONNX models run on the CPU.
        flips: average over the flips of each image, too.
        threshold: probability above which a pixel is foreground, where there is one foreground class.

    Raises:
        UsageError: if their classes differ, or a threshold is given for several foreground classes.
        UnetsegError: if a file is missing, damaged or not one of ours.
    """
    loaded = [_load(model, device) for model in models]
    first = loaded[0]
    for model, each in zip(models, loaded, strict=True):
        if each.classes != first.classes:
            raise UsageError(
                f"{_path(model)}: its classes ({', '.join(each.classes)}) are not those of {_path(models[0])} "
                f"({', '.join(first.classes)}); runs of an ensemble must have the same"
            )
    if threshold != 0.5 and len(first.classes) != 2:
        raise UsageError(f"--threshold: is for one foreground class; {_path(models[0])} has several")
    members = [member for each in loaded for member in each.members]
    return Predictor(members, first.classes, first.colours, flips=flips, threshold=threshold)


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


def predictor_from_safetensors(path: Path, device: str = "auto") -> Predictor:
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
    return predictor_from_weights(path, state, _settings(path, metadata), device)


def _find(name: str) -> Run | Path:
    if Path(name).suffix.lower().removeprefix(".") not in EXPORT_FORMATS:
        return find_run(name)
    if not Path(name).is_file():
        raise UsageError(f"{name}: no such file; check the path")
    return Path(name)


def _load(model: Run | Path, device: str) -> Predictor:
    if isinstance(model, Run):
        return load_predictor(model, device)
    if model.suffix.lower() == ".onnx":
        return predictor_from_onnx(model)
    return predictor_from_safetensors(model, device)


def _path(model: Run | Path) -> Path:
    return model.path if isinstance(model, Run) else model


def _settings(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    try:
        settings = json.loads(metadata[SETTINGS])
    except (KeyError, ValueError) as error:
        raise UnetsegError(f"{path}: was not written by 'unetseg export'; export the run again") from error
    if not isinstance(settings, dict):
        raise not_ours(path, TypeError("its metadata hold no settings"))
    return settings
