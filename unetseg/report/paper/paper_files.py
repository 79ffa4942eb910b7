"""The files of a paper, from a study's results."""

import csv
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from unetseg.report.html.page import Cell, Figure, Figures, Page, Table
from unetseg.report.html.print_colours import SUFFIXES, printing_to
from unetseg.report.markdown import difference_table
from unetseg.report.paper.citations import bibtex
from unetseg.report.paper.latex import escaped, table
from unetseg.report.paper.methods import cited, in_latex, methods_text
from unetseg.report.study_page import study_page
from unetseg.studies.analysis.results import StudyResults
from unetseg.utilities.files import atomic_path, require_absent, write_text
from unetseg.utilities.text import printable


def write_paper(results: StudyResults, folder: Path) -> list[Path]:
    """Write every figure as SVG and PDF, every table as LaTeX and CSV, and the methods with what they cite.

    Args:
        results: of a study, of runs, or of folders of masks.
        folder: made if it is not there.

    Returns:
        The files, in the report's order.

    Raises:
        UsageError: if one of the files is there already; then none is written.
        OSError: if a file cannot be written.
    """
    page = study_page(results, None)
    tables = [*_tables(page), ("all-differences", difference_table(results, results.metrics))]
    plots = list(_plots(page))
    methods = methods_text(results)
    texts = {
        "methods.md": f"{methods}\n",
        "methods.tex": f"{in_latex(methods, escaped(methods))}\n",
        "references.bib": bibtex(cited(methods)),
    }
    drawn = [folder / f"{stem}{suffix}" for stem, _ in plots for suffix in SUFFIXES]
    written = [folder / f"{stem}{suffix}" for stem, _ in tables for suffix in (".tex", ".csv")]
    files = [*drawn, *written, *(folder / name for name in texts)]
    require_absent(files)
    folder.mkdir(parents=True, exist_ok=True)
    for stem, figure in plots:
        with printing_to(folder / stem):
            figure.draw()
    for stem, each in tables:
        rows = [[_plain(cell) for cell in row] for row in each.rows]
        label = f"tab:{stem}"
        write_text(folder / f"{stem}.tex", table(each.caption, label, each.head, rows, each.left))
        with (
            atomic_path(folder / f"{stem}.csv") as part,
            part.open("w", newline="", encoding="utf-8") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows([each.head, *rows])
    for name, text in texts.items():
        write_text(folder / name, text)
    return files


def _plots(page: Page) -> Iterator[tuple[str, Figure]]:
    """Yield every figure with the name of its file: its place, section and title."""
    number = 0
    for section in page.sections:
        for block in section.blocks:
            for figure in block.items if isinstance(block, Figures) else ():
                number += 1
                yield f"figure-{number:02}-{_name(section.title)}-{_name(figure.title)}", figure


def _tables(page: Page) -> list[tuple[str, Table]]:
    """Return the tables that a reader sees without opening one, with the names of their files."""
    found = [
        (section.title, block)
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Table) and not block.folded
    ]
    return [(f"table-{number:02}-{_name(title)}", block) for number, (title, block) in enumerate(found, 1)]


def _name(title: str) -> str:
    """Return a title as a part of a file's name that every system and LaTeX take."""
    plain = unicodedata.normalize("NFKD", title.replace("Δ", "change of ")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _plain(cell: str | Cell) -> str:
    return printable(cell.text if isinstance(cell, Cell) else cell)
