"""Reading, network and writing at the same time, within bounds."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unetseg.data.appearance import Appearance, unlike
from unetseg.data.images.regions import open_region_reader
from unetseg.inference.folder.batches import (
    WINDOW,
    Batch,
    FailedJob,
    Loaded,
    Measured,
    load,
    measure,
    one_at_a_time,
    plan_batches,
)
from unetseg.inference.folder.jobs import Job, OutputOptions
from unetseg.inference.folder.map_inputs import tell_loss
from unetseg.inference.folder.object_table import ObjectTable
from unetseg.inference.folder.prediction_table import PredictionTable, Row
from unetseg.inference.folder.writing import Written, ends_all, write_outputs
from unetseg.inference.predictor import Predictor
from unetseg.inference.tiles import PIECE, Tiling
from unetseg.utilities.text import printable
from unetseg.utilities.threads import in_order

Progress = Callable[[int, int], None]
Watch = Callable[[str], Progress]

THREADS = min(8, os.cpu_count() or 1)  # that read, and as many that write


@dataclass(frozen=True)
class FailedImage:
    """An image that got no mask, and why, in one line that names it."""

    image: Path
    reason: str


@dataclass
class FolderResult:
    """What became of the images.

    Attributes:
        total: images in all.
        classes: class names by index.
        written: masks written.
        kept: masks that were there already.
        failures: images without a mask.
        classes_seen: indices of the classes in the masks written.
        seconds: from the first image to the last.
        network_seconds: of them, those in which the network ran.
        objects: in the masks written; None where they are not told apart.
        review: the folder of the most doubtful images, if there is one.
        unlike: which images are unlike the training's, and how; empty if none is, or the run does not tell.
    """

    total: int
    classes: tuple[str, ...]
    written: int = 0
    kept: int = 0
    failures: list[FailedImage] = field(default_factory=list)
    classes_seen: set[int] = field(default_factory=set)
    seconds: float = 0.0
    network_seconds: float = 0.0
    objects: int | None = None
    unlike: str = ""
    review: Path | None = None


class Pipeline:
    """One pass over a folder: the network in the calling thread, reading and writing in pools beside it.

    Args:
        predictor: of one or more runs.
        options: what to write.
        table: takes a row an image.
        result: is kept up to date.
        watch: is told what is being done, and returns what is then told (done, in all): of the images, and
            of the parts of each large one.
        objects: takes a row an object.
    """

    def __init__(
        self,
        predictor: Predictor,
        options: OutputOptions,
        table: PredictionTable,
        result: FolderResult,
        watch: Watch,
        objects: ObjectTable | None = None,
    ) -> None:
        self._predictor = predictor
        self._options = options
        self._table = table
        self._result = result
        self._watch = watch
        self._objects = objects
        self._progress = watch("predicting")
        self._waiting: deque[tuple[Measured, Future[Written]]] = deque()
        self._seen: list[Appearance] = []

    def run(self, jobs: Sequence[Job]) -> None:
        """Go through all jobs. When this ends, however it does, no thread is left and every file is whole.

        Raises:
            UnetsegError: if nothing more can be written, as on a full disk.
        """
        started, network_before = time.perf_counter(), self._predictor.network_seconds
        readers, self._writers = ThreadPoolExecutor(THREADS, "read"), ThreadPoolExecutor(THREADS, "write")
        measured = in_order(readers, self._measure, jobs, 2 * WINDOW)
        batches = plan_batches(measured, self._predictor, self._options.tile, self._options.overlap)
        try:
            for batch, images in in_order(readers, self._load, batches, THREADS):
                self._predict(batch, images)
            self._collect(leave=0)
            if self._predictor.appearance is not None:
                self._result.unlike = unlike(self._predictor.appearance, self._seen)
        finally:
            for pool in (readers, self._writers):
                pool.shutdown(cancel_futures=True)  # what is begun is brought to its end
            self._result.written += sum(_succeeded(future) for _, future in self._waiting)
            self._result.seconds = time.perf_counter() - started
            self._result.network_seconds = self._predictor.network_seconds - network_before

    def _measure(self, job: Job) -> Measured | FailedJob:
        kept = self._options.continue_ and job.finished and job.explained
        return measure(job, kept, self._predictor.pixels)

    def _load(self, batch: Batch) -> tuple[Batch, list[Loaded | FailedJob]]:
        if batch.tiling or all(each.kept for each in batch.images):
            return batch, []
        return batch, [self._load_one(each) for each in batch.images]

    def _load_one(self, source: Measured) -> Loaded | FailedJob:
        loaded = load(source, self._predictor, self._options.max_pixels)
        if isinstance(loaded, Loaded) and not source.kept:
            tell_loss(source.job.image.path, self._options.format)
        return loaded

    def _predict(self, batch: Batch, images: Sequence[Loaded | FailedJob]) -> None:
        for _ in range(sum(each.kept for each in batch.images) + sum(each.kept for each in batch.failed)):
            self._result.kept += 1
            self._show_progress()
        for each in (*batch.failed, *images):
            if isinstance(each, FailedJob) and not each.kept:
                self._fail(each)
        if batch.tiling and not batch.images[0].kept:
            self._predict_in_tiles(batch.images[0], batch.tiling)
        elif loaded := [image for image in images if isinstance(image, Loaded)]:
            self._predict_together(loaded)

    def _predict_together(self, images: Sequence[Loaded]) -> None:
        started = time.perf_counter()
        try:
            outputs = self._predictor.forward([image.prepared for image in images])
        except Exception as error:
            if len(images) == 1:
                self._fail_or_stop(images[0].source, error)
                return
            for image in images:  # so that only those fail that must
                if not image.source.kept:
                    self._predict_together([image])
            return
        share = (time.perf_counter() - started) / len(images)
        for image, output in zip(images, outputs, strict=True):
            if not image.source.kept:
                if image.appearance is not None:
                    self._seen.append(image.appearance)
                future = self._writers.submit(self._finish, image.source, output, image.seconds + share)
                self._waiting.append((image.source, future))
        self._collect(leave=2 * THREADS)

    def _finish(self, source: Measured, outputs: Sequence[np.ndarray], seconds: float) -> Written:
        """Write the files of one image, on which ``seconds`` were spent so far; in a writers' thread."""
        with one_at_a_time(*source.size):
            logits = self._predictor.restore(outputs, *source.size)
            return self._write(source, [logits], seconds)

    def _predict_in_tiles(self, source: Measured, tiling: Tiling) -> None:
        try:
            with (
                one_at_a_time(*source.size),
                open_region_reader(
                    source.job.image.path, max_pixels=self._options.max_pixels, rule=self._predictor.pixels
                ) as reader,
                closing(self._predictor.logit_bands(reader, tiling)) as bands,
            ):
                tell_loss(source.job.image.path, self._options.format)
                written = self._write(source, self._watched(bands, source), 0)
        except Exception as error:
            self._fail_or_stop(source, error)
        else:
            self._succeed(written)

    def _watched(self, bands: Iterable[np.ndarray], source: Measured) -> Iterator[np.ndarray]:
        """Show progress within a large image."""
        progress, rows, height = self._watch(printable(source.job.image.path)), 0, source.size[0]
        for band in bands:
            rows += band.shape[1]
            progress(rows // PIECE, height // PIECE)
            yield band

    def _write(self, source: Measured, bands: Iterable[np.ndarray], seconds: float) -> Written:
        started = time.perf_counter() - seconds

        def record(written: Written) -> None:
            file = source.job.image.relative.as_posix()
            if self._objects is not None and written.objects is not None:
                self._objects.add(file, written.objects)
            seconds = time.perf_counter() - started
            shares, skips = written.shares, written.skips
            row = Row(
                file, source.size, seconds, shares, written.confidence, skips=skips, doubt=written.doubt
            )
            self._table.add(row)

        return write_outputs(source.job, bands, source.size, self._predictor, self._options, record)

    def _collect(self, leave: int) -> None:
        """Wait until at most ``leave`` images are still to be written."""
        while len(self._waiting) > leave:
            source, future = self._waiting[0]
            error = future.exception()
            self._waiting.popleft()
            if error is None:
                self._succeed(future.result())
            else:
                self._fail_or_stop(source, error)

    def _succeed(self, written: Written) -> None:
        self._result.written += 1
        if written.objects is not None:
            self._result.objects = (self._result.objects or 0) + len(written.objects)
        self._result.classes_seen |= {index for index, share in enumerate(written.shares) if share > 0}
        self._show_progress()

    def _fail_or_stop(self, source: Measured, error: BaseException) -> None:
        if not isinstance(error, Exception) or ends_all(error):
            raise error
        self._fail(FailedJob.by(error, source))

    def _fail(self, failed: FailedJob) -> None:
        image = failed.job.image
        self._table.add(Row(image.relative.as_posix(), failed.size, failed.seconds, error=failed.reason))
        if self._objects is not None:
            self._objects.add(image.relative.as_posix(), ())
        self._result.failures.append(FailedImage(image.path, failed.reason))
        self._show_progress()

    def _show_progress(self) -> None:
        result = self._result
        self._progress(result.written + result.kept + len(result.failures), result.total)


def silent(what: str) -> Progress:
    """Watch without a word."""
    return lambda done, total: None


def _succeeded(future: Future[Written]) -> bool:
    return not future.cancelled() and future.exception() is None
