"""From weights, and what is known of their network, to a predictor."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unetseg.config import from_mapping
from unetseg.data.appearance import APPEARANCE
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError, one_line
from unetseg.inference.calibration import TEMPERATURE
from unetseg.inference.ensemble import Member
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.object_labels import MASK_RULE, ObjectRule
from unetseg.inference.predictor import Predictor
from unetseg.models.hardware import choose_hardware
from unetseg.models.unet import build_model, output_channels

SETTINGS = "unetseg"  # the key of an exported file's metadata that holds all settings as JSON

CHECKSUM = "sha256"  # the key of the checksum that 'unetseg export' adds; files from before have none


@dataclass(frozen=True)
class Shipped:
    """What an exported file holds of a run.

    Attributes:
        predictor: of its best weights, on the CPU in float32.
        state: these weights, by name.
        settings: ``config``, ``classes``, ``colours`` and ``preprocessing``, plain values.
    """

    predictor: Predictor
    state: dict[str, torch.Tensor]
    settings: dict[str, Any]


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
        preprocessing = Preprocessing.from_dict(settings["preprocessing"])
        model = build_model(config, output_channels(len(classes)), preprocessing.pixels.count)
        model.load_state_dict(state, strict=True)
        member = Member(
            TorchNetwork(model, choose_hardware(config)),
            preprocessing,
            config.net_text,
            config.objects,
        )
        temperature = float(settings.get(TEMPERATURE) or 1)  # not in older runs
        return Predictor(
            [member],
            classes,
            settings["colours"],
            object_rule=chosen_rule(settings),
            temperature=temperature,
            appearance=settings.get(APPEARANCE),
        )
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise not_ours(path, error) from error


def chosen_rule(settings: Mapping[str, Any]) -> ObjectRule:
    """Return how a run tells objects apart: as it chose, or by its mask."""
    chosen = settings.get("objects")
    return ObjectRule(float(chosen["depth"]), learned=True) if chosen else MASK_RULE


def learns_objects(settings: Mapping[str, Any]) -> bool:
    """Tell whether a net's last output is the depth in objects."""
    return bool(settings.get("config", {}).get("objects"))


def net_text(settings: Mapping[str, Any]) -> str:
    """Return which net it is, in few words; ``network`` if only another version knows its settings."""
    try:
        return from_mapping(settings["config"], "settings").net_text
    except (AttributeError, KeyError, TypeError, UnetsegError):
        return "network"


def not_ours(path: Path, error: Exception) -> UnetsegError:
    """Return the error for a file of weights that is not one of this package's."""
    reason = one_line(error, 120)
    return UnetsegError(f"{path}: is not a checkpoint of unetseg's, or of another version ({reason})")


def exported_settings(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that 'unetseg export' put into a file's metadata.

    Raises:
        UnetsegError: if it did not write the file.
    """
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
