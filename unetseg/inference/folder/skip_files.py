"""The skip map of one image: which level each pixel of its mask relies on, as an image with a palette."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from unetseg.data.datasets.labels import IGNORED
from unetseg.data.images.georeference import Place
from unetseg.data.images.write import write_labels
from unetseg.inference.folder.formats import FORMATS, Legend
from unetseg.inference.folder.gaps import count
from unetseg.inference.folder.jobs import Job
from unetseg.inference.folder.sinks import Sink, Streamed, WholeArray
from unetseg.inference.predictor import Predictor
from unetseg.inference.skip_reliance import ExplainingPredictor


class SkipStage:
    """Takes the logits of an image with those under each lesion, and hands on the network's own.

    Args:
        job: with the name of the map's file.
        predictor: that makes the logits, an ``ExplainingPredictor``.
        size: height and width of the image.
        place: of the image on the map.
        opened: gives the file up if it is closed before ``finish``.
    """

    def __init__(
        self, job: Job, predictor: Predictor, size: tuple[int, int], place: Place | None, opened: ExitStack
    ) -> None:
        assert isinstance(predictor, ExplainingPredictor) and job.skips is not None
        self._predictor = predictor
        self._counts = np.zeros(len(predictor.names), np.int64)
        self._streams = job.skips.suffix == ".tif"
        self._sink = opened.enter_context(_sink(job.skips, job.image.path.name, predictor, size, place))

    def split(self, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the network's own logits of the next rows, and the rows of the map."""
        return self._predictor.explain(logits)

    def add(self, rows: np.ndarray) -> None:
        """Count and write the next rows of the map; pixels without data, 255, do not count."""
        self._counts += count(rows, IGNORED + 1)[: len(self._counts)]
        if not self._streams:  # a PNG of it has no value for no data
            rows[rows == IGNORED] = 0
        self._sink.add(rows)

    def finish(self) -> tuple[float, ...]:
        """Put the file in place, and return the shares of the pixels, one a name of the predictor's."""
        self._sink.finish()
        return tuple((self._counts / max(1, self._counts.sum())).tolist())


def _sink(
    path: Path, image: str, predictor: ExplainingPredictor, size: tuple[int, int], place: Place | None
) -> Sink:
    colours = predictor.map_colours
    stream = FORMATS["tiff"].stream
    if path.suffix != ".tif" or stream is None:
        return WholeArray(size, lambda turned: write_labels(path, turned, colours))
    legend = Legend(predictor.names, colours, image, place)
    return Streamed(lambda bands: stream(path, bands, size, legend))
