"""From the logits of one image to all its files, band by band where the image is large."""

import errno
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unetseg.data.images.decode import ImageError
from unetseg.data.images.overlay import draw_overlay, reduction
from unetseg.data.images.regions import open_region_reader, write_tiled_tiff
from unetseg.data.images.write import write_grey16, write_image
from unetseg.inference.folder.formats import FORMATS, Legend
from unetseg.inference.folder.jobs import Job, OutputOptions
from unetseg.inference.folder.sinks import Sink, Streamed, WholeArray
from unetseg.inference.logits import confidences, drop_small, to_16_bits
from unetseg.inference.predictor import Predictor
from unetseg.inference.tiles import PIECE

_NO_IMAGE_SURVIVES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


@dataclass(frozen=True)
class Written:
    """What is known of a mask.

    Attributes:
        shares: of the pixels, one a class.
        confidence: mean over the pixels of the most probable class's probability.
    """

    shares: tuple[float, ...]
    confidence: float


def write_outputs(
    job: Job,
    bands: Iterable[np.ndarray],
    size: tuple[int, int],
    predictor: Predictor,
    options: OutputOptions,
    record: Callable[[Written], None],
) -> Written:
    """Write the files of one image, each whole or not at all, the mask last.

    A format that can be streamed is written while further bands are computed. Others take the whole mask in
    memory, and so do overlays and the dropping of small regions.

    Args:
        job: with the names of the files.
        bands: of the image's logits, outputs×rows×width, from top to bottom; one if it is not large.
        size: height and width of the image.
        predictor: that made them.
        options: what to write.
        record: is given what is returned, before the mask is put in place.

    Raises:
        UnetsegError: if a file cannot be written.
    """
    pixels = size[0] * size[1]
    counts = np.zeros(len(predictor.classes), np.int64)
    confidence = 0.0
    with ExitStack() as opened:
        mask_sink = opened.enter_context(_mask_sink(job, size, predictor, options))
        probability_sinks = [
            opened.enter_context(_probability_sink(path, size)) for path in job.probabilities
        ]
        for band in bands:
            mask = predictor.mask(band)
            counts += _count(mask, len(counts))
            confidence += float(confidences(band).sum(dtype=np.float64))
            mask_sink.add(mask)
            if probability_sinks:
                for sink, plane in zip(probability_sinks, to_16_bits(band), strict=True):
                    sink.add(plane)
        for sink in probability_sinks:
            sink.finish()
        if isinstance(mask_sink, WholeArray):
            if options.min_area > 1:
                mask_sink.array = drop_small(mask_sink.array, options.min_area)
                counts = _count(mask_sink.array, len(counts))
            if job.overlay is not None:
                _write_overlay(job.image.path, job.overlay, mask_sink.array, predictor, options)
        written = Written(tuple((counts / pixels).tolist()), confidence / pixels)
        record(written)
        mask_sink.finish()
    return written


def ends_all(error: Exception) -> bool:
    """Tell whether what went wrong, such as a full disk, would go wrong in writing any other image, too."""
    cause = error.__cause__
    if isinstance(error, ImageError) or not isinstance(cause, OSError):
        return False
    return cause.errno in _NO_IMAGE_SURVIVES


def _mask_sink(job: Job, size: tuple[int, int], predictor: Predictor, options: OutputOptions) -> Sink:
    format = FORMATS[options.format]
    legend = Legend(predictor.classes, predictor.colours, job.image.path.name)
    if (stream := format.stream) and not options.overlay and options.min_area <= 1:
        return Streamed(lambda bands: stream(job.mask, bands, size, legend))
    return WholeArray(size, lambda mask: format.write(job.mask, mask, legend))


def _probability_sink(path: Path, size: tuple[int, int]) -> Sink:
    if path.suffix == ".tif":
        return Streamed(lambda bands: write_tiled_tiff(path, bands, *size, dtype=np.uint16))
    return WholeArray(size, lambda probability: write_grey16(path, probability))


def _count(mask: np.ndarray, classes: int) -> np.ndarray:
    """Return the pixels of each class, in pieces because ``bincount`` takes eight bytes a pixel."""
    pieces = (mask[top : top + PIECE].ravel() for top in range(0, len(mask), PIECE))
    counts: np.ndarray = np.sum([np.bincount(piece, minlength=classes) for piece in pieces], axis=0)
    return counts


def _write_overlay(
    source: Path, target: Path, mask: np.ndarray, predictor: Predictor, options: OutputOptions
) -> None:
    """Draw the mask over the image, which is read again here rather than kept by all that wait."""
    height, width = mask.shape
    factor = reduction(height, width)
    with open_region_reader(source, max_pixels=options.max_pixels) as reader:
        strips = [
            reader.read(top, 0, min(PIECE * factor, height - top), width)[::factor, ::factor]
            for top in range(0, height, PIECE * factor)
        ]
    drawn = draw_overlay(np.concatenate(strips), mask[::factor, ::factor], predictor.colours)
    write_image(target, drawn)
