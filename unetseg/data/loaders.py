"""Batches on their way from loader processes to the network: as bytes, within the memory that they share."""

import multiprocessing.queues
import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, get_worker_info

from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UnetsegError

Batch = dict[str, Any]
SHARED_MEMORY = Path("/dev/shm")
AHEAD = 2  # batches that each loader process prepares; PyTorch's own number


def collate(items: Sequence[Batch]) -> Batch:
    """Stack items: image (N, C, H, W) uint8 or float32, channels last in memory; mask (N, H, W) uint8.

    Where the depth in objects is learned, it comes like the mask. In a loader process they are put into
    shared memory here, where a lack of it is an error that reaches the training; later it would end a thread
    of the process's queue, and the training would wait for ever.
    """
    batch = {name: torch.from_numpy(np.stack([each[name] for each in items])) for name in items[0]}
    if get_worker_info() is not None:
        for values in batch.values():
            values.share_memory_()
    return batch | {"image": batch["image"].permute(0, 3, 1, 2)}


def normalised(batch: Batch, preprocessing: Preprocessing) -> Batch:
    """Return a batch as the network takes it, on its device: image float32, normalised; mask int64."""
    image = batch["image"]
    mean, factor = (torch.from_numpy(each).to(image.device).view(-1, 1, 1) for each in preprocessing.terms)
    normal = {"image": (image.to(torch.float32) - mean) * factor, "mask": batch["mask"].long()}
    return normal | ({"depth": batch["depth"].to(torch.float32) / 255} if "depth" in batch else {})


class BatchLoader(DataLoader[Batch]):
    """Loads batches, and normalises them in this process unless that is left to the device.

    Args:
        preprocessing: normalises.
        leave_bytes: give batches of bytes as they came: the device normalises them faster.
        **options: of DataLoader.
    """

    def __init__(self, preprocessing: Preprocessing, *, leave_bytes: bool, **options: Any) -> None:
        super().__init__(**options, collate_fn=collate, worker_init_fn=_begin)
        self._preprocessing = preprocessing
        self._leave_bytes = leave_bytes

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        """Yield batches."""
        for batch in super().__iter__():
            left = self._leave_bytes and batch["image"].dtype == torch.uint8
            yield batch if left else normalised(batch, self._preprocessing)


def check_shared_memory(workers: int, bytes_per_pixel: int, *pixels: int) -> None:
    """Refuse loader processes whose batches do not fit into the memory that processes share.

    Args:
        workers: loader processes.
        bytes_per_pixel: of an image and its mask.
        *pixels: of a batch of each loader.

    Raises:
        UnetsegError: They do not fit. Docker gives its containers 64 MB.
    """
    if workers == 0 or not SHARED_MEMORY.is_dir():
        return
    free = shutil.disk_usage(SHARED_MEMORY).free
    if workers * AHEAD * sum(pixels) * bytes_per_pixel > free:
        raise shared_memory_error(free, max(pixels) * bytes_per_pixel)


def shared_memory_error(free: int, batch: int | None = None) -> UnetsegError:
    """Return the error for shared memory of which so many bytes are free, and a batch of so many."""
    of = "" if batch is None else f" of {_megabytes(batch)}"
    return UnetsegError(
        f"the loader's shared memory ({SHARED_MEMORY}, {_megabytes(free)}) is too small for batches{of}: "
        "docker run --shm-size gives more, --workers 0 needs none, fewer --workers or a smaller --batch-size "
        "need less"
    )


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e6:.1g} MB"


def _begin(worker: int) -> None:
    """Keep a loader process, which Ctrl-C reaches too, from reporting it again, and from going silent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    multiprocessing.queues.Queue._on_queue_feeder_error = staticmethod(_end)  # type: ignore[attr-defined]


def _end(error: Exception, batch: object) -> None:
    """End a loader process that cannot send a batch: the training notices within seconds."""
    os._exit(getattr(error, "errno", None) or 1)
