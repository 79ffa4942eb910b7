"""The one flat configuration of a run: plain values, YAML in and out, no torch.

Every field is a key of the YAML file and, but for those that only studies have, a flag of ``unetseg fit``
(underscores become dashes).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml

from unetseg.config_checks import (
    NAMED_WEIGHTS,
    OF_TRANSFORMER,
    check_choice,
    check_ranges,
    flag,
    pinned_weights,
)
from unetseg.errors import UsageError, did_you_mean
from unetseg.skip_levels import normalise_skips
from unetseg.utilities.channel_lists import normalise_channels
from unetseg.utilities.pinned_files import fingerprint_in, unpinned
from unetseg.utilities.text import is_number

CONTROLS = ("drop", "zero", "widen", "self")
MERGES = ("concat", "add", "gate", "attention")
SHORTS = ("plain", "residual", "preactivation", "highway", "dense")
BOTTLENECKS = ("none", "transformer")
NORMS = ("pre", "post")
AUGMENTATIONS = ("none", "light", "full")
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
SWITCHES = ("auto", "on", "off")
STUDIES = "studies"  # the group of settings that only studies have: no flag of fit


def option(group: str, text: str, default: Any, choices: tuple[str, ...] | None = None) -> Any:
    """Declare a field together with what the command line says about it."""
    metadata = {"group": group, "help": text, "choices": choices}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides what a run computes. Values are checked on construction."""

    skips: str = option("model", "long skips: on, off, levels such as 1,3, or ^1 for all but level 1", "on")
    control: str = option("model", "what stands in for a skip that is off", "drop", CONTROLS)
    merge: str = option("model", "how a long skip joins the decoder", "concat", MERGES)
    encoder: str = option(
        "model", "basic (our own), or any encoder of smp or timm (tu-NAME) by name", "basic"
    )
    weights: str = option("model", "the encoder's first weights: imagenet, none, or a file of them", "none")
    width: int = option("model", "basic encoder: channels at full resolution, a multiple of 16", 16)
    stages: int = option("model", "basic encoder: resolutions, each half of the one before", 5)
    blocks: int = option("model", "basic encoder: blocks a stage, of two convolutions each", 1)
    short: str = option("model", "basic encoder: the short skip in its blocks", "residual", SHORTS)
    short_decoder: bool = option("model", "the same short skip in the decoder's blocks", False)
    zero_init: bool = option("model", "residual, preactivation: blocks start as the identity", False)
    bottleneck: str = option("model", "what stands between encoder and decoder", "none", BOTTLENECKS)
    bottleneck_layers: int = option("model", "transformer: layers", 4)
    norm: str = option("model", "transformer: layer norm before or after each sub-layer", "pre", NORMS)
    bottleneck_residual: str = option(
        "model", "transformer: identity round each sub-layer", "on", ("on", "off")
    )
    objects: bool = option("model", "also learn to part touching objects, which the data must number", False)

    data: str = option("data", "a dataset by name, or a folder with images/ and masks/", "filaments")
    data_dir: str | None = option("data", "where the named dataset already lies on disk", None)
    images: str | None = option("data", "a folder's images, where they do not lie in images/", None)
    masks: str | None = option("data", "a folder's masks, where they do not lie in masks/", None)
    split_seed: int = option("data", "draws the splits that a dataset does not come with", 0)
    stratify: bool | None = option(
        "data", "parts that are drawn hold every class if they can (default: in new runs)", None
    )
    folds: int | None = option(
        STUDIES, "cut the whole set into so many folds, by the seed; of studies only", None
    )
    fold: int | None = option(STUDIES, "which fold is tested; of studies only", None)
    channels: str | None = option(
        "data", "of images, by number from 1 or name: 1,2,4; RGB if not given", None
    )
    size: int = option("data", "side of the training crops, pixels", 96)
    scale: str = option("data", "native, or longest:N to bring each image's longer side to N", "native")
    augment: str = option(
        "data", "none, light (flip, brightness) or full (rotation, scale, colour)", "light", AUGMENTATIONS
    )
    foreground_crops: float = option("data", "share of the crops that must hold foreground, 0 to 1", 0.0)
    class_weights: str = option("data", "weights in the loss: none, balanced, or one a class: 1,5", "none")
    workers: int | None = option(
        "data", "loader processes (default: none on a CPU, up to 8 beside a GPU)", None
    )

    epochs: int = option("training", "passes over the training split", 12)
    batch_size: int = option("training", "images a step", 8)
    lr: float = option("training", "highest learning rate of the one-cycle schedule", 6e-3)
    encoder_lr: float | None = option("training", "the encoder's own in its place (default: --lr)", None)
    freeze_encoder: int = option("training", "first epochs in which the encoder stays as it is", 0)
    weight_decay: float = option("training", "AdamW's weight decay", 1e-2)
    warmup: float = option("training", "share of the steps in which the learning rate rises, 0 to 0.9", 0.2)
    patience: int | None = option(
        "training", "stop after this many epochs without a better validation IoU", None
    )
    init: str | None = option("training", "start from the weights of this run", None)
    seed: int = option("training", "weights, order and augmentation", 0)
    recalibrate: bool | None = option(
        "training",
        "batch norm's statistics estimated anew on training images before testing (default: in studies)",
        None,
    )
    log_gradients: bool = option("training", "record the gradient's flow every epoch", False)

    device: str = option("hardware", "where to compute", "auto", DEVICES)
    precision: str = option(
        "hardware", "number format; auto takes bfloat16 where the hardware has it", "auto", PRECISIONS
    )
    channels_last: str = option("hardware", "memory format of the tensors", "auto", SWITCHES)
    trainer: dict[str, Any] = option("hardware", "any other argument of Lightning's Trainer", {})

    def __post_init__(self) -> None:
        object.__setattr__(self, "skips", normalise_skips(self.skips))
        object.__setattr__(self, "weights", pinned_weights(self.weights))
        object.__setattr__(self, "channels", normalise_channels(self.channels))
        for spec in fields(self):
            choices = spec.metadata["choices"]
            value = getattr(self, spec.name)
            if isinstance(value, bool) and choices and "off" in choices:  # YAML reads an unquoted on as true
                object.__setattr__(self, spec.name, "on" if value else "off")
            _check_type(spec.name, getattr(self, spec.name))
            if choices:
                check_choice(flag(spec.name), getattr(self, spec.name), choices)
        check_ranges(self)

    def identity(self) -> str:
        """Return a hash of all that decides the result: not the device, the loader's processes, the log."""
        values = asdict(self)
        for name in ("device", "workers", "log_gradients"):
            del values[name]
        for name in ("images", "masks", "channels", "folds", "fold"):  # not in the hashes of before
            if values[name] is None:
                del values[name]
        for name in ("recalibrate", "encoder_lr", "freeze_encoder", "stratify", "objects"):
            if not values[name]:
                del values[name]
        values["weights"] = fingerprint_in(self.weights) or self.weights  # wherever the file lies
        if self.skips == "on":
            del values["control"]  # with every skip on, nothing stands in for one
        if self.skips == "off" and self.control == "drop":
            del values["merge"]  # and nothing joins
        if self.bottleneck == "none":
            for name in ("bottleneck", *OF_TRANSFORMER):
                del values[name]
        text = json.dumps(values, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def pretrained(self) -> bool:
        """Whether the encoder begins with weights that have learned something."""
        return self.weights != "none"

    @property
    def weights_file(self) -> Path | None:
        """The file of the encoder's first weights, where they come from one."""
        return None if self.weights in NAMED_WEIGHTS else unpinned(self.weights)

    @property
    def skips_text(self) -> str:
        """Which long skips are on and, where some are off, what stands in for them: ``1,3 (drop)``."""
        return self.skips if self.skips == "on" else f"{self.skips} ({self.control})"

    @property
    def net_text(self) -> str:
        """Which net it is, in few words: ``basic with skips 1,3 (drop)``."""
        return f"{self.encoder} with skips {self.skips_text}"

    def to_yaml(self) -> str:
        """Return the complete configuration as YAML."""
        return yaml.safe_dump(asdict(self), sort_keys=False)

    def changed(self, **overrides: Any) -> "RunConfig":
        """Return a copy with some values replaced."""
        return replace(self, **overrides)


HINTS = get_type_hints(RunConfig)


def from_mapping(values: Mapping[str, Any], source: str, base: RunConfig | None = None) -> RunConfig:
    """Build a configuration from plain values.

    Args:
        values: keys are field names, with underscores or dashes.
        source: where the values come from, for the error line.
        base: the configuration that the values change; the defaults if not given.

    Raises:
        UsageError: on an unknown key or a value out of range.
    """
    known = {spec.name for spec in fields(RunConfig)}
    renamed = {str(key).replace("-", "_"): value for key, value in values.items()}
    for key in renamed:
        if key not in known:
            raise UsageError(f"{source}: unknown key '{key}'{did_you_mean(key, known)}")
    for key, value in renamed.items():
        of_floats = float in (HINTS[key], *get_args(HINTS[key]))
        if of_floats and isinstance(value, int) and not isinstance(value, bool):
            renamed[key] = float(value)
        elif of_floats and isinstance(value, str) and is_number(value):
            renamed[key] = float(value)  # YAML 1.1 reads 1e-3 as text
        elif key == "trainer" and isinstance(value, Mapping):
            renamed[key] = {
                name: float(each) if isinstance(each, str) and is_number(each) else each
                for name, each in value.items()
            }
    return replace(base or RunConfig(), **renamed)


def _check_type(name: str, value: Any) -> None:
    hint = HINTS[name]
    kinds = get_args(hint) if name != "trainer" and get_args(hint) else (dict if name == "trainer" else hint,)
    if (isinstance(value, bool) and bool not in kinds) or not isinstance(value, kinds):
        names = {type(None): "nothing", bool: "true or false"}
        expected = " or ".join(names.get(kind, kind.__name__) for kind in kinds)
        raise UsageError(f"{flag(name)} '{value}': must be {expected}")
