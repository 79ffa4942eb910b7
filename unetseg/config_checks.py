"""Which values of a run's configuration are in range and go together; each refusal names the flag."""

import re
from collections.abc import Iterable
from typing import Any

from unetseg.errors import UsageError, did_you_mean
from unetseg.utilities.pinned_files import pin, unpinned

NAMED_WEIGHTS = ("imagenet", "none")
OF_TRANSFORMER = ("bottleneck_layers", "norm", "bottleneck_residual")
_MOST_WEIGHTS = 10**10  # 40 GB, and as much again for each of the gradient and the optimiser's two


def flag(name: str) -> str:
    """Return the flag of a field: ``batch_size`` → ``--batch-size``."""
    return "--" + name.replace("_", "-")


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Raise a UsageError that lists ``choices`` unless ``value`` is one of them."""
    choices = tuple(choices)
    if value not in choices:
        raise UsageError(
            f"{name} '{value}': choose from {', '.join(choices)}{did_you_mean(str(value), choices)}"
        )


def pinned_weights(value: Any) -> Any:
    """Return ``--weights`` as it is kept: a name, or a file with the fingerprint of its content.

    Raises:
        UsageError: if it is neither a name nor a file that can be read.
    """
    if not isinstance(value, str) or value in NAMED_WEIGHTS:
        return value
    try:
        return pin(value)
    except OSError as error:
        raise UsageError(
            f"--weights '{value}': give imagenet, none, or a file of the encoder's weights "
            f"({error.strerror or error}){did_you_mean(value, NAMED_WEIGHTS)}"
        ) from None


def check_ranges(config: Any) -> None:
    """Refuse values that are out of range or do not go together.

    Args:
        config: a ``RunConfig``, whose module imports this one.

    Raises:
        UsageError: names the flag, and what to give.
    """
    counts = {
        "stages": (2, 10),
        "blocks": (1, 256),
        "bottleneck_layers": (1, 256),
        "size": (16, 2**16),
        "width": (16, 4096),
        "epochs": (1, 10**9),
        "freeze_encoder": (0, 10**9),
        "batch_size": (1, 10**6),
        "patience": (1, 10**9),
        "workers": (0, 1024),
        "weight_decay": (0, 10**6),
    }
    counts |= dict.fromkeys(("seed", "split_seed"), (0, 2**63 - 1))
    for name, (least, most) in counts.items():
        value = getattr(config, name)
        if value is not None and not value >= least:
            raise UsageError(f"{flag(name)} {value}: must be at least {least}")
        if value is not None and value > most:  # what no machine has, found before one tries
            raise UsageError(f"{flag(name)} {value}: must be at most {most}")
    for name, highest in {"foreground_crops": 1.0, "warmup": 0.9}.items():
        if not 0 <= getattr(config, name) <= highest:
            raise UsageError(f"{flag(name)} {getattr(config, name)}: must lie between 0 and {highest:g}")
    for name in ("lr", "encoder_lr"):
        rate = getattr(config, name)
        if rate is not None and not 0 < rate < float("inf"):
            raise UsageError(f"{flag(name)} {rate}: must be above 0")
    if config.folds is not None and config.folds < 2:
        raise UsageError(f"--folds {config.folds}: must be at least 2")
    if config.fold is not None and not 0 <= config.fold < (config.folds or 0):
        raise UsageError(f"--fold {config.fold}: there are {config.folds or 'no'} folds, counted from 0")
    if config.width % 16:
        raise UsageError(f"--width {config.width}: must be a multiple of 16")
    _check_weights(config)
    _check_forms(config)


def _check_weights(config: Any) -> None:
    channels = (config.width * 2**level for level in range(config.stages))
    weights = 18 * config.blocks * sum(each**2 for each in channels)  # of two 3×3 convolutions a block
    if config.encoder == "basic" and weights > _MOST_WEIGHTS:
        sizes = f"--width {config.width} --stages {config.stages} --blocks {config.blocks}"
        raise UsageError(f"{sizes}: {weights:.0e} weights are more than any machine holds; make one smaller")


def _check_forms(config: Any) -> None:
    number = r"\d+(\.\d+)?"
    if not re.fullmatch(r"native|longest:[1-9]\d*", config.scale):
        raise UsageError(f"--scale '{config.scale}': give native or longest:N, such as longest:256")
    weights = re.fullmatch(f"{number}(,{number})+", config.class_weights)
    above_zero = weights and all(float(weight) > 0 for weight in config.class_weights.split(","))
    if config.class_weights not in ("none", "balanced") and not above_zero:
        raise UsageError(
            f"--class-weights '{config.class_weights}': give none, balanced, or a number above 0 a class: 1,5"
        )
    if config.encoder == "basic" and config.weights != "none":
        name = config.weights if config.weights in NAMED_WEIGHTS else unpinned(config.weights)
        other = ", or a run's weights with --init" if config.weights not in NAMED_WEIGHTS else ""
        raise UsageError(f"--weights {name}: the basic encoder has none; try --encoder resnet34{other}")
    _check_short(config)
    _check_bottleneck(config)


def _check_short(config: Any) -> None:
    for name in ("short", "short_decoder", "zero_init"):
        default = config.__dataclass_fields__[name].default
        if config.encoder != "basic" and getattr(config, name) != default:
            raise UsageError(f"{flag(name)}: is for --encoder basic; {config.encoder} has blocks of its own")
    if config.zero_init and config.short not in ("residual", "preactivation"):
        raise UsageError(
            f"--zero-init: is for --short residual or preactivation; with {config.short}, a block would not "
            "start as the identity"
        )


def _check_bottleneck(config: Any) -> None:
    for name in OF_TRANSFORMER:
        value, default = getattr(config, name), config.__dataclass_fields__[name].default
        if config.bottleneck == "none" and value != default:
            raise UsageError(
                f"{flag(name)} {value}: is for --bottleneck transformer; give that too, or leave it"
            )
