"""Pretrained weights of smp and timm: from the hub's cache on this machine, else from the hub."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import nn

from unetseg.config import RunConfig
from unetseg.data.preprocessing import IMAGENET_DEVIATION, IMAGENET_MEAN
from unetseg.errors import UnetsegError, UsageError, one_line
from unetseg.utilities.quiet import quiet

_TIMEOUT = 5  # seconds for the hub to answer at all


def load_pretrained(name: str, build: Callable[[], nn.Module]) -> nn.Module:
    """Return what ``build`` returns, without network where the files lie in the hub's cache.

    Where they do not, the hub is asked once whether it is there: left to itself, huggingface_hub would try
    for up to a minute on a machine without network.

    Args:
        name: of the encoder.
        build: makes the encoder and loads its weights through huggingface_hub.

    Raises:
        UsageError: there are no such weights.
        UnetsegError: they are not here and the hub cannot be reached, or the file is damaged.
    """
    from huggingface_hub.errors import LocalEntryNotFoundError

    repository, revision = _repository(name)
    try:
        try:
            with _offline(), quiet(stderr=True):
                return build()
        except LocalEntryNotFoundError:
            _require_hub(name, repository, revision)
        with quiet(stderr=not sys.stderr.isatty()):  # a terminal sees its progress
            return build()
    except UnetsegError:
        raise
    except Exception as error:  # network, disk and file formats have errors of their own each
        raise UnetsegError(
            f"--weights imagenet: the weights of {name} cannot be loaded ({one_line(error, 160)}); "
            f"try again, after deleting {_cache_folder(repository)} if the file there is damaged"
        ) from error


@dataclass(frozen=True)
class Normalisation:
    """What pretrained weights expect of images: mean and deviation of each colour, in 0..1, and whose."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    source: str

    @property
    def values(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and deviation."""
        return self.mean, self.deviation

    def __str__(self) -> str:
        mean, deviation = (", ".join(f"{v:.4g}" for v in each) for each in (self.mean, self.deviation))
        return f"mean {mean}; deviation {deviation} ({self.source})"


def normalisation_of(config: RunConfig) -> Normalisation | None:
    """Return the normalisation under which an encoder was pretrained; None where it begins with no weights.

    timm has it in its table; smp's lies beside the weights in the hub's cache. Where neither knows it, it is
    the usual one of ImageNet, and ``source`` says so.
    """
    from segmentation_models_pytorch.encoders import get_preprocessing_params

    if not config.pretrained:
        return None
    name = config.encoder
    try:
        with _offline(), quiet(stderr=True):
            found = get_preprocessing_params(name, pretrained="imagenet")
    except Exception:  # of timm's for what has no weights there, of the hub's for what is not in its cache
        source = f"ImageNet's: what {name} wants is not known here"
        return Normalisation(IMAGENET_MEAN, IMAGENET_DEVIATION, source)
    highest = found["input_range"][1]
    mean, deviation = (tuple(float(v) / highest for v in found[key]) for key in ("mean", "std"))
    return Normalisation(mean, deviation, f"{name}'s own")


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Let huggingface_hub look into its cache alone, as under the environment's ``HF_HUB_OFFLINE=1``."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _require_hub(name: str, repository: str, revision: str | None) -> None:
    """Raise unless the hub answers, whatever it answers."""
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=_TIMEOUT)
    except Exception as error:  # httpx's or requests', by the version of huggingface_hub
        chosen = f" --revision {revision}" if revision else ""
        raise UnetsegError(
            f"--weights imagenet: the weights of {name} are not on this machine, and {constants.ENDPOINT} "
            f"cannot be reached ({one_line(error, 160)}); where it can, run 'hf download "
            f"{repository}{chosen}' and copy that machine's cache folder to {_cache_folder(repository)}, "
            "or take --weights none"
        ) from error


def _repository(name: str) -> tuple[str, str | None]:
    """Return the hub's repository of an encoder's weights, and the revision if it is a fixed one."""
    if name.startswith("tu-"):
        import timm

        found = timm.models.get_pretrained_cfg(name.removeprefix("tu-"))
        if found is None or not found.hf_hub_id:
            raise UsageError(f"--weights imagenet: timm has no weights of {name} on the hub")
        return found.hf_hub_id, None
    from segmentation_models_pytorch.encoders import encoders

    offered = encoders[name]["pretrained_settings"]
    if "imagenet" not in offered:
        raise UsageError(f"--weights imagenet: smp has for {name} only {', '.join(offered)}")
    return offered["imagenet"]["repo_id"], offered["imagenet"]["revision"]


def _cache_folder(repository: str) -> str:
    from huggingface_hub import constants

    return f"{constants.HF_HUB_CACHE}/models--{repository.replace('/', '--')}"
