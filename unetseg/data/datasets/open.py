"""Datasets by name: an embedded set, a card of the catalogue, a folder or a card of the user's own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from unetseg.config import RunConfig
from unetseg.data.datasets.cards.card import (
    Card,
    catalog_names,
    find_card,
    first_pairs,
    fitting_cards,
    open_card,
    read_card,
)
from unetseg.data.datasets.embedded import is_synthetic, materialise
from unetseg.data.datasets.fold_split import fold_of
from unetseg.data.datasets.folder_files import MissingFolder
from unetseg.data.datasets.folder_layouts import Reading, readings
from unetseg.data.datasets.image_folder import open_folder
from unetseg.data.datasets.label_source import LabelledSource
from unetseg.data.datasets.labelled import NO_LABELS, open_labelled, read_labels, refuse_unread
from unetseg.data.datasets.pixel_choice import choose_pixels
from unetseg.data.datasets.samples import SPLITS, Sample, SegmentationSet
from unetseg.data.datasets.stratify import stratified
from unetseg.data.datasets.voc_folder import open_voc, voc_folder
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.utilities.text import printable
from unetseg.utilities.yaml_files import read_yaml

__all__ = ["SPLITS", "Sample", "SegmentationSet", "open_dataset"]

DATA = Path("data")  # where downloaded and drawn sets lie
EMBEDDED = {
    "filaments": "Thin branching structures, drawn here",
    "textures:0.5": "Large shapes told by texture alone, drawn here; textures:0 easy … textures:1 impossible",
}


def open_dataset(
    name: str,
    *,
    data_dir: Path | None = None,
    split_seed: int = 0,
    root: Path = DATA,
    missing: list[str] | None = None,
    images: str | None = None,
    masks: str | None = None,
    channels: str | None = None,
) -> SegmentationSet:
    """Open a dataset, and decide how its images are read.

    Args:
        name: An embedded set (``filaments``, ``textures:ALPHA``; drawn below ``root`` at first use), a card
            of the catalogue (``pets``, ``pets:trimap``), a folder with ``images/`` and ``masks/``, a folder
            or file of an annotation tool's labels, whose masks are painted below ``root``, or a card of
            one's own (a path that ends in ``.yaml``, also with ``:VARIANT``).
        data_dir: For a card: a folder that holds the set in its official layout.
        split_seed: Draws the splits that the set does not come with.
        root: Where downloaded and drawn sets lie.
        missing: Takes one line for each file that is not there, and its sample is left out; without, such
            files are an error.
        images: Of a folder, the images' folder, where that is not its ``images/``.
        masks: Of a folder, the masks' folder, where that is not its ``masks/``.
        channels: Of each image, numbers from 1 or names; RGB, or all where images are no RGB, if not given.

    Raises:
        UsageError: There is no such dataset, variant or folder, or its images have no such channels.
        UnetsegError: Its files are missing or do not fit together; the message names them.
    """
    found = _open(name, data_dir, split_seed, root, missing, images, masks)
    return choose_pixels(found, channels)


def _open(
    name: str,
    data_dir: Path | None,
    split_seed: int,
    root: Path,
    missing: list[str] | None,
    images: str | None,
    masks: str | None,
) -> SegmentationSet:
    if Path(name).is_dir() and find_card(name.partition(":")[0]) is None and not is_synthetic(name):
        _refuse_data_dir(name, data_dir)
        return _open_own_folder(Path(name), split_seed, missing, images, masks, root)
    for flag, given in (("--images", images), ("--masks", masks)):
        if given is not None:
            raise UsageError(f"{flag} goes with a folder, and '{name}' is none")
    if is_synthetic(name):
        _refuse_data_dir(name, data_dir)
        return open_folder(materialise(name, root), split_seed=split_seed)
    base, _, variant = name.partition(":")
    card = find_card(base)
    if card is not None:
        folder = data_dir or root / card.name
        return open_card(
            card,
            _existing(card, folder, data_dir),
            variant=variant or None,
            split_seed=split_seed,
            missing=missing,
        )
    if _is_labels_file(name):
        _refuse_data_dir(name, data_dir)
        labels = read_labels(Path(name), missing)
        if labels is None:
            refuse_unread(Path(name))
            raise UsageError(f"{printable(name)}: {NO_LABELS}")
        return open_labelled(Path(name), labels, split_seed, root)
    if _is_card_file(name):
        return _open_own_card(name, data_dir, split_seed, root, missing)
    raise _unknown(name)


def _open_own_folder(
    folder: Path,
    split_seed: int,
    missing: list[str] | None,
    images: str | None,
    masks: str | None,
    root: Path,
) -> SegmentationSet:
    plain = all((folder / part).is_dir() for part in ("images", "masks"))
    if not plain and images is masks is None:
        voc = voc_folder(folder)
        layouts = [] if voc else readings(folder)
        labels = read_labels(folder, missing)
        if labels is not None and voc is not None:
            raise UsageError(
                f"{printable(folder)}: is laid out as Pascal VOC, and holds labels of {labels.said}; "
                "name the images' and the masks' folders with --images and --masks, or import the labels"
            )
        if layouts:
            return _open_laid_out(folder, layouts, labels, split_seed, missing)
        if labels is not None:
            return open_labelled(folder, labels, split_seed, root)
        if voc is not None:
            return open_voc(voc, split_seed, missing)
    try:
        return open_folder(
            folder,
            split_seed=split_seed,
            missing=missing,
            images=images or "images",
            masks=masks or "masks",
        )
    except MissingFolder as error:
        fits = [f"--data {card.name} --data-dir {printable(folder)}" for card in fitting_cards(folder)]
        if not fits:
            refuse_unread(folder)
        offer = f"; its files lie as those of a known dataset: {' or '.join(fits)}" if fits else ""
        raise UsageError(f"{error}{offer}") from error


def _open_laid_out(
    folder: Path,
    layouts: Sequence[Reading],
    labels: LabelledSource | None,
    split_seed: int,
    missing: list[str] | None,
) -> SegmentationSet:
    """Open a folder in the one layout of the table that it has.

    A card of the catalogue that means the same files is told; one that means others is another reading.

    Raises:
        UsageError: It may be read in another way, too; each is named with the words to type for it.
    """
    reading, shown = layouts[0], printable(folder)
    cards = first_pairs(folder)
    agreeing = [name for name, (image, mask) in cards.items() if reading.pairs(folder, image, mask)]
    others = [f"--data {name} --data-dir {shown}" for name in cards if name not in agreeing]
    imports = [] if labels is None else [f"{labels.said}: 'unetseg data import {shown} -o NEW'"]
    if len(layouts) > 1 or others or imports:
        known = f"its files lie as those of a known dataset: {' or '.join(others)}; or it" if others else "it"
        ways = [f"{each.said}: {each.words(folder)}" for each in layouts] + imports
        raise UsageError(f"{shown}: {known} may be read as {', or as '.join(ways)}")
    layout = reading.layout
    dataset = open_folder(
        folder,
        split_seed=split_seed,
        missing=missing,
        images=reading.images,
        masks=reading.masks,
        defaults=layout.settings(folder) if layout.settings else None,
        class_lists=layout.files,
        title=reading.said,
    )
    hints = [f"if it is {name}, --data {name} --data-dir {shown} knows its classes" for name in agreeing]
    return replace(dataset, notes=("; ".join([*dataset.notes, *hints]),))


def require_dataset(name: str) -> None:
    """Refuse a name that :func:`open_dataset` could not open, without opening anything.

    Raises:
        UsageError: There is no such dataset, card or folder.
    """
    card = find_card(name.partition(":")[0]) or _is_card_file(name)
    known = is_synthetic(name) or card or _is_labels_file(name)
    if not known and not Path(name).is_dir():
        raise _unknown(name)


def is_own(name: str) -> bool:
    """Tell whether a dataset is a user's own, whose missing parts are drawn, and none that comes by name."""
    return find_card(name.partition(":")[0]) is None and not is_synthetic(name) and not _is_card_file(name)


