"""What a study will train and what it can show, said before PyTorch is loaded."""

from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.errors import UsageError
from unetseg.metrics.registry import METRICS
from unetseg.studies.analysis.decisions import primary_values
from unetseg.studies.analysis.differences import shown_classes
from unetseg.studies.analysis.means import difference_of_means
from unetseg.studies.analysis.populations import options_of
from unetseg.studies.analysis.power import DEFAULT_SPREAD, POWER, Spread, smallest_difference
from unetseg.studies.analysis.question import ArmScores
from unetseg.studies.analysis.statistics import LEAST_SEEDS
from unetseg.studies.plan import RunPlan, Setting, Trial, trials_of
from unetseg.studies.standing import done_scores, question_of

GUESSED = (
    f"if seeds of an arm differ by a standard deviation of {DEFAULT_SPREAD.seed:g}, two arms' images by "
    f"{DEFAULT_SPREAD.image:g} and the rest by {DEFAULT_SPREAD.rest:g}: a guess until two seeds are there"
)


def outlook(plan: RunPlan, dataset: SegmentationSet | None = None) -> str:
    """Return on which data a study is, its looks and runs, how arms are tuned, and what it can show.

    Args:
        plan: of the study; nothing is written.
        dataset: its data, if they are open already.
    """
    dataset = dataset or open_data(plan.study.base)
    return "\n".join(
        [_data(plan, dataset), _looks(plan), *tuning(plan), *_norms(plan), _power(plan, dataset)]
    )


def tuning(plan: RunPlan) -> list[str]:
    """Say which arms are tuned on validation, over what, and whether all have as many trials."""
    told = []
    for arm, settings in plan.settings.items():
        if len(settings) > 1:
            tried = " or ".join(
                ", ".join(f"{key} {each}" for key, each in one.values.items()) for one in settings
            )
            told.append(f"{arm} is tuned on validation: {tried}")
    return [*told, *unfair_trials({arm: len(settings) for arm, settings in plan.settings.items()})]


def unfair_trials(trials: dict[str, int]) -> list[str]:
    """Say that arms were tuned over different numbers of settings, if so.

    Args:
        trials: settings that each arm tries.
    """
    if len(set(trials.values())) < 2:
        return []
    counts = ", ".join(f"{arm} {count}" for arm, count in trials.items())
    return [
        f"the arms have different numbers of trials on validation ({counts}): one that has more is favoured; "
        "'tune:' in the study's file gives all the same"
    ]


def runs_ahead(plan: RunPlan) -> tuple[list[Trial], list[Trial]]:
    """Return the runs that the first look needs, and all that the study may come to.

    After the first look an arm goes on in one of its settings.
    """
    every: list[Setting] = [setting for settings in plan.settings.values() for setting in settings]
    first = trials_of(every, plan.study.looks[0])
    on = trials_of([settings[0] for settings in plan.settings.values()], plan.study.looks[-1])
    return first, list({trial.run.path: trial for trial in (*first, *on)}.values())


def _data(plan: RunPlan, dataset: SegmentationSet) -> str:
    splits = ", ".join(f"{len(samples)} {split}" for split, samples in dataset.splits.items())
    chosen = "" if plan.study.base.data_dir is None else f" in {plan.study.base.data_dir}"
    told = f"on {plan.study.base.data}{chosen} (--data takes another): {splits} images"
    folds = plan.study.base.folds
    if folds is None:
        return told
    every = sum(map(len, dataset.splits.values()))
    return f"{told}, of which each seed cuts all {every} into its own {folds} folds, a net for each"


def _looks(plan: RunPlan) -> str:
    study = plan.study
    first, most = runs_ahead(plan)
    if len(study.looks) == 1:
        return f"one look, after {study.looks[0]} seeds of {len(study.arms)} arms: {len(first)} runs"
    looks = ", ".join(map(str, study.looks))
    empty = [str(look) for look in study.looks if look < LEAST_SEEDS]
    vain = (
        f"; a look after {' or '.join(empty)} decides nothing: a verdict needs {LEAST_SEEDS}" if empty else ""
    )
    return (
        f"looks after {looks} seeds, each at an adjusted p below {study.level:.3g}: {len(first)} runs to the "
        f"first, {len(most)} at most; after each only undecided arms and the reference go on{vain}"
    )


def _norms(plan: RunPlan) -> list[str]:
    if plan.study.base.recalibrate:
        return []
    return ["batch norm is tested with the statistics that training left (--recalibrate estimates them anew)"]


def _power(plan: RunPlan, dataset: SegmentationSet) -> str:
    metric = METRICS[plan.study.primary]
    spread = spread_so_far(plan)
    told = "by the runs that are there"
    if spread is None:
        if metric.group == "training" or metric.unit:
            return f"the smallest difference in {metric.label} that this shows is known from two seeds on"
        spread, told = DEFAULT_SPREAD, GUESSED
    samples = dataset.splits["train" if metric.group == "training" else "test"]
    if plan.study.base.folds is not None:  # each image is tested in one of them
        samples = tuple(sample for split in dataset.splits.values() for sample in split)
    groups = {sample.group or sample.name for sample in samples}
    arms = len(plan.study.arms) - 1
    smallest = smallest_difference(spread, plan.study.looks, len(groups), arms)
    if smallest == float("inf"):
        return "no difference can be shown with fewer than three seeds: the numbers hold for these nets only"
    return (
        f"smallest difference in {metric.label} that this shows with power {POWER:g}: {smallest:.3f}, {told} "
        f"({len(groups)} {'groups of ' * (len(groups) < len(samples))}images, {arms} "
        f"comparison{'s' * (arms != 1)})"
    )


def spread_so_far(plan: RunPlan) -> Spread | None:
    """Return how much the primary metric varies in the runs that are done; None without two seeds."""
    scores = {arm: done_scores(settings[0]) for arm, settings in plan.settings.items()}
    known = {arm: runs for arm, runs in scores.items() if len(runs) > 1}
    if plan.study.baseline not in known or len(known) < 2:
        return None
    try:
        values = primary_values([ArmScores(arm, arm, runs) for arm, runs in known.items()], question_of(plan))
        baseline, run = plan.study.baseline, known[plan.study.baseline][0]
        options = options_of(run, METRICS[plan.study.primary], shown_classes(run.classes)[0])
        others = [arm for arm in known if arm != baseline]
        return Spread.of(difference_of_means(values[arm], values[baseline], **options) for arm in others)
    except (UsageError, ValueError):
        return None
