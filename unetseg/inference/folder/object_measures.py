"""Measures of each object of an image: its size and place, in pixels and in lengths, and its brightness."""

import numpy as np

from unetseg.data.images.pixel_size import PixelSize
from unetseg.data.images.regions import RegionReader
from unetseg.inference.tiles import PIECE

OF_PIXELS = ("area", "x", "y", "left", "top", "width", "height", "major_axis", "minor_axis")


def object_columns(channels: int) -> list[str]:
    """Return the names of the columns of ``measure_objects``, for images of so many channels."""
    brightness = [f"mean_{channel}" for channel in range(1, channels + 1)]
    return [
        "object", "class", *(f"{name}_px" for name in OF_PIXELS), *brightness, "unit", *OF_PIXELS
    ]  # fmt: skip


def measure_objects(
    labels: np.ndarray,
    mask: np.ndarray,
    classes: "tuple[str, ...]",
    reader: RegionReader,
    pixel: PixelSize | None,
) -> list[list[str]]:
    """Return one row an object, as text: number, class, measures in pixels, mean values, measures in lengths.

    ``x`` and ``y`` are the centroid, ``left``, ``top``, ``width`` and ``height`` the box, from the image's
    upper left corner: the pixel of row r and column c is the square from (c, r) to (c + 1, r + 1). The axes
    are those of the ellipse with the same second moments.

    Args:
        labels: H×W integers, each number an object, 0 the background.
        mask: H×W uint8 class indices.
        classes: class names by index.
        reader: of the image.
        pixel: how large a pixel is; None leaves the lengths empty.
    """
    in_pixels = _shapes(labels, (1.0, 1.0))
    numbers = in_pixels.pop("label").astype(int)
    if not numbers.size:
        return []
    means = _means(labels, reader)[numbers]
    first = np.zeros(int(numbers.max()) + 1, np.uint8)
    first[labels.ravel()] = mask.ravel()
    columns = [[f"{value:.9g}" for value in values] for values in in_pixels.values()]
    columns += [[f"{value:.6g}" for value in values] for values in means.T]
    if pixel is None:
        columns += [[""] * len(numbers)] * (1 + len(OF_PIXELS))
    else:
        lengths = _shapes(labels, (pixel.height, pixel.width))
        del lengths["label"]
        columns.append([pixel.unit] * len(numbers))
        columns += [[f"{value:.9g}" for value in values] for values in lengths.values()]
    names = [classes[index] for index in first[numbers].tolist()]
    return [
        [str(number), name, *rest]
        for number, name, *rest in zip(numbers.tolist(), names, *columns, strict=True)
    ]


def _shapes(labels: np.ndarray, spacing: tuple[float, float]) -> dict[str, np.ndarray]:
    """Return the measures of shape by name, one value an object, for pixels of these (height, width)."""
    from skimage.measure import regionprops_table

    wanted = ("label", "area", "centroid", "bbox", "axis_major_length", "axis_minor_length")
    found = regionprops_table(labels, properties=wanted, spacing=spacing)
    down, across = spacing
    values = (
        found["label"],
        found["area"],
        found["centroid-1"] + 0.5 * across,
        found["centroid-0"] + 0.5 * down,
        found["bbox-1"] * across,
        found["bbox-0"] * down,
        (found["bbox-3"] - found["bbox-1"]) * across,
        (found["bbox-2"] - found["bbox-0"]) * down,
        found["axis_major_length"],
        found["axis_minor_length"],
    )
    return dict(zip(("label", *OF_PIXELS), values, strict=True))


def _means(labels: np.ndarray, reader: RegionReader) -> np.ndarray:
    """Return (numbers, channels) mean values, of an image that is read in strips."""
    most = int(labels.max()) + 1
    sums: np.ndarray | None = None
    for top in range(0, len(labels), PIECE):
        strip = labels[top : top + PIECE]
        pixels = reader.read(top, 0, *strip.shape)
        each = [np.bincount(strip.ravel(), channel.ravel(), most) for channel in np.moveaxis(pixels, -1, 0)]
        sums = np.stack(each, 1) if sums is None else sums + np.stack(each, 1)
    assert sums is not None
    counts: np.ndarray = np.bincount(labels.ravel(), minlength=most)
    means: np.ndarray = sums / np.maximum(counts, 1)[:, None]
    return means
