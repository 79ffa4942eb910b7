"""The files that a study leaves: ``summary.json``, ``results.csv``, ``report.md``, ``report.html``."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions
from unetseg.evaluation.rows import LABELS, Row
from unetseg.metrics import registry
from unetseg.report.markdown import study_markdown
from unetseg.report.study_page import write_study_page
from unetseg.runs import STUDY_FILE
from unetseg.studies.analysis.results import StudyResults
from unetseg.studies.analysis.score_matrix import RunScores
from unetseg.studies.analysis.study_summary import study_summary
from unetseg.utilities.files import atomic_path, free_folder, write_json, write_text
from unetseg.utilities.progress import show_progress
from unetseg.utilities.text import to_cell

OUTPUTS = ("results.csv", "summary.json", "report.md", "report.html")
COLUMNS = ("arm", "seed", "split", "class", "image")  # then come the metrics


def require_free(folder: Path, *, of_study: bool = False) -> None:
    """Refuse a folder that holds files which the report would replace.

    Args:
        folder: there or not.
        of_study: a study's own report may be written anew.

    Raises:
        UsageError: names the first such file, or what is no folder.
    """
    if of_study and (folder / STUDY_FILE).is_file():
        return
    free_folder(folder, OUTPUTS)


def write_outputs(results: StudyResults, folder: Path, masks: MaskOptions = PLAIN_MASKS) -> StudyResults:
    """Write a study's results into ``folder``, each file whole or not at all.

    Args:
        results: of runs, or of folders of masks.
        folder: made if it is not there.
        masks: how folders of masks are read.

    Returns:
        The results, which then name their folder.

    Raises:
        OSError: if a file cannot be written.
    """
    write_results(results, folder / "results.csv")
    write_json(folder / "summary.json", study_summary(results))
    write_text(folder / "report.md", study_markdown(results))
    write_study_page(results, folder / "report.html", show_progress("drawing the report"), masks)
    return replace(results, folder=folder)


def write_results(results: StudyResults, path: Path) -> None:
    """Write one row an image × class × run and a column a metric; runs that two arms share stand once.

    Training images have a row a run, too: ``train`` is their split, and ``train_loss`` what is known of them.
    The file holds neither times nor paths: of the same study it has the same bytes. Scores have 13 digits,
    which is far below any difference that means something; all digits are in each run's ``test_images.csv``.
    """
    names = dict.fromkeys(
        name
        for runs in results.scores.values()
        for run in runs
        for row in (*run.rows, *run.training)
        for name in row
        if name not in LABELS
    )
    with (
        atomic_path(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*COLUMNS, *names))
        for arm in results.arms:
            if arm.same_as is None:
                for net, scores in zip(arm.runs, results.scores[arm.name], strict=True):
                    writer.writerows((arm.name, net.seed, *row) for row in _rows(scores, tuple(names)))


def _rows(run: RunScores, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield split, class, image and the value in each column of everything that a run scored."""
    for row in run.rows:
        yield run.split or "", to_cell(row["class"]), to_cell(row["image"]), *_cells(row, names)
    for row in run.training:
        yield "train", "", to_cell(row["image"]), *_cells(row, names)


def _cells(row: Row, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        if name not in row:
            yield ""
        elif name in registry.METRICS and registry.METRICS[name].group != "counts":
            yield repr(float(f"{row[name]:.13g}"))
        else:
            yield f"{row[name]:.17g}"  # pixels, objects: a whole number has no fraction
