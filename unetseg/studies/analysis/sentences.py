"""Verdicts as sentences: each says the change, its interval, its sample, its p-value and what follows."""

import math
from collections.abc import Sequence

import numpy as np

from unetseg.studies.analysis.cautions import undetected_rate
from unetseg.studies.analysis.intervals import excludes_zero_there
from unetseg.studies.analysis.looks import ALPHA
from unetseg.studies.analysis.means import Difference, Estimate
from unetseg.studies.analysis.verdicts import Judgement, p_text


def sentence(
    subject: str, metric: str, difference: Difference, judgement: Judgement, *, unit: str = ""
) -> str:
    """Say in one sentence what an arm does to a metric, with its numbers and the verdict.

    Args:
        subject: What was changed, as the sentence begins: "Without long skips (drop)".
        metric: As a reader names it: "test IoU".
        difference: The arm minus its baseline.
        judgement: On that difference.
        unit: Written after the difference where it has one: "px".
    """
    if difference.identical:
        reason = f", {judgement.reason}" if judgement.reason else ""
        sample = sample_text(difference)
        return f"{subject}, {metric} is the same in every image ({sample}): {judgement.verdict}{reason}."
    digits = _digits(difference)
    unit = f" {unit}" if unit else ""
    if judgement.verdict in ("better", "worse"):
        sign = -1 if difference.mean < 0 else 1
        ends = sorted((sign * difference.low, sign * difference.high))
        change = f"{'falls' if sign < 0 else 'rises'} by {sign * difference.mean:z.{digits}f}{unit}"
        span = _span(ends[0], ends[1], f"z.{digits}f")
    else:
        change = f"changes by {difference.mean:+z.{digits}f}{unit}"
        span = _span(difference.low, difference.high, f"+z.{digits}f")
    conclusion = _conclusion(difference, judgement, unit) + _unknown_variance(difference)
    return f"{subject}, {metric} {change} ({_numbers(difference, span, judgement)}): {conclusion}."


def contrast_sentence(
    subject: str,
    metrics: tuple[str, str],
    first: Difference,
    second: Difference,
    gap: Difference,
    judgement: Judgement,
) -> str:
    """Say in one sentence whether an arm moves the first metric more than the second.

    Args:
        subject: As in `sentence`.
        metrics: Names of the two, higher being better in both: ("boundary IoU", "IoU").
        first: The arm minus its baseline in the first metric.
        second: The same in the second.
        gap: ``contrast(first, second)``.
        judgement: On the gap, by `judge`.
    """
    digits = _digits(gap)
    span = _span(gap.low, gap.high, f"+z.{digits}f")
    if judgement.verdict in ("better", "worse"):
        verb = {("better", True): "gains more", ("better", False): "loses less"}
        verb |= {("worse", True): "gains less", ("worse", False): "loses more"}
        finding = f"{metrics[0]} {verb[judgement.verdict, first.mean > 0]} than {metrics[1]}"
    elif judgement.verdict == "equivalent":
        finding = "both change alike" + (f", within {judgement.margin:g}" if judgement.margin else "")
    elif judgement.verdict == "undecided":
        finding = "undecided which changes more"
    else:
        finding = _conclusion(gap, judgement, "")
    moves = (
        f"{metrics[0]} changes by {first.mean:+z.{digits}f} and {metrics[1]} by {second.mean:+z.{digits}f}"
    )
    numbers = _numbers(gap, span, judgement)
    return (
        f"{subject}, {moves}, {gap.mean:+z.{digits}f} apart ({numbers}): {finding}{_unknown_variance(gap)}."
    )


def estimate_text(estimate: Estimate) -> str:
    """Return an arm's own mean with its interval and sample."""
    if math.isinf(estimate.standard_error):
        interval = "no interval"
    else:
        interval = f"{100 * estimate.confidence:g} % interval {estimate.low:.3f} to {estimate.high:.3f}"
    return f"{estimate.mean:.3f} ({interval}, {sample_text(estimate)})"


