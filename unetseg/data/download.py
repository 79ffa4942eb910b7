"""Downloads that resume, are verified before they are unpacked, and appear whole or not at all."""

import hashlib
import shutil
import stat
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath

from unetseg.data.cards import Card, RemoteFile, catalog, catalog_names, find_card, read_card
from unetseg.data.datasets import EMBEDDED
from unetseg.data.synthetic import is_synthetic, synthetic_recipe
from unetseg.errors import UnetsegError, UsageError, did_you_mean

Progress = Callable[[str, int, int | None], None]
"""Called with the file's name, the bytes done so far, and the bytes in all where known."""

_CHUNK = 1 << 18
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class CatalogEntry:
    """A line of ``unetseg data list``.

    Attributes:
        name: What to call it, variants in brackets.
        title: The set's full name.
        licence: Its licence.
        size: Bytes to download, 0 for a set that is drawn, None where unknown.
        present: Whether its folder lies below the data root.
    """

    name: str
    title: str
    licence: str
    size: int | None
    present: bool


def describe_catalog(root: Path = Path("data")) -> list[CatalogEntry]:
    """Return what can be named as a dataset: the embedded sets, then the cards."""
    drawn = [
        CatalogEntry(name, title, "embedded", 0, (root / synthetic_recipe(name).folder_name).is_dir())
        for name, title in EMBEDDED.items()
    ]
    cards = [
        CatalogEntry(
            card.name + "".join(f" [:{variant}]" for variant in card.variants),
            card.texts["title"],
            card.texts["licence"],
            card.size,
            (root / card.name).is_dir(),
        )
        for card in catalog()
    ]
    return drawn + cards


def get_dataset(name: str, root: Path = Path("data"), progress: Progress | None = None) -> Path:
    """Download a set of the catalogue into ``root``, unless it is there.

    What an interrupted download has fetched stays in ``root/.download/NAME`` and the next call goes on from
    there. The set's folder appears when all files were verified and unpacked.

    Args:
        name: A card's name, alias or path.
        root: Where sets lie.
        progress: Told how far each file is.

    Returns:
        The set's folder.

    Raises:
        UsageError: There is no such set.
        UnetsegError: The set must be fetched by hand (the message says how), no address answers, a checksum
            is wrong, an archive is not safe, or the disk is full.
    """
    card = _named_card(name)
    target = root / card.name
    if target.is_dir():
        return target
    if not card.files:
        steps = card.texts.get("manual", "the card says nothing on how")
        raise UnetsegError(f"{card.texts['title']} must be fetched by hand: {steps}")
    workplace = root / ".download" / card.name
    try:
        workplace.mkdir(parents=True, exist_ok=True)
        archives = [fetch(file, workplace / file.name, progress) for file in card.files]
        with tempfile.TemporaryDirectory(prefix="unpacked-", dir=workplace) as scratch:
            unpacked = Path(scratch, card.name)
            for file, archive in zip(card.files, archives, strict=True):
                unpack(archive, unpacked / file.into)
            unpacked.rename(target)
    except OSError as error:
        raise UnetsegError(f"{error.filename or root}: {error.strerror or error}") from error
    shutil.rmtree(workplace, ignore_errors=True)
    return target


def fetch(file: RemoteFile, target: Path, progress: Progress | None = None) -> Path:
    """Download one file to ``target`` from the first address that delivers it, and verify it.

    The bytes gather in ``target`` + ``.part``; a later call asks the server for the rest only. A resumed
    file with a wrong checksum (it changed between the two halves) is fetched once more from the start.

    Raises:
        UnetsegError: No address answers, or what came has the wrong size or checksum.
    """
    if target.is_file() and _fault(file, target) is None:
        return target
    part = target.with_name(target.name + ".part")
    reasons: list[str] = []
    for address in file.addresses:
        resumed = part.is_file() and part.stat().st_size > 0
        for _ in range(2 if resumed else 1):
            reason = _transfer(address, part, file, progress)
            if reason is None:
                fault = _fault(file, part)
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
        else:
            shutil.copyfile(archive, folder / archive.name)
    except tarfile.FilterError as error:
        raise UnetsegError(f"{archive}: not unpacked, the archive is not safe: {error}") from error
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise UnetsegError(f"{archive}: the archive is damaged: {error}; delete it and try again") from error


def _named_card(name: str) -> Card:
    if is_synthetic(name):
        raise UsageError(f"'{name}' is drawn at first use; there is nothing to download")
    if Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        return read_card(Path(name))
    card = find_card(name.partition(":")[0])
    if card is None:
        near = did_you_mean(name, catalog_names())
        raise UsageError(f"no dataset '{name}' in the catalogue{near}")
    return card


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


def _fault(file: RemoteFile, path: Path) -> str | None:
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


def _refuse_unsafe(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    mode = member.external_attr >> 16
    if path.is_absolute() or ".." in path.parts or ":" in member.filename:
        raise UnetsegError(f"not unpacked, the archive is not safe: '{member.filename}' lies outside of it")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnetsegError(f"not unpacked, the archive is not safe: '{member.filename}' is a link")
