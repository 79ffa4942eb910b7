"""Figures of the page as files for print: the page's variables become colours, in light."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Where the next figure goes, without its suffix; None while figures are drawn for the page alone.
_TARGET: ContextVar[Path | None] = ContextVar("target", default=None)
SUFFIXES = (".svg", ".pdf")


@contextmanager
def printing_to(target: Path) -> Iterator[None]:
    """Let the figure that is drawn in the block also be written to ``target`` with each of ``SUFFIXES``."""
    token = _TARGET.set(target)
    try:
        yield
    finally:
        _TARGET.reset(token)


def print_if_asked(figure: "Figure", colours: Mapping[str, str]) -> None:
    """Write a figure to the target of :func:`printing_to`; outside of such a block do nothing.

    Args:
        figure: drawn, and within its style; it keeps the colours of print.
        colours: for print, by those that the figure was drawn in (``#rrggbb`` both).
    """
    target = _TARGET.get()
    if target is None:
        return
    _recolour(figure, colours)
    for suffix in SUFFIXES:
        dates = {"Date": None} if suffix == ".svg" else {"CreationDate": None}  # the same bytes each time
        figure.savefig(f"{target}{suffix}", metadata=dates, facecolor="white")


def _recolour(figure: "Figure", colours: Mapping[str, str]) -> None:
    from matplotlib.colors import to_hex
    from matplotlib.text import Text

    artists = figure.findobj()
    boxes = [each.get_bbox_patch() for each in artists if isinstance(each, Text)]  # which no one else knows
    for artist in (*artists, *filter(None, boxes)):
        for what in ("color", "edgecolor", "facecolor", "markeredgecolor", "markerfacecolor"):
            get, put = (getattr(artist, f"{verb}_{what}", None) for verb in ("get", "set"))
            if get is None or put is None:
                continue
            try:
                found = to_hex(get())
            except (TypeError, ValueError):  # a collection has one colour a member: ours share theirs
                members = get()
                found = to_hex(members[0]) if len(members) else ""
            if found in colours:
                put(colours[found])
