"""Studies as YAML files, those of the package and anybody's own.

::

    claim: what the study tests, in plain English
    base: {epochs: 40}             # any keys of a run's configuration; flags of the command line win
    arms:                          # at least two, each with the keys that make it this arm
      on: {skips: on, label: With every long skip}
      off: {skips: off, lr: [1e-3, 3e-3]}     # a list: the validation split chooses
      only-{level}: {skips: "{level}"}        # one arm for each level that the encoder has
    tune: {lr: [1e-3, 3e-3]}       # the same list in every arm that does not set the key; may be left out
    reference: on                  # the baseline: the arm that the others are compared with, or the first
    seeds: 5                       # how many, 3..10 for a study that looks between, or a list
    looks: [3, 4, 5, 7, 10]        # numbers of seeds after which arms are judged; may be left out
    primary: iou                   # the metric that the verdict is about
    margin: 0.01                   # the largest difference in it that counts as none
    pairs: [[only-0, off]]         # further comparisons, each the first arm with the second; may be left out
    positive_control: {only-0: on} # an arm's verdict means nothing unless the other has learned, as the
                                   # reference must in any case; may be left out

In a study's own folder, ``plan:`` holds what was decided before the first run: looks, threshold, seeds,
family, primary metric and margin. What is asked for later is held against it.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from unetseg.config import HINTS, from_mapping
from unetseg.config_checks import pinned_weights
from unetseg.errors import UsageError, did_you_mean
from unetseg.metrics.registry import PRIMARY, find_metric
from unetseg.runs import CHECKPOINTS, STUDY_FILE
from unetseg.studies.analysis.looks import Plan
from unetseg.studies.seeds import read_looks, read_seeds
from unetseg.studies.study import NEVER_LISTS, PLACEHOLDER, Arm, Study
from unetseg.utilities.yaml_files import load_yaml

PRESETS = Path(__file__).parent / "presets"
KEYS = (
    "name",
    "claim",
    "base",
    "arms",
    "reference",
    "seeds",
    "primary",
    "margin",
    "pairs",
    "looks",
    "positive_control",
    "tune",
    "plan",
)
# What all arms share: other images would leave nothing to pair, and the seeds are the study's.
SHARED = ("seed", "data", "data_dir", "images", "masks", "split_seed")


def preset_names() -> list[str]:
    """Return the names of the studies that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load_study(name: str | Path) -> Study:
    """Read a study: a preset by name, or a YAML file.

    Raises:
        UsageError: if there is none, or it does not say what a study needs.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return parse_study(load_yaml(name), Path(name).stem, str(name))
    presets = preset_names()
    if name not in presets:
        hint = did_you_mean(str(name), presets)
        raise UsageError(f"'{name}': no such study{hint}; name {', '.join(presets)}, or a YAML file")
    return parse_study(load_yaml(PRESETS / f"{name}.yaml"), str(name), str(name))


def study_folder(name: str | Path) -> Path | None:
    """Return the folder of the study that lies there, or under ``checkpoints/``; None if there is none."""
    for folder in (Path(name), CHECKPOINTS / name):
        if (folder / STUDY_FILE).is_file():
            return folder
    return None


def parse_study(values: Mapping[str, Any], name: str, where: str) -> Study:
    """Build a study from plain values.

    Args:
        values: the content of a file.
        name: of the study, where the file gives none.
        where: the values come from, for the error line.

    Raises:
        UsageError: if something is missing, unknown or out of range.
    """
    for key in values:
        _require(key in KEYS, where, f"unknown key '{key}'{_place_of(str(key))}")
    base = values.get("base") or {}
    _require(isinstance(base, Mapping), where, "base must hold 'key: value' lines")
    _require("seed" not in base, where, "base: seed is the study's; say how many with 'seeds: 5'")
    arms = _arms(values.get("arms"), _tune(values.get("tune") or {}, where), where)
    names = [arm.name for arm in arms]
    baseline = _word(values.get("reference", names[0]))
    hint = did_you_mean(baseline, names)
    _require(baseline in names, where, f"the reference '{baseline}' is none of the arms{hint}")
    primary = str(values.get("primary", PRIMARY))
    find_metric(primary, f"{where}: unknown primary metric '{primary}'")
    looks = values.get("looks")
    seeds, ends = read_seeds(values.get("seeds", _last(looks) or 5), f"{where}: seeds")
    return Study(
        name=str(values.get("name", name)),
        claim=" ".join(str(values.get("claim") or "").split()),
        base=from_mapping(base, f"{where}: base"),
        arms=arms,
        baseline=baseline,
        seeds=seeds,
        primary=primary,
        margin=_margin(values.get("margin", 0.01), where),
        pairs=_pairs(values.get("pairs") or [], where),
        controls=_controls(values.get("positive_control") or {}, where),
        looks=ends if looks is None else read_looks(looks, seeds, f"{where}: looks"),
        plan=_plan(values["plan"], f"{where}: plan") if values.get("plan") is not None else None,
    )


def study_yaml(study: Study) -> str:
    """Return a study as a file that :func:`load_study` reads."""
    base = {key: value for key, value in asdict(study.base).items() if key != "seed"}
    arms = {arm.name: {"label": arm.label, **arm.overrides} for arm in study.arms}
    values = vars(study) | {"base": base, "arms": arms, "seeds": list(study.seeds)}
    values["pairs"] = [list(pair) for pair in study.pairs]
    values["looks"] = list(study.looks)
    values["positive_control"] = values.pop("controls")
    values["plan"] = study.plan and _plain_plan(study.plan)
    named = {"reference" if key == "baseline" else key: value for key, value in values.items()}
    return yaml.safe_dump(named, sort_keys=False, allow_unicode=True)


def _place_of(key: str) -> str:
    """Return where a key belongs that stands in a wrong place, or what else may be meant."""
    if key == "seed":
        return "; the study's seeds are said by 'seeds: 5', how many, or a list of them"
    setting = key.replace("-", "_") in HINTS
    return "; put it under 'base:'" if setting else did_you_mean(key, KEYS)


def _last(looks: Any) -> Any:
    """Return the number of seeds that looks end with, if they are any."""
    return looks[-1] if isinstance(looks, list) and looks else None


def _plan(values: Any, where: str) -> Plan:
    """Read what a study decided before its first run, as ``_plain_plan`` wrote it."""
    _require(isinstance(values, Mapping), where, "must hold 'key: value' lines")
    keys = ("looks", "threshold", "seeds", "family", "primary", "margin")
    for key in values:
        _require(key in keys, where, f"unknown key '{key}'{did_you_mean(str(key), keys)}")
    for key in ("looks", "seeds", "family", "primary"):
        _require(key in values, where, f"lacks '{key}'")
    seeds, _ = read_seeds(values["seeds"], f"{where}: seeds")
    looks = read_looks(values["looks"], seeds, f"{where}: looks")
    family = values["family"]
    _require(isinstance(family, list) and len(family) > 0, where, "family must list the arms")
    margin = _margin(values.get("margin", 0.01), where)
    plan = Plan(looks, tuple(map(_word, family)), str(values["primary"]), margin, seeds)
    find_metric(plan.primary, f"{where}: unknown primary metric '{plan.primary}'")
    threshold = values.get("threshold", plan.level)
    fine = isinstance(threshold, float) and abs(threshold - plan.level) < 1e-9
    told = f"threshold {threshold}: of {len(looks)} looks each has {plan.level:g} (0.05 / {len(looks)})"
    _require(fine, where, told)
    return plan


def _plain_plan(plan: Plan) -> dict[str, Any]:
    return {
        "looks": list(plan.looks),
        "threshold": plan.level,
        "seeds": list(plan.seeds),
        "family": list(plan.family),
        "primary": plan.primary,
        "margin": plan.margin,
    }


def _margin(value: Any, where: str) -> float:
    fine = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
    _require(fine, where, f"margin {value}: must be a number above 0")
    return float(value)


def _pairs(values: Any, where: str) -> tuple[tuple[str, str], ...]:
    _require(isinstance(values, list), where, "pairs must be a list: [[arm, other arm], ...]")
    pairs = []
    for pair in values:
        fine = isinstance(pair, list) and len(pair) == 2 and pair[0] != pair[1]
        _require(fine, where, f"pairs: {pair} must name two different arms: [arm, other arm]")
        pairs.append((_word(pair[0]), _word(pair[1])))
    return tuple(pairs)


def _controls(values: Any, where: str) -> dict[str, str]:
    _require(isinstance(values, Mapping), where, "positive_control must hold 'arm: other arm' lines")
    controls = {_word(arm): _word(other) for arm, other in values.items()}
    for arm, other in controls.items():
        _require(arm != other, where, f"positive_control: {arm} cannot be its own; name another arm")
    return controls


def _tune(values: Any, where: str) -> dict[str, Any]:
    """Return what every arm tries, as arms write it."""
    lists = isinstance(values, Mapping) and all(isinstance(value, list) for value in values.values())
    _require(lists, where, "tune must hold lists of values to try: {lr: [1e-3, 3e-3]}")
    return {str(key).replace("-", "_"): value for key, value in values.items()}


def _arms(values: Any, tune: Mapping[str, Any], where: str) -> tuple[Arm, ...]:
    _require(bool(values), where, "names no arms ('arms:')")
    _require(isinstance(values, Mapping), where, "arms must hold 'name: {key: value}' lines")
    arms = tuple(_arm(_word(name), entry or {}, tune, where) for name, entry in values.items())
    _require(len(arms) > 1 or PLACEHOLDER in arms[0].name, where, "has one arm; a comparison needs two")
    return arms


def _arm(name: str, entry: Any, tune: Mapping[str, Any], where: str) -> Arm:
    _require(isinstance(entry, Mapping), where, f"arm {name} must hold 'key: value' lines")
    written = {str(key).replace("-", "_"): value for key, value in entry.items()}
    overrides = written | {key: value for key, value in tune.items() if key not in written}
    settings = ", ".join(f"{key} {_words(value)}" for key, value in overrides.items() if key != "label")
    label = str(overrides.pop("label", f"In arm {name} ({settings or 'the base as it is'})"))
    for key in SHARED:
        _require(key not in overrides, where, f"arm {name} sets {key}, which all arms share{_place_of(key)}")
    for key, value in overrides.items():
        _require(value != [] or key in NEVER_LISTS, where, f"arm {name}: {key} lists no values to try")
    if "weights" in overrides:  # so that the study's own file tells, once written, what they were
        given = overrides["weights"]
        pinned = [pinned_weights(each) for each in (given if isinstance(given, list) else [given])]
        overrides["weights"] = pinned if isinstance(given, list) else pinned[0]
    return Arm(name, label, overrides)


def _word(value: Any) -> str:
    """Return a name; YAML reads an unquoted ``on`` as true."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _words(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else _word(value)


def _require(condition: bool, where: str, message: str) -> None:
    if not condition:
        raise UsageError(f"{where}: {message}")
