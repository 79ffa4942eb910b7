"""A trained run as a function from images to masks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unetseg.config import RunConfig, from_mapping
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError
from unetseg.models.hardware import Hardware, choose_hardware
from unetseg.models.unet import build_model
from unetseg.runs import Run
from unetseg.training import checkpoints


class Predictor:
    """Maps an H×W×3 uint8 RGB image of any size to an H×W uint8 mask of class indices.

    Attributes:
        config: of the run.
        classes: class names, index 0 the background.
        colours: one RGB colour a class.
        preprocessing: scale rule and normalisation of the run.
    """

    def __init__(self, model: torch.nn.Module, settings: dict[str, Any], hardware: Hardware) -> None:
        self.config: RunConfig = from_mapping(settings["config"], "checkpoint")
        self.classes: tuple[str, ...] = tuple(settings["classes"])
        self.colours = [(int(r), int(g), int(b)) for r, g, b in settings["colours"]]
        self.preprocessing = Preprocessing.from_dict(settings["preprocessing"])
        self.hardware = hardware
        self.stride: int = model.stride  # type: ignore[assignment]
        self.model = model.to(hardware.device, memory_format=hardware.memory_format).eval()  # type: ignore[call-overload]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the mask, H×W uint8, of an image H×W×3 uint8."""
        return self.mask(self.logits([image])[0])

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Return the probability of each class, C×H×W float32, of an image H×W×3 uint8."""
        return to_probabilities(self.logits([image])[0])

    def mask(self, logits: np.ndarray) -> np.ndarray:
        """Return the most probable class of each pixel, H×W uint8, from logits C×H×W."""
        return to_mask(logits)

    def logits(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return logits, outputs×H×W float32 at each image's own size, of images that may differ in size.

        Images of one size go through the network together.

        Raises:
            ValueError: if an image is not H×W×3 uint8.
        """
        for image in images:
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise ValueError(f"image: expected H×W×3 uint8, got {image.dtype} of shape {image.shape}")
        prepared = [self.preprocessing.prepare(image, self.stride) for image in images]
        by_size: dict[tuple[int, ...], list[int]] = {}
        for index, array in enumerate(prepared):
            by_size.setdefault(array.shape, []).append(index)
        out: list[np.ndarray] = [np.empty(0)] * len(images)
        for members in by_size.values():
            batch = self._forward(np.stack([prepared[index] for index in members]))
            for index, logits in zip(members, batch, strict=True):
                out[index] = self.preprocessing.restore(logits, *images[index].shape[:2])
        return out

    def _forward(self, batch: np.ndarray) -> np.ndarray:
        """Map N×H×W×3 float32 to N×outputs×H×W float32."""
        images = torch.from_numpy(batch).permute(0, 3, 1, 2).to(self.hardware.device)
        images = images.contiguous(memory_format=self.hardware.memory_format)
        with torch.inference_mode(), self.hardware.autocast():
            return self.model(images).float().cpu().numpy()


def load_predictor(run: Run, device: str = "auto") -> Predictor:
    """Load the best weights of a run.

    Raises:
        UnetsegError: if the checkpoint is missing, damaged or not one of ours.
    """
    return predictor_from_checkpoint(run.best, device)


def predictor_from_checkpoint(path: Path, device: str = "auto") -> Predictor:
    """Load a predictor from a ``best.ckpt``."""
    content = checkpoints.load(path)
    try:
        settings = content["inference"]
        config = from_mapping(settings["config"], str(path)).changed(weights="none", device=device)
        model = build_model(config, 1 if len(settings["classes"]) == 2 else len(settings["classes"]))
        model.load_state_dict(content["state_dict"], strict=True)
    except (KeyError, RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UnetsegError(
            f"{path}: is not a checkpoint of unetseg's, or of another version ({reason})"
        ) from error
    return Predictor(model, settings, choose_hardware(config))


def to_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each class, classes×H×W float32, from logits outputs×H×W.

    One output is the foreground against the background (sigmoid), else one a class (softmax).
    """
    if logits.shape[0] == 1:
        foreground = 1 / (1 + np.exp(-np.clip(logits[0], -80, 80)))
        return np.stack([1 - foreground, foreground])
    exponent = np.exp(logits - logits.max(axis=0, keepdims=True))
    return exponent / exponent.sum(axis=0, keepdims=True)


def to_mask(logits: np.ndarray) -> np.ndarray:
    """Return class indices, H×W uint8, from logits outputs×H×W."""
    if logits.shape[0] == 1:
        return (logits[0] > 0).astype(np.uint8)
    return logits.argmax(axis=0).astype(np.uint8)
