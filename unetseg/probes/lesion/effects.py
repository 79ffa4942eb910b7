"""Parts of trained networks switched off without retraining: what the networks rely on.

Runs of one configuration are its seeds. What each part is worth is analysed as studies are: over seeds and
images, paired with the intact network.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from torch import nn

from unetseg.data.datasets.samples import Sample, SegmentationSet
from unetseg.errors import UsageError
from unetseg.evaluation.run import sample_fingerprint, samples_to_score, score_images
from unetseg.evaluation.scoring import ImageMasks
from unetseg.evaluation.summary import Evaluation, summarise
from unetseg.inference.loading import load_predictor
from unetseg.inference.predictor import Predictor
from unetseg.inference.substitute import SubstitutePredictor, unet_of
from unetseg.metrics import registry
from unetseg.models.lesioned_unet import Lesion, LesionedUnet
from unetseg.probes.lesion.block_deletion import BlockDeletions, find_blocks
from unetseg.probes.lesion.feature_means import BATCH
from unetseg.probes.lesion.modes import MODES
from unetseg.runs import Run
from unetseg.studies.analysis.differences import shown_classes
from unetseg.studies.analysis.means import (
    Difference,
    Estimate,
    difference_within_nets,
    mean_interval,
)
from unetseg.studies.analysis.populations import options_of
from unetseg.studies.analysis.score_matrix import score_matrix, scores_of

INTACT = "intact"

Progress = Callable[[int, int], None]


class Effect(NamedTuple):
    """A metric's mean under a lesion, and its difference from the intact network."""

    estimate: Estimate
    difference: Difference


@dataclass(frozen=True)
class Lesions:
    """What the runs scored with parts of them switched off.

    Attributes:
        runs: of one configuration, one a seed.
        evaluations: of each run, by the name of what is off; ``INTACT`` comes first.
        levels: by name, the levels that are off, where long skips were.
        effects: by name, then by metric, of the class that comes first.
    """

    runs: tuple[Run, ...]
    evaluations: Mapping[str, tuple[Evaluation, ...]]
    levels: Mapping[str, Lesion]
    effects: Mapping[str, Mapping[str, Effect]]

    @property
    def one(self) -> Evaluation:
        """The evaluation of one intact run, for what all have in common."""
        return self.evaluations[INTACT][0]


def skip_lesions(levels: Sequence[int], every: bool = False) -> dict[str, Lesion]:
    """Return the lesions by name: each level alone, then all; or every combination, fewest first.

    Args:
        levels: that are on.
        every: all 2^L of them.
    """
    sizes = range(len(levels) + 1) if every else sorted({0, 1, len(levels)})
    chosen = [frozenset(each) for size in sizes for each in combinations(sorted(levels), size)]
    return {lesion_name(lesion): lesion for lesion in chosen}


def lesion_name(lesion: Lesion) -> str:
    """Return ``intact``, or the levels that are off: ``without 0,2``."""
    return f"without {','.join(map(str, sorted(lesion)))}" if lesion else INTACT


def lesion_skips(
    runs: Sequence[Run],
    dataset: SegmentationSet,
    mode: str = "zero",
    *,
    every: bool = False,
    split: str = "test",
    device: str = "auto",
    progress: Progress | None = None,
) -> Lesions:
    """Switch the long skips of runs off, one by one or in every combination, and score a split.

    Args:
        runs: of one configuration, one a seed.
        dataset: theirs.
        mode: what stands in a skip's place: one of ``MODES``.
        every: all combinations.
        split: that is scored.
        device: where to compute.
        progress: is told (images done, images in all).

    Raises:
        UsageError: if the runs differ in more than the seed, or no skip is on.
    """
    require_one_configuration(runs)

    def network(predictor: Predictor) -> tuple[nn.Module, list[str]]:
        model = unet_of(predictor)
        lesions = skip_lesions(sorted(model.active_levels), every)
        replace = MODES[mode].replacement(predictor, dataset)
        return LesionedUnet(model, list(lesions.values()), replace), list(lesions)

    active_levels = unet_of(load_predictor(runs[0], device)).active_levels
    if not active_levels:
        raise UsageError(
            f"{runs[0].path}: has no long skip to switch off (its skips are "
            f"{runs[0].config().skips}); name a run that was trained with some"
        )
    levels = skip_lesions(sorted(active_levels), every)
    evaluations = _evaluate(runs, network, dataset, split, device, progress)
    return Lesions(tuple(runs), evaluations, levels, _effects(evaluations))


