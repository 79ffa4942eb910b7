"""Every row of the table of images in docs/data.md, on a folder that is drawn here, with a trap in each."""

import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from unetseg.cli import main
from unetseg.data.datasets.open import open_dataset

NAMES = ("a", "b", "c")


def draw(generator, channels, dtype):
    """Draw 12-bit counts with a bright square, and where that is."""
    mask = np.zeros((24, 32), np.uint8)
    top, left = generator.integers(2, 12, 2)
    mask[top : top + 9, left : left + 9] = 1
    counts = generator.integers(100, 160, (24, 32, channels)) + 60 * mask[..., None]
    return counts.astype(dtype), mask


def by_pillow(kind, **options):
    def write(path, image):
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(path, kind, **options)

    return write


def by_tifffile(turn=lambda image: image, **options):
    def write(path, image):
        tifffile.imwrite(path, turn(image), **{"photometric": "minisblack", **options})

    return write


def pages(image):
    return np.ascontiguousarray(np.moveaxis(image, 2, 0))


def nifti(path, image):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(image.swapaxes(0, 1)[:, :, None], np.eye(4)), path)


def dicom(path, image):
    pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = (
        SecondaryCaptureImageStorage,
        generate_uid(),
    )
    file = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    file.Rows, file.Columns, file.SamplesPerPixel = 24, 32, 1
    file.PhotometricInterpretation, file.PixelRepresentation = "MONOCHROME2", 0
    file.BitsAllocated, file.BitsStored, file.HighBit, file.RescaleSlope = 16, 12, 11, 1
    file.RescaleIntercept = -1024
    file.PixelData = image[..., 0].tobytes()
    file.save_as(path, enforce_file_format=True)


def beside(folder):
    """Lay arrays beside pictures, where they are none."""
    np.save(folder / "images/features.npy", np.zeros((4, 4)))


def conversions(folder):
    """Lay conversions beside their originals."""
    for path in sorted((folder / "images").iterdir()):
        with Image.open(path) as image:
            image.convert("RGB").save(path.with_suffix(".png"))
        path.write_bytes(b"no longer read")


def nothing(folder):
    """Lay no trap."""


# format: suffix, channels, type, writer, trap, what is printed, what is warned of
ROWS = {
    "PNG of 16 bits": (".png", 1, np.uint16, by_pillow("PNG"), beside, "16 bits, RGB or grey;", ""),
    "PNG with alpha": (".png", 4, np.uint8, by_pillow("PNG"), nothing, "", ""),
    "TIFF of bands": (".tif", 5, np.uint16, by_tifffile(planarconfig="contig"), nothing,
                      "16 bits, channels 1,2,3,4,5;", ""),
    "TIFF of RGB and a band": (".tif", 4, np.uint8, by_tifffile(
        photometric="rgb", extrasamples=["unspecified"]), nothing, "", "has 4 bands; the first three are"),
    "signed TIFF": (".tif", 1, np.int16, by_tifffile(lambda image: image[..., 0]), nothing,
                    "floating point, RGB or grey;", ""),
    "OME-TIFF with a stack": (".ome.tif", 2, np.uint16, by_tifffile(
        lambda image: np.stack([pages(image)] * 3), ome=True, metadata={"axes": "ZCYX"}),
        nothing, "16 bits, channels 1,2;", "has 6 pages; 2 of them are its channels, the others are left"),
    "ImageJ's hyperstack": (".tif", 2, np.uint16, by_tifffile(pages, imagej=True, metadata={"axes": "CYX"}),
                            nothing, "16 bits, channels 1,2;", ""),
    "other pages": (".tif", 3, np.uint16, by_tifffile(pages), nothing, "16 bits, RGB or grey;",
                    "has 3 pages; the first is used"),
    "NumPy": (".npy", 6, np.float32, lambda path, image: np.save(path, pages(image)), nothing,
              "floating point, channels 1,2,3,4,5,6;", ""),
    "NIfTI": (".nii.gz", 1, np.uint16, nifti, nothing, "16 bits, RGB or grey;", ""),
    "DICOM": (".dcm", 1, np.uint16, dicom, nothing, "floating point, RGB or grey;", ""),
    "AVIF": (".avif", 3, np.uint8, by_pillow("AVIF", quality=95), conversions, "", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_images_of_every_format_are_read_and_what_is_left_out_is_counted(tmp_path, capsys, name):
    suffix, channels, dtype, write, trap, printed, warned = ROWS[name]
    generator = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for each in NAMES:
        image, mask = draw(generator, channels, dtype)
        write(tmp_path / "images" / f"{each}{suffix}", image)
        target = tmp_path / "masks" / f"{each}{'.ome.png' if suffix == '.ome.tif' else '.png'}"
        Image.fromarray(mask * 255).save(target)
    trap(tmp_path)
    assert main(["data", "check", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert (f"\npixels: {printed}" in out) if printed else "pixels:" not in out
    assert (warned in err) if warned else not err
    dataset = open_dataset(str(tmp_path))
    for sample in dataset.splits["train"]:
        with warnings.catch_warnings(action="ignore"):  # told above
            image, inside = dataset.image(sample), dataset.mask(sample) == 1
        assert image.shape[:2] == inside.shape == (24, 32)
        assert image[..., 0][inside].mean() > image[..., 0][~inside].mean() + 30


def test_a_mask_of_numbers_belongs_to_its_image(tmp_path):
    generator = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for each in NAMES:
        image, mask = draw(generator, 1, np.uint16)
        np.save(tmp_path / "images" / f"{each}.npy", image[..., 0])
        np.save(tmp_path / "masks" / f"{each}.npy", mask.astype(bool))
    dataset = open_dataset(str(tmp_path))
    assert all(dataset.mask(sample).sum() == 81 for samples in dataset.splits.values() for sample in samples)
