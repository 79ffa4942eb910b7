"""The images of a study whose arms differ most, as pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from unetseg.errors import UnetsegError
from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions
from unetseg.report.gallery.cases import Progress, mask_cases, predicted_cases
from unetseg.report.gallery.pictures import Case, Gallery, make_gallery, most_pictures
from unetseg.report.study_figures import compared, heading, image_differences, image_metrics, test_images
from unetseg.report.wording import number
from unetseg.runs import Run
from unetseg.studies.analysis.results import ArmResult, StudyResults


def study_gallery(
    results: StudyResults, progress: Progress | None = None, masks: MaskOptions = PLAIN_MASKS
) -> Gallery:
    """Draw the images whose arms differ most, with the masks of each arm's first seed.

    Args:
        results: of runs, or of folders of masks.
        progress: is told (masks predicted, masks in all).
        masks: how folders of masks are read.

    Raises:
        UnetsegError: if a run, an image or a mask is not there any more or cannot be read.
    """
    arms = [arm for arm in results.arms if arm.same_as is None]
    names = most_different(results)[: most_pictures(len(arms))]
    scores = [_scores(results, arms, name) for name in names]
    paths = [Path(arm.runs[0].path) for arm in arms]
    if arms[0].config is None:
        cases = mask_cases(paths, results.data, names, scores, masks)
    else:
        cases = _predicted(results, [Run(path) for path in paths], names, scores, progress)
    labels = [heading(metric) for metric in image_metrics(results)]
    return make_gallery(cases, [arm.name for arm in arms], labels, "those that differ most first")


def most_different(results: StudyResults) -> list[str]:
    """Return the images, those first in which any arm is farthest from the baseline.

    Counted in the first metric that single images have, averaged over seeds; where there is none, or no arm
    to compare, the images keep their order.
    """
    metrics, arms = image_metrics(results), compared(results)
    if not metrics or not arms:
        return list(test_images(results))
    by_arm = [np.abs(image_differences(results, metrics[0], arm.name)) for arm in arms]
    farthest = np.max(np.nan_to_num(by_arm, nan=-1.0), axis=0)
    return [metrics[0].images[index] for index in np.argsort(-farthest, kind="stable")]


def _predicted(
    results: StudyResults,
    runs: Sequence[Run],
    names: Sequence[str],
    scores: Sequence[Sequence[Sequence[str]]],
    progress: Progress | None,
) -> Iterator[Case]:
    from unetseg.data.datasets.open import open_data

    config = runs[0].config()
    if config.folds is not None:
        raise UnetsegError("in folds, each image has a net of its own")
    dataset = open_data(config)
    samples = {sample.name: sample for sample in dataset.splits[results.split or "test"]}
    missing = [name for name in names if name not in samples]
    if missing:
        raise UnetsegError(f"{dataset.name}: its {results.split} split has no image {missing[0]} any more")
    return predicted_cases(runs, dataset, [samples[name] for name in names], scores, config.device, progress)


def _scores(results: StudyResults, arms: Sequence[ArmResult], name: str) -> list[list[str]]:
    """Return what each arm's first seed scored in an image."""
    metrics = image_metrics(results)
    return [
        [number(float(metric.by_image[arm.name][0, metric.images.index(name)])) for metric in metrics]
        for arm in arms
    ]
