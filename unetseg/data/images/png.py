"""PNG files chunk by chunk: each has a checksum that decoders leave unread, and EXIF may stand last."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from unetseg.data.images.pixels import Refused

_SIGNATURE = 8  # bytes
_EXIF_PREFIX = b"Exif\0\0"  # what Pillow puts before the chunk's content


def check_chunks(data: bytes) -> None:
    """Refuse a PNG in which a chunk's checksum is not that of its content, or whose end is missing.

    Pillow reads palette images past wrong checksums, and pixels past compressed data that are damaged.

    Args:
        data: the whole file; what follows the end chunk is none of the picture's.

    Raises:
        Refused: It is damaged or cut off.
    """
    view = memoryview(data)
    for kind, start, length in _chunks(io.BytesIO(data)):
        end = start + length
        if end + 4 > len(data):
            break
        if zlib.crc32(view[start - 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise Refused(
                f"is damaged (the checksum of its {_name(kind)} chunk is wrong); save or copy it again"
            )
        if kind == b"IEND":
            return
    raise Refused("is damaged or cut off (the end of a PNG is missing); save or copy it again")


def find_exif(file: BinaryIO) -> bytes | None:
    """Return a PNG's EXIF wherever it stands, as Pillow keeps it, or None; the file's position stays.

    Pillow sees it only before the pixels unless it decodes them.
    """
    position = file.tell()
    try:
        for kind, start, length in _chunks(file):
            if kind == b"eXIf":
                file.seek(start)
                return _EXIF_PREFIX + file.read(length)
        return None
    finally:
        file.seek(position)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, where the content starts, its length) of every chunk whose head is in the file."""
    start = _SIGNATURE
    while True:
        file.seek(start)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, start + 8, length
        if kind == b"IEND":
            return
        start += 8 + length + 4


def _name(kind: bytes) -> str:
    return kind.decode("ascii") if kind.isalpha() and kind.isascii() else "unknown"
