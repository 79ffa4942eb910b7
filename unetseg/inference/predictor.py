"""Trained runs as one function from images to masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unetseg.config import from_mapping
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError
from unetseg.inference.logits import average, to_mask, to_probabilities
from unetseg.inference.networks import Network, TorchNetwork
from unetseg.models.hardware import choose_hardware
from unetseg.models.unet import build_model
from unetseg.runs import Run
from unetseg.training import checkpoints

if TYPE_CHECKING:
    from unetseg.inference.folder import FolderResult

__all__ = ["Member", "Predictor", "load_predictor", "predictor_from_checkpoint", "to_mask", "to_probabilities"]

_FLIPS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (0, 1))  # of (rows, columns)


@dataclass(frozen=True)
class Member:
    """One network and what its images go through first."""

    network: Network
    preprocessing: Preprocessing


class Predictor:
    """Maps an H×W×3 uint8 RGB image of any size to an H×W uint8 mask of class indices.

    Of several members, and of the flips of an image, probabilities are averaged.

    Args:
        members: one or more networks of the same classes.
        classes: class names, index 0 the background.
        colours: one RGB colour a class.
        flips: also predict the image flipped along rows, columns and both (test-time augmentation).
        threshold: probability above which a pixel is foreground, where there is one foreground class.
    """

    def __init__(
        self,
        members: Sequence[Member],
        classes: Sequence[str],
        colours: Sequence[Sequence[int]],
        *,
        flips: bool = False,
        threshold: float = 0.5,
    ) -> None:
        self.members = list(members)
        self.classes: tuple[str, ...] = tuple(classes)
        self.colours = [(int(r), int(g), int(b)) for r, g, b in colours]
        self.flips = flips
        self.threshold = threshold

    @property
    def preprocessing(self) -> Preprocessing:
        """Scale rule and normalisation of the first member."""
        return self.members[0].preprocessing

    @property
    def model(self) -> torch.nn.Module:
        """The PyTorch module of a predictor of one run."""
        (member,) = self.members
        if not isinstance(member.network, TorchNetwork):
            raise UnetsegError("this predictor runs in ONNX Runtime; load the run itself for its module")
        return member.network.model

    @property
    def stride(self) -> int:
        """The coarsest stride of all members; all strides are powers of two."""
        return max(member.network.stride for member in self.members)

    @property
    def native(self) -> bool:
        """Whether every member sees images at their own scale, so that tiles are possible."""
        return all(member.preprocessing.longest is None for member in self.members)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Return the mask, H×W uint8, of an image H×W×3 uint8."""
        return self.mask(self.logits([image])[0])

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Return the probability of each class, C×H×W float32, of an image H×W×3 uint8."""
        return to_probabilities(self.logits([image])[0])

    def folder(
        self, paths: str | Path | Sequence[str | Path], out: str | Path, **options: Any
    ) -> "FolderResult":
        """Write a mask for every image; see :func:`unetseg.inference.folder.predict_folder`.

        Args:
            paths: a file, folder or glob, or several.
            out: the masks' folder.
            **options: fields of :class:`unetseg.inference.outputs.OutputOptions`, such as ``overlay=True``.
        """
        from unetseg.inference.folder import predict_folder
        from unetseg.inference.outputs import OutputOptions

        inputs = [paths] if isinstance(paths, (str, Path)) else list(paths)
        return predict_folder(self, inputs, Path(out), OutputOptions(**options))

    def mask(self, logits: np.ndarray) -> np.ndarray:
        """Return the class of each pixel, H×W uint8, from logits outputs×H×W."""
        return to_mask(logits, self.threshold)

    def logits(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return logits, outputs×H×W float32 at each image's own size, of images that may differ in size.

        Images of one size go through the network together.

        Raises:
            ValueError: if an image is not H×W×3 uint8.
        """
        prepared = [self.prepare(image) for image in images]
        by_size: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for index, arrays in enumerate(prepared):
            by_size.setdefault(tuple(array.shape for array in arrays), []).append(index)
        out: list[np.ndarray] = [np.empty(0)] * len(images)
        for indices in by_size.values():
            for index, each in zip(indices, self.forward([prepared[i] for i in indices]), strict=True):
                out[index] = self.restore(each, *images[index].shape[:2])
        return out

    def prepare(self, image: np.ndarray) -> list[np.ndarray]:
        """Return what each member's network is given for an image: H'×W'×3 float32.

        Raises:
            ValueError: if the image is not H×W×3 uint8.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ValueError(f"image: expected H×W×3 uint8, got {image.dtype} of shape {image.shape}")
        return [member.preprocessing.prepare(image, member.network.stride) for member in self.members]

    def forward(self, prepared: Sequence[Sequence[np.ndarray]]) -> list[list[np.ndarray]]:
        """Run every member's network on images prepared to the same sizes.

        Args:
            prepared: for each image, what ``prepare`` returned.

        Returns:
            For each image, one outputs×H'×W' float32 a member.
        """
        by_member = [
            self._run(member.network, np.stack(batch))
            for member, batch in zip(self.members, zip(*prepared, strict=True), strict=True)
        ]
        return [list(logits) for logits in zip(*by_member, strict=True)]

    def restore(self, outputs: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
        """Bring the members' logits to the image's own size and make one of them.

        Args:
            outputs: of one image, as ``forward`` returned them.
            height: of the original image.
            width: of the original image.

        Returns:
            outputs×height×width float32.
        """
        restored = [
            member.preprocessing.restore(logits, height, width)
            for member, logits in zip(self.members, outputs, strict=True)
        ]
        return average(restored)

    def _run(self, network: Network, batch: np.ndarray) -> Sequence[np.ndarray]:
        """Map N×H×W×3 to N×outputs×H×W, over the flips if they are asked for."""
        if not self.flips:
            return network(batch)
        views = []
        for axes in _FLIPS:
            flipped = network(np.flip(batch, [1 + axis for axis in axes]))
            views.append(np.flip(flipped, [2 + axis for axis in axes]))
        return [average(each) for each in zip(*views, strict=True)]


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
        state, settings = content["state_dict"], content["inference"]
    except KeyError as error:
        raise not_ours(path, error) from error
    return predictor_from_weights(path, state, settings, device)


def predictor_from_weights(
    path: Path, state: dict[str, torch.Tensor], settings: dict[str, Any], device: str = "auto"
) -> Predictor:
    """Build the network that ``settings`` describe and give it its weights, strictly.

    Args:
        path: where they come from, for the error line.
        state: the module's state dict.
        settings: ``config``, ``classes``, ``colours`` and ``preprocessing``, plain values.
        device: auto, cpu, cuda or mps.

    Raises:
        UnetsegError: if they do not belong together.
    """
    try:
        config = from_mapping(settings["config"], str(path)).changed(weights="none", device=device)
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
