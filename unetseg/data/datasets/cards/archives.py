"""Archives unpacked by ourselves: regular members only, each to a path that we computed; the whole or none.

The interpreter's own filters are not enough: a chain of links leads out of the folder on Python before
3.11.13 (CVE-2025-4517), and a tar that ends between two members is taken for a whole one.
"""

import errno
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from unetseg.errors import UnetsegError, one_line
from unetseg.utilities.text import printable

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_CHUNK = 1 << 20
_BLOCK = tarfile.BLOCKSIZE
# No set comes near: archives beyond these limits are made to fill a disk
_MOST_TIMES_ITS_SIZE, _AND_BYTES = 200, 1 << 30
_ENCRYPTED = 0x1  # of a member's flags (APPNOTE 4.4.4)
_MOST_MEMBERS = 5_000_000
_LONGEST_HEADER = 1 << 20  # bytes of a name or an extended header, which tarfile reads into memory
_EXTENDED = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_NO_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)
_KINDS = {
    tarfile.SYMTYPE: "a link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
}
_MODES = {
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class _Member(tarfile.TarInfo):
    """A member of a tar, whose name and extended header are of a sensible size."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _EXTENDED and self.size > _LONGEST_HEADER:
            raise tarfile.ReadError(f"a header of {self.size:,} bytes")
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return member


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip archive into ``folder``; any other file is copied there as it is.

    Raises:
        UnetsegError: The archive is damaged or cut off, would fill the disk, or a member would land outside
            ``folder`` or is no regular file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = printable(archive)
    try:
        if tar := _as_tar(archive):
            with tar:
                _Unpacking(archive, folder).tar(tar)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as bundle:
                _Unpacking(archive, folder).zip(bundle)
        elif archive.suffix.lower() in _ARCHIVES:
            raise UnetsegError(
                f"{name}: is cut off, or no tar or zip archive; fetch it again, or unpack it yourself"
            )
        else:
            shutil.copyfile(archive, folder / archive.name)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, LZMAError) as error:
        raise _damaged(name, error) from error
    except (RuntimeError, NotImplementedError, ValueError) as error:  # encrypted, or packed in an unusual way
        raise UnetsegError(
            f"{name}: cannot be unpacked: {one_line(error, 160)}; unpack it yourself"
        ) from error
    except OSError as error:
        if error.errno is None:  # of a decompressor, such as gzip.BadGzipFile
            raise _damaged(name, error) from error
        raise


def _damaged(name: str, error: Exception) -> UnetsegError:
    return UnetsegError(f"{name}: the archive is damaged: {one_line(error, 160)}; delete it and try again")


def _as_tar(archive: Path) -> tarfile.TarFile | None:
    """Open an archive as a tar of any compression, or return None if it is none."""
    try:
        return tarfile.open(archive, tarinfo=_Member)
    except tarfile.TarError:
        return None


class _Unpacking:
    """One archive on its way into a folder: what has been written so far, and what may still be."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.name = printable(archive)
        self.folder = folder
        self.allowed = archive.stat().st_size * _MOST_TIMES_ITS_SIZE + _AND_BYTES
        self.members = self.bytes = 0
        self._written: set[str] = set()

    def tar(self, tar: tarfile.TarFile) -> None:
        for member in tar:
            if member.isdir():
                self._make(self._path(member.name), member.name)
                continue
            if not member.isreg():
                raise self._unsafe(member.name, f"is {_KINDS.get(member.type, 'no regular file')}")
            source = tar.extractfile(member)
            assert source is not None
            with source:
                self._write(self._path(member.name), source, member.size, member.name)
        assert tar.fileobj is not None
        tar.fileobj.seek(tar.offset)  # of the block after the last member
        if tar.fileobj.read(_BLOCK) != bytes(_BLOCK):
            raise tarfile.ReadError("it ends before its end mark, so members are missing")
        while padding := tar.fileobj.read(_CHUNK):  # to the checksum, which a packed file has at its end
            self._allow(len(padding))

    def zip(self, bundle: zipfile.ZipFile) -> None:
        for member in bundle.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise self._unsafe(member.filename, f"is {_MODES.get(kind, 'no regular file')}")
            path = self._path(member.filename)
            if member.flag_bits & _ENCRYPTED:
                raise UnetsegError(
                    f"{self.name}: cannot be unpacked: '{printable(member.filename)}' is encrypted; "
                    "unpack it yourself, with its password, and name the folder"
                )
            if member.is_dir():
                self._make(path, member.filename)
                continue
            with bundle.open(member) as source:  # whose checksum is compared at its end
                self._write(path, source, member.file_size, member.filename)

    def _make(self, folder: Path, member: str) -> None:
        self._count(0)
        with self._naming(member):
            folder.mkdir(parents=True, exist_ok=True)

    def _count(self, size: int) -> None:
        """Count one more member of so many bytes."""
        self.members += 1
        self._allow(size)

    def _allow(self, size: int) -> None:
        """Take so many more bytes, if all of them together are what an archive of this size may hold."""
        self.bytes += size
        if self.bytes > self.allowed or self.members > _MOST_MEMBERS:
            raise UnetsegError(
                f"{self.name}: not unpacked, it would become more than {_MOST_TIMES_ITS_SIZE} times as large "
                f"({self.bytes:,} bytes in {self.members:,} files so far); unpack it yourself if it is to be "
                "trusted"
            )

    def _write(self, path: Path, source: IO[bytes], size: int, member: str) -> None:
        self._count(size)
        free = shutil.disk_usage(self.folder).free
        if size > free:
            raise UnetsegError(
                f"{self.name}: '{printable(member)}' has {size:,} bytes, {free:,} are free; free space"
            )
        plain = str(path).casefold()  # as file systems see it that know no case
        with self._naming(member):
            path.parent.mkdir(parents=True, exist_ok=True)
            if plain in self._written and path.exists():
                raise self._unsafe(member, "is there twice")
            sink = open(path, "wb")  # noqa: SIM115
        self._written.add(plain)
        with sink:
            shutil.copyfileobj(source, sink, _CHUNK)
            written = sink.tell()
        if written != size:
            raise tarfile.ReadError(f"'{printable(member)}' has {written} of {size} bytes")

    @contextmanager
    def _naming(self, member: str) -> Iterator[None]:
        """Name the member whose path cannot be made."""
        try:
            yield
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self._unsafe(member, "is a file and a folder at once") from error
        except OSError as error:
            if error.errno in _NO_NAME:
                raise self._unsafe(member, f"cannot be a path here ({error.strerror})") from error
            raise

    def _path(self, member: str) -> Path:
        """Return where a member goes."""
        parts = list(_parts(member))
        rooted = member.startswith(("/", "\\"))
        outside = ".." in parts or any(":" in part or "\0" in part for part in parts)
        if outside or rooted or not parts:
            if not outside and not rooted:  # "." or "./", the folder itself
                return self.folder
            raise self._unsafe(member, "lies outside of it")
        return self.folder.joinpath(*parts)

    def _unsafe(self, member: str, what: str) -> UnetsegError:
        return UnetsegError(
            f"{self.name}: not unpacked, the archive is not safe: '{printable(member)}' {what}; "
            "fetch it from its publisher"
        )


def _parts(member: str) -> Iterator[str]:
    """Yield the parts of a member's path, whichever way its slashes lean."""
    for part in PurePosixPath(member.replace("\\", "/")).parts:
        if part.strip("/") not in ("", "."):
            yield part
