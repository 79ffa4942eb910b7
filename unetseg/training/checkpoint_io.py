"""Lightning's way to disk; apart from ``checkpoints``, so that inference need not import Lightning."""

from typing import Any

from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from unetseg.training.checkpoints import load, save


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves and loads by ``checkpoints``.

    Lightning's own writer goes through TMPDIR: where that is another file system, a kill or a full disk
    destroys the checkpoint that was there.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write the checkpoint atomically."""
        save(path, checkpoint)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read the checkpoint, never as code."""
        return load(path)
