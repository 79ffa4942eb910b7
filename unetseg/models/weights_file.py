"""Weights of an encoder from a local file: what timm, smp, torchvision or a training left there."""

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unetseg.config import RunConfig
from unetseg.errors import UnetsegError, UsageError, one_line
from unetseg.utilities.pinned_files import fingerprint_in, fingerprint_of
from unetseg.utilities.text import first_few, printable

State = dict[str, Tensor]

ENOUGH = 0.9  # share of the encoder's tensors that a file must hold
_COUNTER = "num_batches_tracked"  # of batch norm: not every file has it, and nothing depends on it here
_WRAPPER = "model."  # what smp puts before the names of timm's encoders
_DEPTH = 3  # of mappings in a file, in which a state dict is looked for


@dataclass(frozen=True)
class Match:
    """What of a state dict belongs to an encoder.

    Attributes:
        tensors: by the encoder's own names, of its shapes.
        prefix: what stood before the names in the file.
        misfits: the encoder's names whose tensor in the file has another shape, with both shapes.
        missing: the encoder's names that the file has not.
        left: names in the file that the encoder has no use for.
    """

    tensors: State
    prefix: str
    misfits: dict[str, str]
    missing: tuple[str, ...]
    left: tuple[str, ...]


def load_from_file(encoder: nn.Module, config: RunConfig) -> str:
    """Load the weights of the file that ``config`` names into an encoder, in place.

    Names may have a prefix, as those of a whole net have, and differ in how they are punctuated (timm's
    feature extractors write ``stages_0`` for ``stages.0``). A first convolution for colour images is adapted
    to other numbers of channels as timm and smp do. Heads and whatever else the encoder has not are left.

    Returns:
        What was taken and left, in one line.

    Raises:
        UsageError: if there is no such file, or it is not the one that the run began with.
        UnetsegError: if it cannot be read, holds code, or has too little of this encoder.
    """
    path = config.weights_file
    assert path is not None
    _require_same(path, config.weights)
    own = {name: value for name, value in encoder.state_dict().items() if not name.endswith(_COUNTER)}
    match = max((_match(own, state) for state in _states(_read(path))), key=lambda each: len(each.tensors))
    if len(match.tensors) < ENOUGH * len(own):
        raise UnetsegError(_too_few(path, config.encoder, own, match))
    nn.Module.load_state_dict(encoder, match.tensors, strict=False)  # smp's own expect their heads
    return _told(path, config.encoder, own, match)


def _require_same(path: Path, name: str) -> None:
    """Refuse a file that is not there, or that is another than the one whose fingerprint is known."""
    try:
        found = fingerprint_of(path)
    except OSError as error:
        raise UsageError(f"--weights {printable(path)}: {error.strerror}; check the path") from None
    if found != fingerprint_in(name):
        raise UsageError(
            f"--weights {printable(path)}: is no longer the file that was meant: its fingerprint is {found}, "
            f"not {fingerprint_in(name)}; bring that back, or begin anew with this one"
        )


def _read(path: Path) -> Any:
    """Return what a file of weights holds; tensors and plain values only, never code."""
    try:
        with path.open("rb") as file:
            begin = file.read(9)
        if begin[8:9] == b"{" and not zipfile.is_zipfile(path):
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UnetsegError(
            f"--weights {printable(path)}: is damaged, or no file of weights (safetensors, or a torch file "
            f"of tensors and plain values alone): {one_line(error, 120)}"
        ) from error


def _states(content: Any, depth: int = 0) -> Iterator[State]:
    """Yield the mappings from names to tensors in what a file holds: it, and what lies below its keys."""
    if not isinstance(content, Mapping) or depth > _DEPTH:
        if depth == 0:
            yield {}
        return
    yield {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for value in content.values():
        yield from _states(value, depth + 1)


def _match(own: State, state: State) -> Match:
    """Find an encoder's tensors in a state dict: by their names as they are, or by those in plain form."""
    both = [_match_by(form, own, state) for form in (str, _plain)]
    return max(both, key=lambda match: len(match.tensors))


def _match_by(form: Callable[[str], str], own: State, state: State) -> Match:
    """Find an encoder's tensors, their names brought to one form, under the prefix that fits most of them."""
    there = {form(name): name for name in state}
    wanted = {form(name.removeprefix(_WRAPPER)): name for name in own}
    prefix = _prefix(there, wanted)
    tensors, misfits = State(), dict[str, str]()
    for key, name in wanted.items():
        if prefix + key not in there:
            continue
        found = adapted(state[there[prefix + key]], own[name])
        if found.shape == own[name].shape:
            tensors[name] = found
        else:
            misfits[name] = f"{tuple(found.shape)} there, {tuple(own[name].shape)} here"
    missing = tuple(name for key, name in wanted.items() if prefix + key not in there)
    used = {there[prefix + key] for key in wanted if prefix + key in there}
    left = tuple(name for name in state if name not in used and not name.endswith(_COUNTER))
    return Match(tensors, prefix, misfits, missing, left)


def _prefix(there: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Return what must stand before the wanted names so that most of them are there."""
    ends = set(wanted)
    votes: Counter[str] = Counter()
    for name in there:
        parts = name.split(".")
        for start in range(len(parts)):
            if ".".join(parts[start:]) in ends:
                votes["".join(f"{part}." for part in parts[:start])] += 1
    return max(votes, key=lambda prefix: (votes[prefix], -len(prefix))) if votes else ""


def _plain(name: str) -> str:
    """Return a name as it is written everywhere: ``stages_0.blocks.1`` and ``stages.0.blocks.1`` alike."""
    return re.sub(r"(?<=[A-Za-z])\.(?=\d)", "", name.replace("_", "."))


def adapted(found: Tensor, own: Tensor) -> Tensor:
    """Return a first convolution of three channels for as many as the images have; all else as it is."""
    channels = own.shape[1] if own.ndim == 4 else 0
    if found.ndim != 4 or found.shape[1] != 3 or channels == 3 or found.shape[2:] != own.shape[2:]:
        return found
    from timm.models import adapt_input_conv

    fitted: Tensor = adapt_input_conv(channels, found)
    return fitted


def _too_few(path: Path, encoder: str, own: Mapping[str, Tensor], match: Match) -> str:
    """Say how many tensors match, and show some that do not."""
    said = f"--weights {printable(path)}: holds {len(match.tensors)} of the {len(own)} tensors of {encoder}"
    if match.misfits:
        name, shapes = next(iter(match.misfits.items()))
        said += f"; {name} is {shapes}"
    if match.missing:
        said += f"; it lacks {first_few(match.missing)}"
    if match.left:
        said += f"; it has {first_few(match.left)}"
    return f"{said}; give the file's own --encoder"


def _told(path: Path, encoder: str, own: Mapping[str, Tensor], match: Match) -> str:
    """Say what was taken of a file and what was left in it."""
    said = [f"{len(match.tensors)} of {len(own)} tensors of {encoder} from {printable(path)}"]
    if match.prefix:
        said.append(f"prefix '{printable(match.prefix)}' dropped")
    if match.left:
        said.append(f"left out: {first_few(match.left)}")
    new = [*match.missing, *match.misfits]
    if new:
        said.append(f"begin anew: {first_few(new)}")
    return "; ".join(said)
