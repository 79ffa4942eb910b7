"""Sets of the catalogue on this machine: which there are, and how one gets here, whole or not at all."""

import shutil
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from unetseg.data.datasets.cards.archives import unpack
from unetseg.data.datasets.cards.card import (
    Card,
    catalog,
    catalog_names,
    count_images,
    find_card,
    open_card,
    read_card,
)
from unetseg.data.datasets.cards.convert import convert
from unetseg.data.datasets.cards.download import Progress, fetch, find_fault
from unetseg.data.datasets.embedded import is_synthetic, synthetic_recipe
from unetseg.data.datasets.open import EMBEDDED
from unetseg.data.images.find import list_files
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.utilities.text import printable, shown


@dataclass(frozen=True)
class CatalogEntry:
    """A line of ``unetseg data list``.

    Attributes:
        name: What to call it, variants in brackets.
        title: The set's full name.
        licence: Its licence.
        size: Bytes to download, 0 for a set that is drawn, None where unknown.
        present: Whether its folder lies below the data root.
        by_hand: Whether a person has to fetch it.
    """

    name: str
    title: str
    licence: str
    size: int | None
    present: bool
    by_hand: bool = False


def describe_catalog(root: Path = Path("data")) -> list[CatalogEntry]:
    """Return what can be named as a dataset: the embedded sets, then the cards."""
    drawn = [
        CatalogEntry(name, title, "embedded", 0, (root / synthetic_recipe(name).folder_name).is_dir())
        for name, title in EMBEDDED.items()
    ]
    cards = [
        CatalogEntry(
            card.name + "".join(f" [:{variant}]" for variant in card.variants),
            card.texts["title"],
            card.texts["licence"],
            card.size,
            (root / card.name).is_dir(),
            not card.files,
        )
        for card in catalog()
    ]
    return drawn + cards


def named_card(name: str) -> Card:
    """Return the card of that name, alias or path.

    Raises:
        UsageError: There is none.
    """
    if is_synthetic(name):
        raise UsageError(f"'{name}' is drawn at first use; there is nothing to download")
    if Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        return read_card(Path(name))
    card = find_card(name.partition(":")[0])
    if card is None:
        near = did_you_mean(name, catalog_names())
        raise UsageError(f"no dataset '{name}' in the catalogue{near} (see 'unetseg data list')")
    return card


def describe_card(card: Card) -> str:
    """Return all that a card says to a person, as lines: whose the set is, its terms, how to get it."""
    classes = card.settings["classes"]
    lines = {
        "": card.texts["title"],
        "cite": card.texts.get("citation"),
        "page": card.texts.get("homepage"),
        "licence": card.texts["licence"],
        "terms": card.texts.get("terms"),
        "classes": ", ".join(map(str, classes)),
        "variants": ", ".join(f"{card.name}:{variant}" for variant in card.variants),
        "to get it": f"unetseg data get {card.name}" if card.files else _steps(card),
    }
    width = max(map(len, lines)) + 2
    return "\n".join(
        fill(shown(text), 110, initial_indent=f"{key:<{width}}" if key else "", subsequent_indent=" " * width)
        for key, text in lines.items()
        if text
    )


def get_dataset(
    name: str,
    root: Path = Path("data"),
    progress: Progress | None = None,
    sources: Sequence[Path] = (),
    converting: Callable[[int, int], None] | None = None,
) -> Path:
    """Bring a set of the catalogue into ``root``, unless it is there.

    What an interrupted download has fetched stays in ``root/.download/NAME`` and the next call goes on from
    there. The set's folder appears when all files were verified, unpacked, converted and found.

    Args:
        name: A card's name, alias or path.
        root: Where sets lie.
        progress: Told how far the download is.
        sources: Archives, files or folders that a person has fetched, instead of a download.
        converting: Told (files done, files in all) where the set has to be converted.

    Returns:
        The set's folder.

    Raises:
        UsageError: There is no such set or source.
        UnetsegError: The set must be fetched by hand (the message says how), no address answers, a checksum
            is wrong, an archive is not safe or holds something else, or the disk is full.
    """
    card = named_card(name)
    target = root / card.name
    if target.is_dir():
        if sources:
            raise UsageError(f"{target}: is there already; delete it to get {card.name} anew")
        return target
    for source in sources:
        if not (source.is_file() or source.is_dir()):
            what = "is a pipe or device; name a file" if source.exists() else "no such file"
            raise UsageError(f"{printable(source)}: {what} or folder")
    if not card.files and not sources:
        raise UnetsegError(f"{card.texts['title']} must be fetched by hand: {_steps(card)}")
    workplace = root / ".download" / card.name
    try:
        workplace.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="unpacked-", dir=workplace) as scratch:
            raw = Path(scratch, "raw")
            if sources:
                _take(card, sources, raw)
            else:
                _download(card, workplace, raw, progress)
            made = Path(scratch, card.name)
            _make(card, raw, made, converting)
            _count_images(card, made, unpacked=any(source.is_file() for source in sources))
            made.rename(target)
    except OSError as error:
        raise UnetsegError(f"{error.filename or root}: {error.strerror or error}") from error
    shutil.rmtree(workplace, ignore_errors=True)
    return target


def _steps(card: Card) -> str:
    addresses = " and ".join(file.addresses[0] for file in card.files)
    steps = card.texts.get(
        "manual", f"download {addresses}." if addresses else "the card says nothing on how."
    )
    return f"{steps} Then: unetseg data get {card.name} --from FILE …"


def _download(card: Card, workplace: Path, raw: Path, progress: Progress | None) -> None:
    try:
        archives = [fetch(file, workplace / file.name, progress) for file in card.files]
    except UnetsegError as error:
        raise UnetsegError(f"{error}; or by hand: {_steps(card)}") from error
    for file, archive in zip(card.files, archives, strict=True):
        unpack(archive, raw / file.into)


def _take(card: Card, sources: Sequence[Path], raw: Path) -> None:
    """Unpack or copy what a person has fetched; files that the card knows are verified."""
    known = {file.name: file for file in card.files}
    for source in sources:
        if source.is_dir():
            for relative, path in list_files(source):
                (raw / relative).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, raw / relative)
            continue
        file = known.get(source.name)
        wrong = find_fault(file, source) if file else None
        if wrong:
            raise UnetsegError(f"{source}: {wrong}")
        unpack(source, raw / file.into if file else raw)


def _make(card: Card, raw: Path, made: Path, converting: Callable[[int, int], None] | None) -> None:
    """Convert where the card says so, and see that the set can be opened."""
    if card.convert:
        convert(card.convert, raw, made, converting)
    else:
        raw.rename(made)
    try:
        open_card(card, made)
    except UnetsegError as error:
        found = str(error).replace(f"{made}: ", "")
        raise UnetsegError(f"{card.texts['title']}: what was unpacked is another set: {found}") from error


def _count_images(card: Card, folder: Path, *, unpacked: bool) -> None:
    """Refuse an archive that is part of a set; of a folder, which a person may have chosen from, warn."""
    found = count_images(card, folder)
    if found >= card.images:
        return
    line = f"{card.texts['title']}: {found} images were found, the whole set has {card.images}"
    if unpacked:
        raise UnetsegError(f"{line}; fetch the archive again, or unpack it and name the folder")
    warnings.warn(f"{line}; it is taken as it is", stacklevel=2)
