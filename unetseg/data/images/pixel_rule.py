"""Which of a file's channels a network is given, and the range of values that the dataset uses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unetseg.data.images.pixels import Refused, three_channels
from unetseg.utilities.current_file import doubt

ANY = "any"
PERCENTILES = (0.1, 99.9)
_MOST_PIXELS = 65536  # of an image, from which percentiles are taken
_OTHER_TYPE = {
    "uint8": "holds values of 8 bits",
    "uint16": "holds values of 16 bits",
    "float32": "holds signed, large or floating-point values",
}

Range = tuple[tuple[float, float], ...]  # (lowest, highest) of each channel


@dataclass(frozen=True)
class PixelRule:
    """How the pixels of image files reach a network: their type, their channels, their range.

    The default is that of 8-bit pictures: RGB, grey repeated, alpha dropped, anything else scaled to 8 bits
    by the maximum of its type. Any other rule leaves values as they are stored, and scales them by a range
    that belongs to the dataset.

    Attributes:
        values: ``uint8``, ``uint16``, ``float32``, or ``any`` where the range was given.
        channels: Of the file, by number from 1 or by name; None for RGB, grey repeated and alpha dropped.
        range: What becomes 0 and 1, one pair a channel; None where it is not measured yet, and of 8 bits.
    """

    values: str = "uint8"
    channels: tuple[str, ...] | None = None
    range: Range | None = None

    @property
    def eight_bit_rgb(self) -> bool:
        """Whether it is the rule of 8-bit pictures, as of every run that has none of its own."""
        return self.values == "uint8" and self.channels is None and self.range is None

    @property
    def bytes(self) -> bool:
        """Whether values stay what they are, 0 to 255."""
        return self.values == "uint8"

    @property
    def count(self) -> int:
        """The channels that a network is given."""
        return 3 if self.channels is None else len(self.channels)

    @property
    def unit_bytes(self) -> int:
        """The bytes of a pixel that ``to_unit`` returns."""
        return self.count * (1 if self.bytes else 4)

    @property
    def measured(self) -> bool:
        """Whether the range is known."""
        return self.bytes or self.range is not None

    def reads_like(self, other: "PixelRule") -> bool:
        """Tell whether two rules make one array of a file; their ranges may differ."""
        return (self.values, self.channels) == (other.values, other.channels)

    def of_run(self, run: "PixelRule") -> "PixelRule":
        """Return the rule with the range of a run whose weights are taken, where both read files alike."""
        return run if self.reads_like(run) else self

    def measure(self, images: Sequence[np.ndarray]) -> "PixelRule":
        """Return the rule with the percentiles of each channel over images, H×W×C, as its range."""
        if self.measured:
            return self
        samples = [_thinned(image) for image in images]
        pairs = [_percentiles(np.concatenate([each[:, i] for each in samples])) for i in range(self.count)]
        return replace(self, range=tuple(pairs))

    def pick(self, samples: np.ndarray, names: Sequence[str] = (), picture: bool = True) -> np.ndarray:
        """Return the channels that a network is given.

        Args:
            samples: H×W×C, all channels of a file.
            names: What the file calls them, as far as it does.
            picture: Whether they are grey or RGB, with or without alpha.

        Raises:
            Refused: It lacks a channel, or its values are of another type than the rule's.
        """
        if self.values not in (ANY, samples.dtype.name):
            raise Refused(
                f"{_OTHER_TYPE[samples.dtype.name]}, where the images of the training are of {self.kind}; "
                "save it as they are"
            )
        if self.channels is None:
            if not picture:
                raise Refused(
                    f"has {samples.shape[2]} channels, where RGB or grey is expected; choose some with "
                    "'fit --channels'"
                )
            return three_channels(samples)
        count = samples.shape[2]
        indices = [self._index(channel, count, names) for channel in self.channels]
        if indices == [*range(count)]:
            return samples
        if indices == [*range(len(indices))]:  # the training's images may have had no others
            doubt(f"has {count} channels, of which the first {len(indices)} are read")
        return np.ascontiguousarray(samples[:, :, indices])

    def _index(self, channel: str, count: int, names: Sequence[str]) -> int:
        names = names[:count]  # an RGB image has no alpha
        lower = [name.casefold() for name in names]
        if channel.casefold() in lower:
            return lower.index(channel.casefold())
        if channel.isdecimal() and 1 <= int(channel) <= count:
            return int(channel) - 1
        known = f" ({', '.join(names)})" if names else " without names" if not channel.isdecimal() else ""
        raise Refused(f"has {count} channel(s){known}; the channels to read are {self.channels_text}")

    def to_unit(self, image: np.ndarray) -> np.ndarray:
        """Return 8-bit values as they are, others as float32, the range brought to 0..1 and cut to it.

        What is no number becomes 0.
        """
        if self.bytes:
            return image
        assert self.range is not None
        low, high = np.asarray(self.range, np.float32).T
        unit: np.ndarray = image.astype(np.float32)
        unit -= low
        unit *= 1 / (high - low)
        np.clip(unit, 0, 1, out=unit)
        if image.dtype.kind == "f":
            np.nan_to_num(unit, copy=False)
        return unit

    def from_bytes(self, image: np.ndarray) -> np.ndarray:
        """Return values of this rule whose range is used as ``image``, uint8, uses 0 to 255."""
        if self.bytes:
            return image
        low, high = np.asarray(self.range, np.float32).T
        values: np.ndarray = low + image.astype(np.float32) / 255 * (high - low)
        return values.astype(np.uint16) if self.values == "uint16" else values

    def shown(self, image: np.ndarray) -> np.ndarray:
        """Return an image, H×W×C, to look at: H×W×3 uint8, the first three channels, or the first as grey."""
        known = self if self.measured else self.measure([image])
        unit = known.to_unit(image)
        eight_bits = unit if unit.dtype == np.uint8 else (unit * 255 + 0.5).astype(np.uint8)
        if eight_bits.shape[2] == 3:
            return eight_bits
        return np.ascontiguousarray(three_channels(eight_bits[:, :, : max(1, eight_bits.shape[2] // 3 * 3)]))

    def check(self, image: np.ndarray) -> None:
        """Raise a ValueError unless an array is an image of this rule."""
        types = ("uint8", "uint16", "float32") if self.values == ANY else (self.values,)
        fits = image.ndim == 3 and image.shape[2] == self.count and image.dtype.name in types
        if not fits or image.size == 0:
            raise ValueError(
                f"image: expected H×W×{self.count} {' or '.join(types)}, got {image.dtype} of shape "
                f"{image.shape}"
            )

    @property
    def kind(self) -> str:
        """The type of its values, in words."""
        return {"uint8": "8 bits", "uint16": "16 bits", "float32": "floating point"}.get(
            self.values, "any type"
        )

    @property
    def reading(self) -> str:
        """What is read, in words."""
        return f"{self.kind}, {'RGB or grey' if self.channels is None else f'channels {self.channels_text}'}"

    @property
    def channels_text(self) -> str:
        """The channels, as ``--channels`` takes them; empty for RGB."""
        return ",".join(self.channels or ())

    def __str__(self) -> str:
        """Return what is read, and its range."""
        if self.range is None:
            return self.reading
        pairs = [f"{low:.6g} to {high:.6g}" for low, high in self.range]
        return f"{self.reading}, range {', '.join(pairs if len({*pairs}) > 1 else pairs[:1])}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "values": self.values,
            "channels": None if self.channels is None else list(self.channels),
            "range": None if self.range is None else [list(pair) for pair in self.range],
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PixelRule":
        """Build from the plain values of ``to_dict``."""
        channels, pairs = values["channels"], values["range"]
        return cls(
            str(values["values"]),
            None if channels is None else tuple(str(each) for each in channels),
            None if pairs is None else tuple((float(low), float(high)) for low, high in pairs),
        )


EIGHT_BIT_RGB = PixelRule()


def _thinned(image: np.ndarray) -> np.ndarray:
    """Return pixels of an image at even steps, N×C, at most so many."""
    pixels = image.reshape(-1, image.shape[2])
    return pixels[:: -(-len(pixels) // _MOST_PIXELS)]


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    """Return the two percentiles of values, or where they are one, a range that holds all values."""
    known = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not len(known):
        return 0.0, 1.0
    low, high = (float(each) for each in np.percentile(known, PERCENTILES))
    if not high > low:
        low, high = float(known.min()), float(known.max())
    if not high > low:
        high = low + 1
    # float32 holds these exactly: what is kept in a run is what was trained with
    return float(np.float32(low)), float(np.float32(high))
