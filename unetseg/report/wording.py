"""Numbers as a page shows them."""

import math
from collections.abc import Mapping

from unetseg.report.html.page import Table
from unetseg.studies.analysis.intervals import excludes_zero_there


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a number with three decimals and a minus sign; nothing for None, a dash where undefined."""
    if value is None:
        return ""
    if math.isnan(value):
        return "–"
    text = f"{value:z.3f}".replace("inf", "∞").replace("-", "−")
    return f"+{text}" if signed and not text.startswith("−") else text


def interval(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Return both ends of an interval; "unknown" where it has none."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return "unknown"
    return " to ".join(excludes_zero_there(end) or number(end, signed=signed) for end in (low, high))


def counted(count: int, what: str) -> str:
    """Return ``"1 image"``, ``"2 images"``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def capital(text: str) -> str:
    """Return a heading of ``text``: a word in lower case gets a capital; names such as clDice stay."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].islower() else text


def versions_table(versions: Mapping[str, str | None]) -> list[Table]:
    """Return the table of what computed a result, or nothing."""
    rows = [[name, version or "not installed"] for name, version in versions.items()]
    return [Table("Versions", ["Package", "Version"], rows, folded=True)] if rows else []


def configuration_table(config: Mapping[str, object], name: str) -> Table:
    """Return the folded table of a complete configuration."""
    rows = [[key, "" if value is None else str(value)] for key, value in config.items()]
    return Table(f"The complete configuration of {name}", ["Key", "Value"], rows, folded=True)
