"""The embedded datasets on disk: drawn once, whole or not at all, by a generator with its own fixed seed."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import current_process, get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from unetseg.data.datasets.synthetic import Drawing, draw_filament, draw_texture
from unetseg.errors import UnetsegError, UsageError, did_you_mean
from unetseg.utilities.processes import no_main_module, usable_cores
from unetseg.utilities.signals import follow_parent

SPLITS = {"train": 160, "val": 40, "test": 60}


# Raise this whenever a change alters any drawn byte: sets of another version are drawn anew.
VERSION = 1


_ENTROPY = 20_150_518


_PALETTE = [0, 0, 0, 255, 255, 255]


@dataclass(frozen=True)
class SyntheticRecipe:
    """An embedded dataset: its ``name``, class names by index, and the function that draws one image."""

    name: str
    classes: tuple[str, ...]
    draw: Callable[[np.random.Generator], Drawing]

    @property
    def folder_name(self) -> str:
        """The name without the colon, which Windows does not allow in a file's name."""
        return self.name.replace(":", "-")

    def draw_sample(self, split: str, index: int) -> Drawing:
        """Draw image ``index`` of ``split`` from its own seed, whatever else is or was drawn."""
        seed = np.random.SeedSequence([_ENTROPY, list(SPLITS).index(split), index])
        return self.draw(np.random.default_rng(seed))


def is_synthetic(name: str) -> bool:
    """Whether ``name`` asks for an embedded dataset (``textures`` with a wrong ALPHA included)."""
    return name.partition(":")[0] in ("filaments", "textures")


def synthetic_recipe(name: str) -> SyntheticRecipe:
    """Return the recipe of ``filaments`` or ``textures:ALPHA``.

    Raises:
        UsageError: unknown name, or ALPHA not a number from 0 to 1; names the nearest valid one.
    """
    kind, _, argument = name.partition(":")
    if name == "filaments":
        return SyntheticRecipe(name, ("background", "filament"), draw_filament)
    if kind == "textures":
        alpha = _parse_alpha(name, argument)
        return SyntheticRecipe(
            f"textures:{alpha:g}", ("background", "shape"), partial(draw_texture, alpha=alpha)
        )
    hint = did_you_mean(kind, ("filaments", "textures")).replace("'textures'", "'textures:0.5'")
    raise UsageError(f"no embedded dataset '{name}' (there are filaments and textures:ALPHA){hint}")


def _parse_alpha(name: str, text: str) -> float:
    try:
        # Six digits, as the folder's name shows them: two alphas never share a folder.
        alpha = float(f"{float(text):g}")
    except ValueError:
        alpha = float("nan")
    if 0 <= alpha <= 1:
        return abs(alpha)
    nearest = "0.5" if np.isnan(alpha) else f"{min(max(alpha, 0.0), 1.0):g}"
    raise UsageError(
        f"dataset '{name}': ALPHA must be a number from 0 to 1; did you mean 'textures:{nearest}'?"
    )


_begun: dict[Path, SpawnProcess] = {}  # what draws each folder now, beside this process


def begin_drawing(name: str, data_dir: Path) -> None:
    """Let a process of its own draw an embedded dataset while this one loads PyTorch, which takes as long.

    It is for :func:`materialise` to wait for it, and to draw what it did not. Nothing is begun where the set
    is there, on a single core, where PyTorch is loaded already, or in a process that may have none.

    Args:
        name: of any dataset; only an embedded one is drawn.
        data_dir: as of ``materialise``.
    """
    if "torch" in sys.modules or usable_cores() == 1 or current_process().daemon:
        return
    if not is_synthetic(name):
        return
    recipe = synthetic_recipe(name)
    folder = Path(data_dir).absolute() / recipe.folder_name
    if _is_complete(folder, recipe):
        return
    _begun[folder] = get_context("spawn").Process(
        target=_draw_beside, args=(name, folder.parent), daemon=True
    )
    with no_main_module(), contextlib.suppress(OSError):
        _begun[folder].start()


