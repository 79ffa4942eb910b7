"""Arrays, slices of scans and photographs of phones: read by a package that is loaded when one is met."""

import gzip
import io
import sys

import numpy as np
import pytest
from PIL import Image

from unetseg.data.images.as_stored import contents
from unetseg.data.images.decode import ImageError
from unetseg.data.images.find import find_images
from unetseg.data.images.pixel_rule import EIGHT_BIT_RGB, PixelRule
from unetseg.data.images.read import image_size, read_image, read_mask

COUNTS = np.random.default_rng(0).integers(0, 4096, (20, 30, 5), np.uint16)
BYTES = COUNTS.astype(np.uint8)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def nifti(array, slope=None, packed=False):
    """Return a file whose first axis runs across, as NIfTI has it."""
    import nibabel

    image = nibabel.Nifti1Image(array, np.eye(4))
    if slope:
        image.header.set_slope_inter(slope, -1024)
    return gzip.compress(image.to_bytes()) if packed else image.to_bytes()


def dicom(array, **changes):
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset("any", {}, file_meta=meta, preamble=b"\0" * 128)
    file.Rows, file.Columns, file.SamplesPerPixel = *array.shape[-2:], 1
    file.PhotometricInterpretation, file.PixelRepresentation = "MONOCHROME2", int(array.dtype.kind == "i")
    file.BitsAllocated, file.BitsStored, file.HighBit = 16, 12, 11
    for name, value in changes.items():
        setattr(file, name, value)
    file.PixelData = array.tobytes()
    buffer = io.BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


GREY = COUNTS[..., :1]
FILES = {
    "H×W": (lambda: npy(COUNTS[..., 0]), "uint16", ("1",), GREY),
    "H×W×C": (lambda: npy(COUNTS), "uint16", ("2", "5"), COUNTS[..., [1, 4]]),
    "C×H×W": (lambda: npy(np.moveaxis(COUNTS, 2, 0)), "uint16", ("2", "5"), COUNTS[..., [1, 4]]),
    "double, of the other byte order": (lambda: npy(COUNTS[..., 0].astype(">f8") / 3), "float32", ("1",),
                                        (GREY / 3).astype(np.float32)),
    "8-bit RGB as a picture": (lambda: npy(BYTES[..., :3]), "uint8", None, BYTES[..., :3]),
    "NIfTI": (lambda: nifti(COUNTS[..., 0].T), "uint16", ("1",), GREY),
    "packed NIfTI, one slice": (
        lambda: nifti(COUNTS[..., 0].T[..., None], packed=True), "uint16", ("1",), GREY,
    ),
    "NIfTI of channels": (
        lambda: nifti(COUNTS.swapaxes(0, 1)[:, :, None]), "uint16", ("4",), COUNTS[..., 3:4],
    ),
    "NIfTI in units": (lambda: nifti(COUNTS[..., 0].T.astype(np.int16), 2.0), "float32", ("1",),
                       GREY * np.float32(2) - 1024),
    "DICOM": (lambda: dicom(COUNTS[..., 0]), "uint16", ("1",), GREY),
    "DICOM whose lowest value is white": (
        lambda: dicom(COUNTS[..., 0], PhotometricInterpretation="MONOCHROME1"), "uint16", ("1",), 4095 - GREY,
    ),
    "DICOM in Hounsfield units": (
        lambda: dicom(COUNTS[..., 0], RescaleSlope=1, RescaleIntercept=-1024), "float32", ("1",),
        GREY.astype(np.float32) - 1024,
    ),
}  # fmt: skip


def needs(name):
    for word, package in (("NIfTI", "nibabel"), ("DICOM", "pydicom")):
        if word in name:
            pytest.importorskip(package)


@pytest.mark.parametrize("name", FILES)
def test_numbers_are_read_as_they_are(tmp_path, name):
    needs(name)
    make, values, channels, expected = FILES[name]
    path = tmp_path / "any"
    path.write_bytes(make())
    assert contents(path).values == values and image_size(path) == (20, 30)
    image = read_image(path, rule=PixelRule(values, channels))
    assert image.dtype == values and np.allclose(image, expected, rtol=1e-6)


