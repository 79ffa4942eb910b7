"""Downloads that resume and are verified, and archives that are unpacked safely."""

import hashlib
import shutil
import stat
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from unetseg.data.datasets.cards.card import RemoteFile
from unetseg.errors import UnetsegError

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes done so far, and the bytes in all where known."""

_CHUNK = 1 << 18
_TIMEOUT = 30  # seconds without a byte
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


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


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip archive into ``folder``; any other file is moved there as it is.

    Raises:
        UnetsegError: The archive is damaged, or a member would land outside ``folder`` or is a link
            or a device.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle:
                for member in bundle.infolist():
                    _refuse_unsafe(member)
                bundle.extractall(folder)
        elif archive.suffix.lower() in _ARCHIVES:
            raise UnetsegError(
                f"{archive}: is cut off, or no tar or zip archive; fetch it again, or unpack it yourself"
            )
        else:
            shutil.copyfile(archive, folder / archive.name)
    except tarfile.FilterError as error:
        raise UnetsegError(f"{archive}: not unpacked, the archive is not safe: {error}") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise UnetsegError(f"{archive}: the archive is damaged: {error}; delete it and try again") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or compressed in an unusual way
        raise UnetsegError(f"{archive}: cannot be unpacked: {error}; unpack it yourself") from error


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
                    sink.write(chunk)
                    done += len(chunk)
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


def _refuse_unsafe(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or ":" in member.filename:
        raise UnetsegError(f"not unpacked, the archive is not safe: '{member.filename}' lies outside of it")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnetsegError(f"not unpacked, the archive is not safe: '{member.filename}' is a link")
