"""From the raw values in a mask file to class indices, by an explicit table."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.text import printable
from unetseg.utilities.yaml_files import require_keys

IGNORED = 255
MAX_CLASSES = 254
_UNKNOWN = 254  # marks "no class" inside the lookup table; class indices end at 253

Colour: TypeAlias = tuple[int, int, int]
Raw: TypeAlias = int | Colour


class LabelError(UnetsegError):
    """A mask holds values that no class has."""


@dataclass(frozen=True)
class LabelMap:
    """The table from raw values to class indices.

    Attributes:
        values: Raw value of a single-channel mask → class index, or ``IGNORED``.
        colours: Colour of an H×W×3 mask → class index, or ``IGNORED``.
        rest: What all other values are, or None where another value is an error.
        exclusive: Two raw values that may not meet in one mask, because each is one way (0/1 and
            0/255) to write the foreground.
        threshold: Where set, masks are grey pictures, and the table is this alone: class 1 from this
            grey on (the mean of the channels), class 0 below.
    """

    values: Mapping[int, int]
    colours: Mapping[Colour, int] = field(default_factory=dict)
    rest: int | None = None
    exclusive: tuple[int, int] | None = None
    threshold: int | None = None

    def to_classes(self, raw: np.ndarray, path: Path | None = None) -> np.ndarray:
        """Map raw values to class indices.

        Args:
            raw: H×W unsigned integers, or H×W×3 uint8 colours. A mask whose three channels are equal
                counts as single-channel unless the classes have colours.
            path: Named in the error.

        Returns:
            H×W uint8 class indices, 255 where ignored.

        Raises:
            LabelError: A value belongs to no class; the message names the values and how often they occur.
        """
        where = f"{printable(path)}: " if path else ""
        if self.threshold is not None:
            grey = raw if raw.ndim == 2 else raw.mean(axis=2)
            return (grey >= self.threshold).astype(np.uint8)
        if raw.ndim == 3 and not self.colours:
            raw = _single_channel(raw, where)
        indices = self._from_colours(raw) if raw.ndim == 3 else self._table[raw]
        unknown = indices == _UNKNOWN
        if unknown.any():
            raise LabelError(f"{where}{_describe(raw[unknown])} belong to no class ({self._known(raw.ndim)})")
        if self.exclusive and all((raw == value).any() for value in self.exclusive):
            low, high = self.exclusive
            raise LabelError(
                f"{where}holds both {low} and {high}: give the classes values in dataset.yaml, "
                f"or 'ignore: {high}' if {high} marks pixels to leave out"
            )
        return indices

    @cached_property
    def _table(self) -> np.ndarray:
        table = np.full(65536, _UNKNOWN if self.rest is None else self.rest, np.uint8)
        for value, index in self.values.items():
            table[value] = index
        return table

    @cached_property
    def _codes(self) -> tuple[np.ndarray, np.ndarray]:
        pairs = sorted((red << 16 | green << 8 | blue, i) for (red, green, blue), i in self.colours.items())
        return np.array([code for code, _ in pairs]), np.array([index for _, index in pairs], np.uint8)

    def _from_colours(self, raw: np.ndarray) -> np.ndarray:
        codes, indices = self._codes
        packed = _pack(raw)
        nearest = np.searchsorted(codes, packed).clip(max=len(codes) - 1)
        other = np.uint8(_UNKNOWN if self.rest is None else self.rest)
        return np.where(codes[nearest] == packed, indices[nearest], other)

    def _known(self, dimensions: int) -> str:
        if dimensions == 3:
            return "known colours: " + ", ".join(_name(colour) for colour in self.colours)
        if not self.values:
            return "the classes have colours, and this is a single-channel or palette mask"
        return "known values: " + ", ".join(str(value) for value in sorted(self.values))


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
            colour ``[r, g, b]``, or to ``{values: [...] or rest, colour: [r, g, b]}``.
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
                raise UsageError(f"{where}: {name} shares the value {_name(raw)} with another class")
    values = {raw: index for raw, index in table.items() if isinstance(raw, int)}
    colours = {raw: index for raw, index in table.items() if isinstance(raw, tuple)}
    for (red, green, blue), index in colours.items():
        if red == green == blue:  # a grey class colour may also lie in a single-channel file
            values.setdefault(red, index)
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


def raw_values(raw: np.ndarray) -> list[int]:
    """Return the sorted distinct values of a single-channel mask (or of one with three equal channels).

    Raises:
        LabelError: The mask is in colours.
    """
    flat = _single_channel(raw, "") if raw.ndim == 3 else raw
    return np.flatnonzero(np.bincount(flat.ravel())).tolist()


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
        return (_raws(spec, where) if "values" in spec else [index]), colour
    raws = _raws(spec, where)
    return raws, raws[0] if isinstance(raws[0], tuple) else None


def _raws(spec: Any, where: str) -> list[Any]:
    if isinstance(spec, dict):
        values = require_keys(spec, ("values", "colour"), where).get("values")
        items = values if isinstance(values, list) else [values]
    elif isinstance(spec, list) and not (len(spec) == 3 and all(_is_byte(part) for part in spec)):
        items = spec
    else:
        items = [spec]
    if not items:
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


def _single_channel(raw: np.ndarray, where: str) -> np.ndarray:
    first = raw[..., 0]
    coloured = (raw[..., 1] != first) | (raw[..., 2] != first)
    if coloured.any():
        raise LabelError(
            f"{where}is in colours ({_describe(raw[coloured])}): "
            "list the classes as 'name: [r, g, b]' in dataset.yaml"
        )
    return first


def _pack(raw: np.ndarray) -> np.ndarray:
    wide = raw.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _describe(pixels: np.ndarray, at_most: int = 5) -> str:
    """Name the distinct values of N pixels (N, or N×3 for colours), each with its count."""
    codes = _pack(pixels) if pixels.ndim == 2 else pixels
    found, counts = np.unique(codes, return_counts=True)
    shown = []
    for code, count in list(zip(found.tolist(), counts.tolist(), strict=True))[:at_most]:
        raw = (code >> 16, code >> 8 & 255, code & 255) if pixels.ndim == 2 else code
        shown.append(f"{_name(raw)} ({count} px)")
    more = f" and {len(found) - at_most} more" if len(found) > at_most else ""
    return ("colours " if pixels.ndim == 2 else "values ") + ", ".join(shown) + more


def _name(raw: Raw) -> str:
    return str(list(raw)) if isinstance(raw, tuple) else str(raw)
