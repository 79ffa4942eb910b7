"""From the logits of one image to all its files, band by band where the image is large."""

import errno
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from unetseg.data.images.decode import ImageError
from unetseg.data.images.georeference import Place, open_no_data, read_place
from unetseg.data.images.overlay import draw_overlay, reduction
from unetseg.data.images.regions import open_region_reader, write_tiled_tiff
from unetseg.data.images.write import write_grey16, write_image
from unetseg.inference.doubt import Doubt
from unetseg.inference.folder.formats import FORMATS, Legend
from unetseg.inference.folder.gaps import NO_PROBABILITY, Gaps, count
from unetseg.inference.folder.jobs import Job, OutputOptions
from unetseg.inference.folder.object_files import ObjectStage
from unetseg.inference.folder.sinks import Sink, Streamed, WholeArray
from unetseg.inference.folder.skip_files import SkipStage
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
        doubt: of the mask, 0 to 1.
        objects: a row each, where they are told apart.
        skips: of the pixels, one an entry of the skip map's legend, where it is asked for.
    """

    shares: tuple[float, ...]
    confidence: float
    doubt: float
    objects: list[list[str]] | None = None
    skips: tuple[float, ...] = ()


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
    memory, and so do overlays, the dropping of small regions and the telling apart of objects.

    Args:
        job: with the names of the files.
        bands: of the image's logits, outputs×rows×width, from top to bottom; one if it is not large. Those of
            an ``ExplainingPredictor`` where a skip map is asked for.
        size: height and width of the image.
        predictor: that made them.
        options: what to write.
        record: is given what is returned, before the mask is put in place.

    Raises:
        UnetsegError: if a file cannot be written.
    """
    format = FORMATS[options.format]
    place = read_place(job.image.path)
    counts = np.zeros(len(predictor.classes), np.int64)
    confidence, doubt = 0.0, Doubt(len(predictor.classes))
    with ExitStack() as opened:
        no_data = open_no_data(job.image.path, options.max_pixels) if place and place.no_data else None
        reader = None if no_data is None else opened.enter_context(no_data)
        objects = ObjectStage(job, predictor, options, place) if options.objects else None
        mask_sink = opened.enter_context(_mask_sink(job, size, predictor, options, place, objects))
        gaps = Gaps(reader, marks=format.place == "kept", later=isinstance(mask_sink, WholeArray))
        probability_sinks = [
            opened.enter_context(_probability_sink(path, size, place)) for path in job.probabilities
        ]
        skips = SkipStage(job, predictor, size, place, opened) if job.skips is not None else None
        for outputs in bands:
            whole, depth = predictor.parts(outputs)
            band, *turned = (whole,) if skips is None else skips.split(whole)
            mask, calibrated = predictor.mask(band), predictor.calibrated(band)
            sure = confidences(calibrated)
            planes = [*to_16_bits(calibrated)] if probability_sinks else []
            counts += gaps.count(mask, sure, planes, len(counts), turned)
            confidence += float(sure.sum(dtype=np.float64))
            doubt.add(calibrated, mask, sure)
            mask_sink.add(mask)
            if objects is not None:
                objects.add(depth)
            for sink, plane in zip(probability_sinks, planes, strict=True):
                sink.add(plane)
            if skips is not None:
                skips.add(*turned)
        if objects is not None and isinstance(mask_sink, WholeArray):
            mask_sink.array = objects.separate(mask_sink.array)
            counts = count(mask_sink.array, len(counts))
            counts[0] -= gaps.total
        for sink in probability_sinks:
            sink.finish()
        skip_shares = () if skips is None else skips.finish()
        if objects is not None:
            objects.write()
        if isinstance(mask_sink, WholeArray):
            if options.min_area > 1 and objects is None:
                mask_sink.array = drop_small(mask_sink.array, options.min_area)
                counts = count(mask_sink.array, len(counts))
                counts[0] -= gaps.total
            if job.overlay is not None:
                write_overlay(job.image.path, job.overlay, mask_sink.array, predictor, options)
            gaps.mark(mask_sink.array)
        pixels = max(1, size[0] * size[1] - gaps.total)
        rows = None if objects is None else objects.rows
        shares = tuple((counts / pixels).tolist())
        written = Written(shares, confidence / pixels, doubt.value, rows, skip_shares)
        record(written)
        mask_sink.finish()
    return written


def ends_all(error: Exception) -> bool:
    """Tell whether what went wrong, such as a full disk, would go wrong in writing any other image, too."""
    cause = error.__cause__
    if isinstance(error, ImageError) or not isinstance(cause, OSError):
        return False
    return cause.errno in _NO_IMAGE_SURVIVES


def _mask_sink(
    job: Job,
    size: tuple[int, int],
    predictor: Predictor,
    options: OutputOptions,
    place: Place | None,
    objects: ObjectStage | None,
) -> Sink:
    format = FORMATS[options.format]
    legend = Legend(predictor.classes, predictor.colours, job.image.path.name, place)
    if (stream := format.stream) and not options.overlay and options.min_area <= 1 and objects is None:
        return Streamed(lambda bands: stream(job.mask, bands, size, legend))

    def write(mask: np.ndarray) -> None:
        format.write(job.mask, mask, replace(legend, numbers=objects.labels) if objects else legend)

    return WholeArray(size, write)


def _probability_sink(path: Path, size: tuple[int, int], place: Place | None) -> Sink:
    if path.suffix == ".tif":
        tags = [] if place is None else place.tags_of_mask(NO_PROBABILITY)
        return Streamed(lambda bands: write_tiled_tiff(path, bands, *size, dtype=np.uint16, extratags=tags))
    return WholeArray(size, lambda probability: write_grey16(path, probability))


def write_overlay(
    source: Path, target: Path, mask: np.ndarray, predictor: Predictor, options: OutputOptions
) -> None:
    """Draw the mask over the image, which is read again here rather than kept by all that wait."""
    height, width = mask.shape
    factor = reduction(height, width)
    pixels = predictor.pixels
    with open_region_reader(source, max_pixels=options.max_pixels, rule=pixels) as reader:
        strips = [
            pixels.shown(reader.read(top, 0, min(PIECE * factor, height - top), width)[::factor, ::factor])
            for top in range(0, height, PIECE * factor)
        ]
    drawn = draw_overlay(np.concatenate(strips), mask[::factor, ::factor], predictor.colours)
    write_image(target, drawn)
