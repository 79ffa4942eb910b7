"""A folder of masks, made by any tool, against a folder of ground truth: no model, no torch."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from unetseg.data.datasets.class_entries import parse_classes
from unetseg.data.datasets.labels import IGNORED, raw_values
from unetseg.data.images.georeference import read_no_data
from unetseg.data.images.read import read_mask
from unetseg.errors import UnetsegError, UsageError, one_line
from unetseg.evaluation.pairing import (
    PLAIN_MASKS,
    LeftOut,
    MaskFiles,
    MaskOptions,
    UnscoredImage,
    numbers_objects,
    pair_masks,
)
from unetseg.evaluation.rows import MEAN
from unetseg.evaluation.scoring import ImageMasks, ImageScores, score_masks
from unetseg.evaluation.summary import Evaluation, fingerprint, summarise
from unetseg.metrics import registry
from unetseg.metrics.registry import Metric
from unetseg.utilities.files import read_file
from unetseg.utilities.processes import run_jobs
from unetseg.utilities.text import printable

BINARY = ("background", "foreground")
PLAIN_PREDICTIONS = (
    "no prediction holds more than one label: they are taken for plain masks, whose objects are 8-connected "
    "components"
)
NUMBERED = "objects are those of the files NAME.objects of 'unetseg predict --objects'"
LARGEST_VALUE = 65535  # of a 16-bit mask


def evaluate_masks(
    predictions: str | Path,
    ground_truth: str | Path,
    masks: MaskOptions = PLAIN_MASKS,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Evaluation, LeftOut]:
    """Score the masks of one folder against those of another.

    What does not pair, cannot be read or differs in size is left out, and named.

    Args:
        predictions: folder of masks.
        ground_truth: folder of masks.
        masks: how they are read.
        workers: processes; by the work and the cores if None.
        progress: is told (pairs done, pairs in all).

    Returns:
        The scores, the same to the last bit for any number of workers, and what was left out.

    Raises:
        UsageError: as ``pair_files``, or for instances of several classes.
        UnetsegError: if no pair could be scored.
    """
    names = class_names(masks)
    if masks.instances and len(names) != 2:
        raise UsageError(f"--instances: takes the background and one class, not {len(names)} names")
    if masks.ignore is not None and not 0 <= masks.ignore <= LARGEST_VALUE:
        raise UsageError(f"--ignore {masks.ignore}: must be a value of a mask, 0 to {LARGEST_VALUE}")
    files, left_out = pair_masks(predictions, ground_truth, masks)
    numbered = masks.instances and numbers_objects(files[0].prediction)
    plain = masks.instances and not (numbered or any(_has_several_labels(pair.prediction) for pair in files))
    score = partial(score_files, masks=masks, metrics=registry.scored(), plain_predictions=plain)
    images: list[ImageScores] = []
    scored: list[MaskFiles] = []
    for done, (pair, result) in enumerate(
        zip(files, run_jobs(score, files, len(files), workers), strict=True), start=1
    ):
        if isinstance(result, UnscoredImage):
            left_out.failed.append(result)
        else:
            images.append(result)
            scored.append(pair)
        if progress:
            progress(done, len(files))
    if not images:
        raise UnetsegError(
            f"none of the {len(files)} pairs could be scored; the first: {left_out.failed[0].reason}"
        )
    hashed = fingerprint((pair.name, pair.ground_truth) for pair in scored)
    about = [PLAIN_PREDICTIONS] if plain else [NUMBERED] if numbered else []
    notes = [*left_out.notes, *about]
    return summarise(images, names, None, hashed, notes), left_out


def class_names(masks: MaskOptions) -> tuple[str, ...]:
    """Return the class names of folders of masks, the background first."""
    return tuple(masks.classes or BINARY)


def score_files(
    files: MaskFiles, masks: MaskOptions, metrics: Sequence[Metric], plain_predictions: bool
) -> ImageScores | UnscoredImage:
    """Read and score one pair; what is wrong with its files comes back as a failure.

    Args:
        files: of the pair.
        masks: how they are read.
        metrics: to compute.
        plain_predictions: the labels of the predictions are no instances.
    """
    try:
        return score_masks(read_masks(files, masks, plain_predictions), class_names(masks), metrics)
    except UnetsegError as error:
        return UnscoredImage(files.name, str(error))
    except ValueError as error:
        return UnscoredImage(files.name, f"{printable(files.prediction)}: {error}")


def read_masks(
    files: MaskFiles, masks: MaskOptions = PLAIN_MASKS, plain_predictions: bool = False
) -> ImageMasks:
    """Read the masks of one pair; only pixels that count must be of a class.

    What a TIFF of either side marks as no data, by a value that is no class, does not count.

    Args:
        files: of the pair.
        masks: how they are read.
        plain_predictions: the labels of the predictions are no instances.

    Raises:
        UnetsegError: if a file cannot be read, holds values of no class, or differs in size.
    """
    classes = class_names(masks)
    two = len(classes) == 2 and not masks.instances
    prediction, ground_truth = _read(files.prediction, two), _read(files.ground_truth, two)
    _check_size(prediction, files.prediction, ground_truth, files.ground_truth)
    valid = None
    if files.valid is not None:
        valid = _read(files.valid, two_classes=True) > 0
        _check_size(valid, files.valid, ground_truth, files.ground_truth)
    for path, mask in ((files.prediction, prediction), (files.ground_truth, ground_truth)):
        missing = read_no_data(path, unless=range(1 if masks.instances else len(classes)))
        if missing is not None:
            mask[missing] = 0
            valid = ~missing if valid is None else valid & ~missing
    void = IGNORED if masks.ignore is None and len(classes) > 2 else masks.ignore
    ignored = np.zeros(ground_truth.shape, bool) if void is None else ground_truth == void
    counted = ~ignored if valid is None else valid & ~ignored
    if masks.instances:
        target, guess = (ground_truth > 0).astype(np.uint8), (prediction > 0).astype(np.uint8)
    else:
        target = _to_classes(ground_truth, counted, files.ground_truth, classes)
        guess = _to_classes(prediction, counted, files.prediction, classes)
    target[ignored] = IGNORED
    return ImageMasks(
        files.name,
        guess,
        target,
        valid,
        ground_truth_instances=ground_truth if masks.instances else None,
        prediction_instances=prediction if masks.instances and not plain_predictions else None,
    )


def read_names(path: str | Path) -> tuple[str, ...]:
    """Read class names, one a line, the background first.

    Raises:
        UsageError: if the file cannot be read, or the names are no classes.
    """
    where = f"--names {printable(path)}"
    try:
        lines = read_file(path).decode("utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else one_line(error)
        raise UsageError(f"{where}: cannot be read ({reason})") from error
    names = [line.strip() for line in lines if line.strip()]
    if MEAN in names:
        raise UsageError(f"{where}: '{MEAN}' is what the mean over classes is called")
    return parse_classes(names, None, where).names


def _read(path: Path, two_classes: bool = False) -> np.ndarray:
    """Read H×W labels."""
    mask = read_mask(path)
    raw = mask.shown_in_two_tones if two_classes else mask.shown
    if raw.ndim == 2:
        return raw
    if (raw != raw[..., :1]).any():
        raise UnetsegError(f"{printable(path)}: is in colours; save the labels as a grey or palette PNG")
    return raw[..., 0]


def _has_several_labels(path: Path) -> bool:
    try:
        labels = _read(path)
    except UnetsegError:  # named when it is scored
        return False
    return len({*raw_values(labels)} - {0}) > 1


def _check_size(mask: np.ndarray, path: Path, truth: np.ndarray, truth_path: Path) -> None:
    if mask.shape != truth.shape:
        raise UnetsegError(
            f"{printable(path)}: is {mask.shape[1]}×{mask.shape[0]} pixels, but {printable(truth_path)} "
            f"is {truth.shape[1]}×{truth.shape[0]}; save masks at the original size"
        )


def _to_classes(raw: np.ndarray, counted: np.ndarray, path: Path, classes: Sequence[str]) -> np.ndarray:
    """Map H×W raw values to H×W uint8 class indices.

    What does not count (where ``counted``, H×W bool, is False) may hold any value: those of no class become
    background.
    """
    inside = raw_values(raw[counted][None]) if counted.any() else []
    if len(classes) == 2:
        return np.isin(raw, _foreground(raw, inside, path)).astype(np.uint8)
    unknown = [value for value in inside if value >= len(classes)]
    if unknown:
        raise UnetsegError(
            f"{printable(path)}: holds the values {_shown(unknown)}, and --names has {len(classes)} classes, "
            f"0 to {len(classes) - 1}; name them too, or leave a value of the references out with --ignore N"
        )
    return np.where(raw < len(classes), raw, 0).astype(np.uint8)


def _foreground(raw: np.ndarray, inside: Sequence[int], path: Path) -> list[int]:
    """Return the values that are the one foreground class: 1 or 255, as it is written where pixels count."""
    if {1, 255} <= {*inside}:
        raise UnetsegError(
            f"{printable(path)}: holds both 1 and 255; write the foreground as one of them, "
            "and leave pixels out with --ignore 255 or --valid"
        )
    if not {*inside} <= {0, 1, 255}:
        raise UnetsegError(
            f"{printable(path)}: holds the values {_shown(inside)}; a mask of two classes holds 0 and 1, or "
            "0 and 255 (--names FILE names more classes; --instances says that these are instances; "
            "--ignore N leaves a value of the references out)"
        )
    written = {1, 255} & {*inside} or {1, 255} & {*raw_values(raw)}
    return [*written] if len(written) == 1 else []


def _shown(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:8])) + (", …" if len(values) > 8 else "")
