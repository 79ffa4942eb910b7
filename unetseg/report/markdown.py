"""A study's results as text: Markdown for ``report.md``, plain tables for the terminal."""

import re
from collections.abc import Iterable, Sequence

from unetseg.report.html.page import Block, Cell, Items, Section, Table, Text, typeset
from unetseg.report.plan_figures import exploratory_note
from unetseg.report.study_figures import heading, present
from unetseg.report.study_page import difference_cells, study_page
from unetseg.report.wording import number
from unetseg.studies.analysis.results import MetricResult, StudyResults
from unetseg.utilities.text import align, printable


def study_markdown(results: StudyResults) -> str:
    """Return the report as Markdown: the page, with every difference as a number in place of its figures."""
    page = study_page(results, None)
    every = difference_table(results, results.metrics)
    notes = Items([f"{heading(metric)}: {metric.note}" for metric in results.metrics if metric.note])
    in_words = [Section(section.title, _in_words(section)) for section in page.sections[1:]]
    sections = [
        Section(page.sections[0].title, [each for each in page.sections[0].blocks if not _is_folded(each)]),
        Section("Every difference", [every, notes]),
        *(section for section in in_words if section.blocks),
    ]
    mark = [f"**{_escaped(page.mark)}**"] if page.mark else []
    parts = [f"# {_escaped(page.title)}", *mark, _escaped(page.summary)]
    for finding in page.findings:
        parts.append("\n".join(f"- {_escaped(text)}" for text in (finding.text, *finding.more)))
    if page.notes:
        parts.append("\n>\n".join(f"> {_escaped(note)}" for note in page.notes))
    for section in sections:
        parts += [f"## {_escaped(section.title)}", *filter(None, map(_block, section.blocks))]
    return "\n\n".join(parts) + "\n"


def study_text(results: StudyResults, also: Sequence[str] = ()) -> str:
    """Return what the terminal shows: the table of differences, what to know, and the findings.

    Args:
        results: of a study, of runs, or of folders of masks.
        also: keys of metrics that the table has besides.
    """
    shown = present(results, "study terminal")
    further = {*also} - {metric.key for metric in shown}
    shown += [
        each for each in results.metrics if each.key in further and each.class_name == results.primary_class
    ]
    table = difference_table(results, shown)
    rows = [[printable(_plain(cell)) for cell in row] for row in (table.head, *table.rows)]
    failures = [f"{each.arm}, seed {each.seed} is missing: {each.reason}" for each in results.failures]
    notes = "\n".join(map(typeset, [*exploratory_note(results), *failures, *results.notes]))
    findings = "\n".join(map(typeset, results.sentences))
    return "\n\n".join(filter(None, (align(rows, left=2), notes, findings)))


def difference_table(results: StudyResults, metrics: Iterable[MetricResult]) -> Table:
    """Return a row for each metric and arm: its mean, and its difference with interval, p and verdict."""
    head = ["Metric", "Arm", "Mean", "Difference", "95 % interval", "p, adjusted", "Verdict"]
    several = len(results.classes) > 1
    rows: list[list[str | Cell]] = []
    for metric in metrics:
        of_class = several and metric.group != "training"
        label = heading(metric) + (f", {metric.class_name}" if of_class else "")
        for index, (name, score) in enumerate(metric.arms.items()):
            first = label if index == 0 else ""
            rows.append([first, name, number(score.estimate.mean), *difference_cells(score)])
    return Table(f"Differences from {results.baseline}", head, rows)


def _is_folded(block: Block) -> bool:
    return isinstance(block, Table) and block.folded


def _in_words(section: Section) -> list[Block]:
    """Return what text can show of a section; beside figures, that is its tables."""
    drawn = any(not isinstance(block, (Table, Text, Items)) for block in section.blocks)
    return [block for block in section.blocks if isinstance(block, Table) or not drawn]


def _block(block: Block) -> str:
    if isinstance(block, Table):
        return f"{_escaped(block.caption)}:\n\n{_table(block)}"
    if isinstance(block, Text):
        return _escaped(block.text)
    if isinstance(block, Items):
        mark = "    {}" if block.code else "- {}"
        return "\n".join(mark.format(text if block.code else _escaped(text)) for text in block.texts)
    raise TypeError(f"no words for {type(block).__name__}")


def _table(table: Table) -> str:
    rows = [[_escaped(_plain(cell)) for cell in row] for row in (table.head, *table.rows)]
    rows.insert(1, ["---"] * len(table.head))
    return "\n".join(_row(cells) for cells in rows)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(cell: str | Cell) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def _escaped(text: str) -> str:
    """Return text that Markdown shows as it is, whatever a class or file is called."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", " ".join(printable(text).split()))
