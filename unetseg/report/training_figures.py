"""What a study shows of its trainings: curves, the loss against depth, the gradient's flow."""

from collections.abc import Sequence
from functools import partial
from statistics import mean, median

import numpy as np

from unetseg.metrics.registry import TRAIN_LOSS
from unetseg.report.figures import curves
from unetseg.report.html.page import Block, Figure, Figures, Table, Text
from unetseg.report.study_figures import curve_of
from unetseg.report.training_plots import STYLES, Flow, Series, against_depth, gradient_curves, power_of_ten
from unetseg.report.wording import counted, interval, number
from unetseg.studies.analysis.results import ArmResult, ArmScore, StudyResults

_LOWEST = 1e-12  # of norms: what is less cannot be told from nothing in float32


def training_blocks(results: StudyResults) -> list[Block]:
    """Return the loss of every arm, against depth where arms differ in it, and every run's curve."""
    arms = [arm for arm in _trained(results) if all(run.epochs for run in arm.runs)]
    if not arms:
        return []
    return [_loss_table(results, arms), *_depth_figures(results, arms), *_curve_figures(results, arms)]


def gradient_blocks(results: StudyResults) -> list[Block]:
    """Return how the gradient flowed in the arms that recorded it; nothing where none did."""
    recorded = {
        arm.name: _flow(arm) for arm in _trained(results) if all(len(run.gradients) > 1 for run in arm.runs)
    }
    if not recorded:
        return []
    behind = recorded.get(results.baseline)
    limits = (
        _range(norm for flow in recorded.values() for net in (*flow.before, *flow.after) for norm in net),
        _range(ratio for flow in recorded.values() for net in flow.ratios for ratio in net),
    )
    figures = []
    for index, (name, flow) in enumerate(recorded.items()):
        shown = None if name == results.baseline else behind
        label = (
            f"{name}: gradient norm of each layer before and after training of "
            f"{counted(len(flow.ratios), 'run')}, and that of the first layer over that of the last by epoch"
        )
        draw = partial(gradient_curves, flow, shown, limits, label, f"gradients-{index}")
        figures.append(Figure(name, draw))
    explained = (
        "The gradient of the loss on one batch with respect to each layer's weights. Left: before training "
        "in the colour of the text, after the last epoch in blue, one line a run; dashed: "
        f"{results.baseline} before training. Right: the norm at the first layer over that at the last "
        f"before the head; dashed: {results.baseline}. Far above 1 the gradient explodes on its way back, "
        "far below it vanishes."
    )
    return [_ratio_table(recorded), Text(explained), Figures(figures)]


def _trained(results: StudyResults) -> list[ArmResult]:
    return [arm for arm in results.arms if arm.same_as is None and arm.runs]


def _loss_table(results: StudyResults, arms: Sequence[ArmResult]) -> Table:
    after = _after_training(results)
    rows = []
    for arm in arms:
        losses = [run.epochs[-1]["train_loss"] for run in arm.runs]
        cells = [arm.name, number(mean(losses)), interval(min(losses), max(losses))]
        if after is not None:
            estimate = after[arm.name].estimate
            cells += [number(estimate.mean), interval(estimate.low, estimate.high)]
        rows.append(cells)
    head = ["Arm", "While training", "Range over seeds"]
    head += [] if after is None else ["After training", "95 % interval"]
    caption = "Training loss: of the last epoch's crops while training"
    caption += "" if after is None else ", of the whole training images under the best weights after it"
    return Table(caption, head, rows)


def _after_training(results: StudyResults) -> dict[str, ArmScore] | None:
    found = [metric for metric in results.metrics if metric.key == TRAIN_LOSS]
    return dict(found[0].arms) if found else None


def _depth_figures(results: StudyResults, arms: Sequence[ArmResult]) -> list[Block]:
    """Return the loss against depth for arms that differ in nothing but their blocks a stage."""
    series = {name: found for name, found in _by_depth(arms).items() if len(found) > 1}
    if not series:
        return []
    after = _after_training(results)
    figures = []
    names = list(series)
    for start in range(0, len(names), len(STYLES)):
        shown = names[start : start + len(STYLES)]
        panels = [("while training", [_while_training(name, series[name]) for name in shown])]
        if after is not None:
            panels.append(("after training", [_estimates(name, series[name], after) for name in shown]))
        label = f"training loss against blocks a stage: {', '.join(shown)}"
        draw = partial(against_depth, panels, "blocks a stage", label, f"depth-{start}")
        figures.append(Figure("Training loss against depth", draw))
    text = "While training: the last epoch's crops, mean and range over seeds."
    if after is not None:
        text += " After training: the whole training images under the best weights, mean and 95 % interval."
    return [Text(text), Figures(figures)]


