"""The objects of one image: told apart once its mask is whole, numbered in a file, and measured."""

import numpy as np

from unetseg.data.images.georeference import Place
from unetseg.data.images.pixel_size import read_pixel_size
from unetseg.data.images.regions import open_region_reader, write_tiled_tiff
from unetseg.data.images.write import write_grey16
from unetseg.errors import UnetsegError
from unetseg.inference.folder.jobs import Job, OutputOptions
from unetseg.inference.folder.object_measures import measure_objects
from unetseg.inference.object_labels import MOST_OBJECTS, drop_small_objects, label_objects
from unetseg.inference.predictor import Predictor
from unetseg.utilities.text import printable


class ObjectStage:
    """What becomes of one image's mask where objects are asked for.

    Args:
        job: with the names of the files.
        predictor: that makes the mask.
        options: what to write.
        place: of the image on the map.

    Attributes:
        labels: H×W uint16, the number of each pixel's object; None before they are told apart.
        rows: what was measured of each.
    """

    def __init__(self, job: Job, predictor: Predictor, options: OutputOptions, place: Place | None) -> None:
        self._job = job
        self._predictor = predictor
        self._options = options
        self._tags = [] if place is None else list(place.tags)
        self._depth: list[np.ndarray] = []
        self.labels: np.ndarray | None = None
        self.rows: list[list[str]] | None = None

    def add(self, depth: np.ndarray | None) -> None:
        """Take the next rows of the depth in objects, rows×width uint8, where it was learned."""
        if depth is not None:
            self._depth.append(depth)

    def separate(self, mask: np.ndarray) -> np.ndarray:
        """Tell the objects of a mask apart, measure them, and return the mask without those too small.

        Args:
            mask: H×W uint8 class indices.

        Raises:
            UnetsegError: They are more than 16 bits can number.
        """
        classes = self._predictor.classes
        inside = np.where(mask < len(classes), mask, 0)  # what does not count is no object
        learned = np.concatenate(self._depth) if self._depth else None
        labels = label_objects(inside, self._predictor.object_rule.depth, learned)
        if self._options.min_area > 1:
            labels = drop_small_objects(labels, self._options.min_area)
            mask = np.where((inside > 0) & (labels == 0), 0, mask).astype(mask.dtype)
        image = self._job.image.path
        if (count := int(labels.max(initial=0))) > MOST_OBJECTS:
            raise UnetsegError(
                f"{printable(image)}: {count:,} objects, and 16 bits number {MOST_OBJECTS:,}; leave "
                "small ones out with --min-area, or cut the image into parts"
            )
        pixels = self._predictor.pixels
        with open_region_reader(image, max_pixels=self._options.max_pixels, rule=pixels) as reader:
            self.rows = measure_objects(labels, mask, classes, reader, read_pixel_size(image))
        self.labels = labels.astype(np.uint16)
        return mask

    def write(self) -> None:
        """Write the numbers as a 16-bit grey image.

        Raises:
            UnetsegError: It cannot be written.
        """
        path = self._job.objects
        assert path is not None and self.labels is not None
        if path.suffix == ".tif":
            height, width = self.labels.shape
            write_tiled_tiff(path, [self.labels], height, width, dtype=np.uint16, extratags=self._tags)
        else:
            write_grey16(path, self.labels)
