"""The images that a metric of a class is about: how many there are, and what each of them scored."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from unetseg.evaluation.rows import MEAN
from unetseg.metrics.registry import Metric
from unetseg.metrics.thickness import have_widths
from unetseg.studies.analysis.means import Range
from unetseg.studies.analysis.paired_sample import LEAST_UNITS
from unetseg.studies.analysis.ratios import LEAST_EFFECTIVE, effective_images
from unetseg.studies.analysis.score_matrix import (
    RunScores,
    count_infinite,
    counted,
    image_scores,
    images_with,
)
from unetseg.studies.analysis.statistics import Floats
from unetseg.utilities.text import first_few


class Options(TypedDict):
    """What ``difference_of_means`` and ``mean_interval`` must know of a metric and its images."""

    groups: tuple[str, ...] | None
    pooled: bool
    limits: Range
    shortage: str


def options_of(run: RunScores, metric: Metric, class_name: str) -> Options:
    """Return how a metric of a class is compared.

    Args:
        run: any of those compared.
        metric: of a study.
        class_name: a foreground class, or ``mean``.
    """
    of_test = metric.group != "training"
    rare = class_name == MEAN and of_test
    return {
        "groups": run.groups if of_test else None,
        "pooled": metric.pooled,
        "limits": (0.0, metric.highest),
        "shortage": (_rare_classes(run) if rare else "") or _few_large_images(run, metric, class_name),
    }


def by_image(
    runs: Mapping[str, Sequence[RunScores]], metric: Metric, class_name: str, values: Mapping[str, Floats]
) -> Mapping[str, Floats]:
    """Return what single images scored, by arm: not what they add to the mean of classes, or to a ratio.

    Args:
        runs: of each arm, one a seed.
        metric: of a study.
        class_name: a foreground class, or ``mean``.
        values: of each arm, from ``score_matrix``.
    """
    if metric.pooled:
        return {}
    if class_name != MEAN or metric.group == "training":
        return values
    own = {name: image_scores(each, metric.key, MEAN) for name, each in runs.items()}
    return {name: matrix for name, matrix in own.items() if matrix is not None}


def note(runs: Mapping[str, Sequence[RunScores]], metric: Metric, class_name: str) -> str:
    """Say how much a stratum holds, or how often a distance was infinite.

    Args:
        runs: of each arm, one a seed.
        metric: of a study.
        class_name: a foreground class, or ``mean``.
    """
    if metric.counted:
        every = [counted(run, metric, class_name) for each in runs.values() for run in each]
        total = _between([round(sum(counts)) for counts in every])
        images = _between([sum(count > 0 for count in counts) for counts in every])
        return f"{total} {metric.counted} in {images} images{', by net' * (' to ' in total + images)}"
    if not metric.can_be_infinite:
        return ""
    infinite = {name: count_infinite(each, metric.key, class_name) for name, each in runs.items()}
    missed = ", ".join(f"{name} {count}" for name, count in infinite.items() if count)
    return f"infinite, and counted as the image's diagonal: {missed}" if missed else ""


def has_widths(run: RunScores, class_name: str) -> bool:
    """Tell whether widths mean anything for a class: by its ground truth, so the same of every run.

    Args:
        run: any of those compared.
        class_name: a foreground class, or ``mean``, whose classes are not one population.
    """
    return class_name != MEAN and have_widths([*run.table[class_name].values()])


def few_counted(runs: Sequence[RunScores], metric: Metric, class_name: str) -> str:
    """Say where a net of an arm has too few images with what a ratio counts, so that it can have no interval.

    What precision counts each net predicts for itself: another arm's images tell nothing of this one's.

    Args:
        runs: of one arm.
        metric: of a study.
        class_name: a foreground class, or ``mean``, whose rare classes are another caution.
    """
    if not metric.pooled or class_name == MEAN:
        return ""
    least = min(sum(count > 0 for count in counted(run, metric, class_name)) for run in runs)
    if not 0 < least < LEAST_UNITS:
        return ""
    images = "1 image that holds" if least == 1 else f"{least} images that hold"
    return f"{images} any of it in one of the nets, and an interval needs {LEAST_UNITS}"


def _between(counts: Sequence[int]) -> str:
    """Return the count, or from which to which."""
    return " to ".join(map(str, dict.fromkeys((min(counts), max(counts)))))


def _few_large_images(run: RunScores, metric: Metric, class_name: str) -> str:
    """Say where a few large images hold most of what a ratio counts, so that it can have no interval."""
    for name in run.classes if class_name == MEAN else (class_name,):
        sizes = counted(run, metric, name) if metric.pooled else []
        if sum(size > 0 for size in sizes) > 1 and effective_images(sizes) < LEAST_EFFECTIVE:
            return "one or two images hold most of it, and an interval needs more that do"
    return ""


def _rare_classes(run: RunScores) -> str:
    """Say which classes have too few images for an interval of the mean over classes, if any.

    How far such a class's own average would move with other images is as little known as that of a ratio
    that few images hold. Classes that all images have are no such case: there the images are few, not theirs.
    """
    found = images_with(run)
    rare = [name for name, count in found.items() if 0 < count < min(LEAST_UNITS, len(run.images))]
    if not rare:
        return ""
    most = max(found[name] for name in rare)
    held = "1 image has" if most == 1 else f"{most} images have"
    return f"only {held} {first_few(rare)}, and an interval needs {LEAST_UNITS}"
