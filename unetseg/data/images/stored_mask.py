"""A mask as its file holds it, and what a viewer would show: grey or colour, whatever the encoding."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from unetseg.data.images.pixels import Refused

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
_DARK, _LIGHT = 16, 239  # what is still about black, and about white


@dataclass(frozen=True)
class StoredMask:
    """The values of a mask file, with what gives them their look.

    Attributes:
        values: H×W uint8 or uint16 as saved (indices of a palette, grey of any depth; 1-bit as 0 and 1), or
            H×W×3 uint8 colours.
        maximum: The value that is white: 1, 3, 15, 255 or 65535; of no meaning for palettes and colours.
        palette: K×3 uint8, the colour of each index; None where the values are grey or colours.
        inverted: Grey whose 0 is white (TIFF's WhiteIsZero, but for 1-bit, whose values are turned round).
        turned: Whether the file's EXIF orientation turned it.
    """

    values: np.ndarray
    maximum: int = 255
    palette: np.ndarray | None = None
    inverted: bool = False
    turned: bool = False

    @classmethod
    def of(cls, raw: "np.ndarray | StoredMask") -> "StoredMask":
        """Return ``raw``, or grey of its type's full depth (H×W), or colours (H×W×3)."""
        return raw if isinstance(raw, StoredMask) else cls(raw, int(np.iinfo(raw.dtype).max))

    @cached_property
    def used(self) -> np.ndarray:
        """The sorted distinct values of an H×W mask."""
        return np.flatnonzero(np.bincount(self.values.ravel()))

    @property
    def two_tone(self) -> bool:
        """Whether it shows black and white: 1-bit, a palette of these two, or 0 and 255 of which 0 is white.

        Programs that shrink PNGs number the colours of a palette as they like, so that there is no meaning
        in the indices of such a file.
        """
        if self.values.ndim == 3:
            return False
        if self.palette is None:
            return self.maximum == 1 or (self.inverted and {*self.used.tolist()} - {0} == {self.maximum})
        return bool(len(self.palette)) and _all_black_or_white(self.palette)

    @property
    def indexes_two_tones(self) -> bool:
        """Whether it is a picture in black and white, although its palette may hold more colours.

        That is so where it uses two indices, one about black and one about white. Where it uses a single one,
        the palette tells: its first two colours are these, or it has no more than one colour beside them.
        """
        if self.palette is None or self.values.ndim == 3 or not _are_tones(self.colours):
            return False
        if len(self.used) != 1:
            labels = {*self.colours[:, 0].tolist()} == {1, 255}  # greys that may be classes by themselves
            return len(self.used) == 2 and _holds_both_tones(self.colours) and not labels
        begins_so = self.used[-1] <= 1 and _are_tones(self.palette[:2])
        few = len(np.unique(self.palette, axis=0)) <= 3
        return _holds_both_tones(self.palette[:2] if begins_so else self.palette) and (begins_so or few)

    @property
    def grey_palette(self) -> np.ndarray | None:
        """The shades (K, uint8) of a palette that holds nothing but grey, else None."""
        if self.palette is None or (self.palette != self.palette[:, :1]).any():
            return None
        return self.palette[:, 0]

    @property
    def colours(self) -> np.ndarray:
        """The palette's colours of ``used``, N×3 uint8; an index beyond the palette is black."""
        assert self.palette is not None
        padded = np.zeros((max(len(self.palette), int(self.used[-1]) + 1), 3), np.uint8)
        padded[: len(self.palette)] = self.palette
        colours: np.ndarray = padded[self.used]
        return colours

    @property
    def rgb(self) -> np.ndarray:
        """The colours of a mask with a palette, H×W×3 uint8."""
        table = np.zeros((65536, 3), np.uint8)
        table[self.used] = self.colours
        rgb: np.ndarray = table[self.values]
        return rgb

    @property
    def shown(self) -> np.ndarray:
        """The values (H×W), 0 and 255 where the picture can only show black and white."""
        return self.white * np.uint8(255) if self.two_tone else self.values

    @property
    def shown_in_two_tones(self) -> np.ndarray:
        """The values (H×W), 0 and 255 where the picture is in black and white: for masks of two classes."""
        return self.white * np.uint8(255) if self.indexes_two_tones else self.shown

    @property
    def white(self) -> np.ndarray:
        """H×W bool: which pixels of a mask that shows two tones are white."""
        if self.palette is None:
            white: np.ndarray = self.values == (0 if self.inverted and self.maximum > 1 else self.maximum)
            return white
        table = np.zeros(65536, bool)
        table[self.used] = self.colours.min(axis=1) >= _LIGHT
        white = table[self.values]
        return white

    @property
    def grey(self) -> np.ndarray:
        """What is shown as grey of 0 to 255, H×W floating point or uint8; of colours the mean."""
        if self.values.ndim == 3:
            mean: np.ndarray = self.values.mean(axis=2)
            return mean
        if self.palette is not None:
            table = np.zeros(65536)
            table[self.used] = self.colours.mean(axis=1)
            shade: np.ndarray = table[self.values]
            return shade
        grey = self.values if self.maximum == 255 else self.values * (255 / self.maximum)
        return 255 - grey if self.inverted else grey


def refuse_shape_in_alpha(mask: StoredMask, alpha: np.ndarray) -> None:
    """Refuse a mask whose colour is one everywhere while its transparency differs.

    Args:
        mask: what the other channels hold.
        alpha: H×W of any type, or one value for each index of the mask's palette.

    Raises:
        Refused: The shape lies in ``alpha``, which is not read.
    """
    if mask.palette is not None and alpha.ndim == 1:
        padded = np.full(65536, 255, np.uint8)
        padded[: len(alpha)] = alpha
        same, alpha = (mask.colours == mask.colours[0]).all(), padded[mask.used]
    else:
        same = (mask.values == mask.values[0, 0]).all()
    if same and (alpha != alpha.flat[0]).any():
        raise Refused(
            "is the same colour everywhere, its shape is in the alpha channel; "
            "save the mask without transparency, as black and white"
        )


def _are_tones(colours: np.ndarray) -> bool:
    """Tell whether each colour is about black or about white: programs that shrink PNGs shift them."""
    return bool(((colours.max(axis=1) <= _DARK) | (colours.min(axis=1) >= _LIGHT)).all())


def _holds_both_tones(colours: np.ndarray) -> bool:
    dark, light = colours.max(axis=1) <= _DARK, colours.min(axis=1) >= _LIGHT
    return bool(dark.any() and light.any())


def _all_black_or_white(colours: np.ndarray) -> bool:
    first = colours[:, :1]
    return bool(((colours == first).all(axis=1) & ((first == 0) | (first == 255))[:, 0]).all())