def _unknown(name: str) -> UsageError:
    near = did_you_mean(name, [*EMBEDDED, *catalog_names()])
    return UsageError(f"'{name}' is neither a dataset nor a folder{near} (see 'unetseg data list')")


def _is_card_file(name: str) -> bool:
    return any(Path(path).suffix in (".yaml", ".yml") for path in (name, name.rpartition(":")[0]))


def _is_labels_file(name: str) -> bool:
    """Tell a file of labels; a YAML file may also be a card, which has a layout."""
    path = Path(name)
    if not path.is_file():
        return False
    if path.suffix.lower() in (".yaml", ".yml"):
        content = read_yaml(path)
        return isinstance(content, dict) and "names" in content and "layout" not in content
    return path.suffix.lower() in (".json", ".xml")


def _open_own_card(
    name: str, data_dir: Path | None, split_seed: int, root: Path, missing: list[str] | None
) -> SegmentationSet:
    path, variant = (name, None) if Path(name).suffix in (".yaml", ".yml") else name.rsplit(":", 1)
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such card")
    card = read_card(Path(path))
    beside = not card.files and not (root / card.name).is_dir()
    folder = data_dir or (card.path.parent if beside else root / card.name)
    found = _existing(card, folder, data_dir)
    return open_card(card, found, variant=variant, split_seed=split_seed, missing=missing)


def _existing(card: Card, folder: Path, data_dir: Path | None) -> Path:
    if folder.is_dir():
        return folder
    if data_dir is not None:
        raise UsageError(f"{data_dir}: no such folder (--data-dir)")
    raise UnetsegError(
        f"{card.texts['title']} is not in {folder}: 'unetseg data get {card.name}' downloads it, "
        "or point --data-dir to a folder that holds it"
    )


def _refuse_data_dir(name: str, data_dir: Path | None) -> None:
    if data_dir is not None:
        raise UsageError(f"--data-dir goes with a dataset of the catalogue, and '{name}' is none")


def open_data(config: RunConfig) -> SegmentationSet:
    """Open the dataset that ``config`` names; of a study in folds, cut for the one that it tests."""
    folder = Path(config.data_dir) if config.data_dir else None
    dataset = open_dataset(
        config.data,
        data_dir=folder,
        split_seed=config.split_seed,
        images=config.images,
        masks=config.masks,
        channels=config.channels,
    )
    if config.folds is None or config.fold is None:
        return stratified(dataset, config.split_seed) if config.stratify else dataset
    return fold_of(dataset, config.folds, config.fold, config.seed)
