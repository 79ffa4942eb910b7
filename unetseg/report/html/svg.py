"""Matplotlib's figures as inline SVG that follows the page: its font, light or dark colours, and clicks."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from unetseg.report.html.print_colours import print_if_asked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Matplotlib knows no CSS: figures are drawn in these colours, which become the page's variables.
THEME = {
    "#000001": "var(--ink)",
    "#000002": "var(--faint)",
    "#000003": "var(--grid)",
    "#000004": "var(--band)",
    "#000005": "var(--better)",
    "#000006": "var(--worse)",
    "#000007": "var(--equivalent)",
    "#000008": "var(--paper)",
}
INK, FAINT, GRID, BAND, BETTER, WORSE, EQUIVALENT, PAPER = THEME

# The page's variables in light, for figures that are printed.
_PRINTED = dict(
    zip(
        THEME,
        ("#1b1f24", "#6e7781", "#e4e7eb", "#e3e8f6", "#0b57d0", "#b54708", "#0a7050", "#ffffff"),
        strict=True,
    )
)

# Natural width: what fits a phone; wider pages put several figures side by side.
WIDTH = 352.0
_POINTS_AN_INCH = 72.0

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11,
    "font.sans-serif": ["DejaVu Sans"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}

Attributes = Mapping[str, str]


@contextmanager
def drawing(height: float, name: str) -> Iterator["Figure"]:
    """Yield a figure ``WIDTH`` CSS pixels wide and ``height`` high, drawn in the page's style.

    Args:
        height: CSS pixels.
        name: unique on the page; it keeps the identifiers of two figures apart.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        yield Figure((WIDTH / _POINTS_AN_INCH, height / _POINTS_AN_INCH))


def margins(figure: "Figure", left: float, bottom: float, right: float, top: float) -> None:
    """Leave room for labels round the axes, in CSS pixels; automatic layouts draw everything twice."""
    width, height = (_POINTS_AN_INCH * side for side in figure.get_size_inches())
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)


def to_svg(figure: "Figure", label: str, points: Mapping[str, Sequence[Attributes]] | None = None) -> Markup:
    """Return a figure as an SVG element that is safe to stand in HTML.

    Args:
        figure: made by :func:`drawing`, and still within it.
        label: what a screen reader says of it.
        points: for the ``gid`` of a scatter, the attributes of each of its points, in order.

    Raises:
        ValueError: if a scatter did not draw every point.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    print_if_asked(figure, _PRINTED)
    root = ElementTree.fromstring(buffer.getvalue())
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
    for parent in root.iter("defs"):
        for style in parent.findall("style"):
            parent.remove(style)  # its rules would hold for the whole page
    for group in root.iter("g"):
        _mark(group, (points or {}).get(group.attrib.pop("id", "")))
    width, height = (root.attrib.pop(name).removesuffix("pt") for name in ("width", "height"))
    root.attrib = {
        "viewBox": f"0 0 {width} {height}",
        "class": "plot",
        "role": "group" if points else "img",
        "aria-label": label,
    }
    text = ElementTree.tostring(root, encoding="unicode")
    for colour, variable in THEME.items():
        text = text.replace(colour, variable)
    return Markup(text)


def _mark(group: ElementTree.Element, attributes: Sequence[Attributes] | None) -> None:
    """Give each point of a scatter its attributes."""
    if attributes is None:
        return
    drawn = list(group.iter("use"))
    if len(drawn) != len(attributes):
        raise ValueError(f"{len(drawn)} points were drawn of {len(attributes)}")
    for point, given in zip(drawn, attributes, strict=True):
        point.attrib |= given
