"""What a format forces: stacks cut into images, and masks of one object a file merged into one image."""

import io
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tifffile import TiffFile

from unetseg.data.datasets.cards.layout import Fields, Template
from unetseg.data.datasets.cards.values import path_inside, whole
from unetseg.data.images.decode import naming
from unetseg.data.images.pixels import Refused
from unetseg.data.images.read import read_labels
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.files import write_bytes
from unetseg.utilities.yaml_files import require_keys

Found = Iterable[tuple[Path, Fields]]

_BESIDE = {"to", "digits"}  # what stands in a step beside its kind
_MOST_DIGITS = 9


def check_steps(steps: Any, where: str) -> None:
    """Check the ``convert`` entry of a card: the steps that make the layout's files from the publisher's.

    - ``{files: TEMPLATE, to: TEMPLATE}`` copies;
    - ``{objects: TEMPLATE, to: TEMPLATE}`` merges the files that one name results from: each is one object's
      mask, and the result a 16-bit PNG, 0 for the background and 1, 2, … for the objects in order of name;
    - ``{pages: TEMPLATE, to: TEMPLATE}`` writes each page of a TIFF, ``{page}`` being 00, 01, ….

    ``digits: N`` beside them fills numbers in the names with zeros in front, to N digits. Several lists of
    steps are for several forms that a set is handed on in: the first that fits is taken.

    Raises:
        UsageError: The entry is not of that form.
    """
    if not isinstance(steps, list) or not steps:
        raise UsageError(f"{where}: convert must be a list of steps")
    if all(isinstance(step, list) for step in steps):
        for form in steps:
            check_steps(form, where)
        return
    for step in steps:
        kinds = require_keys(step, (*_KINDS, *_BESIDE), f"{where}: convert").keys() - _BESIDE
        if len(kinds) != 1 or "to" not in step:
            raise UsageError(f"{where}: convert: a step has 'to' and one of {', '.join(_KINDS)}")
        kind = kinds.pop()
        if "digits" in step and whole(step["digits"], f"{where}: convert: digits") > _MOST_DIGITS:
            raise UsageError(f"{where}: convert: digits: must be {_MOST_DIGITS} at most")
        source, target = (path_inside(step[key], f"{where}: convert: {key}") for key in (kind, "to"))
        Template(source).require_fields(target, where, also=("page",) if kind == "pages" else ())


def convert(
    steps: list[Any],
    source: Path,
    target: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Make the files of a set's layout in ``target`` from those that lie in ``source``.

    Args:
        steps: As :func:`check_steps` has passed them.
        source: The publisher's files, or a folder at most two levels above them.
        target: Where the files go.
        progress: Told (files done, files in all) of each step.

    Raises:
        UnetsegError: No file is called as a step says, or one cannot be read.
    """
    root = None
    for step in _fitting(steps, source):
        kind = _kind(step)
        template = Template(step[kind])
        root = root or template.locate(source)
        found = [
            (path, _filled(fields, step.get("digits", 0))) for path, fields in sorted(template.match(root))
        ]
        if not found:
            raise UnetsegError(f"{source}: no file is called {template.text}")
        for number, _ in enumerate(_KINDS[kind](found, target, step["to"]), start=1):
            if progress:
                progress(number, len(found))


def _kind(step: dict[str, Any]) -> str:
    return next(iter(step.keys() - _BESIDE))


def _filled(fields: Fields, digits: int) -> Fields:
    return {name: text.zfill(digits) if text.isdecimal() else text for name, text in fields.items()}


def _fitting(steps: list[Any], source: Path) -> list[dict[str, Any]]:
    """Return the steps, of several lists those whose first files lie in ``source``."""
    if not isinstance(steps[0], list):
        return steps
    forms: list[list[dict[str, Any]]] = steps
    firsts = [Template(form[0][_kind(form[0])]) for form in forms]
    for form, first in zip(forms, firsts, strict=True):
        if next(first.match(first.locate(source)), None):
            return form
    raise UnetsegError(f"{source}: no file is called {' or '.join(first.text for first in firsts)}")


def _copy(found: Found, target: Path, to: str) -> Iterator[Path]:
    for path, fields in found:
        destination = target / to.format(**fields)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, destination)
        yield path


def _merge(found: Found, target: Path, to: str) -> Iterator[Path]:
    objects = defaultdict(list)
    for path, fields in found:
        objects[to.format(**fields)].append(path)
    for name, paths in objects.items():
        merged: np.ndarray | None = None
        for number, path in enumerate(paths, start=1):
            mask = read_labels(path)
            inside = (mask if mask.ndim == 2 else mask.max(axis=2)) > 0
            merged = np.zeros(inside.shape, np.uint16) if merged is None else merged
            if inside.shape != merged.shape:
                raise UnetsegError(f"{path}: is of another size than the other objects of its image")
            merged[inside] = number
            yield path
        assert merged is not None
        _write_png(target / name, merged)


def _split_pages(found: Found, target: Path, to: str) -> Iterator[Path]:
    for path, fields in found:
        with naming(path), TiffFile(path) as stack:
            for number, page in enumerate(stack.pages):
                values = page.asarray()
                if values.dtype not in (np.uint8, np.uint16) or values.ndim != 2:
                    raise Refused(f"has pages of shape {values.shape} and type {values.dtype}, not grey ones")
                _write_png(target / to.format(page=f"{number:02}", **fields), values)
        yield path


_KINDS = {"files": _copy, "objects": _merge, "pages": _split_pages}


def _write_png(path: Path, grey: np.ndarray) -> None:
    encoded = io.BytesIO()
    Image.fromarray(grey).save(encoded, "PNG")
    write_bytes(path, encoded.getvalue())