def sample_text(estimate: Estimate) -> str:
    """Return over how many seeds and images something is a mean."""
    seeds, images, dropped = f"{estimate.seeds}", estimate.images, estimate.images_dropped
    plural = estimate.seeds != 1
    if isinstance(estimate, Difference) and len(estimate.arm) != len(estimate.baseline):
        seeds, plural = f"{len(estimate.arm)} against {len(estimate.baseline)}", True
    counted = f"{seeds} seed{'s' * plural} × {images} image{'s' * (images != 1)}"
    if estimate.groups is not None:
        counted += f" in {estimate.groups} group{'s' * (estimate.groups != 1)}"
    return f"{counted}, {dropped} left out as undefined" if dropped else counted


def caution_lines(
    arm: str,
    baseline: str,
    metric: str,
    difference: Difference,
    seeds: tuple[Sequence[int], Sequence[int]],
) -> list[str]:
    """Name the seeds that lie apart from the others, and say where a few images make the difference.

    Args:
        arm: Its name.
        baseline: The name of the arm that it is compared with.
        metric: As a reader names it.
        difference: Of the two.
        seeds: Of the arm and of the baseline, in the order of their rows.
    """
    lines = []
    both = ((arm, difference.arm), (baseline, difference.baseline))
    for (name, values), numbers, apart in zip(both, seeds, difference.outlying, strict=True):
        means = np.nanmean(values, axis=1)
        lines += [
            f"{name}, seed {numbers[index]} lies apart from its other seeds: {metric} {means[index]:.3f}, "
            f"their median {np.median(np.delete(means, index)):.3f}"
            for index in apart
        ]
    if difference.skewed:
        lines.append(
            f"{arm}: a few images differ far more than the others from {baseline} in {metric}, so that other "
            "images may give another mean"
        )
    return lines


def _numbers(difference: Difference, span: str, judgement: Judgement) -> str:
    if difference.without_interval:
        return f"no interval, {sample_text(difference)}"
    tested = f"{'adjusted ' * (judgement.comparisons > 1)}{p_text(judgement.p_adjusted)}"
    if judgement.level < ALPHA:
        tested += f" against {judgement.level:.3g}"  # one of several looks
    looks = " over all looks" if judgement.level < ALPHA else ""
    return f"{100 * difference.confidence:g} % interval{looks} {span}, {sample_text(difference)}, {tested}"


def _span(low: float, high: float, form: str) -> str:
    return " to ".join(excludes_zero_there(end) or format(end, form) for end in (low, high))


def _conclusion(difference: Difference, judgement: Judgement, unit: str) -> str:
    verdict = judgement.verdict
    if verdict == "not decidable":
        return f"{verdict}, {judgement.reason}"
    if judgement.margin is None or judgement.p_equivalence is None:
        return "undecided, no difference is shown" if verdict == "undecided" else verdict
    within = f"within {judgement.margin:g}{unit}"
    if verdict == "equivalent":
        measured = ", a difference measured but too small to matter" if judgement.significant else ""
        return f"{within} ({p_text(judgement.p_equivalence)}){measured}, {_equivalent(difference)}"
    if judgement.within_margin and verdict != "for these nets only":
        return f"{verdict}, {within} but not called equivalent: {judgement.reason}"
    neither = f", neither a difference nor equivalence {within} is shown"
    return verdict + neither * (verdict == "undecided")


def _equivalent(difference: Difference) -> str:
    """Say what "equivalent" leaves open: failures that so few runs and images do not exclude."""
    units = "images" if difference.groups is None else "groups"
    runs, images = (f"{100 * undetected_rate(count):.2g} %" for count in (difference.seeds, difference.units))
    return (
        f"equivalent among runs that learn; a collapse rate up to {runs} ({units}: up to {images}) "
        "is not excluded"
    )


def _unknown_variance(difference: Difference) -> str:
    """Say which source of chance the numbers leave out, if any."""
    unknown = []
    if not difference.seed_variance_known:
        unknown.append("seeds")
    if not difference.image_variance_known:
        unknown.append("images")
    return f" (variance between {' and '.join(unknown)} unknown)" if unknown else ""


def _digits(difference: Difference) -> int:
    """Return the decimals that show two digits of the standard error, three to six."""
    error = difference.standard_error
    return min(max(1 - math.floor(math.log10(error)), 3), 6) if 0 < error < math.inf else 3