def delete_blocks(
    runs: Sequence[Run],
    dataset: SegmentationSet,
    *,
    split: str = "test",
    device: str = "auto",
    progress: Progress | None = None,
) -> tuple[Lesions, list[str]]:
    """Delete each block of the encoder in turn (Veit et al. 2016), and score a split.

    The arguments are those of ``lesion_skips``.

    Returns:
        The scores by block, and the names of the blocks that change the shape and so cannot be deleted.

    Raises:
        UsageError: if the runs differ in more than the seed, or no block can be deleted.
    """
    require_one_configuration(runs)
    blocks, fixed = find_blocks(unet_of(load_predictor(runs[0], device)))
    if not blocks:
        raise UsageError(
            f"{runs[0].path}: its encoder has no block that could be deleted; that takes --blocks 2 or more "
            "of any kind but dense, or a ResNet"
        )

    def network(predictor: Predictor) -> tuple[nn.Module, list[str]]:
        return BlockDeletions(unet_of(predictor), blocks), [INTACT, *blocks]

    evaluations = _evaluate(runs, network, dataset, split, device, progress)
    return Lesions(tuple(runs), evaluations, {}, _effects(evaluations)), fixed


def require_one_configuration(runs: Sequence[Run]) -> None:
    """Refuse runs that are not the seeds of one configuration.

    Raises:
        UsageError: names the two, and a setting in which they differ.
    """
    configs = [run.config() for run in runs]
    for run, config in zip(runs[1:], configs[1:], strict=True):
        if config.changed(seed=configs[0].seed).identity() != configs[0].identity():
            differing = [
                key
                for key, value in asdict(config).items()
                if value != getattr(configs[0], key) and key != "seed"
            ]
            raise UsageError(
                f"{run.path} and {runs[0].path}: differ in {', '.join(differing)}; several runs must be the "
                "seeds of one configuration"
            )
    seeds = [config.seed for config in configs]
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"{runs[0].path}: two of the runs have the same seed; name each seed once")


def _evaluate(
    runs: Sequence[Run],
    network: Callable[[Predictor], tuple[nn.Module, list[str]]],
    dataset: SegmentationSet,
    split: str,
    device: str,
    progress: Progress | None,
) -> dict[str, tuple[Evaluation, ...]]:
    """Return the evaluations of every run by the name of each variant that its network computes."""
    found: dict[str, list[Evaluation]] = {}
    for number, run in enumerate(runs):
        predictor = load_predictor(run, device)
        dataset = dataset.read_by(predictor.pixels)
        samples = samples_to_score(dataset, split, predictor.classes)
        total = len(runs) * len(samples)

        def told(done: int, _: int, before: int = number * len(samples), total: int = total) -> None:
            if progress:
                progress(before + done, total)

        variants, names = network(predictor)
        jobs = _jobs(SubstitutePredictor(predictor, variants), len(names), dataset, samples)
        by_image = list(score_images(jobs, dataset, len(samples), told))
        for name, images in zip(names, zip(*by_image, strict=True), strict=True):
            evaluation = summarise(list(images), dataset.classes, split, sample_fingerprint(samples))
            found.setdefault(name, []).append(evaluation)
    return {name: tuple(each) for name, each in found.items()}


def _jobs(
    predictor: Predictor, variants: int, dataset: SegmentationSet, samples: Sequence[Sample]
) -> Iterator[list[ImageMasks]]:
    """Yield for each image its prediction under every variant, beside the ground truth."""

    def masks(logits: np.ndarray) -> np.ndarray:
        return np.stack([predictor.mask(each) for each in np.split(logits, variants)])

    for start in range(0, len(samples), BATCH):
        chunk = samples[start : start + BATCH]
        predicted = predictor.pixelwise([dataset.image(sample) for sample in chunk], masks)
        for sample, each in zip(chunk, predicted, strict=True):
            beside = (dataset.mask(sample), dataset.valid(sample), dataset.instances(sample))
            yield [ImageMasks(sample.name, mask, *beside, group=sample.group) for mask in each]


def _effects(evaluations: Mapping[str, tuple[Evaluation, ...]]) -> dict[str, dict[str, Effect]]:
    scores = {
        name: [scores_of(evaluation, name) for evaluation in each] for name, each in evaluations.items()
    }
    class_name = shown_classes(evaluations[INTACT][0].classes)[0]
    effects: dict[str, dict[str, Effect]] = {name: {} for name in scores}
    for metric in registry.shown("lesions"):
        key, options = metric.key, options_of(scores[INTACT][0], metric, class_name)
        groups, limits = options["groups"], options["limits"]
        intact = score_matrix(scores[INTACT], key, class_name)
        if intact is None:
            continue
        for name, runs in scores.items():
            values = score_matrix(runs, key, class_name)
            assert values is not None
            effects[name][key] = Effect(
                mean_interval(values, groups=groups, limits=limits),
                difference_within_nets(values, intact, groups=groups, limits=limits),
            )
    return effects
