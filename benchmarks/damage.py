"""How much damage inside image files passes unseen, and what looking for it costs.

    python benchmarks/damage.py FOLDER [--files 60] [--seed 0]

Takes images of FOLDER, saves each as PNG (palette, grey, RGB), JPEG and TIFF (plain, LZW, deflate), damages
the copies in five ways and reads them. A copy passes unseen if it is read without an error or a warning and
its pixels are not those of the whole file. TIFFs are damaged in their structure too, one bit a file: header,
directory, offsets, byte counts. Last come false alarms: the whole copies, and every image of FOLDER as it is.
"""

import argparse
import io
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from unetseg.data.images.find import find_images
from unetseg.data.images.read import read_image
from unetseg.errors import UnetsegError
from unetseg.utilities.text import align

_ZEROED = 4096


def one_bit(data: bytes, chance: random.Random) -> bytes:
    return _flip(data, chance.randrange(len(data)), chance)


def zeroed(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(max(1, len(data) - _ZEROED))
    return data[:start] + bytes(len(data[start : start + _ZEROED])) + data[start + _ZEROED :]


def half_zeroed(data: bytes, chance: random.Random) -> bytes:
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def cut_off(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(1, len(data))]


def overwritten(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(max(1, len(data) - 64))
    return data[:start] + chance.randbytes(min(64, len(data) - start)) + data[start + 64 :]


DAMAGE = {"one bit": one_bit, "4 KB zeroed": zeroed, "half zeroed": half_zeroed, "cut off": cut_off,
          "64 bytes of noise": overwritten}  # fmt: skip


def _flip(data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def saved(picture: Image.Image) -> dict[str, bytes]:
    """Return the picture's bytes in each format."""
    rgb, grey = picture.convert("RGB"), picture.convert("L")
    palette = grey.quantize(8)
    files = {
        "PNG palette": _pillow(palette, "PNG"),
        "PNG grey": _pillow(grey, "PNG"),
        "PNG RGB": _pillow(rgb, "PNG"),
        "JPEG": _pillow(rgb, "JPEG", quality=92),
    }
    for name, options in {
        "TIFF plain": {},
        "TIFF LZW": {"compression": "lzw", "rowsperstrip": 32},
        "TIFF deflate": {"compression": "zlib", "tile": (64, 64), "predictor": True},
    }.items():
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, np.asarray(rgb), photometric="rgb", metadata=None, **options)
        files[name] = buffer.getvalue()
    return files


def _pillow(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def structure(data: bytes) -> dict[str, range]:
    """Return the places of a TIFF's header, directory, and of its arrays of offsets and byte counts."""
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        page = tiff.pages.first
        length = 2 + 12 * len(page.tags) + 4
        places = {"header": range(8), "directory": range(page.offset, page.offset + length)}
        for name, codes in {"offsets": (273, 324), "byte counts": (279, 325)}.items():
            tag = next(page.tags[code] for code in codes if code in page.tags)
            places[name] = range(tag.valueoffset, tag.valueoffset + tag.valuebytecount)
        return places


def outcome(path: Path, data: bytes, whole: np.ndarray) -> str:
    """Return ``named``, ``harmless`` (the same pixels) or ``unseen``."""
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pixels = read_image(path)
    except (UnetsegError, Warning):
        return "named"
    return "harmless" if np.array_equal(pixels, whole) else "unseen"


def experiments(files: dict[str, bytes], chance: random.Random) -> Iterator[tuple[str, str, bytes]]:
    for form, data in files.items():
        for kind, damage in DAMAGE.items():
            yield form, kind, damage(data, chance)
        if form.startswith("TIFF"):
            for name, places in structure(data).items():
                yield form, f"one bit: {name}", _flip(data, chance.choice(places), chance)


def timed(paths: list[Path]) -> float:
    """Return the processor's seconds for the fastest of three readings of all files."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for path in paths:
            read_image(path)
        best = min(best, time.process_time() - start)
    return best


ALARMS = ("damaged", "unusual", "a hole between", "unknown tag")  # other warnings are of no damage


def false_alarms(paths: list[Path]) -> list[str]:
    lines = []
    for path in paths:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read_image(path)
        except (UnetsegError, Warning) as error:
            cause = str(error.__cause__ or error)
            if any(word in cause for word in ALARMS):
                lines.append(str(error))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    every = [image.path for image in find_images([options.folder])]
    chance = random.Random(options.seed)
    chosen = chance.sample(every, min(options.files, len(every)))
    counts: dict[tuple[str, str], Counter[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        copies: dict[str, list[Path]] = {}
        for number, path in enumerate(chosen):
            files = saved(Image.fromarray(read_image(path)))
            pixels = {}
            for form, data in files.items():
                copy = Path(scratch, f"{number}-{form}")
                copy.write_bytes(data)
                copies.setdefault(form, []).append(copy)
                pixels[form] = read_image(copy)
            for form, kind, data in experiments(files, chance):
                found = outcome(Path(scratch, "damaged"), data, pixels[form])
                counts.setdefault((form, kind), Counter())[found] += 1
        rows = [["format", "damage", "named", "harmless", "unseen"]]
        rows += [[*key, *(str(found[word]) for word in rows[0][2:])] for key, found in counts.items()]
        print(align(rows, left=2))
        print()
        speeds = {form: timed(paths) for form, paths in copies.items()}
        print(align([["format", "ms a file"], *([form, f"{1000 * each / len(chosen):.2f}"]
                                                for form, each in speeds.items())]))  # fmt: skip
        alarms = [line for paths in copies.values() for line in false_alarms(paths)]
    alarms += false_alarms(every)
    print(f"\nfalse alarms: {len(alarms)} of {len(every)} images of FOLDER and {len(chosen) * 7} copies")
    print("\n".join(alarms[:20]))
    sys.exit(bool(alarms))


if __name__ == "__main__":
    main()
