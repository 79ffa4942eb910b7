"""The ``classes``, ``ignore`` and ``threshold`` entries of a card or a ``dataset.yaml``, read."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from unetseg.data.datasets.labels import IGNORED, Colour, LabelMap, Raw
from unetseg.errors import UsageError
from unetseg.utilities.yaml_files import require_keys

MAX_CLASSES = 254


@dataclass(frozen=True)
class Classes:
    """Names, display colours and raw values of a set's classes; index 0 is the background."""

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    labels: LabelMap
    ignore_index: int | None


def indexed(names: Iterable[str], ignored: Collection[int] = ()) -> Classes:
    """Classes whose raw values are their indices.

    Of two classes the second may also be written as 255, unless 255 is ignored.
    """
    names = tuple(names)
    return parse_classes(list(names), {"values": list(ignored)} if ignored else None, "classes")


def parse_classes(classes: Any, ignore: Any, where: str, threshold: Any = None) -> Classes:
    """Read the ``classes``, ``ignore`` and ``threshold`` entries of a card or a ``dataset.yaml``.

    Args:
        classes: A list of names (raw value = position), or a mapping from name to a raw value, to a
            colour ``[r, g, b]``, or to ``{values: [...] or rest, colour: [r, g, b]}``. The first class,
            the background, may have no value at all: ``[]``.
        ignore: None, a raw value, a colour, a list of either, ``{values: [...]}``, or ``rest``.
        where: What the errors name as the place.
        threshold: None, or the grey from which a pixel is the second of two classes.

    Raises:
        UsageError: The entries are not of that form, or two classes share a value.
    """
    names, entries = _named_entries(classes, where)
    shown = tuple(colour or default_colour(index) for index, (_, colour) in enumerate(entries))
    if threshold is not None:
        if len(names) != 2 or ignore is not None or not _is_byte(threshold) or threshold == 0:
            raise UsageError(f"{where}: a threshold (1 to 255) goes with two classes and nothing to ignore")
        return Classes(names, shown, LabelMap({}, threshold=threshold), None)
    table: dict[Raw, int] = {}
    rest = None
    wanted = [(raws, index, names[index]) for index, (raws, _) in enumerate(entries)]
    if ignore is not None:
        wanted.append((_raws(ignore, f"{where}: ignore"), IGNORED, "ignore"))
    for raws, index, name in wanted:
        for raw in raws:
            if raw == "rest":
                rest = index
            elif table.setdefault(raw, index) != index:
                raise UsageError(f"{where}: {name} shares the value {_shown(raw)} with another class")
    values = {raw: index for raw, index in table.items() if isinstance(raw, int)}
    colours = {raw: index for raw, index in table.items() if isinstance(raw, tuple)}
    for (red, green, blue), index in colours.items():
        if red == green == blue:  # a grey class colour may also lie in a single-channel file
            values.setdefault(red, index)
    for value, index in list(values.items()) if colours else ():
        if value <= 255:  # and the other way round, a grey value in a file of colours
            colours.setdefault((value, value, value), index)
    exclusive = None
    if isinstance(classes, list) and len(names) == 2 and 255 not in values and rest is None:
        values[255] = 1
        exclusive = (1, 255)
    return Classes(
        names,
        shown,
        LabelMap(values, colours, rest, exclusive),
        None if ignore is None else IGNORED,
    )


def ignored_values(ignore: Any, where: str) -> set[int]:
    """Return the single-channel values that an ``ignore`` entry names."""
    return {raw for raw in _raws(ignore, f"{where}: ignore") if isinstance(raw, int)}


def default_colour(index: int) -> Colour:
    """Return the colour of class ``index`` in the PASCAL VOC colour map (Everingham et al. 2010)."""
    red = green = blue = 0
    for bit in range(8):
        red |= (index >> 3 * bit & 1) << 7 - bit
        green |= (index >> 3 * bit + 1 & 1) << 7 - bit
        blue |= (index >> 3 * bit + 2 & 1) << 7 - bit
    return red, green, blue


def _named_entries(classes: Any, where: str) -> tuple[tuple[str, ...], list[tuple[list[Any], Colour | None]]]:
    if isinstance(classes, list):
        names = [str(name) for name in classes]
        entries: list[tuple[list[Any], Colour | None]] = [([index], None) for index in range(len(names))]
    elif isinstance(classes, dict):
        names = [str(name) for name in classes]
        entries = [
            _entry(spec, index, f"{where}: class '{name}'")
            for index, (name, spec) in enumerate(classes.items())
        ]
    else:
        raise UsageError(f"{where}: classes must be a list of names, or name: value lines")
    if not 2 <= len(names) <= MAX_CLASSES or len(set(names)) < len(names):
        raise UsageError(
            f"{where}: needs 2 to {MAX_CLASSES} different classes, the background first, "
            f"and has {len(names)}: {', '.join(names[:10])}"
        )
    if "background" in names[1:]:
        raise UsageError(f"{where}: the background must be the first class")
    return tuple(names), entries


def _entry(spec: Any, index: int, where: str) -> tuple[list[Any], Colour | None]:
    if isinstance(spec, dict):
        require_keys(spec, ("values", "colour"), where)
        colour = _colour(spec["colour"], where) if "colour" in spec else None
        return (_raws(spec, where, index == 0) if "values" in spec else [index]), colour
    raws = _raws(spec, where, index == 0)
    return raws, raws[0] if raws and isinstance(raws[0], tuple) else None


def _raws(spec: Any, where: str, may_be_empty: bool = False) -> list[Any]:
    if isinstance(spec, dict):
        values = require_keys(spec, ("values", "colour"), where).get("values")
        items = values if isinstance(values, list) else [values]
    elif isinstance(spec, list) and not (len(spec) == 3 and all(_is_byte(part) for part in spec)):
        items = spec
    else:
        items = [spec]
    if not items and not may_be_empty:
        raise UsageError(f"{where}: no value given")
    return [_raw(item, where) for item in items]


def _raw(item: Any, where: str) -> Raw | str:
    if item == "rest":
        return "rest"
    if isinstance(item, int) and not isinstance(item, bool) and 0 <= item <= 65535:
        return item
    return _colour(item, where)


def _colour(item: Any, where: str) -> Colour:
    if isinstance(item, list) and len(item) == 3 and all(_is_byte(part) for part in item):
        return (item[0], item[1], item[2])
    raise UsageError(f"{where}: {item!r} is neither a value (0 to 65535) nor a colour [r, g, b] (0 to 255)")


def _is_byte(part: Any) -> bool:
    return isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= 255


def _shown(raw: Raw) -> str:
    return str(list(raw)) if isinstance(raw, tuple) else str(raw)
