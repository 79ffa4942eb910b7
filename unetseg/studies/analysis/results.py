"""What a study found, as plain data, from which every report is made.

``StudyResults`` holds arms (what was trained), metrics (what was measured of each arm, and how it differs
from the baseline) and contrasts (whether one metric moved more than another). Everything but the values of
single images is in ``summary.json``; those are in ``results.csv``, and here in ``MetricResult.values``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unetseg.metrics.registry import Group
from unetseg.studies.analysis.looks import Plan
from unetseg.studies.analysis.means import Difference, Estimate
from unetseg.studies.analysis.power import Spread
from unetseg.studies.analysis.statistics import Floats
from unetseg.studies.analysis.verdicts import Judgement, Verdict

if TYPE_CHECKING:
    from unetseg.models.gradient_flow import GradientFlow
    from unetseg.studies.analysis.score_matrix import RunScores


METHOD = (
    "Each arm is compared with the reference image by image. Seeds are not paired: the same number draws "
    "other weights in another net. Both seeds and images are samples of what other trainings and other "
    "images would have given.",
    "One t test gives verdicts, intervals and equivalence: the variance of the difference is what the seeds "
    "of both arms give it (MS_seed - MS_rest of each) and what the images give it, with Satterthwaite's "
    "degrees of freedom between seeds - 1 and 6 (seeds - 1). Dataset IoU and Dice, recall by width and "
    "objects found by size are ratios of sums and enter by their jackknife values; under 10 images that hold "
    "any of it there is no interval.",
    "In each metric, p-values are adjusted for the number of arms by Holm's method. The 95 % intervals of "
    "all differences hold together, over all arms and over all looks of the plan (at each look they are "
    "therefore wider), agree with that test (a difference is claimed exactly where 0 is excluded) and end "
    "where the metric does; an arm's own interval is a single one of 95 %. 'Equivalent' means that two "
    "one-sided tests place the difference within the margin; it needs five seeds, none apart from the "
    "others, and no heavy skew of images.",
    "Limits: one dataset, one split, one schedule. The metrics are not adjusted for each other: the primary "
    "one decides. Further pairs of arms are adjusted among themselves. With fewer than three seeds numbers "
    "count the chance in images only and hold for these nets only.",
)


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """One trained net of an arm, or one folder of masks.

    Attributes:
        seed: of the run; 0 for a folder of masks.
        path: the run's folder as the command would name it, or the folder of masks.
        epochs: rows of ``metrics.csv``, for the training curves; empty for masks.
        gradients: what ``--log-gradients`` recorded, by epoch, 0 before training. Not in ``summary.json``.
        seconds: of training; None where unknown.
        device: what it was trained on; None where unknown.
        recalibration: loss of whole training images before and after batch norm's statistics were estimated
            anew; None where they were not.
    """

    seed: int
    path: str
    epochs: tuple[dict[str, float], ...] = ()
    gradients: Mapping[int, "GradientFlow"] = field(default_factory=dict, repr=False)
    seconds: float | None = None
    device: str | None = None
    recalibration: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One setting that an arm tried, and its best validation IoU averaged over seeds (None: it failed)."""

    values: dict[str, Any]
    validation_iou: float | None


@dataclass(frozen=True, kw_only=True)
class ArmResult:
    """One configuration under test.

    Attributes:
        name: short and unique: ``drop``.
        label: how a sentence about it begins: "Without long skips (drop)".
        overrides: the keys of the configuration that make it this arm.
        config: the complete configuration but for the seed; None for a folder of masks.
        runs: one a seed, as many as the arm was judged by.
        same_as: the earlier arm of the same identity, whose runs these are; they were trained once.
        parameters: of the net; None for masks.
        gmacs: billions of multiply-adds for one image of ``gmacs_size``²; None for masks.
        gmacs_size: the side in pixels that ``gmacs`` are counted at; None for masks.
        chosen: the values that the validation split chose out of lists, such as ``{"lr": 0.003}``.
        candidates: everything that was tried to choose them.
        sentence: the finding in the primary metric; for the baseline what it reaches.
    """

    name: str
    label: str
    overrides: dict[str, Any]
    config: dict[str, Any] | None
    runs: tuple[RunResult, ...]
    same_as: str | None = None
    parameters: int | None = None
    gmacs: float | None = None
    gmacs_size: int | None = None
    chosen: dict[str, Any] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    sentence: str = ""

    @property
    def seconds(self) -> float | None:
        """Mean training time of a run, in seconds, where it is known of every run."""
        known = [run.seconds for run in self.runs if run.seconds is not None]
        return sum(known) / len(known) if known and len(known) == len(self.runs) else None


@dataclass(frozen=True, kw_only=True)
class ArmScore:
    """One arm in one metric.

    Attributes:
        estimate: the arm's own mean with its interval.
        difference: the arm minus the baseline; None for the baseline itself. Exactly 0 for an arm that
            shares the baseline's runs.
        judgement: on the difference; None for the baseline. Its verdict is never ``equivalent`` in a metric
            without a margin, unless every value is the same.
    """

    estimate: Estimate
    difference: Difference | None = None
    judgement: Judgement | None = None

    @property
    def verdict(self) -> Verdict | None:
        """Such as ``better``, see :mod:`~unetseg.studies.analysis.verdicts`; None for the baseline."""
        return self.judgement.verdict if self.judgement else None


