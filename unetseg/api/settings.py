"""The settings of a run as keyword arguments: for type checkers written out, for ``help()`` derived.

The keys and types are those of :class:`~unetseg.config.RunConfig`, where their defaults, choices and
descriptions stand. A type checker takes no derived type, so the names stand here once more; a test holds both
equal.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, ParamSpec, TypedDict, TypeVar, get_type_hints

from unetseg.config import HINTS, RunConfig, from_mapping
from unetseg.errors import SPEAKS_FLAGS, UsageError
from unetseg.utilities.yaml_files import load_yaml

_P = ParamSpec("_P")
_R = TypeVar("_R")


class NetSettings(TypedDict, total=False):
    """What a net before training, a batch and the clock depend on: the settings of ``probe``."""

    skips: str
    control: str
    merge: str
    encoder: str
    weights: str
    width: int
    stages: int
    blocks: int
    short: str
    short_decoder: bool
    zero_init: bool
    bottleneck: str
    bottleneck_layers: int
    norm: str
    bottleneck_residual: str
    data: str
    data_dir: str | None
    images: str | None
    masks: str | None
    split_seed: int
    stratify: bool | None
    channels: str | None
    size: int
    scale: str
    augment: str
    foreground_crops: float
    class_weights: str
    batch_size: int
    device: str
    precision: str
    channels_last: str


class TrainingSettings(NetSettings, total=False):
    """What a training depends on beside."""

    epochs: int
    lr: float
    encoder_lr: float | None
    freeze_encoder: int
    weight_decay: float
    warmup: float
    patience: int | None
    init: str | None
    objects: bool
    recalibrate: bool | None
    log_gradients: bool
    trainer: dict[str, Any]


class StudySettings(TrainingSettings, total=False):
    """What all arms of a study share: the settings of ``ablate``, which has seeds and workers of its own."""

    folds: int | None


class Settings(TrainingSettings, total=False):
    """Every field of a run's configuration but those of studies: the settings of ``fit``."""

    seed: int
    workers: int | None


def setting_names(settings: type) -> frozenset[str]:
    """Return the keys of one of the types above."""
    return frozenset(get_type_hints(settings))


def configured(
    base: RunConfig,
    config: RunConfig | str | Path | None,
    settings: Mapping[str, Any],
    source: str,
    takes: type = Settings,
) -> RunConfig:
    """Return a configuration: the base, changed by a file, changed by settings.

    Arguments of Lightning's Trainer are joined with those that are there.

    Args:
        base: that all begins with.
        config: a YAML file, or a complete configuration in place of the base.
        settings: by name; they win.
        source: where the settings come from, for the error line.
        takes: the type of the settings.

    Raises:
        UsageError: on an unknown key, one that is not taken or a value out of range, or if the file cannot be
            read.
    """
    base_folds = base.folds
    if isinstance(config, RunConfig):
        base = config
    elif config is not None:
        if not Path(config).exists() and not Path(config).suffix and not SPEAKS_FLAGS.get():
            raise UsageError(
                f"{source}: config '{config}': no such file; settings are given by name: encoder='basic'"
            )
        base = from_mapping(load_yaml(config), str(config), base)
    for name in settings:
        if name in HINTS and name not in setting_names(takes):
            raise UsageError(f"{source}: '{name}' is no setting of this; leave it out")
    values = dict(settings)
    if isinstance(values.get("trainer"), Mapping):
        values["trainer"] = {**base.trainer, **values["trainer"]}
    result = from_mapping(values, source, base)
    if "folds" not in setting_names(takes) and result.folds != base_folds:
        raise UsageError(f"{config}: 'folds' is of studies alone: 'unetseg ablate STUDY --folds N'")
    return result


def lists_settings(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Give a function that takes :class:`Settings` the signature and the help that list each of them."""
    own = inspect.signature(function)
    specs = [spec for spec in fields(RunConfig) if spec.name in setting_names(Settings)]
    listed = [
        inspect.Parameter(
            spec.name, inspect.Parameter.KEYWORD_ONLY, default=_default(spec), annotation=HINTS[spec.name]
        )
        for spec in specs
    ]
    named = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    function.__signature__ = own.replace(parameters=[*named, *listed])  # type: ignore[attr-defined]
    described = [f"    {_described(spec)}" for spec in specs]
    title = "Settings, each with its type and what it is if neither it nor ``config`` is given:"
    function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", title, *described])
    return function


def _default(spec: Field[Any]) -> Any:
    return spec.default if spec.default_factory is MISSING else spec.default_factory()


def _described(spec: Field[Any]) -> str:
    choices = spec.metadata["choices"]
    one_of = f" ({', '.join(choices)})" if choices else ""
    kind = inspect.formatannotation(HINTS[spec.name])
    return f"{spec.name} ({kind}): {spec.metadata['help']}{one_of} [{_default(spec)!r}]"
