"""Cards: one YAML file says all there is to say about a public set, and no code does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from unetseg.data.datasets.cards.convert import check_steps
from unetseg.data.datasets.cards.layout import Fields, Layout
from unetseg.data.datasets.cards.splits import check_split, divide, template_groups
from unetseg.data.datasets.cards.values import items, path_inside, text, whole
from unetseg.data.datasets.class_entries import Classes, parse_classes
from unetseg.data.datasets.groups import check_groups, find_groups, warn_of_cut_groups
from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.utilities.text import first_few, printable, shown
from unetseg.utilities.yaml_files import read_yaml, require_keys

CATALOG = Path(__file__).parents[2] / "catalog"
_TEXTS = ("title", "citation", "homepage", "licence", "terms", "manual")
_CLASSES = ("classes", "ignore", "threshold")
_SETTINGS = ("layout", *_CLASSES, "variants", "split", "group")
_ENTRIES = ("name", "aliases", "files", "images", "convert", *_SETTINGS)
_CHECKSUMS = ("sha256", "md5")
_FILE_KEYS = ("addresses", "size", "md5", "sha256", "into")


@dataclass(frozen=True)
class RemoteFile:
    """A file of a set at its publisher's.

    Attributes:
        addresses: Where it lies; the second and later ones are mirrors.
        size: Bytes, or None where unknown.
        checksums: Hexadecimal digest by algorithm (``md5``, ``sha256``).
        into: Folder, below the set's own, that it is unpacked into.
    """

    addresses: tuple[str, ...]
    size: int | None
    checksums: dict[str, str]
    into: str = "."

    @property
    def name(self) -> str:
        """The file's name, from its address."""
        return PurePosixPath(urlsplit(self.addresses[0]).path).name


@dataclass(frozen=True)
class Card:
    """A card that was read and found to be complete.

    Attributes:
        path: The YAML file.
        name: What the set is called, also its folder below the data root.
        aliases: Other names it answers to.
        texts: title, citation, homepage, licence, terms, manual (the steps a person takes).
        files: What to download.
        images: How many images the whole set has, 0 where its files have checksums.
        convert: The steps that make the layout's files from those downloaded (:mod:`~.convert`).
        settings: The layout, classes, variants and split, as they stand in the file.
    """

    path: Path
    name: str
    aliases: tuple[str, ...]
    texts: dict[str, str]
    files: tuple[RemoteFile, ...]
    images: int
    convert: list[Any]
    settings: dict[str, Any]

    @property
    def variants(self) -> tuple[str, ...]:
        """The names that may follow the colon."""
        return tuple(self.settings.get("variants", {}))

    @property
    def size(self) -> int | None:
        """Bytes to download, or None where unknown."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if sizes and len(sizes) == len(self.files) else None

    def with_variant(self, variant: str | None) -> dict[str, Any]:
        """Return the settings, with those of ``variant`` in place of the general ones."""
        if variant is None:
            return self.settings
        if variant not in self.variants:
            offered = f"there are: {', '.join(self.variants)}" if self.variants else "it has none"
            near = did_you_mean(variant, self.variants)
            raise UsageError(f"'{self.name}' has no variant '{variant}'{near} ({offered})")
        settings: dict[str, Any] = self.settings | self.settings["variants"][variant]
        return settings


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        UsageError: A key is unknown or missing, or an entry is not of its form.
    """
    where = str(path)
    entry = require_keys(read_yaml(path), _TEXTS + _ENTRIES, where)
    missing = [key for key in ("name", "title", "licence", "layout", "classes", "split") if key not in entry]
    if missing:
        raise UsageError(f"{where}: lacks {', '.join(missing)}")
    name = text(entry["name"], f"{where}: name")
    if not re.fullmatch(r"\w[\w.-]*", name) or len(name) > 100:
        raise UsageError(f"{where}: '{name[:100]}' is no name: it may hold letters, digits, '-', '_', '.'")
    card = Card(
        path,
        name,
        tuple(
            text(alias, f"{where}: aliases") for alias in items(entry.get("aliases", []), f"{where}: aliases")
        ),
        {"title": name, "licence": "not said"}
        | {key: shown(text(entry[key], f"{where}: {key}")) for key in _TEXTS if entry.get(key) is not None},
        tuple(_remote(file, where) for file in items(entry.get("files", []), f"{where}: files")),
        whole(entry.get("images", 0), f"{where}: images"),
        entry.get("convert", []),
        {key: entry[key] for key in _SETTINGS if key in entry},
    )
    if "convert" in entry:
        check_steps(card.convert, where)
    variants = entry.get("variants", {})
    require_keys(variants, variants if isinstance(variants, dict) else (), f"{where}: variants")
    for variant in (None, *variants):
        if variant is not None:
            require_keys(variants[variant], ("layout", *_CLASSES), f"{where}: variant {variant}")
        settings = card.with_variant(variant)
        _classes(settings, where)
        layout = Layout.parse(settings["layout"], where)
        check_split(entry["split"], layout, where)
    if "group" in entry:
        _check_groups(entry, where)
    return card


@cache
def catalog() -> tuple[Card, ...]:
    """Return the cards that come with the package, by name."""
    return tuple(sorted(map(read_card, CATALOG.glob("*.yaml")), key=lambda card: card.name))


def catalog_names() -> list[str]:
    """Return every name and alias that the catalogue answers to."""
    return [name for card in catalog() for name in (card.name, *card.aliases)]