@dataclass(frozen=True, kw_only=True)
class MetricResult:
    """One metric, or one stratum, of one class, in every arm.

    Attributes:
        key: ``iou``, ``dataset_iou``, ``recall_1_2`` (width), ``found_small`` (size), ``train_loss``, …
        label: as a reader names it in a sentence: "image IoU".
        group: for headings; ``thickness`` and ``size`` are the strata.
        class_name: the foreground class, or ``mean`` over several.
        unit: ``px`` or nothing.
        higher_is_better: False for distances and losses.
        margin: within which arms count as equivalent; None where the study's margin has another unit.
        images: names of the images, in the order of ``values``' columns.
        pooled: whether the number is a ratio of sums over the images, so that ``values`` are influence values
            and not what one image scored.
        arms: by name, in the study's order.
        values: by arm: float64 [seed, image], whose mean is the arm's; NaN where the metric is not defined.
            Not in ``summary.json``.
        by_image: by arm: what single images scored, of ``mean`` their own means over classes; empty where
            ``pooled``. Not in ``summary.json``.
        note: what a reader must know, such as how many pixels a stratum has.
    """

    key: str
    label: str
    group: Group
    class_name: str
    unit: str
    higher_is_better: bool
    margin: float | None
    images: tuple[str, ...]
    pooled: bool
    arms: Mapping[str, ArmScore]
    values: Mapping[str, Floats] = field(repr=False)
    by_image: Mapping[str, Floats] = field(repr=False)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ContrastScore:
    """Whether an arm moved the first metric more than the second: their difference of differences."""

    difference: Difference
    judgement: Judgement
    sentence: str


@dataclass(frozen=True, kw_only=True)
class ContrastResult:
    """``Δ first − Δ second`` of every arm but the baseline, say Δ Boundary IoU − Δ IoU."""

    first: str
    second: str
    class_name: str
    label: str
    arms: Mapping[str, ContrastScore]


@dataclass(frozen=True, kw_only=True)
class ArmPairResult:
    """One arm against another than the baseline: ``first`` minus ``second`` in one metric."""

    first: str
    second: str
    metric: str
    label: str
    difference: Difference
    judgement: Judgement
    sentence: str


@dataclass(frozen=True, kw_only=True)
class MissingRun:
    """A run that could not be trained or tested, and why, in one line."""

    arm: str
    seed: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class StudyResults:
    """All that a study found.

    Attributes:
        name: of the study.
        claim: what it tests, in plain English; may be empty.
        data: the dataset, or the folder of ground-truth masks.
        split: which split was scored; None for masks.
        classes: foreground classes.
        fingerprint: of the test images' names and ground truth.
        baseline: name of the arm that the others are compared with.
        primary: key of the primary metric.
        primary_class: the class that sentences speak of; ``mean`` where there are several.
        margin: largest difference that counts as none, in scores between 0 and 1.
        seeds: of the arm that has most; one that was decided earlier has the first of them.
        arms: in order; an arm of which a seed failed is left out and named in ``failures``.
        metrics: every metric and stratum of every class.
        contrasts: the question at the boundary.
        pairs: what the study asks for beside the comparisons with the baseline.
        failures: runs that are missing.
        notes: what a reader must know, such as "one seed: …".
        plan: what was decided before the first run; None where nothing was.
        exploratory: in what the study departs from it; its verdicts then are no tests.
        spread: how much the primary metric varies; None where two seeds are missing.
        command: what was typed.
        versions: of the packages that computed it.
        scores: by arm, the rows of each run, one a seed: what ``results.csv`` holds. Not in ``summary.json``.
        folder: where the report was written; None if it was not. Not in ``summary.json``.
    """

    name: str
    claim: str
    data: str
    split: str | None
    classes: tuple[str, ...]
    fingerprint: str
    baseline: str
    primary: str
    primary_class: str
    margin: float
    seeds: tuple[int, ...]
    arms: tuple[ArmResult, ...]
    metrics: tuple[MetricResult, ...]
    contrasts: tuple[ContrastResult, ...] = ()
    pairs: tuple[ArmPairResult, ...] = ()
    failures: tuple[MissingRun, ...] = ()
    notes: tuple[str, ...] = ()
    plan: Plan | None = None
    exploratory: tuple[str, ...] = ()
    spread: Spread | None = None
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    scores: Mapping[str, tuple["RunScores", ...]] = field(default_factory=dict, repr=False)
    folder: Path | None = None

    def arm(self, name: str) -> ArmResult:
        """Return the arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    def metric(self, key: str, class_name: str | None = None) -> MetricResult:
        """Return a metric of a class, or of the class that sentences speak of."""
        wanted = class_name or self.primary_class
        return next(each for each in self.metrics if (each.key, each.class_name) == (key, wanted))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The findings in plain English: the primary metric of each arm, the contrasts, the pairs."""
        contrasts = [score.sentence for contrast in self.contrasts for score in contrast.arms.values()]
        pairs = [pair.sentence for pair in self.pairs]
        return (*(arm.sentence for arm in self.arms if arm.sentence), *contrasts, *pairs)