REFUSED = {
    "no channels to be told": (lambda: npy(np.zeros((5, 5, 5))), "an array 5×5×5, in which height"),
    "four dimensions": (lambda: npy(np.zeros((2, 5, 5, 3))), "an array 2×5×5×3, in which"),
    "objects": (lambda: npy(np.array([{}, 1], object)), "holds object and no plain numbers"),
    "cut off": (lambda: npy(COUNTS)[:-9], "is cut off"),
    "NIfTI of a volume": (lambda: nifti(np.zeros((4, 5, 6), np.uint8)), "is a volume of 6 slices"),
    "packed NIfTI cut off": (lambda: nifti(COUNTS[..., 0], packed=True)[:-40], "is damaged or cut off"),
    "something packed, no NIfTI": (lambda: gzip.compress(b"x" * 999), "is compressed, or"),
    "DICOM of a volume": (
        lambda: dicom(np.zeros((3, 4, 5), np.uint16), NumberOfFrames=3), "is a volume of 3 slices",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_image_of_two_dimensions_is_refused(tmp_path, name):
    needs(name)
    needs("NIfTI" if "packed" in name else "")
    make, words = REFUSED[name]
    (tmp_path / "any").write_bytes(make())
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / "any", rule=PixelRule("uint16", ("1",)))


@pytest.mark.parametrize(
    ("content", "package", "extra"),
    [(b"\0" * 128 + b"DICM", "pydicom", "medical"), (b"\x1f\x8b" + b"\0" * 500, "nibabel", "medical"),
     (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pillow_heif", "heic")],
)  # fmt: skip
def test_a_package_that_is_missing_is_named_with_what_installs_it(
    tmp_path, monkeypatch, content, package, extra
):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "any").write_bytes(content)
    with pytest.raises(ImageError, match=rf"which needs .*: pip install 'unetseg\[{extra}\]'"):
        read_image(tmp_path / "any")


def test_values_that_are_no_numbers_are_counted(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(npy(np.where(COUNTS[..., 0] > 4000, np.nan, COUNTS[..., 0])))
    holes = int((COUNTS[..., 0] > 4000).sum())
    with pytest.warns(UserWarning, match=rf"holds {holes} value\(s\) that are no finite numbers"):
        read_image(path, rule=PixelRule("float32", ("1",)))


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_photographs_of_phones_are_8_bit_rgb(tmp_path, kind):
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    picture = np.zeros((40, 64, 3), np.uint8)
    picture[:, 32:] = (200, 90, 30)
    path = tmp_path / "photo"
    Image.fromarray(picture).save(path, kind, quality=95)
    assert contents(path).values == "uint8" and image_size(path) == (40, 64)
    assert np.abs(read_image(path).astype(int) - picture)[:, 5:25].max() < 12
    with pytest.raises(ImageError, match="may change label values"):
        read_mask(path)


@pytest.mark.parametrize(
    ("labels", "values"),
    [(np.eye(5, dtype=bool), [0, 1]), (np.eye(5, dtype=np.int64) * 300, [0, 300]), (np.eye(5) * 2, [0, 2])],
)
def test_masks_of_numbers_are_labels(tmp_path, labels, values):
    path = tmp_path / "mask.npy"
    path.write_bytes(npy(labels))
    assert np.unique(read_mask(path).values).tolist() == values
    path.write_bytes(npy(labels * 0.001))
    with pytest.raises(ImageError, match="floating-point values, not labels"):
        read_mask(path)


def test_arrays_in_the_place_of_8_bit_pictures_become_rgb(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(npy(BYTES[..., 0]))
    assert np.array_equal(read_image(path, rule=EIGHT_BIT_RGB), np.repeat(BYTES[..., :1], 3, axis=2))


def test_a_conversion_stands_for_its_original_and_arrays_beside_pictures_are_none(tmp_path):
    for name in ("a.heic", "a.png", "b.avif", "c.nii.gz", "d.npy"):
        (tmp_path / name).write_bytes(b"any")
    assert [image.output(".png").name for image in find_images([tmp_path])] == ["a.png", "b.png", "c.png"]
    assert [image.path.name for image in find_images([tmp_path / "d.npy"])] == ["d.npy"]
