"""The results of a study as plain values, for ``summary.json``."""

import math
from dataclasses import asdict, replace
from typing import Any

from unetseg.studies.analysis.results import METHOD, ArmResult, ContrastResult, MetricResult, StudyResults


def study_summary(results: StudyResults) -> dict[str, Any]:
    """Return plain values for JSON: all but the values of single images."""
    plain = {
        "reference" if key == "baseline" else key: value  # as the study's file and its readers call it
        for key, value in vars(results).items()
        if key not in ("arms", "metrics", "contrasts", "pairs", "scores", "folder")
    }
    return plain | {
        "failures": [asdict(failure) for failure in results.failures],
        "plan": results.plan and asdict(results.plan) | {"threshold": results.plan.level},
        "spread": results.spread and asdict(results.spread),
        "sentences": list(results.sentences),
        "method": list(METHOD),
        "arms": [_plain_arm(arm) for arm in results.arms],
        "metrics": [_plain_metric(metric) for metric in results.metrics],
        "contrasts": [_plain_contrast(contrast) for contrast in results.contrasts],
        "pairs": [
            vars(pair) | {"difference": pair.difference.as_dict(), "judgement": asdict(pair.judgement)}
            for pair in results.pairs
        ],
    }


def _plain_arm(arm: ArmResult) -> dict[str, Any]:
    runs = [
        {key: value for key, value in vars(run).items() if key != "gradients"}
        | {"first_to_last": {epoch: flow.first_to_last for epoch, flow in run.gradients.items()}}
        for run in arm.runs
    ]
    plain = asdict(replace(arm, runs=())) | {"runs": runs, "seconds": arm.seconds}
    return dict(_finite(plain))


def _finite(value: Any) -> Any:
    """Return ``value`` with None for numbers that JSON has not: an epoch without validation has a NaN."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain_metric(metric: MetricResult) -> dict[str, Any]:
    left_out = ("arms", "values", "by_image", "images")
    plain = {key: value for key, value in vars(metric).items() if key not in left_out}
    arms = {
        name: {
            "estimate": score.estimate.as_dict(),
            "difference": score.difference.as_dict() if score.difference else None,
            "judgement": asdict(score.judgement) if score.judgement else None,
        }
        for name, score in metric.arms.items()
    }
    return plain | {"images": len(metric.images), "arms": arms}


def _plain_contrast(contrast: ContrastResult) -> dict[str, Any]:
    arms = {
        name: {
            "difference": score.difference.as_dict(),
            "judgement": asdict(score.judgement),
            "sentence": score.sentence,
        }
        for name, score in contrast.arms.items()
    }
    return vars(contrast) | {"arms": arms}
