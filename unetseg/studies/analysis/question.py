"""What is compared, and for what: the runs of each arm, the baseline, the metric that decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from unetseg.metrics.registry import METRICS, Metric
from unetseg.studies.analysis.looks import ALPHA
from unetseg.studies.analysis.score_matrix import RunScores
from unetseg.studies.analysis.verdicts import Judgement, not_decidable


@dataclass(frozen=True)
class ArmScores:
    """The runs of one arm, one a seed, and the earlier arm whose runs they are, if any."""

    name: str
    label: str
    runs: tuple[RunScores, ...]
    same_as: str | None = None


@dataclass(frozen=True)
class Question:
    """What the arms are compared for.

    Attributes:
        baseline: the arm that all others are compared with.
        primary: the metric that decides.
        margin: what counts as no difference in it.
        pairs: of arms, each the first with the second.
        looks: numbers of seeds after which the arms were judged in the primary metric; none where nothing was
            planned: then all seeds are looked at once.
        level: of each test: 0.05 over the number of looks of the plan.
        controls: by arm, another whose nets must have learned for the arm's verdict to mean anything; the
            baseline, and the second of a pair, must in any case.
        untrained: by arm whose nets have not, what is to be said of them.
    """

    baseline: str
    primary: str
    margin: float
    pairs: tuple[tuple[str, str], ...] = ()
    looks: tuple[int, ...] = ()
    level: float = ALPHA
    controls: Mapping[str, str] = field(default_factory=dict)
    untrained: Mapping[str, str] = field(default_factory=dict)

    def checked(self, judgement: Judgement, arm: str, against: str | None = None) -> Judgement:
        """Return a judgement, withdrawn if it rests on nets that learned nothing.

        Args:
            judgement: on an arm.
            arm: its name.
            against: what it was compared with; the baseline if not given.
        """
        for control in (against or self.baseline, self.controls.get(arm, "")):
            if control in self.untrained:
                return not_decidable(judgement, self.untrained[control])
        return judgement

    def margin_of(self, metric: Metric) -> float | None:
        """Return the margin in metrics of the primary one's unit; others have none."""
        return self.margin if metric.unit == METRICS[self.primary].unit else None
