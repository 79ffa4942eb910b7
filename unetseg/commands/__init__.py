"""One module a verb: its flags, one call, what it prints.

Each has ``run(argv)``, which returns the exit code.
"""

from collections.abc import Sequence
from pathlib import Path

from unetseg.errors import UsageError

PARTLY_DONE = 3  # exit code: some inputs failed, the rest are done


def free_folder(folder: Path, outputs: Sequence[str]) -> Path:
    """Return a folder to write ``outputs`` into.

    Raises:
        UsageError: if one of them would be lost there, or it is no folder.
    """
    for name in outputs:
        if (folder / name).exists():
            raise UsageError(f"{folder / name}: exists already; give another -o, nothing is overwritten")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder}: is no folder")
    return folder
