"""The folds of one seed of an arm, joined into what a run leaves: out-of-fold scores of every image."""

from collections.abc import Iterator, Sequence
from math import nan
from statistics import fmean
from typing import Any

from unetseg.config import RunConfig
from unetseg.evaluation.rows import MEAN, Row
from unetseg.evaluation.summary import Evaluation, row_fingerprint
from unetseg.metrics import registry
from unetseg.metrics.registry import TRAIN_LOSS
from unetseg.runs import Run
from unetseg.studies.analysis.assemble import read_environment
from unetseg.studies.analysis.score_matrix import read_scores
from unetseg.utilities.files import write_json, write_rows

SPLIT = "out-of-fold"


def fold_runs(config: RunConfig, run: Run) -> list[tuple[RunConfig, Run]]:
    """Return the runs that a seed of an arm consists of, one a fold; none where it is one run.

    Args:
        config: of the seed.
        run: its folder.
    """
    if config.folds is None or config.fold is not None:
        return []
    return [(config.changed(fold=number), run.fold(number)) for number in range(config.folds)]


def fold_note(config: RunConfig) -> tuple[str, ...]:
    """Return what a page says of a study in folds; nothing of any other."""
    if config.folds is None:
        return ()
    return (
        f"{config.folds} folds: each seed draws its own partition, and scores each image by the net that was "
        "not trained on it; the nets share most of their training images, so that the verdict holds for this "
        "one data set",
    )


def join_folds(parts: Sequence[Run], run: Run) -> None:
    """Write into a seed's folder what its folds left: scores of every image, training losses, epochs, times.

    Where an image was trained on in several folds, its loss is their mean, and NaN where it only validated;
    the numbers of an epoch are means, too.
    Objects by size are left out: each fold cuts its own thirds.

    Args:
        parts: the finished runs of all folds.
        run: the seed's folder.
    """
    scores = [read_scores(part) for part in parts]
    rows = sorted((row for each in scores for row in each.rows), key=lambda row: str(row["image"]))
    common = set.intersection(*({*row} - {"class"} for row in rows if row["class"] != MEAN))
    rows = [_joined(row, common) for row in rows]
    classes = scores[0].classes
    losses: dict[str, list[float]] = {row["image"]: [] for row in rows}
    for each in scores:
        for row in each.training:
            losses.setdefault(row["image"], []).append(row[TRAIN_LOSS])
    write_rows(
        run.train_images,
        [
            {"image": name, TRAIN_LOSS: fmean(found) if found else nan}
            for name, found in sorted(losses.items())
        ],
    )
    write_rows(run.metrics, list(_mean_epochs([part.epochs() for part in parts])))
    environments = [read_environment(part) for part in parts]
    seconds = sum(each.get("training_seconds") or 0.0 for each in environments)
    write_json(run.environment, environments[0] | {"training_seconds": seconds})
    write_rows(run.test_images, rows)
    notes = tuple(dict.fromkeys(note for part in parts for note in part.test_scores()["notes"]))
    evaluation = Evaluation(
        classes, rows, {name: {} for name in classes}, SPLIT, row_fingerprint(rows), notes
    )
    write_json(run.test, evaluation.summary())


def _joined(row: Row, common: set[str]) -> Row:
    """Return a row with what every fold has, whole numbers as such, and all objects in one column."""
    kept = {
        key: int(value) if _is_count(key) else value
        for key, value in row.items()
        if (key in common or key == "class") and not key.startswith("size_")
    }
    objects = [
        int(value) for key, value in row.items() if key.startswith("size_") and key.endswith("_objects")
    ]
    return kept | ({"size_all_objects": sum(objects)} if objects else {})


def _is_count(key: str) -> bool:
    return key.startswith("thickness_") or key in registry.counts()


def _mean_epochs(tables: Sequence[Sequence[dict[str, float]]]) -> Iterator[dict[str, Any]]:
    """Yield a row an epoch, the mean over the folds that came so far."""
    for number in range(max(map(len, tables))):
        rows = [table[number] for table in tables if number < len(table)]
        yield {key: fmean(row[key] for row in rows) for key in rows[0]} | {"epoch": int(rows[0]["epoch"])}