def _draw_beside(name: str, data_dir: Path) -> None:
    """Draw without a word; what goes wrong does so again in the process that waits, and is said there."""
    follow_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # by which what is half drawn is removed
    with contextlib.suppress(Exception):
        materialise(name, data_dir)


def materialise(name: str, data_dir: Path) -> Path:
    """Write an embedded dataset under ``data_dir`` unless it is there already; return its folder.

    The folder is an ordinary dataset: ``images/0000.png`` …, ``masks/`` (palette PNG, class indices),
    ``train.txt``, ``val.txt``, ``test.txt`` (160, 40 and 60 names without ending) and ``dataset.yaml``
    with the classes and the generator's version. It is drawn beside its place and renamed whole, so a
    killed process leaves no half set, and of two that draw at once the second one's is discarded. A
    set drawn by another version of the generator, or with files missing, is drawn anew.

    Raises:
        UsageError: see :func:`synthetic_recipe`.
        UnetsegError: something that is not an embedded dataset has that name.
    """
    recipe = synthetic_recipe(name)
    folder = Path(data_dir) / recipe.folder_name
    beside = _begun.pop(folder.absolute(), None)
    if beside is not None and beside.pid is not None:
        beside.join()
    if _is_complete(folder, recipe):
        return folder
    _refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # One scratch folder for both, the new set and the old one it replaces, so that one removal clears all.
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-part-", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        fresh = Path(scratch) / "fresh"
        _write_set(recipe, fresh)
        _install(fresh, folder, recipe, retired=Path(scratch) / "retired")
    return folder


def _card(recipe: SyntheticRecipe) -> dict[str, object]:
    return {"name": recipe.name, "classes": list(recipe.classes), "generator": f"unetseg {VERSION}"}


def _write_set(recipe: SyntheticRecipe, folder: Path) -> None:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for split, stems in _stems().items():
        for index, stem in enumerate(stems):
            image, mask = recipe.draw_sample(split, index)
            # Noise hardly compresses: the quickest level costs few bytes.
            Image.fromarray(image).save(folder / "images" / f"{stem}.png", compress_level=1)
            indexed = Image.fromarray(mask).convert("P")
            indexed.putpalette(_PALETTE)
            indexed.save(folder / "masks" / f"{stem}.png")
        (folder / f"{split}.txt").write_text("\n".join(stems) + "\n", encoding="utf-8")
    (folder / "dataset.yaml").write_text(yaml.safe_dump(_card(recipe), sort_keys=False), encoding="utf-8")


def _stems() -> dict[str, list[str]]:
    numbers = iter(range(sum(SPLITS.values())))
    return {split: [f"{next(numbers):04d}" for _ in range(count)] for split, count in SPLITS.items()}


def _is_complete(folder: Path, recipe: SyntheticRecipe) -> bool:
    if _read_card(folder) != _card(recipe):
        return False
    expected = {f"{stem}.png" for stems in _stems().values() for stem in stems}
    parts = (folder / "images", folder / "masks")
    return all((folder / f"{split}.txt").is_file() for split in SPLITS) and all(
        part.is_dir() and expected <= {entry.name for entry in part.iterdir()} for part in parts
    )


def _read_card(folder: Path) -> dict[str, object]:
    try:
        card = yaml.safe_load((folder / "dataset.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return card if isinstance(card, dict) else {}


def _refuse_foreign(folder: Path) -> None:
    """Never replace what a user may have put there: only what our generator signed, or an empty folder."""
    ours = str(_read_card(folder).get("generator", "")).startswith("unetseg ")
    if not ours and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise UnetsegError(f"{folder} is not the embedded dataset of that name; move it away or rename it")


def _install(fresh: Path, folder: Path, recipe: SyntheticRecipe, retired: Path) -> None:
    for _ in range(3):
        try:
            # Replaces nothing but an empty folder, so whoever comes second learns of it here.
            os.replace(fresh, folder)
            return
        except OSError:
            if _is_complete(folder, recipe):
                return
            _refuse_foreign(folder)
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder, retired)
    raise UnetsegError(
        f"cannot put the embedded dataset in place at {folder}; is another process writing there?"
    )