def find_card(name: str) -> Card | None:
    """Return the card with that name or alias, or None."""
    return next((card for card in catalog() if name in (card.name, *card.aliases)), None)


def fitting_cards(folder: Path) -> list[Card]:
    """Return the cards of the catalogue whose layout an image and its mask in ``folder`` have."""
    return [card for card in catalog() if Layout.parse(card.settings["layout"], str(card.path)).fits(folder)]


def first_pairs(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return an image and its mask for each card of the catalogue whose layout ``folder`` itself has."""
    pairs = {
        card.name: Layout.parse(card.settings["layout"], str(card.path)).first_pair(folder)
        for card in catalog()
    }
    return {name: found for name, found in pairs.items() if found is not None}


def open_card(
    card: Card,
    folder: Path,
    *,
    variant: str | None = None,
    split_seed: int = 0,
    missing: list[str] | None = None,
) -> SegmentationSet:
    """Open the files of a card's set that lie in ``folder``, or in a folder at most two levels below it.

    Args:
        card: What the set is.
        folder: Where its files lie.
        variant: One of the card's variants.
        split_seed: Draws the splits that the set does not come with.
        missing: Takes one line for each file that is not there, and its sample is left out; without, such
            files are an error.

    Raises:
        UnetsegError: Files that the card speaks of are not there; the message names the first few.
    """
    settings = card.with_variant(variant)
    layout = Layout.parse(settings["layout"], str(card.path))
    folder = layout.image.locate(folder)
    fields = layout.find(folder)
    if not fields:
        original = f"'unetseg data get {card.name} --from {folder}' converts them"
        hint = f"; if these are the publisher's own files, {original}" if card.convert else ""
        raise UnetsegError(
            f"{folder}: no file is called {layout.image.text}, as in the layout of {card.name}{hint}"
        )
    groups = _groups(settings, folder, fields, str(card.path))
    split = divide(settings["split"], folder, fields, groups, split_seed, missing)
    if groups:
        warn_of_cut_groups(split, groups, str(folder))
    samples = {
        name: layout.sample(folder, name, fields[name], groups.get(name))
        for members in split.values()
        for name in members
    }
    _miss_files(folder, samples, missing)
    classes = _classes(settings, str(card.path))
    return SegmentationSet(
        card.name if variant is None else f"{card.name}:{variant}",
        classes.names,
        classes.colours,
        classes.ignore_index,
        {
            part: tuple(samples[name] for name in members if name in samples)
            for part, members in split.items()
        },
        classes.labels,
    )


def count_images(card: Card, folder: Path) -> int:
    """Return how many images of a card's layout lie in ``folder``, whether a split names them or not."""
    layout = Layout.parse(card.settings["layout"], str(card.path))
    return len(layout.find(layout.image.locate(folder)))


def _check_groups(entry: dict[str, Any], where: str) -> None:
    check_groups(entry["group"], where)
    if isinstance(entry["group"], dict) and "csv" in entry["group"]:
        path_inside(entry["group"]["csv"], f"{where}: group: csv")
    if "group" in entry["split"]:
        raise UsageError(f"{where}: has a group, and another under split; keep one")


def _groups(
    settings: dict[str, Any], folder: Path, fields: Mapping[str, Fields], where: str
) -> dict[str, str]:
    if "group" in settings:
        return find_groups(settings["group"], folder, fields, where)
    return template_groups(settings["split"], fields)


def _classes(settings: dict[str, Any], where: str) -> Classes:
    return parse_classes(settings["classes"], settings.get("ignore"), where, settings.get("threshold"))


def _remote(entry: Any, where: str) -> RemoteFile:
    """Read one of the ``files``: nothing that a card says may lead out of the set's own folder."""
    place = f"{where}: files"
    entry = require_keys(entry, _FILE_KEYS, place)
    addresses = entry.get("addresses")
    if not isinstance(addresses, list) or not addresses:
        raise UsageError(f"{where}: a file lacks 'addresses' (a list)")
    for address in addresses:
        if not _is_web_address(address):
            raise UsageError(f"{where}: '{address}' is no http or https address")
    checksums = {kind: text(entry[kind], f"{place}: {kind}").lower() for kind in _CHECKSUMS if kind in entry}
    size = whole(entry["size"], f"{place}: size", least=1) if entry.get("size") is not None else None
    into = path_inside(entry.get("into", "."), f"{place}: into")
    file = RemoteFile(tuple(addresses), size, checksums, into)
    if (
        file.name in ("", ".", "..")
        or not file.name.isprintable()
        or "\\" in file.name
        or len(file.name) > 200
    ):
        raise UsageError(f"{place}: '{addresses[0]}' ends in no file's name")
    return file


def _is_web_address(value: Any) -> bool:
    try:
        return urlsplit(str(value)).scheme in ("http", "https") and bool(urlsplit(str(value)).hostname)
    except ValueError:
        return False


def _miss_files(folder: Path, samples: dict[str, Sample], missing: list[str] | None) -> None:
    """Refuse files that are not there; with a list for them, take their samples out instead."""
    absent = []
    for name, sample in list(samples.items()):
        paths = {
            path for path in (sample.mask, sample.valid, sample.instances) if path and not path.is_file()
        }
        absent += sorted(paths)
        if paths:
            del samples[name]
    if missing is not None:
        missing += [f"{printable(path)}: is missing" for path in absent]
    elif absent:
        names = first_few(path.relative_to(folder).as_posix() for path in absent)
        raise UnetsegError(f"{folder}: {len(absent)} file(s) are missing: {names}")
