"""Downloads that resume, are verified, and end at the size that their card says."""

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from unetseg.data.datasets.cards.card import RemoteFile
from unetseg.errors import UnetsegError

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes done so far, and the bytes in all where known."""

_CHUNK = 1 << 18
_TIMEOUT = 30  # seconds without a byte


def fetch(file: RemoteFile, target: Path, progress: Progress | None = None) -> Path:
    """Download one file to ``target`` from the first address that delivers it, and verify it.

    The bytes gather in ``target`` + ``.part``; a later call asks the server for the rest only. A resumed
    file with a wrong checksum (it changed between the two halves) is fetched once more from the start.

    Raises:
        UnetsegError: No address answers, or what came has the wrong size or checksum.
    """
    if target.is_file() and find_fault(file, target) is None:
        return target
    part = target.with_name(target.name + ".part")
    reasons: list[str] = []
    for address in file.addresses:
        resumed = part.is_file() and part.stat().st_size > 0
        for _ in range(2 if resumed else 1):
            reason = _transfer(address, part, file, progress)
            if reason is None:
                fault = find_fault(file, part)
                if fault is None:
                    part.replace(target)
                    return target
                part.unlink()
                reason = f"{address}: {fault}"
            reasons.append(reason)
            if part.is_file():  # broken off, to be resumed; otherwise it was thrown away, and begins anew
                break
    kept = "; what was fetched is kept, run the command again to go on" if part.is_file() else ""
    raise UnetsegError(f"{file.name} could not be downloaded: {'; '.join(reasons)}{kept}")


def find_fault(file: RemoteFile, path: Path) -> str | None:
    """Return what is wrong with a complete file, or None."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return f"has {size} bytes instead of {file.size}"
    for kind, expected in file.checksums.items():
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, kind).hexdigest()
        if found != expected:
            return f"has the {kind} checksum {found} instead of {expected}"
    return None


def _transfer(address: str, part: Path, file: RemoteFile, progress: Progress | None) -> str | None:
    """Append what ``part`` lacks; return None when it is complete, else the reason why it is not."""
    done = part.stat().st_size if part.is_file() else 0
    if file.size is not None and done >= file.size:
        return None
    request = urllib.request.Request(address, headers={"User-Agent": "unetseg"})
    if done:
        request.add_header("Range", f"bytes={done}-")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as reply:
            resumes = getattr(reply, "status", None) == 206
            done = done if resumes else 0
            length = reply.headers.get("Content-Length")
            total = done + int(length) if length else file.size
            with part.open("ab" if resumes else "wb") as sink:
                while chunk := reply.read(_CHUNK):
                    done += len(chunk)
                    if file.size is not None and done > file.size:
                        part.unlink()
                        return f"{address}: sends more than the {file.size} bytes that the card says"
                    sink.write(chunk)
                    if progress:
                        progress(file.name, done, total)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the server has no more than what is here, so that is not its beginning
            part.unlink()
        return f"{address}: the server answers {error.code} {error.reason}"
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        return f"{address}: {getattr(error, 'reason', error) or type(error).__name__}"
    if total is not None and done < total:
        return f"{address}: the connection broke off after {done} of {total} bytes"
    return None
