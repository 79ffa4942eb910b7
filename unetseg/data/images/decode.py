"""Image files opened, told apart by their first bytes, and what decoders say put in plain words.

Files are read by Python and decoded from memory, because decoders crash on names that are not UTF-8.
"""

import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image, features
from PIL.ImageFile import ImageFile

from unetseg.data.images.pixels import (
    ORIENTATION_TAG,
    Refused,
    beyond_limit,
    check_pixels,
)
from unetseg.data.images.png import find_exif
from unetseg.errors import UnetsegError, one_line
from unetseg.utilities.current_file import reading, tell
from unetseg.utilities.text import printable

Path = str | os.PathLike[str]
_HEAD = 512  # bytes that tell the format


_CODEC = re.compile(r"\w+ returned \w+")  # how imagecodecs names what went wrong
# What decoders that trust a file's entries run into; their text is of the decoder and not of the file
_OF_PROGRAMS = (AssertionError, AttributeError, LookupError, TypeError)

_raised_limit = threading.Lock()


class ImageError(UnetsegError):
    """An image file that cannot be used: "NAME: what is wrong; what to do", in one printable line."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Make an ImageError that names the file of whatever the block raises while it decodes ``path``."""
    name = printable(path)
    try:
        with reading(name):
            yield
    except UnetsegError:
        raise
    except Refused as error:
        raise ImageError(f"{name}: {error}") from error
    except MemoryError as error:
        raise ImageError(
            f"{name}: does not fit into memory; make it smaller, or save it as a tiled TIFF"
        ) from error
    except Exception as error:  # decoders raise every type there is on damaged files
        raise ImageError(f"{name}: {_reason(error)}") from error


def open_image_file(path: Path) -> tuple[BinaryIO, str]:
    """Open an image file and tell by its first bytes what it is.

    JPEG, PNG, TIFF, BMP, WEBP, GIF, HEIF, AVIF, NPY, NIFTI or DICOM.

    Raises:
        Refused: It is no regular file, or of another format.
        OSError: It cannot be opened.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
        raise Refused(f"is a {'folder' if stat.S_ISDIR(mode) else 'pipe or device'}; name an image file")
    file = open(path, "rb")  # noqa: SIM115 (the caller closes it)
    try:
        kind = _format(file.read(_HEAD))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, kind


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Open an image file for the block, as ``open_image_file`` does; errors name the file."""
    with naming(path):
        file, kind = open_image_file(path)
        with file:
            yield file, kind


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"cannot be read: {error.strerror}; check the path and its permissions"
    text = one_line(error)[:200]
    if isinstance(error, _OF_PROGRAMS):
        text = "its entries do not fit together"
    elif _CODEC.fullmatch(text):
        text = "its packed pixels cannot be unpacked"
    printed = "".join(c if c.isprintable() else "?" for c in text)
    return f"is damaged or cut off ({printed}); save or copy it again"


def _format(head: bytes) -> str:
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if not head:
        raise Refused("is empty; save or copy it again")
    if head[4:8] == b"ftyp":
        return _in_container(head)
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[344:347] in (b"n+1", b"ni1") or head[:2] == b"\x1f\x8b" or head[4:8] in (b"n+2\0", b"ni2\0"):
        return "NIFTI"
    raise Refused(
        "is no JPEG, PNG, TIFF, BMP, WebP or GIF, and no HEIC, AVIF, NumPy array, NIfTI or DICOM; save it as "
        "one of them"
    )


def _in_container(head: bytes) -> str:
    """Tell HEIC from AVIF by the brands of their container, ISO/IEC 14496-12."""
    length = int.from_bytes(head[:4], "big")
    brands = {head[start : start + 4] for start in (8, *range(16, min(length, _HEAD), 4))}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
        return "HEIF"
    raise Refused("is a film, or a picture of a kind that is not read; save it as PNG or TIFF")


_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\x93NUMPY", "NPY"),
)


@contextmanager
def open_by_pillow(file: BinaryIO, kind: str, max_pixels: int | None) -> Iterator[Image.Image]:
    """Open by Pillow, as one format alone and with its limit on pixels unless ``max_pixels`` sets another.

    Raises:
        Refused: It has more pixels, or the package that reads the format is not installed.
    """
    _require_reader(kind)
    try:
        image = Image.open(file, formats=(kind,))
    except Image.DecompressionBombError as error:
        if max_pixels is None:
            has, limit = (int(number) for number in re.findall(r"\d+", str(error)))
            raise Refused(beyond_limit(f"{has:,} pixels are more than the limit of {limit:,}")) from error
        with _pillow_limit(max_pixels):
            image = Image.open(file, formats=(kind,))
            check_pixels(image.height, image.width, max_pixels)
            _take_exif(image, file)
            yield image
        return
    check_pixels(image.height, image.width, max_pixels)
    _unpack_bytes_of_two_tones(file, image)
    _take_exif(image, file)
    yield image


def _require_reader(kind: str) -> None:
    if kind == "HEIF":
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise Refused("is HEIC, which needs pillow-heif: pip install 'unetseg[heic]'") from None
        register_heif_opener()
    if kind == "AVIF" and not features.check("avif"):
        raise Refused("is AVIF, which needs Pillow 11.3 or later with AVIF: pip install -U Pillow")


def _unpack_bytes_of_two_tones(file: BinaryIO, image: Image.Image) -> None:
    """Read a BMP of a byte a pixel, whose palette is black and white, as such: Pillow takes it for bits."""
    if image.format != "BMP" or image.mode != "1" or not isinstance(image, ImageFile):
        return
    file.seek(28)
    if file.read(2) == b"\x08\0":  # bits a pixel
        image.tile = [tile._replace(args=("1;8", *tuple(tile.args or ())[1:])) for tile in image.tile]


def _take_exif(image: Image.Image, file: BinaryIO) -> None:
    """Give a PNG the EXIF that follows its pixels, so that its size is the same before and after decoding."""
    if image.format == "PNG" and "exif" not in image.info:
        exif = find_exif(file)
        if exif is not None:
            image.info["exif"] = exif


@contextmanager
def _pillow_limit(max_pixels: int) -> Iterator[None]:
    """Set Pillow's limit, which is one for the process; so one image at a time is read under it."""
    with _raised_limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max_pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def orientation_of(image: Image.Image) -> object:
    """Return the EXIF orientation of an opened image, 1 where it has none."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # getexif would decode the whole file in search of it
    try:
        return image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # damaged EXIF is no reason to give up the picture
        return 1


def frame_count(image: Image.Image) -> int:
    """Return how many frames an opened image has."""
    animated = image.format in ("GIF", "PNG", "WEBP", "AVIF", "HEIF") and getattr(image, "is_animated", False)
    return int(getattr(image, "n_frames", 1)) if animated else 1


def warn_of_more(path: Path, count: int, what: str) -> None:
    """Warn, in one line, that only the first of several frames or pages is used."""
    if count > 1:
        tell(f"{printable(path)}: has {count} {what}; the first is used")


def warn_of_losses(path: Path, losses: Iterable[str]) -> None:
    """Warn, in a line each, of what reading an image leaves out; empty ones are none."""
    for loss in losses:
        if loss:
            tell(f"{printable(path)}: {loss}")
