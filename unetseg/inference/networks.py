"""Networks by the library that runs them: PyTorch or ONNX Runtime, both from array to array."""

import hashlib
import math
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from unetseg.errors import UnetsegError, UsageError, one_line
from unetseg.models.hardware import Hardware

# Measured on a ResNet-18 U-Net: batches halve the time of images of 96², save a tenth at 256², then nothing.
CPU_BATCH_PIXELS = 1 << 18
CPU_BYTES = 1 << 30  # of all layers' outputs in one pass on a CPU: larger passes are no faster
IN_USE = 0.3  # share of all layers' outputs that exists at once: 0.21 to 0.27 was measured of three U-Nets
ONNX_BYTES_PER_PIXEL = 3000  # of a U-Net on a ResNet-34 in float32; ONNX Runtime does not tell


class Network(Protocol):
    """Maps normalised images to logits.

    Attributes:
        stride: both sides of the images must be multiples of it.
        in_channels: of the images.
        batch_pixels: how many pixels may go through together before more of them bring no speed.
        most_bytes: of all layers' outputs in one pass, whatever the machine has.
    """

    stride: int
    in_channels: int
    batch_pixels: int
    most_bytes: float

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Map N×H×W×C float32 to N×outputs×H×W float32."""
        ...

    @property
    def bytes_per_pixel(self) -> int:
        """The bytes of all layers' outputs for one pixel of an image; ``IN_USE`` of them exist at once."""
        ...

    def free_bytes(self) -> int:
        """Return how much memory is free where the network computes."""
        ...


# ModelProto.metadata_props (field 14) with the key sha256 and a value of 64 characters
_CHECKSUM_ENTRY = b"\x72\x4a\x0a\x06sha256\x12\x40"
_EXTERNAL_DATA = b"\x0a\x08location"  # the key of an entry of TensorProto.external_data


class TorchNetwork:
    """A PyTorch module on the hardware that was chosen for it."""

    def __init__(self, model: torch.nn.Module, hardware: Hardware) -> None:
        self.hardware = hardware
        self.stride: int = model.stride  # type: ignore[assignment]
        self.in_channels: int = getattr(model, "in_channels", 3)
        on_cpu = hardware.device == "cpu"
        self.batch_pixels = CPU_BATCH_PIXELS if on_cpu else 1 << 23
        self.most_bytes = CPU_BYTES if on_cpu else math.inf
        self.model: torch.nn.Module = model.to(hardware.device, memory_format=hardware.memory_format).eval()  # type: ignore[call-overload]

    def __str__(self) -> str:
        return str(self.hardware)

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Map N×H×W×C float32 to N×outputs×H×W float32."""
        images = torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2).to(self.hardware.device)
        images = images.contiguous(memory_format=self.hardware.memory_format)
        with torch.inference_mode(), self.hardware.autocast():
            logits: np.ndarray = self.model(images).float().cpu().contiguous().numpy()
            return logits

    @cached_property
    def bytes_per_pixel(self) -> int:
        """The bytes of all layers' outputs for one pixel of an image."""
        side = 2 * self.stride
        total = 0

        def count(module: torch.nn.Module, inputs: object, output: object) -> None:
            nonlocal total
            if isinstance(output, torch.Tensor):
                total += output.numel() * output.element_size()

        leaves = [m for m in self.model.modules() if not any(m.children())]
        hooks = [module.register_forward_hook(count) for module in leaves]
        try:
            self(np.zeros((1, side, side, self.in_channels), np.float32))
        finally:
            for hook in hooks:
                hook.remove()
        return max(64, total // side**2)

    def free_bytes(self) -> int:
        """Return free memory of the GPU, or of the machine."""
        if self.hardware.device == "cuda":
            return torch.cuda.mem_get_info()[0]
        return _free_memory()


class OnnxNetwork:
    """An exported model in ONNX Runtime, on the CPU."""

    def __init__(self, session: Any, stride: int) -> None:
        self.stride = stride
        self.batch_pixels = CPU_BATCH_PIXELS
        self.most_bytes: float = CPU_BYTES
        self._session = session
        self._input = session.get_inputs()[0].name
        self.in_channels = int(session.get_inputs()[0].shape[1])

    def __str__(self) -> str:
        return "ONNX Runtime, cpu"

    def __call__(self, batch: np.ndarray) -> np.ndarray:
        """Map N×H×W×C float32 to N×outputs×H×W float32."""
        images = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        logits: np.ndarray = self._session.run(None, {self._input: images})[0]
        return logits

    @property
    def bytes_per_pixel(self) -> int:
        """A bound for ordinary U-Nets."""
        return ONNX_BYTES_PER_PIXEL

    def free_bytes(self) -> int:
        """Return free memory of the machine."""
        return _free_memory()


def onnx_session(path: Path) -> Any:
    """Open an ONNX model for inference on the CPU.

    Raises:
        UsageError: if ONNX Runtime is not installed.
        UnetsegError: if the file is no ONNX model.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UsageError(
            f"{path}: needs ONNX Runtime; install it with: pip install 'unetseg[onnx]'"
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised, too
    try:
        model = path.read_bytes()
    except OSError as error:
        raise UnetsegError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    _check_model(path, model)
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        reason = one_line(error, 120)
        raise UnetsegError(f"{path}: is no ONNX model that can be run ({reason}); export it again") from error


def with_checksum(model: bytes) -> bytes:
    """Return a serialized ONNX model with its SHA-256 as its last entry of metadata.

    A repeated field of protobuf may go on at the end of a message: other software reads one more entry.
    """
    return model + _CHECKSUM_ENTRY + hashlib.sha256(model).hexdigest().encode()


def _check_model(path: Path, model: bytes) -> None:
    """Refuse a model that differs from its checksum, where it has one, or that names other files to read."""
    entry, digest = model[-len(_CHECKSUM_ENTRY) - 64 : -64], model[-64:]
    whole = model[: -len(_CHECKSUM_ENTRY) - 64]
    if entry == _CHECKSUM_ENTRY and hashlib.sha256(whole).hexdigest().encode() != digest:
        raise UnetsegError(
            f"{path}: is damaged, or was changed by another program (its checksum is wrong); copy it again, "
            "or export it again"
        )
    if _EXTERNAL_DATA in model:
        raise UnetsegError(
            f"{path}: takes its weights from another file, which is not read; export it as one file"
        )


def most_pixels(network: Network) -> int:
    """Return how many pixels may go through a network at once, by half of the memory that is free now."""
    return int(min(network.free_bytes() / 2, network.most_bytes) / network.bytes_per_pixel)


def _free_memory() -> int:
    """Return the bytes that can be had without swapping; Linux tells, elsewhere 2 GB are assumed."""
    try:
        with open("/proc/meminfo") as lines:
            return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return 2 << 30
