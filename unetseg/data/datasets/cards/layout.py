"""Where the files of a public set lie: templates with fields that the image's path fills."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from unetseg.data.datasets.cards.values import path_inside, template
from unetseg.data.datasets.samples import Sample
from unetseg.errors import UnetsegError, UsageError
from unetseg.utilities.yaml_files import require_keys

Fields = dict[str, str]
"""What a path fills the fields of a template with."""

_PATHS = ("image", "mask", "valid", "instances")


@dataclass(frozen=True)
class Template:
    """A path with fields, such as ``training/images/{id}_training.tif``.

    A field matches within one folder's or file's name; of two side by side, the second is one character.
    """

    text: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The regular expression of the paths that fit, with a group a field."""
        seen: set[str] = set()
        parts = []
        for text in re.split(r"({\w+})", self.text):
            field = text[1:-1]
            if not text.startswith("{"):
                parts.append(re.escape(text))
            elif field in seen:
                parts.append(f"(?P={field})")
            else:
                seen.add(field)
                parts.append(f"(?P<{field}>[^/]+)")
        return re.compile("".join(parts))

    def match(self, folder: Path) -> Iterator[tuple[Path, Fields]]:
        """Yield every file below ``folder`` that fits, and what its path fills the fields with."""
        for path in folder.glob(re.sub(r"({\w+})+", "*", self.text)):
            match = self.pattern.fullmatch(path.relative_to(folder).as_posix())
            if match and not path.name.startswith("."):
                yield path, match.groupdict()

    def locate(self, folder: Path) -> Path:
        """Return the folder that the template starts from: ``folder``, or else one up to two levels below.

        Archives differ in the folders that they wrap a set in. Where nothing fits, that is ``folder`` too.

        Raises:
            UnetsegError: Several folders fit.
        """
        for pattern in ("", "*", "*/*"):
            below = sorted(path for path in folder.glob(pattern) if path.is_dir()) if pattern else [folder]
            roots = [root for root in below if next(self.match(root), None)]
            if len(roots) > 1:
                names = " and ".join(root.relative_to(folder).as_posix() for root in roots[:2])
                raise UnetsegError(f"{folder}: {names} both hold {self.text}; point to one of them")
            if roots:
                return roots[0]
        return folder

    def require_fields(self, text: str, where: str, also: Collection[str] = ()) -> None:
        """Raise a UsageError if ``text`` uses a field that neither this template nor ``also`` has."""
        for field in re.findall(r"{(\w+)}", text):
            if field not in self.pattern.groupindex and field not in also:
                raise UsageError(f"{where}: '{text}' uses {{{field}}}, which '{self.text}' lacks")


@dataclass(frozen=True)
class Layout:
    """Where the files of one sample lie: the image's path, and what its fields make of the other paths.

    Where ``image`` is ``training/images/{id}_training.tif``, say, ``mask`` may be
    ``training/1st_manual/{id}_manual1.gif``.
    """

    image: Template
    paths: dict[str, str]
    name: str

    @classmethod
    def parse(cls, entry: Any, where: str) -> "Layout":
        """Read the ``layout`` entry of a card."""
        entry = require_keys(entry, (*_PATHS, "name"), f"{where}: layout")
        for key in ("image", "mask"):
            if key not in entry:
                raise UsageError(f"{where}: layout lacks '{key}'")
        paths = {key: path_inside(entry[key], f"{where}: layout: {key}") for key in _PATHS if key in entry}
        image = Template(paths["image"])
        layout = cls(image, paths, template(entry.get("name", "{name}"), f"{where}: layout: name"))
        for text in (*layout.paths.values(), layout.name):
            image.require_fields(text, where)
        return layout

    def fits(self, folder: Path) -> bool:
        """Tell whether an image and its mask lie so in ``folder``, or up to two levels below."""
        try:
            root = self.image.locate(folder)
        except UnetsegError:  # several folders do
            return True
        return self.first_pair(root) is not None

    def first_pair(self, folder: Path) -> tuple[Path, Path] | None:
        """Return the first image that lies so in ``folder`` itself and has a mask, and that mask; or None."""
        for path, fields in self.image.match(folder):
            mask = folder / self.paths["mask"].format(**fields)
            if path != mask and mask.is_file():
                return path, mask
        return None

    def find(self, folder: Path) -> dict[str, Fields]:
        """Return, for every image below ``folder``, its name and what its path fills the fields with."""
        found: dict[str, Fields] = {}
        for path, fields in self.image.match(folder):
            name = self.name.format(**fields)
            if name in found:
                raise UnetsegError(f"{folder}: two images are called '{name}', one is {path}")
            found[name] = fields
        return found

    def sample(self, folder: Path, name: str, fields: Fields, group: str | None) -> Sample:
        """Return the sample whose path filled the fields so, and of a group if it has one."""
        paths = {key: folder / text.format(**fields) for key, text in self.paths.items()}
        valid, instances = paths.get("valid"), paths.get("instances")
        return Sample(name, paths["image"], paths["mask"], valid, instances, group)
