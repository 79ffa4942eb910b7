"""A folder of masks, made by any tool, against a folder of ground truth: no model, no torch."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from unetseg.data.datasets.class_entries import parse_classes
from unetseg.data.datasets.labels import IGNORED, LabelMap, raw_values
from unetseg.data.images.read import read_mask
from unetseg.errors import UnetsegError, UsageError
from unetseg.evaluation.pairing import PLAIN_MASKS, LeftOut, MaskFiles, MaskOptions, UnscoredImage, pair_files
from unetseg.evaluation.rows import MEAN
from unetseg.evaluation.scoring import ImageMasks, ImageScores, score_masks
from unetseg.evaluation.summary import Evaluation, fingerprint, summarise
from unetseg.metrics import registry
from unetseg.metrics.registry import Metric
from unetseg.utilities.processes import run_jobs
from unetseg.utilities.text import printable

BINARY = ("background", "foreground")
PLAIN_PREDICTIONS = (
    "no prediction holds more than one label: they are taken for plain masks, whose objects are 8-connected "
    "components"
)

_ZERO_AND_ONE = LabelMap({0: 0, 1: 1, 255: 1})


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
    names, instances = tuple(masks.classes or BINARY), masks.instances
    if instances and len(names) != 2:
        raise UsageError(f"--instances: takes the background and one class, not {len(names)} names")
    files, left_out = pair_files(predictions, ground_truth, masks.valid, masks.key)
    plain = instances and not any(_has_several_labels(pair.prediction) for pair in files)
    score = partial(
        score_files,
        classes=names,
        metrics=registry.scored(),
        instances=instances,
        plain_predictions=plain,
    )
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
    notes = [PLAIN_PREDICTIONS] if plain else []
    return summarise(images, names, None, hashed, notes), left_out


def score_files(
    files: MaskFiles,
    classes: Sequence[str],
    metrics: Sequence[Metric],
    instances: bool,
    plain_predictions: bool,
) -> ImageScores | UnscoredImage:
    """Read and score one pair; what is wrong with its files comes back as a failure.

    Args:
        files: of the pair.
        classes: names, the background first.
        metrics: to compute.
        instances: labels are instances.
        plain_predictions: the labels of the predictions are not.
    """
    try:
        return score_masks(read_masks(files, classes, instances, plain_predictions), classes, metrics)
    except UnetsegError as error:
        return UnscoredImage(files.name, str(error))
    except ValueError as error:
        return UnscoredImage(files.name, f"{printable(files.prediction)}: {error}")


def read_masks(
    files: MaskFiles, classes: Sequence[str], instances: bool = False, plain_predictions: bool = False
) -> ImageMasks:
    """Read the masks of one pair.

    Args:
        files: of the pair.
        classes: names, the background first.
        instances: labels are instances.
        plain_predictions: the labels of the predictions are not.

    Raises:
        UnetsegError: if a file cannot be read, holds values of no class, or differs in size.
    """
    prediction, ground_truth = _read(files.prediction), _read(files.ground_truth)
    _check_size(prediction, files.prediction, ground_truth, files.ground_truth)
    valid = None
    if files.valid is not None:
        valid = _read(files.valid) > 0
        _check_size(valid, files.valid, ground_truth, files.ground_truth)
    if instances:
        return ImageMasks(
            files.name,
            (prediction > 0).astype(np.uint8),
            (ground_truth > 0).astype(np.uint8),
            valid,
            ground_truth_instances=ground_truth,
            prediction_instances=None if plain_predictions else prediction,
        )
    return ImageMasks(
        files.name,
        _to_classes(prediction, files.prediction, classes, ignored=False),
        _to_classes(ground_truth, files.ground_truth, classes, ignored=True),
        valid,
    )


def read_names(path: str | Path) -> tuple[str, ...]:
    """Read class names, one a line, the background first.

    Raises:
        UsageError: if the file cannot be read, or the names are no classes.
    """
    where = f"--names {printable(path)}"
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{where}: cannot be read ({error})") from error
    names = [line.strip() for line in lines if line.strip()]
    if MEAN in names:
        raise UsageError(f"{where}: '{MEAN}' is what the mean over classes is called")
    return parse_classes(names, None, where).names


def _read(path: Path) -> np.ndarray:
    """Read H×W labels."""
    raw = read_mask(path).shown
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


def _to_classes(raw: np.ndarray, path: Path, classes: Sequence[str], ignored: bool) -> np.ndarray:
    """Map H×W raw values to H×W uint8 class indices, 255 where a ground truth ignores."""
    if len(classes) > 2:
        indices = {index: index for index in range(len(classes))}
        return LabelMap(indices | ({IGNORED: IGNORED} if ignored else {})).to_classes(raw, path)
    values = raw_values(raw)
    if {1, 255} <= {*values}:
        raise UnetsegError(
            f"{printable(path)}: holds both 1 and 255; write the foreground as one of them, "
            "and leave pixels out with --valid"
        )
    if not {*values} <= {0, 1, 255}:
        shown = ", ".join(map(str, values[:8])) + (", …" if len(values) > 8 else "")
        raise UnetsegError(
            f"{printable(path)}: holds the values {shown}; a mask of two classes holds 0 and 1, or 0 and 255 "
            "(--names FILE names more classes; --instances says that these are instances)"
        )
    return _ZERO_AND_ONE.to_classes(raw, path)
