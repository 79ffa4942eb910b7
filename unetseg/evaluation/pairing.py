"""Which prediction belongs to which ground truth, and what was left out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unetseg.data.images.find import FoundImage, find_images, is_beside_masks
from unetseg.errors import UsageError
from unetseg.utilities.text import printable

SHOWN_NAMES = 5

_OBJECTS = re.compile(r"\.objects(\.(png|tif))$")


@dataclass(frozen=True)
class MaskOptions:
    """How folders of masks are read.

    Attributes:
        valid: folder of fields of view: pixels where they are 0 are not counted.
        classes: names, of which label values are the indices, the background first. If None, masks hold 0 and
            1, or 0 and 255.
        ignore: the value that marks pixels of a ground truth which are not counted; if None it is 255 where
            there are more than two classes.
        instances: labels are instances, 0 the background. If no prediction holds more than one label, they
            are plain masks, whose objects are 8-connected components. Of a folder with files of
            ``unetseg predict --objects``, these count.
        key: what pairs, as of :func:`pair_files`.
        stand_ins: folders that are read in the place of those that a user named, which hold labels.
    """

    valid: str | Path | None = None
    classes: Sequence[str] | None = None
    ignore: int | None = None
    instances: bool = False
    key: str | None = None
    stand_ins: Mapping[Path, Path] = field(default_factory=dict)

    def standing_in(self, named: str | Path, painted: Path) -> "MaskOptions":
        """Return the same with a folder of masks in the place of one that a user named."""
        return replace(self, stand_ins={**self.stand_ins, Path(named): painted})

    def place(self, named: str | Path) -> Path:
        """Return the folder of masks that a user named, or the one in its place."""
        return self.stand_ins.get(Path(named), Path(named))


PLAIN_MASKS = MaskOptions()


@dataclass(frozen=True)
class MaskFiles:
    """The files of one image: its name, the prediction, the ground truth and perhaps the field of view."""

    name: str
    prediction: Path
    ground_truth: Path
    valid: Path | None = None


@dataclass(frozen=True)
class UnscoredImage:
    """An image that could not be scored, and why."""

    name: str
    reason: str


@dataclass
class LeftOut:
    """What was not scored.

    Attributes:
        predictions: predictions without a ground truth.
        ground_truth: ground truth without a prediction.
        valid: pairs without a field of view, where a folder of them was given.
        failed: pairs that could not be read, or do not fit each other.
        notes: what must be known of those that were.
    """

    predictions: list[str] = field(default_factory=list)
    ground_truth: list[str] = field(default_factory=list)
    valid: list[str] = field(default_factory=list)
    failed: list[UnscoredImage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return plain lines that name the first few of each kind and count all; none if all was scored."""
        kinds = {
            "predictions without a reference": self.predictions,
            "references without a prediction": self.ground_truth,
            "pairs without a mask in --valid": self.valid,
        }
        lines = [f"{kind} ({len(names)}): {_first(names)}" for kind, names in kinds.items() if names]
        lines += [f"failed: {failure.reason}" for failure in self.failed[:SHOWN_NAMES]]
        if len(self.failed) > SHOWN_NAMES:
            lines.append(f"failed: {len(self.failed) - SHOWN_NAMES} more pairs")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return all names, as plain values for JSON."""
        return {
            "predictions": [printable(name) for name in self.predictions],
            "references": [printable(name) for name in self.ground_truth],
            "valid": [printable(name) for name in self.valid],
            "failed": {printable(failure.name): failure.reason for failure in self.failed},
        }


def pair_masks(
    predictions: str | Path, ground_truth: str | Path, masks: MaskOptions
) -> tuple[list[MaskFiles], LeftOut]:
    """Pair the mask files of two folders as ``pair_files`` does, as ``masks`` says they are read."""
    folders = masks.place(predictions), masks.place(ground_truth)
    return pair_files(*folders, masks.valid, masks.key, masks.instances)


def pair_files(
    predictions: str | Path,
    ground_truth: str | Path,
    valid: str | Path | None = None,
    key: str | None = None,
    instances: bool = False,
) -> tuple[list[MaskFiles], LeftOut]:
    """Pair the mask files of two or three folders.

    Args:
        predictions: folder of masks.
        ground_truth: folder of masks.
        valid: folder of fields of view.
        key: regular expression for the part of each file's name that pairs, within its sub-folder: the first
            group, or all that matches. If None, files pair by their paths below the folders without suffix.
            Where nothing pairs so, sub-folders called train, val, test and the like do not count, then none
            does.
        instances: labels are instances: of a folder with files such as ``NAME.objects.png``, only these are
            taken, each as that of NAME.

    Returns:
        The pairs, sorted by name, and what is left over.

    Raises:
        UsageError: if a folder is missing or empty, two files have one name, or nothing pairs.
    """
    pattern = _compiled(key)
    guesses, stray_guesses = _by_name(predictions, "--predictions", pattern, instances)
    targets, stray_targets = _by_name(ground_truth, "--reference", pattern, instances)
    counted = None if valid is None else _by_name(valid, "--valid", pattern)[0]
    pairs = sorted(guesses.keys() & targets.keys())
    notes = []
    if not pairs:
        reason = _nothing_pairs(guesses, targets, stray_guesses + stray_targets, key)
        guesses = _without_splits(guesses, f"--predictions {printable(predictions)}")
        targets = _without_splits(targets, f"--reference {printable(ground_truth)}")
        counted = None if counted is None else _without_splits(counted, "--valid")
        pairs = sorted(guesses.keys() & targets.keys())
        notes = ["paired by names without the folders of a split (train, val, test), which one side has"]
    if not pairs:
        guesses, targets = _by_last_part(guesses), _by_last_part(targets)
        counted = None if counted is None else _by_last_part(counted)
        pairs = sorted(guesses.keys() & targets.keys())
        if not pairs:
            raise reason
        notes = ["paired by the files' names alone: their folders differ"]
    left_out = LeftOut(
        predictions=stray_guesses + _without_partner(guesses, targets),
        ground_truth=stray_targets + _without_partner(targets, guesses),
        notes=notes,
    )
    if counted is None:
        return [MaskFiles(name, guesses[name].path, targets[name].path) for name in pairs], left_out
    left_out.valid = [name for name in pairs if name not in counted]
    if len(left_out.valid) == len(pairs):
        raise UsageError(f"--valid: no mask here belongs to any of the {len(pairs)} pairs, as '{pairs[0]}'")
    return [
        MaskFiles(name, guesses[name].path, targets[name].path, counted[name].path)
        for name in pairs
        if name in counted
    ], left_out


def numbers_objects(path: Path) -> bool:
    """Tell by its name whether a file is one of ``unetseg predict --objects``."""
    return bool(_OBJECTS.search(path.name))


def _compiled(key: str | None) -> re.Pattern[str] | None:
    try:
        return None if key is None else re.compile(key)
    except re.error as error:
        raise UsageError(f"--key '{key}': is no regular expression ({error})") from error


def _by_name(
    folder: str | Path, flag: str, pattern: re.Pattern[str] | None, instances: bool = False
) -> tuple[dict[str, FoundImage], list[str]]:
    """Return the mask files below ``folder`` by the name they pair by, and those that have none."""
    if not Path(folder).is_dir():
        raise UsageError(f"{flag} {printable(folder)}: no such folder; check the path")
    found: dict[str, FoundImage] = {}
    strays = []
    files = find_images([Path(folder)])
    numbered = [each for each in files if instances and numbers_objects(each.path)]
    for each in numbered or files:
        file = each.relative
        if numbered:
            file = file.with_name(_OBJECTS.sub(r"\1", file.name))
        elif is_beside_masks(file):
            continue
        name = file.with_suffix("").as_posix() if pattern is None else _matched(pattern, file)
        if name is None:
            strays.append(file.as_posix())
            continue
        if name in found:
            raise UsageError(
                f"{flag} {printable(folder)}: {printable(found[name].relative)} and {printable(file)} "
                f"are both '{printable(name)}'; rename one, or choose another --key"
            )
        found[name] = each
    if not found and not strays:
        raise UsageError(
            f"{flag} {printable(folder)}: holds no mask, but what 'unetseg predict' writes beside them"
        )
    return found, strays


def _matched(pattern: re.Pattern[str], file: Path) -> str | None:
    match = pattern.search(file.name)
    part = match and (match.group(1) if pattern.groups else match.group())
    return (file.parent / part).as_posix() if part else None


def _without_splits(found: dict[str, FoundImage], where: str) -> dict[str, FoundImage]:
    """Return files by their names less folders such as ``train`` and ``val`` at the top.

    Raises:
        UsageError: Two parts hold a file of one name.
    """
    from unetseg.data.datasets.split_lists import split_called

    renamed: dict[str, FoundImage] = {}
    for name, each in found.items():
        top, _, rest = name.partition("/")
        short = rest if rest and split_called(top) else name
        if short in renamed:
            raise UsageError(
                f"{where}: {printable(renamed[short].relative)} and {printable(each.relative)} are both "
                f"'{printable(short)}' without the names of the split; name one part's folder"
            )
        renamed[short] = each
    return renamed


def _by_last_part(found: dict[str, FoundImage]) -> dict[str, FoundImage]:
    """Return files by their names without any folder; none where two would have one name."""
    renamed = {name.rpartition("/")[2]: each for name, each in found.items()}
    return renamed if len(renamed) == len(found) else {}


def _without_partner(found: dict[str, FoundImage], others: dict[str, FoundImage]) -> list[str]:
    return [found[name].relative.as_posix() for name in sorted(found.keys() - others.keys())]


def _nothing_pairs(
    guesses: dict[str, FoundImage], targets: dict[str, FoundImage], strays: list[str], key: str | None
) -> UsageError:
    if not (guesses and targets):
        return UsageError(f"--key '{key}': does not match names such as {printable(strays[0])}")
    guess, target = (printable(next(iter(found.values())).relative) for found in (guesses, targets))
    return UsageError(
        f"no prediction has the name of a reference ({guess}, {target}); "
        "say with --key REGEX which part of the names they share"
    )


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(printable(name) for name in names[:SHOWN_NAMES]) + more
