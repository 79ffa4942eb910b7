"""Files that hold numbers rather than a picture: NumPy arrays, and slices as NIfTI and DICOM."""

import gzip
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from unetseg.data.images.pixels import Refused, check_pixels, stored_type
from unetseg.data.images.stored_mask import StoredMask
from unetseg.errors import one_line

ARRAYS = ("NPY", "NIFTI", "DICOM")
_SLICE = "save each 2-D slice as its own file"


@dataclass(frozen=True)
class ArrayFile:
    """A file of numbers: its size by its header, and how to get them.

    Attributes:
        height: Rows.
        width: Columns.
        channels: How many.
        dtype: Of the numbers.
        load: Returns them, H×W×C.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype
    load: Callable[[], np.ndarray]

    @property
    def values(self) -> str:
        """The type of what is read: ``uint8``, ``uint16`` or ``float32``."""
        return stored_type(np.zeros((1, 1, 1), self.dtype)).dtype.name

    @property
    def picture(self) -> bool:
        """Whether it is grey or RGB."""
        return self.channels in (1, 3)

    def read(self, max_pixels: int | None = None) -> np.ndarray:
        """Return H×W×C of uint8, uint16 or float32.

        Raises:
            Refused: It is over the pixel limit (``check_pixels``), or damaged.
        """
        return stored_type(self._loaded(max_pixels))

    def read_mask(self, max_pixels: int | None = None) -> StoredMask:
        """Return the numbers as labels, or as colours where there are three channels of 8 bits.

        Raises:
            Refused: As ``read``, or they are no labels.
        """
        numbers = self._loaded(max_pixels)
        if numbers.dtype == np.uint8 and self.channels == 3:
            return StoredMask(numbers)
        if self.channels != 1:
            raise Refused(f"is a mask of {self.channels} channels; save it with one, of label values")
        labels = numbers[:, :, 0]
        if labels.dtype == np.bool_:
            return StoredMask(labels.astype(np.uint8), 1)
        if labels.dtype.kind == "f" and not (labels == np.rint(labels)).all():  # false for NaN, too
            raise Refused("holds floating-point values, not labels; save whole numbers")
        if labels.size and not (labels.min() >= 0 and labels.max() <= 65535):
            raise Refused("holds labels outside 0 to 65535; save them as 8 or 16 bits, unsigned")
        if labels.dtype not in (np.uint8, np.uint16):
            labels = labels.astype(np.uint8 if labels.max(initial=0) <= 255 else np.uint16)
        return StoredMask(labels, int(np.iinfo(labels.dtype).max))

    def _loaded(self, max_pixels: int | None) -> np.ndarray:
        check_pixels(self.height, self.width, max_pixels)
        return np.ascontiguousarray(self.load())


def open_array(file: BinaryIO, kind: str) -> ArrayFile:
    """Open a file of one of the kinds in ``ARRAYS``.

    Raises:
        Refused: It is no 2-D image, or the package that reads it is not installed.
    """
    found = {"NPY": _open_npy, "NIFTI": _open_nifti, "DICOM": _open_dicom}[kind](file)
    if not (found.height and found.width and found.channels):
        raise Refused("has no pixels; leave it out")
    return found


def _open_npy(file: BinaryIO) -> ArrayFile:
    major, _ = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise Refused(f"holds {dtype} and no plain numbers; save an array of numbers")
    start, size = file.tell(), file.seek(0, io.SEEK_END)
    if size < start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
        raise Refused("is cut off; save or copy it again")

    def load() -> np.ndarray:
        file.seek(0)
        array = np.load(file, allow_pickle=False)
        return _channels_last(array.astype(dtype.newbyteorder("="), copy=False))

    height, width, channels = _channels_last(np.broadcast_to(np.False_, shape)).shape
    return ArrayFile(height, width, channels, dtype.newbyteorder("="), load)


def _channels_last(array: np.ndarray) -> np.ndarray:
    """Return H×W×C of an array H×W, H×W×C or C×H×W: the side that is shorter than both others is C.

    Raises:
        Refused: There is no such side, or the array is of another dimension.
    """
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim == 3:
        first, second, last = array.shape
        if last < min(first, second):
            return array
        if first < min(second, last):
            return np.moveaxis(array, 0, -1)
    shape = "×".join(map(str, array.shape)) or "of one number"
    raise Refused(
        f"is an array {shape}, in which height, width and channels cannot be told; save it as "
        "height × width × channels"
    )


def _open_nifti(file: BinaryIO) -> ArrayFile:
    with _needs("nibabel", "NIfTI"):
        import nibabel
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream: Any = gzip.GzipFile(fileobj=file) if packed else file
    head = stream.read(348)
    stream.seek(0)
    image: Any
    if head[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        image = nibabel.Nifti2Image.from_stream(stream)
    elif head[344:347] == b"n+1":
        image = nibabel.Nifti1Image.from_stream(stream)
    else:
        raise Refused("is compressed, or a NIfTI pair of two files; save it as one .nii or .nii.gz file")
    shape = [*image.shape]
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    if len(shape) > 2 and shape[2] > 1:
        raise Refused(f"is a volume of {shape[2]} slices; {_SLICE}")
    across, down, channels = (*shape, 1, 1)[0], (*shape, 1, 1)[1], int(np.prod(shape[2:], dtype=int))
    scaled = (image.dataobj.slope, image.dataobj.inter) != (1, 0)
    dtype = np.dtype(np.float64) if scaled else image.get_data_dtype().newbyteorder("=")

    def load() -> np.ndarray:
        numbers = np.asanyarray(image.dataobj).reshape(across, down, channels)
        if packed:
            stream.read()  # to the end, where its checksum is
        return np.asarray(numbers.swapaxes(0, 1).astype(dtype, copy=False))

    return ArrayFile(down, across, channels, dtype, load)


def _open_dicom(file: BinaryIO) -> ArrayFile:
    with _needs("pydicom", "DICOM"):
        import pydicom.pixels
    head = pydicom.dcmread(file, stop_before_pixels=True)
    frames = int(head.get("NumberOfFrames") or 1)
    if frames > 1:
        raise Refused(f"is a volume of {frames} slices; {_SLICE}")
    colours, signed = int(head.get("SamplesPerPixel", 1)), bool(head.get("PixelRepresentation", 0))
    if "Rows" not in head or head.get("PhotometricInterpretation") == "PALETTE COLOR":
        raise Refused("is DICOM without pixels, or with a palette; save it as RGB or grey")
    bits = int(head.get("BitsAllocated", 8))
    scaled = (float(head.get("RescaleSlope", 1)), float(head.get("RescaleIntercept", 0))) != (1, 0)
    plain = not (scaled or signed or "ModalityLUTSequence" in head or bits > 16)
    dtype = np.dtype(np.uint8 if bits <= 8 else np.uint16) if plain else np.dtype(np.float64)

    def load() -> np.ndarray:
        file.seek(0)
        data = pydicom.dcmread(file)
        try:
            numbers = data.pixel_array
        except (RuntimeError, NotImplementedError, AttributeError) as error:
            raise Refused(
                f"has pixels that pydicom cannot unpack here ({one_line(error, 120)}); save it uncompressed"
            ) from error
        if data.PhotometricInterpretation == "MONOCHROME1":  # the lowest value is white
            numbers = (-1 if signed else 2 ** int(data.BitsStored) - 1) - numbers
        if not plain:
            numbers = pydicom.pixels.apply_modality_lut(numbers, data)
        return np.asarray(numbers).astype(dtype).reshape(head.Rows, head.Columns, colours)

    return ArrayFile(int(head.Rows), int(head.Columns), colours, dtype, load)


@contextmanager
def _needs(name: str, what: str) -> Iterator[None]:
    """Say in the block which package files of one kind need, where it cannot be imported."""
    try:
        yield
    except ImportError:
        raise Refused(f"is {what}, which needs {name}: pip install 'unetseg[medical]'") from None
