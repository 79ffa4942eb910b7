"""The files that a study leaves: ``summary.json``, ``results.csv``, ``report.md``, ``report.html``."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions
from unetseg.evaluation.rows import LABELS
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
COLUMNS = ("arm", "seed", "split", "class", "image", "metric", "value")


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
    """Write one row an image × run × metric; runs that two arms share stand under the first.

    The file holds neither times nor paths: of the same study it has the same bytes.
    """
    with (
        atomic_path(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for arm in results.arms:
            if arm.same_as is None:
                for net, scores in zip(arm.runs, results.scores[arm.name], strict=True):
                    writer.writerows((arm.name, net.seed, *row) for row in _rows(scores))


def _rows(run: RunScores) -> Iterator[tuple[str, str, str, str, float]]:
    """Yield split, class, image, metric and value of everything that a run scored."""
    for row in run.rows:
        for name, value in row.items():
            if name not in LABELS:
                yield run.split or "", to_cell(row["class"]), to_cell(row["image"]), name, float(value)
    for row in run.training:
        for name, value in row.items():
            if name not in LABELS:
                yield "train", "", to_cell(row["image"]), name, float(value)