def _by_depth(arms: Sequence[ArmResult]) -> dict[str, list[tuple[int, ArmResult]]]:
    """Return the arms, shallowest first, by what else they are."""
    others = [{key: value for key, value in arm.overrides.items() if key != "blocks"} for arm in arms]
    keys = dict.fromkeys(key for each in others for key in each)
    telling = [key for key in keys if len({repr(each.get(key)) for each in others}) > 1]
    found: dict[str, list[tuple[int, ArmResult]]] = {}
    for arm, each in zip(arms, others, strict=True):
        name = ", ".join(f"{key.replace('_', ' ')} {each[key]}" for key in telling if key in each)
        found.setdefault(name or "all arms", []).append(((arm.config or {}).get("blocks", 1), arm))
    return {
        name: sorted(each, key=lambda pair: pair[0])
        for name, each in found.items()
        if len({blocks for blocks, _ in each}) == len(each)
    }


def _while_training(name: str, arms: Sequence[tuple[int, ArmResult]]) -> Series:
    losses = [[run.epochs[-1]["train_loss"] for run in arm.runs] for _, arm in arms]
    depths = [blocks for blocks, _ in arms]
    return Series(name, depths, list(map(mean, losses)), list(map(min, losses)), list(map(max, losses)))


def _estimates(name: str, arms: Sequence[tuple[int, ArmResult]], after: dict[str, ArmScore]) -> Series:
    estimates = [after[arm.name].estimate for _, arm in arms]
    return Series(
        name,
        [blocks for blocks, _ in arms],
        [each.mean for each in estimates],
        [each.low for each in estimates],
        [each.high for each in estimates],
    )


def _curve_figures(results: StudyResults, arms: Sequence[ArmResult]) -> list[Block]:
    """Return the training curves of every run, one figure an arm, all on the same scale."""
    trained = {arm.name: [curve_of(run.epochs) for run in arm.runs] for arm in arms}
    highest = 1.05 * float(
        np.nanmax([loss for runs in trained.values() for each in runs for loss in each.loss])
    )
    figures = []
    for index, (name, runs) in enumerate(trained.items()):
        behind = [] if name == results.baseline else trained.get(results.baseline, [])
        label = f"{name}: validation IoU and training loss of {counted(len(runs), 'run')} by epoch"
        draw = partial(curves, runs, behind, (1.0, highest), label, f"curves-{index}")
        figures.append(Figure(name, draw))
    return [Text(f"One line a run; dashed: the runs of {results.baseline}."), Figures(figures)]


def _flow(arm: ArmResult) -> Flow:
    from unetseg.models.gradient_flow import flow_curve

    epochs = sorted(set.intersection(*(set(run.gradients) for run in arm.runs)))
    before, after = (
        flow_curve(arm.name, [run.gradients[epoch] for run in arm.runs]).layers
        for epoch in (epochs[0], epochs[-1])
    )
    ratios = [[run.gradients[epoch].first_to_last for epoch in epochs] for run in arm.runs]
    return Flow(before, after, epochs, ratios)


def _ratio_table(flows: dict[str, Flow]) -> Table:
    rows = []
    for name, flow in flows.items():
        first, last = ([net[place] for net in flow.ratios] for place in (0, -1))
        cells = [name]
        for found in (first, last):
            cells += [_ratio(median(found)), f"{_ratio(min(found))} to {_ratio(max(found))}"]
        rows.append(cells)
    head = ["Arm", "Before training", "Range", "After the last epoch", "Range"]
    return Table("Gradient norm of the first layer over that of the last, median over seeds", head, rows)


def _ratio(value: float) -> str:
    """Return two digits, a whole number from 100 on, a power of ten from 100,000 on."""
    if value >= 1e5:
        digits, exponent = f"{value:.1e}".split("e")
        return f"{digits}·{power_of_ten(int(exponent))}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _range(values: object) -> tuple[float, float]:
    found = [value for value in values if np.isfinite(value) and value > _LOWEST]  # type: ignore[attr-defined]
    return (min(found) / 1.5, 1.5 * max(found)) if found else (_LOWEST, 1.0)
