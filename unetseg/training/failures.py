"""What broke a training, in one plain line."""

import errno
import re
import shutil

from unetseg.data.loaders import SHARED_MEMORY, shared_memory_error
from unetseg.errors import UnetsegError

_NO_SHARED_MEMORY = re.compile(
    r"shared memory|file </torch_|unable to (mmap|resize|open)"
    rf"|exit code ({errno.ENOSPC}|{errno.ENOMEM})\b|Bus error|SIGBUS"
)


def explain(error: Exception) -> UnetsegError | None:
    """Return a UnetsegError for what libraries say in their own words or many lines, else None."""
    # As torch sent it, line by line: a UnetsegError shows itself as one.
    text = Exception.__str__(error) if isinstance(error, UnetsegError) else str(error)
    if "DataLoader worker" in text:
        if SHARED_MEMORY.is_dir() and _NO_SHARED_MEMORY.search(text):
            return shared_memory_error(shutil.disk_usage(SHARED_MEMORY).free)
        if "Original Traceback" in text:  # torch sends a loader's traceback as the message
            last = text.strip().splitlines()[-1]
            plain = last.partition(": ")[2] if isinstance(error, UnetsegError) else ""
            return UnetsegError(plain or f"a loader process failed: {last}")
        return UnetsegError(
            "a loader process died, as they do when memory is short; the last whole epoch is kept: continue "
            f"with --resume and fewer --workers ({' '.join(text.split())})"
        )
    if isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text):
        return UnetsegError("out of memory; try a smaller --batch-size or --size")
    return None
