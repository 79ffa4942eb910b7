"""A folder of masks, made by any tool, against a folder of references: no model, no torch."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unetseg.data.find import find_images, printable
from unetseg.data.images import read_labels
from unetseg.data.masks import IGNORED, LabelMap, parse_classes
from unetseg.errors import UnetsegError, UsageError
from unetseg.evaluation.evaluate import fingerprint
from unetseg.evaluation.scoring import ImageScores, Pair, score_pair
from unetseg.evaluation.summary import Evaluation, summarise
from unetseg.evaluation.workers import run_jobs
from unetseg.metrics import KEYS

BINARY = ("background", "foreground")
SHOWN_NAMES = 5

_ZERO_AND_ONE = LabelMap({0: 0, 1: 1, 255: 1})


@dataclass(frozen=True)
class MaskFiles:
    """The files of one image: its name, the prediction, the reference and perhaps the field of view."""

    name: str
    prediction: Path
    reference: Path
    valid: Path | None = None


@dataclass(frozen=True)
class Failure:
    """An image that could not be scored, and why."""

    name: str
    reason: str


@dataclass
class LeftOut:
    """What was not scored.

    Attributes:
        predictions: predictions without a reference.
        references: references without a prediction.
        valid: pairs without a field of view, where a folder of them was given.
        failed: pairs that could not be read, or do not fit each other.
    """

    predictions: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    valid: list[str] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.predictions or self.references or self.valid or self.failed)

    def lines(self) -> list[str]:
        """Return plain lines that name the first few of each kind and count all."""
        kinds = {
            "predictions without a reference": self.predictions,
            "references without a prediction": self.references,
            "pairs without a mask in --valid": self.valid,
        }
        lines = [f"{len(names)} {kind}: {_first(names)}" for kind, names in kinds.items() if names]
        lines += [f"failed: {failure.reason}" for failure in self.failed[:SHOWN_NAMES]]
        if len(self.failed) > SHOWN_NAMES:
            lines.append(f"failed: {len(self.failed) - SHOWN_NAMES} more pairs")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return all names, as plain values for JSON."""
        return {
            "predictions": [printable(name) for name in self.predictions],
            "references": [printable(name) for name in self.references],
            "valid": [printable(name) for name in self.valid],
            "failed": {printable(failure.name): failure.reason for failure in self.failed},
        }


def evaluate_masks(
    predictions: str | Path,
    references: str | Path,
    valid: str | Path | None = None,
    *,
    classes: Sequence[str] | None = None,
    instances: bool = False,
    key: str | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Evaluation, LeftOut]:
    """Score the masks of one folder against those of another.

    Files pair by their path below the folder without suffix, or by ``key``. What does not pair, cannot be
    read or differs in size is left out, and named.

    Args:
        predictions: folder of masks.
        references: folder of masks.
        valid: folder of fields of view: pixels where they are 0 are not counted.
        classes: names, of which label values are the indices, the background first; of more than two classes,
            255 in a reference marks pixels to ignore. If None, masks hold 0 and 1, or 0 and 255.
        instances: labels are instances, 0 the background.
        key: regular expression for the part of each file's name that pairs: its first group, or all it matches.
        workers: processes; by the work and the cores if None.
        progress: is told (pairs done, pairs in all).

    Returns:
        The scores, the same to the last bit for any number of workers, and what was left out.

    Raises:
        UsageError: if a folder is missing or empty, names are ambiguous, or nothing pairs.
        UnetsegError: if no pair could be scored.
    """
    names = tuple(classes or BINARY)
    if instances and len(names) != 2:
        raise UsageError(f"--instances: takes the background and one class, not {len(names)} names")
    files, left_out = pair_files(predictions, references, valid, key)
    score = partial(score_files, classes=names, instances=instances)
    images: list[ImageScores] = []
    scored: list[MaskFiles] = []
    for done, (pair, result) in enumerate(
        zip(files, run_jobs(score, files, len(files), workers), strict=True), start=1
    ):
        if isinstance(result, Failure):
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
    hashed = fingerprint((pair.name, pair.reference) for pair in scored)
    return summarise(images, names, None, hashed), left_out


def pair_files(
    predictions: str | Path, references: str | Path, valid: str | Path | None, key: str | None
) -> tuple[list[MaskFiles], LeftOut]:
    """Pair the files of two or three folders by name.

    Raises:
        UsageError: as :func:`evaluate_masks`.
    """
    pattern = _compiled(key)
    guesses, stray_guesses = _by_key(predictions, "--predictions", pattern)
    targets, stray_targets = _by_key(references, "--reference", pattern)
    counted = None if valid is None else _by_key(valid, "--valid", pattern)[0]
    pairs = sorted(guesses.keys() & targets.keys())
    if not pairs:
        raise _nothing_pairs(guesses, targets, stray_guesses + stray_targets, key)
    files = [
        MaskFiles(name, guesses[name], targets[name], counted[name] if counted else None)
        for name in pairs
        if counted is None or name in counted
    ]
    left_out = LeftOut(
        predictions=stray_guesses + [guesses[name].name for name in sorted(guesses.keys() - targets.keys())],
        references=stray_targets + [targets[name].name for name in sorted(targets.keys() - guesses.keys())],
        valid=[name for name in pairs if counted is not None and name not in counted],
    )
    if not files:
        raise UsageError(f"--valid: no mask here belongs to any of the {len(pairs)} pairs, as '{pairs[0]}'")
    return files, left_out


