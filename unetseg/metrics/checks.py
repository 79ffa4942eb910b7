"""What the metrics accept: every check raises a ValueError that names the argument and what is wrong."""

from collections.abc import Collection, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetseg.errors import did_you_mean
from unetseg.metrics.geometry import BoolArray


def as_mask(name: str, array: ArrayLike, shape: tuple[int, ...] | None = None) -> BoolArray:
    """An (H, W) bool array from booleans, or from integers that are all 0 or 1."""
    mask = _as_image(name, array, shape)
    if mask.dtype == np.bool_:
        return mask
    if mask.dtype.kind not in "iu":
        raise ValueError(f"{name} must be boolean, or integers 0 and 1, not {mask.dtype}")
    if mask.min() < 0 or mask.max() > 1:
        wrong = mask.min() if mask.min() < 0 else mask.max()
        raise ValueError(f"{name} must hold 0 and 1 only, but holds {wrong}")
    return mask.astype(np.bool_)


def as_labels(name: str, array: ArrayLike, shape: tuple[int, ...] | None = None) -> NDArray[np.integer]:
    """An (H, W) array of integers."""
    labels = _as_image(name, array, shape)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integers, not {labels.dtype}")
    return labels


def as_instances(name: str, array: ArrayLike, mask_name: str, mask: BoolArray) -> NDArray[np.integer]:
    """(H, W) instance ids that are positive exactly where ``mask`` is true."""
    instances = as_labels(name, array, mask.shape)
    if instances.min() < 0:
        raise ValueError(f"{name} must not be negative, but holds {instances.min()}")
    differing = np.count_nonzero((instances > 0) != mask)
    if differing:
        raise ValueError(
            f"{name} must be positive exactly where {mask_name} is true, but differs at {differing} pixels"
        )
    return instances


def check_spacing(spacing: Sequence[float]) -> tuple[float, float]:
    """Two positive finite numbers: (row, column)."""
    try:
        row, column = spacing
    except (TypeError, ValueError):
        raise ValueError(f"spacing must be two numbers (row, column), not {spacing!r}") from None
    for value in (row, column):
        check_number("spacing", value, positive=True)
    return float(row), float(column)


def check_number(name: str, value: Any, *, positive: bool) -> None:
    """A finite number, above zero if ``positive``, else not below it."""
    wanted = "a finite number above 0" if positive else "a finite number, 0 or more"
    if not isinstance(value, Real) or isinstance(value, bool) or not isfinite(value):
        raise ValueError(f"{name} must be {wanted}, not {value!r}")
    if value < 0 or (positive and value == 0):
        raise ValueError(f"{name} must be {wanted}, not {value!r}")


def check_boundary_width(value: Any) -> None:
    """A whole number of erosions, 1 or more, or None."""
    if value is None:
        return
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        raise ValueError(f"boundary_width must be a whole number of pixels, 1 or more, not {value!r}")


def check_metrics(metrics: Collection[str] | None, known: tuple[str, ...]) -> tuple[str, ...]:
    """The wanted metrics in the order of ``known``; all of them for None."""
    if metrics is None:
        return known
    if isinstance(metrics, str):
        raise ValueError(f"metrics must be a collection of names such as ['{metrics}'], not a string")
    for key in metrics:
        if key not in known:
            raise ValueError(f"metrics holds the unknown '{key}'{did_you_mean(key, known)}")
    return tuple(key for key in known if key in metrics)


def check_classes(classes: Sequence[str]) -> None:
    """Names of the background and at least one class, all different, none of them 'mean'."""
    if isinstance(classes, str) or len(classes) < 2:
        raise ValueError(f"classes must name the background and at least one class, not {classes!r}")
    if len(set(classes)) != len(classes):
        raise ValueError(f"classes must have different names, not {list(classes)}")
    if "mean" in classes[1:]:
        raise ValueError("classes must not hold 'mean': that is the key of the mean over classes")


def check_class_values(name: str, labels: NDArray[np.integer], classes: Sequence[str]) -> None:
    """Every value of ``labels`` must be the index of a class."""
    if not labels.size:
        return
    wrong = labels.min() if labels.min() < 0 else labels.max()
    if not 0 <= wrong < len(classes):
        raise ValueError(f"{name} holds {wrong}, but there are only the classes 0 to {len(classes) - 1}")


def _as_image(name: str, array: ArrayLike, shape: tuple[int, ...] | None) -> NDArray[Any]:
    image = np.asarray(array)
    if image.ndim != 2 or not image.size:
        raise ValueError(f"{name} must be a non-empty H×W array, not of shape {image.shape}")
    if shape is not None and image.shape != shape:
        raise ValueError(f"{name} has shape {image.shape}, but must have the ground truth's {shape}")
    return image
