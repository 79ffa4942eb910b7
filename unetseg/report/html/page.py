"""The page: what stands on it, and one HTML file made of it that needs nothing else."""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from unetseg.report.gallery.pictures import Gallery
from unetseg.utilities.files import write_text
from unetseg.utilities.text import printable


@dataclass(frozen=True)
class Finding:
    """A sentence that says what was found, with its verdict if it has one, and sentences that add to it."""

    text: str
    verdict: str = ""
    more: Sequence[str] = ()


@dataclass(frozen=True)
class Cell:
    """A cell of a table that shows a verdict's sign before its text."""

    text: str
    verdict: str


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first cell of each row is its heading.

    The first ``left`` columns hold words. With ``folded`` only the caption shows until a reader opens it.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    left: int = 1
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """One plot with its title and what is to be said of it; drawn only for who shows it."""

    title: str
    draw: Callable[[], Markup]
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """Plots side by side; with ``answering``, their points show the image that they stand for."""

    kind: ClassVar[str] = "figures"
    items: Sequence[Figure]
    answering: bool = False


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Items:
    """A list; ``code`` sets its lines as commands."""

    kind: ClassVar[str] = "items"
    texts: Sequence[str]
    code: bool = False


Block = Table | Figures | Text | Items | Gallery


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole report.

    Attributes:
        title: what was studied.
        summary: one line on data, images and seeds.
        findings: the answer, in sentences.
        notes: what a reader must know before believing them.
        sections: the evidence.
        mark: what the whole page must not be read without; stands above all.
    """

    title: str
    summary: str
    findings: Sequence[Finding]
    notes: Sequence[str]
    sections: Sequence[Section]
    mark: str = ""


def render(page: Page) -> str:
    """Return the page as one HTML file without outside references.

    Every text is escaped, and a policy in the file keeps the browser from running any script but the page's
    own and from asking any server for anything.
    """
    environment = Environment(
        loader=PackageLoader("unetseg", "report/html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"typeset": typeset, "printable": printable}
    script = _asset("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("template.html").render(
        page=page, style=_asset("page.css"), script=Markup(script), script_hash=f"sha256-{digest}"
    )


def write_page(page: Page, path: str | Path) -> None:
    """Write the page to ``path``, whole or not at all."""
    write_text(path, render(page))


def typeset(text: str) -> str:
    """Return text that can be printed, with a minus sign before negative numbers."""
    return re.sub(r"(?<![\w.)-])-(?=\d)", "−", printable(text))


def _asset(name: str) -> Markup:
    return Markup(files("unetseg.report.html").joinpath(name).read_text(encoding="utf-8"))
