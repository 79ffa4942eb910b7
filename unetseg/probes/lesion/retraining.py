"""What a finished study found for nets that were trained without long skips, to be shown beside lesions."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from unetseg.config import RunConfig, from_mapping
from unetseg.errors import UnetsegError, UsageError
from unetseg.metrics.registry import PRIMARY
from unetseg.models.lesioned_unet import Lesion
from unetseg.models.unet import skip_levels
from unetseg.skip_levels import select_levels
from unetseg.utilities.files import read_file

# In what a run may differ from the study's baseline and still be one of its nets.
NOT_THE_NET = {"seed": 0, "data_dir": None}


class Retrained(NamedTuple):
    """How an arm that was trained without some skips differs from the baseline: image IoU."""

    arm: str
    mean: float
    low: float
    high: float


def read_retrained(study: Path, config: RunConfig, fingerprint: str) -> dict[Lesion, Retrained]:
    """Return, by the levels that are off, what a study found for nets that were trained without these skips.

    Args:
        study: its folder.
        config: of the runs with the lesions, which must be the study's baseline but for the seed.
        fingerprint: of the images that the lesions are scored on.

    Raises:
        UsageError: if the folder holds no study, or one of another net or other images, or without such arms.
        UnetsegError: if what the study left cannot be read.
    """
    path = study / "summary.json"
    if not path.is_file():
        raise UsageError(f"--against {study}: holds no summary.json; name the folder of a finished study")
    try:
        summary = json.loads(read_file(path))
        configs = {arm["name"]: arm["config"] for arm in summary["arms"]}
        if summary["fingerprint"] != fingerprint:
            raise UsageError(f"--against {study}: was tested on other images than the lesions")
        # Folders of masks have no configuration.
        arms = {name: from_mapping(each, str(path)) for name, each in configs.items() if each is not None}
        baseline = summary["reference"]
        if baseline in arms:
            _require_same_net(study, arms[baseline], config)
        found = dict(_retrained(summary, arms, baseline))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnetsegError(
            f"{path}: cannot be read as what a study found ({type(error).__name__}: {error}); "
            "'unetseg ablate' writes it anew"
        ) from error
    if not found:
        raise UsageError(
            f"--against {study}: has no arm that was trained without a skip of its reference; "
            "'unetseg ablate levels' makes such a study"
        )
    return found


def _require_same_net(study: Path, baseline: RunConfig, config: RunConfig) -> None:
    """Refuse to show what one net relies on beside what another one needs."""
    ours, theirs = (each.changed(**NOT_THE_NET) for each in (config, baseline))
    if ours.identity() != theirs.identity():
        values = asdict(theirs)
        differing = [key for key, value in asdict(ours).items() if value != values[key]]
        raise UsageError(
            f"--against {study}: its reference differs from the run in {', '.join(differing)}; "
            "name a run of the reference, or a study of this net"
        )


def _retrained(
    summary: Mapping[str, Any], arms: Mapping[str, RunConfig], baseline: str
) -> Iterator[tuple[Lesion, Retrained]]:
    """Yield the arms whose skips are some of the baseline's and whose others are dropped."""
    if baseline not in arms:
        return
    levels = skip_levels(arms[baseline])
    active_levels = {name: select_levels(arm.skips, levels, arm.encoder) for name, arm in arms.items()}
    (scores,) = [
        metric["arms"]
        for metric in summary["metrics"]
        if (metric["key"], metric["class_name"]) == (PRIMARY, summary["primary_class"])
    ]
    for name, arm in arms.items():
        if active_levels[name] < active_levels[baseline] and arm.control == "drop":
            difference = scores[name]["difference"]
            # An end that one image and seed leave unknown is infinite, which JSON has no number for.
            low = -math.inf if difference["low"] is None else difference["low"]
            high = math.inf if difference["high"] is None else difference["high"]
            off = active_levels[baseline] - active_levels[name]
            yield off, Retrained(name, difference["mean"], low, high)
