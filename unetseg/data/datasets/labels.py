"""From the raw values in a mask file to class indices, by an explicit table."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

from unetseg.data.images.stored_mask import BLACK, WHITE, StoredMask
from unetseg.errors import UnetsegError
from unetseg.utilities.text import printable

IGNORED = 255
_UNKNOWN = 254  # marks "no class" inside the lookup table; class indices end at 253

Colour: TypeAlias = tuple[int, int, int]
Raw: TypeAlias = int | Colour


class LabelError(UnetsegError):
    """A mask holds values that no class has."""


@dataclass(frozen=True)
class LabelMap:
    """The table from raw values to class indices.

    What counts is what a mask shows, not how its file encodes it: where the classes have colours, a palette's
    colours are looked up; a picture of black and white alone has the values 0 and 255 (or 1, where no class
    has 255); otherwise values are those of the file.

    Attributes:
        values: Raw value of a single-channel mask → class index, or ``IGNORED``.
        colours: Colour of an H×W×3 mask or of a palette → class index, or ``IGNORED``.
        rest: What all other values are, or None where another value is an error.
        exclusive: Two raw values that may not meet in one mask, because each is one way (0/1 and
            0/255) to write the foreground.
        threshold: Where set, masks are grey pictures, and the table is this alone: class 1 from this
            grey of 0 to 255 on (the mean of the channels), class 0 below.
    """

    values: Mapping[int, int]
    colours: Mapping[Colour, int] = field(default_factory=dict)
    rest: int | None = None
    exclusive: tuple[int, int] | None = None
    threshold: int | None = None

    def to_classes(self, raw: np.ndarray | StoredMask, path: Path | None = None) -> np.ndarray:
        """Map raw values to class indices.

        Args:
            raw: As a file was read; or H×W unsigned integers, or H×W×3 uint8 colours. A mask whose three
                channels are equal counts as single-channel unless the classes have colours.
            path: Named in the error.

        Returns:
            H×W uint8 class indices, 255 where ignored.

        Raises:
            LabelError: A value belongs to no class; the message names the values and how often they occur.
        """
        where = f"{printable(path)}: " if path else ""
        mask = StoredMask.of(raw)
        if self.threshold is not None:
            return self._above_threshold(mask, where)
        if mask.values.ndim == 3 and not self.colours:
            mask = StoredMask(_single_channel(mask.values, where))
        if mask.values.ndim == 3:
            return self._checked(self._from_colours(mask.values), mask.values, where)
        if mask.palette is not None and self.colours:
            table = np.zeros(65536, np.uint8)
            table[mask.used] = self._from_colours(mask.colours)
            return self._checked(table[mask.values], mask, where)
        if self._reads_two_tones(mask):
            black, white = self.values.get(0, self._other), self._white(where)
            seen = mask.white
            return self._checked(np.where(seen, white, black).astype(np.uint8), seen * np.uint8(255), where)
        values = self._grey_of_palette(mask)
        if self.rest is not None:
            self._refuse_colours_of_values(mask, where)
        indices = self._checked(self._table[values], values, where)
        if self.exclusive and all((values == value).any() for value in self.exclusive):
            low, high = self.exclusive
            raise LabelError(
                f"{where}holds both {low} and {high}: give the classes values in dataset.yaml, "
                f"or 'ignore: {high}' if {high} marks pixels to leave out"
            )
        return indices

    def meaning_of_indices(self, raw: StoredMask) -> dict[int, Colour]:
        """Return the colour of each palette index that is read as a number; empty where there is none."""
        if raw.palette is None or self.threshold is not None or self.colours or self._reads_two_tones(raw):
            return {}
        if self._grey_of_palette(raw) is not raw.values:
            return {}
        pairs = zip(raw.used.tolist(), raw.colours.tolist(), strict=True)
        return {index: (red, green, blue) for index, (red, green, blue) in pairs}

    def meaning_of_tones(self, raw: StoredMask) -> tuple[bool, dict[Colour, int]]:
        """Return whether a palette's mask is read by its black and white, and what class these are in it."""
        if raw.palette is None or self.threshold is not None or self.colours:
            return False, {}
        used = replace(raw, values=raw.used[None].astype(raw.values.dtype))
        classes = self.to_classes(used)[0].tolist()
        pairs = zip(map(tuple, raw.colours.tolist()), classes, strict=True)
        return self._reads_two_tones(raw), {tone: index for tone, index in pairs if tone in (BLACK, WHITE)}

    def names(self, index: int) -> bool:
        """Tell whether any value or colour at all means the class ``index``."""
        raws = (*self.values.values(), *self.colours.values(), self.rest)
        return self.threshold is not None or index in raws

    @property
    def _other(self) -> int:
        return _UNKNOWN if self.rest is None else self.rest

    def _above_threshold(self, mask: StoredMask, where: str) -> np.ndarray:
        if mask.maximum == 65535 and 1 < mask.values.max() <= 255:
            raise LabelError(
                f"{where}has 16 bits and values up to {mask.values.max()}, black where 65535 is white: "
                "save it with 8 bits"
            )
        return (mask.grey >= self.threshold).astype(np.uint8)

    def _reads_two_tones(self, mask: StoredMask) -> bool:
        """Tell whether a mask is read by its black and white."""
        if mask.two_tone:
            return True
        only_two_classes = {*self.values.values(), self.rest} <= {0, 1, None}
        return only_two_classes and mask.indexes_two_tones

    def _white(self, where: str) -> int:
        one, full = self.values.get(1), self.values.get(255)
        if one is not None and full is not None and one != full:
            raise LabelError(
                f"{where}shows black and white only, and white may be the value 1 or 255, which differ here; "
                "save it as 8-bit grey"
            )
        return next((index for index in (full, one) if index is not None), self._other)

    def _grey_of_palette(self, mask: StoredMask) -> np.ndarray:
        """Return a palette's shades of grey where they, not its indices, are the values; else the values.

        That is so where all of them are values of the classes, or the same numbers as the indices in another
        order: programs that shrink PNGs write grey labels so.
        """
        grey = mask.grey_palette
        if grey is None or not len(grey):
            return mask.values
        numbers = {*grey.tolist()}
        if numbers <= self.values.keys() or numbers == {*range(len(grey))}:
            table = np.zeros(65536, np.uint8)
            table[: len(grey)] = grey
            classes: np.ndarray = table[mask.values]
            return classes
        return mask.values

    def _refuse_colours_of_values(self, mask: StoredMask, where: str) -> None:
        """Refuse values that the rest would swallow, and that stand in a list which was read as a colour."""
        for colour in self.colours:
            if len({*colour}) > 1 and any(part in mask.used and part not in self.values for part in colour):
                raise LabelError(f"{where}holds values of {_read_as_colour(colour)}")

    def _checked(self, indices: np.ndarray, raw: np.ndarray | StoredMask, where: str) -> np.ndarray:
        unknown = indices == _UNKNOWN
        if not unknown.any():
            return indices
        shown = raw.rgb if isinstance(raw, StoredMask) else raw
        pixels = shown[unknown]
        raise LabelError(
            f"{where}{_describe(pixels)} belong to no class ({self._known(shown.ndim)})"
            f"{self._advice(shown, pixels)}"
        )

    def _advice(self, raw: np.ndarray, unknown: np.ndarray) -> str:
        """Return what a user probably has to write, or an empty string."""
        if raw.ndim == 3:
            return ""
        for colour in self.colours:
            if len({*colour}) > 1 and {*np.unique(unknown).tolist()} & {*colour}:
                return f": {_read_as_colour(colour)}"
        listed = {value for value, index in self.values.items() if index != IGNORED}
        count = len(listed)
        from_zero = count > 2 and not self.colours and listed == {*range(count)}
        if from_zero and (unknown == count).all() and (raw > 0).all():
            return "; do the labels begin at 1? then give each class its value in dataset.yaml"
        return ""

    @cached_property
    def _table(self) -> np.ndarray:
        table = np.full(65536, self._other, np.uint8)
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
        return np.where(codes[nearest] == packed, indices[nearest], np.uint8(self._other))

    def _known(self, dimensions: int) -> str:
        if dimensions == 3:
            return "known colours: " + ", ".join(_name(colour) for colour in self.colours)
        if not self.values:
            return "the classes have colours, and this is a single-channel mask"
        return "known values: " + ", ".join(str(value) for value in sorted(self.values))


def raw_values(raw: np.ndarray | StoredMask) -> list[int]:
    """Return the sorted distinct values of a single-channel mask (or of one with three equal channels).

    Black and white alone are 0 and 255, whatever the file encodes them as.

    Raises:
        LabelError: The mask is in colours.
    """
    mask = StoredMask.of(raw)
    flat = _single_channel(mask.values, "") if mask.values.ndim == 3 else mask.shown
    return np.flatnonzero(np.bincount(flat.ravel())).tolist()


def _read_as_colour(colour: Colour) -> str:
    text = str(list(colour))
    return f"{text} in dataset.yaml, which is read as a colour; write {{values: {text}}} for values"


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
