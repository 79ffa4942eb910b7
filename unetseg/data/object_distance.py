"""How deep inside its object a pixel lies: what tells objects that touch apart."""

from collections.abc import Sequence

import cv2
import numpy as np

from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.data.preprocessing import Preprocessing

_KEPT = 1 << 30  # bytes of depths that stay in memory


def inner_distance(inside: np.ndarray) -> np.ndarray:
    """Return each pixel's distance to the nearest one outside, H×W float32, pixels; 0 outside.

    What lies beyond the array's edges is outside.

    Args:
        inside: H×W bool.
    """
    padded = np.pad(inside, 1).view(np.uint8)
    distance: np.ndarray = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance[1:-1, 1:-1]


def depth_in_objects(instances: np.ndarray) -> np.ndarray:
    """Return how deep in its object each pixel lies, H×W uint8: 255 in its middle, 0 outside.

    That is the distance to the object's own outline as a share of its largest, so that small objects and
    large ones look alike, and falls to almost nothing where two objects touch.

    Args:
        instances: H×W integers, each number an object, 0 the background.
    """
    from scipy.ndimage import find_objects  # which predict does without

    depth = np.zeros(instances.shape, np.uint8)
    for number, box in enumerate(find_objects(instances), start=1):
        if box is not None:
            own = instances[box] == number
            distance = inner_distance(own)
            depth[box][own] = np.rint(distance[own] * (255 / distance.max()))
    return depth


class ObjectDepths:
    """How deep in its object each pixel of a split's images lies, at the scale of the network.

    Args:
        dataset: that numbers its objects.
        samples: of one split.
        preprocessing: its scale rule is applied.
    """

    def __init__(
        self, dataset: SegmentationSet, samples: Sequence[Sample], preprocessing: Preprocessing
    ) -> None:
        self._dataset = dataset
        self._samples = samples
        self._preprocessing = preprocessing
        self._kept: dict[int, np.ndarray] = {}
        self._free = _KEPT

    def __getitem__(self, index: int) -> np.ndarray:
        """Return the depth in an image, H×W uint8 (see :func:`depth_in_objects`)."""
        if index in self._kept:
            return self._kept[index]
        instances = self._dataset.instances(self._samples[index])
        assert instances is not None
        depth = depth_in_objects(instances)
        height, width = self._preprocessing.scaled_size(*depth.shape)
        if (height, width) != depth.shape:
            depth = cv2.resize(depth, (width, height), interpolation=cv2.INTER_AREA)
        if self._free > depth.nbytes:
            self._kept[index] = depth
            self._free -= depth.nbytes
        return depth