def score_files(files: MaskFiles, classes: Sequence[str], instances: bool) -> ImageScores | Failure:
    """Read and score one pair; what is wrong with its files comes back as a failure."""
    try:
        return score_pair(_read_pair(files, classes, instances), classes, KEYS)
    except UnetsegError as error:
        return Failure(files.name, str(error))
    except ValueError as error:
        return Failure(files.name, f"{printable(files.prediction)}: {error}")


def read_names(path: str | Path) -> tuple[str, ...]:
    """Read class names, one a line, the background first.

    Raises:
        UsageError: if the file cannot be read, or the names are no classes.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise UsageError(f"--names {printable(path)}: cannot be read ({error})") from error
    names = [line.strip() for line in lines if line.strip()]
    if "mean" in names:
        raise UsageError(f"--names {printable(path)}: 'mean' is what the mean over classes is called")
    return parse_classes(names, None, f"--names {printable(path)}").names


def _read_pair(files: MaskFiles, classes: Sequence[str], instances: bool) -> Pair:
    raw = {name: _read(path) for name, path in vars(files).items() if isinstance(path, Path)}
    prediction, reference = raw["prediction"], raw["reference"]
    for name, mask in raw.items():
        if mask.shape != reference.shape:
            raise UnetsegError(
                f"{printable(getattr(files, name))}: is {mask.shape[1]}×{mask.shape[0]} pixels, but "
                f"{printable(files.reference)} is {reference.shape[1]}×{reference.shape[0]}; "
                "save masks at the original size"
            )
    valid = raw["valid"] > 0 if "valid" in raw else None
    if instances:
        return Pair(
            files.name,
            (prediction > 0).astype(np.uint8),
            (reference > 0).astype(np.uint8),
            valid,
            reference_instances=reference,
            prediction_instances=prediction,
        )
    return Pair(
        files.name,
        _to_classes(prediction, files.prediction, classes, ignored=False),
        _to_classes(reference, files.reference, classes, ignored=True),
        valid,
    )


def _read(path: Path) -> np.ndarray:
    raw = read_labels(path)
    if raw.ndim == 2:
        return raw
    if (raw != raw[..., :1]).any():
        raise UnetsegError(f"{printable(path)}: is in colours; save the labels as a grey or palette PNG")
    return raw[..., 0]


def _to_classes(raw: np.ndarray, path: Path, classes: Sequence[str], ignored: bool) -> np.ndarray:
    """Map H×W raw values to H×W uint8 class indices, 255 where a reference ignores."""
    if len(classes) == 2:
        values = np.unique(raw).tolist()
        if {1, 255} <= set(values):
            raise UnetsegError(
                f"{printable(path)}: holds both 1 and 255; write the foreground as one of them, "
                "and leave pixels out with --valid"
            )
        if not set(values) <= {0, 1, 255}:
            shown = ", ".join(map(str, values[:8])) + (", …" if len(values) > 8 else "")
            raise UnetsegError(
                f"{printable(path)}: holds the values {shown}; a mask of two classes holds 0 and 1, or 0 and 255 "
                "(name more classes with --names FILE; --instances if these are instances)"
            )
        return _ZERO_AND_ONE.to_classes(raw, path)
    values_of = {index: index for index in range(len(classes))} | ({IGNORED: IGNORED} if ignored else {})
    return LabelMap(values_of).to_classes(raw, path)


def _compiled(key: str | None) -> re.Pattern[str] | None:
    try:
        return None if key is None else re.compile(key)
    except re.error as error:
        raise UsageError(f"--key '{key}': is no regular expression ({error})") from error


def _by_key(
    folder: str | Path, flag: str, pattern: re.Pattern[str] | None
) -> tuple[dict[str, Path], list[str]]:
    """Return the mask files below ``folder`` by what they pair by, and the names that have no such part."""
    if not Path(folder).is_dir():
        raise UsageError(f"{flag} {printable(folder)}: no such folder; check the path")
    found: dict[str, Path] = {}
    strays = []
    for each in find_images([Path(folder)]):
        key = each.relative.with_suffix("").as_posix()
        if pattern is not None:
            match = pattern.search(each.relative.name)
            if match is None:
                strays.append(each.relative.name)
                continue
            part = match.group(1) if pattern.groups else match.group()
            key = (each.relative.parent / (part or "")).as_posix()
        if key in found:
            raise UsageError(
                f"{flag} {printable(folder)}: {printable(found[key].name)} and {printable(each.relative.name)} "
                f"are both '{printable(key)}'; rename one, or choose another --key"
            )
        found[key] = each.path
    return found, strays


def _nothing_pairs(
    guesses: dict[str, Path], targets: dict[str, Path], strays: list[str], key: str | None
) -> UsageError:
    if key is not None and strays and not (guesses and targets):
        return UsageError(f"--key '{key}': does not match names such as {printable(strays[0])}")
    guess, target = (printable(next(iter(found.values())).name) for found in (guesses, targets))
    return UsageError(
        f"no prediction has the name of a reference ({guess}, {target}); "
        "say with --key REGEX which part of the names they share"
    )


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(printable(name) for name in names[:SHOWN_NAMES]) + more
