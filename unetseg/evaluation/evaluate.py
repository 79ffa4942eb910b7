"""A trained run, or a folder of masks, against references: rows an image, and their averages."""

import csv
import hashlib
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from unetseg.data.samples import Sample, SegmentationSet
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.evaluation.scoring import Pair, Row, score_keys, score_pair
from unetseg.files import write_text
from unetseg.inference.predictor import Predictor
from unetseg.metrics import COUNT_KEYS, average_scores

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Evaluation:
    """Scores of one split.

    Attributes:
        classes: the foreground classes.
        rows: one an image and class (and one an image for their mean where there are several classes).
        split: which split.
        fingerprint: a hash of the images' names and references: equal for equal test sets.
        notes: what a reader must know.
    """

    classes: tuple[str, ...]
    rows: list[Row]
    split: str
    fingerprint: str
    notes: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON: dataset and image averages of each class and of their mean."""
        by_class = {name: self._average(name) for name in self.classes}
        mean = by_class[self.classes[0]] if len(self.classes) == 1 else self._mean(by_class)
        return {
            "split": self.split,
            "images": len({row["image"] for row in self.rows}),
            "fingerprint": self.fingerprint,
            "classes": by_class,
            "mean": mean,
            "notes": list(self.notes),
        }

    def _average(self, name: str) -> dict[str, Any]:
        rows = [row for row in self.rows if row["class"] == name]
        scores = [{k: v for k, v in row.items() if k not in ("image", "class", "diagonal")} for row in rows]
        averages = average_scores(scores, [row["diagonal"] for row in rows])
        counts = {key: sum(int(row[key]) for row in rows) for key in COUNT_KEYS}
        return {
            "dataset": {**averages.dataset, **counts},
            "image": {key: finite(asdict(value)) for key, value in averages.image.items()},
        }

    def _mean(self, by_class: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Average over the foreground classes; an image's mean leaves out classes absent from both masks."""
        present = [
            c["dataset"] for c in by_class.values() if sum(c["dataset"][key] for key in COUNT_KEYS) > 0
        ]
        dataset = {key: math.fsum(c[key] for c in present) / max(1, len(present)) for key in ("iou", "dice")}
        rows = [row for row in self.rows if row["class"] == "mean" and "iou" in row]
        if not rows:
            return {"dataset": dataset, "image": {}}
        scores = [{k: v for k, v in row.items() if k not in ("image", "class", "diagonal")} for row in rows]
        averages = average_scores(scores, [row["diagonal"] for row in rows])
        return {
            "dataset": dataset,
            "image": {key: finite(asdict(value)) for key, value in averages.image.items()},
        }


def evaluate_run(
    predictor: Predictor,
    dataset: SegmentationSet,
    split: str = "test",
    progress: Progress | None = None,
) -> Evaluation:
    """Predict every image of a split at its original resolution and score the whole masks.

    Args:
        predictor: of the run.
        dataset: with the run's classes.
        split: train, val or test.
        progress: is told (images done, images in all).

    Raises:
        UsageError: if there is no such split, or the classes are not the run's.
    """
    if split not in dataset.splits:
        raise UsageError(
            f"--split '{split}': choose from {', '.join(dataset.splits)}{did_you_mean(split, dataset.splits)}"
        )
    if tuple(dataset.classes) != tuple(predictor.classes):
        raise UsageError(
            f"{dataset.name}: its classes ({', '.join(dataset.classes)}) are not those of the run "
            f"({', '.join(predictor.classes)})"
        )
    samples = dataset.splits[split]
    if not samples:
        raise UnetsegError(f"{dataset.name}: its {split} split is empty; choose another with --split")
    keys = score_keys(dataset.ignore_index is not None)
    rows: list[Row] = []
    for done, pair in enumerate(predicted_pairs(predictor, dataset, samples), start=1):
        rows += score_pair(pair, dataset.classes, keys)
        if progress:
            progress(done, len(samples))
    notes = (
        ()
        if dataset.ignore_index is None
        else ("scores of the outline are left out: the labels ignore pixels",)
    )
    return Evaluation(tuple(dataset.classes[1:]), rows, split, fingerprint(samples), notes)


def predicted_pairs(
    predictor: Predictor, dataset: SegmentationSet, samples: Sequence[Sample], batch: int = 8
) -> Iterator[Pair]:
    """Yield prediction and reference of each sample, in order."""
    for start in range(0, len(samples), batch):
        chunk = samples[start : start + batch]
        logits = predictor.logits([dataset.image(sample) for sample in chunk])
        for sample, each in zip(chunk, logits, strict=True):
            yield Pair(
                sample.name,
                predictor.mask(each),
                dataset.mask(sample),
                dataset.valid(sample),
                dataset.instances(sample),
            )


def fingerprint(samples: Iterable[Sample]) -> str:
    """Return a hash of the samples' names and mask files: equal exactly for the same references."""
    digest = hashlib.sha256()
    for sample in sorted(samples, key=lambda sample: sample.name):
        digest.update(sample.name.encode("utf-8", "surrogateescape") + b"\0")
        if sample.mask is not None:
            digest.update(hashlib.sha256(sample.mask.read_bytes()).digest())
    return digest.hexdigest()[:16]


def write_rows(path: Any, rows: Sequence[Row]) -> None:
    """Write rows as CSV, atomically; numbers in full precision."""
    names: dict[str, None] = {}
    for row in rows:
        names |= dict.fromkeys(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def finite(values: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` with infinities as the text "inf", which JSON has no number for."""
    return {k: "inf" if isinstance(v, float) and math.isinf(v) else v for k, v in values.items()}
