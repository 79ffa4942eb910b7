"""Where a training starts from: another run's weights and normalisation."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from torch import Tensor

from unetseg.config import RunConfig
from unetseg.data.preprocessing import Preprocessing
from unetseg.errors import UsageError
from unetseg.models.unet import Unet
from unetseg.runs import Run, find_run
from unetseg.training import checkpoints

HEAD = "segmentation_head."


def start_from_run(
    model: Unet, config: RunConfig, classes: Sequence[str], report: Callable[[str], None]
) -> Preprocessing:
    """Load the best weights of the run that ``--init`` names into ``model``, in place.

    The head keeps its own first weights where the classes differ. The normalisation is that run's, since its
    weights were trained on it; the scale rule is the new run's own.

    Args:
        model: just built.
        config: the new run's configuration.
        classes: of the new run's dataset.
        report: is told what was taken over.

    Raises:
        UsageError: if there is no such run or its weights do not fit; the difference is named.
        UnetsegError: if its checkpoint cannot be read.
    """
    assert config.init is not None
    content = checkpoints.load(find_run(config.init).best)
    settings, state = content["inference"], dict(content["state_dict"])
    same = list(settings["classes"]) == list(classes)
    known = bool(settings["config"].get("objects")) == config.objects
    own = model.state_dict()
    if not (same and known):
        state.update({name: value for name, value in own.items() if name.startswith(HEAD)})
    if {name: value.shape for name, value in state.items()} != {n: v.shape for n, v in own.items()}:
        raise UsageError(
            f"--init {config.init}: its weights do not fit: {_difference(config, settings, state, own)}"
        )
    model.load_state_dict(state, strict=True)
    head = "" if known else "; only one of the two learns objects: the head starts anew"
    head = head if same else f"; the classes differ ({', '.join(settings['classes'])}): the head starts anew"
    report(f"init      weights and normalisation of {config.init}{head}")
    values = settings["preprocessing"]
    return Preprocessing.from_dict({**values, "scale": config.scale})


def preprocessing_of(run: Run) -> Preprocessing:
    """Return the scale rule and normalisation that an interrupted run began with."""
    return Preprocessing.from_dict(checkpoints.load(run.best)["inference"]["preprocessing"])


def _difference(
    config: RunConfig, settings: dict[str, Any], state: dict[str, Tensor], own: dict[str, Tensor]
) -> str:
    names = [spec.name for spec in fields(RunConfig) if spec.metadata["group"] == "model"]
    names.remove("weights")
    names.append("channels")
    differing = [name for name in names if settings["config"].get(name) != getattr(config, name)]
    if differing:
        values = ((name, settings["config"].get(name), getattr(config, name)) for name in differing)
        return ", ".join(
            f"{name} {'all' if there is None else there} there, {'all' if here is None else here} here"
            for name, there, here in values
        )
    for name, value in own.items():
        if name not in state or state[name].shape != value.shape:
            there = tuple(state[name].shape) if name in state else "missing"
            return f"{name} is {there} there, {tuple(value.shape)} here"
    return f"it has {next(iter(set(state) - set(own)))}, which is not in this network"
