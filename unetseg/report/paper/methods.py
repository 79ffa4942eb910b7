"""A paragraph that says what was done, with the study's own numbers, and what it cites."""

import re

from unetseg.report.study_figures import present, test_images
from unetseg.report.wording import counted
from unetseg.studies.analysis.results import StudyResults

_CITED = re.compile(r"\[@(\w+)\]")
# What rests on a paper, by setting and value.
_SETTINGS = {
    "short": {
        "residual": "he2015",
        "preactivation": "he2016",
        "highway": "srivastava2015",
        "dense": "huang2017",
    },
    "merge": {"attention": "oktay2018", "gate": "srivastava2015"},
    "bottleneck": {"transformer": "vaswani2017"},
}
_METRICS = {
    "boundary_iou": "cheng2021",
    "cldice": "shit2021",
    "skeleton_recall": "shit2021",
    "object_recall": "kirillov2019",
    "pq": "kirillov2019",
}


def methods_text(results: StudyResults) -> str:
    """Return the methods as one paragraph of Markdown; ``[@key]`` cites an entry of ``references.bib``."""
    trained = [arm.config for arm in results.arms if arm.config]
    said = [_what(results), *([_nets(results, trained)] if trained else []), _scores(results)]
    said += [_analysis(results), _tools(results)]
    if results.exploratory:
        said.append("The study is exploratory: it was changed after runs had been seen.")
    return " ".join(said)


def cited(text: str) -> list[str]:
    """Return the keys that a text cites, each once, in their order."""
    return list(dict.fromkeys(_CITED.findall(text)))


def in_latex(text: str, escaped: str) -> str:
    """Return an escaped text with its citations as LaTeX's.

    Args:
        text: as of :func:`methods_text`.
        escaped: the same, as LaTeX shows it; citations hold no letter that is escaped.
    """
    assert cited(text) == cited(escaped)
    return re.sub(r" ?\[@(\w+)\]", r"~\\cite{\1}", escaped)


def _what(results: StudyResults) -> str:
    others = [f"“{arm.name}”" for arm in results.arms if arm.name != results.baseline]
    names = " and ".join(filter(None, (", ".join(others[:-1]), others[-1])))
    verb = "was" if len(others) == 1 else "were"
    images = counted(len(test_images(results)), "image")
    where = f"the {results.split} split of {results.data}" if results.split else results.data
    return f"{names} {verb} compared with “{results.baseline}” on {images} of {where}."


def _nets(results: StudyResults, configs: list[dict[str, object]]) -> str:
    base = results.arm(results.baseline).config or configs[0]
    counts = sorted({len(arm.runs) for arm in results.arms})
    seeds = counted(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    papers = [
        f"{name} {config[name]} [@{keys[str(config[name])]}]"
        for name, keys in _SETTINGS.items()
        for config in configs
        if str(config.get(name)) in keys
    ]
    kinds = "; ".join(dict.fromkeys(papers))
    return (
        f"Every arm is a U-Net [@ronneberger2015] with the encoder {base['encoder']}"
        + (f" ({kinds})" if kinds else "")
        + f", trained from {seeds} for {base['epochs']} epochs of {base['size']}-pixel crops, "
        f"{base['batch_size']} a step, with AdamW under a one-cycle schedule up to {base['lr']:g} and the "
        "sum of cross-entropy and Dice as its loss; the epoch with the best validation IoU was kept."
    )


def _scores(results: StudyResults) -> str:
    shown = present(results, "study figures")
    sources = {metric.label: _METRICS.get(metric.key, "") for metric in shown}
    labels = ", ".join(f"{label} [@{key}]" if key else label for label, key in sources.items())
    return (
        f"Masks were scored at the images' original resolution by {labels}; the primary metric is "
        f"{results.metric(results.primary).label}."
    )


def _analysis(results: StudyResults) -> str:
    return (
        "Arms were compared image by image, with unpaired seeds, by a t test whose variance holds what seeds "
        "and images add, with Satterthwaite's degrees of freedom [@satterthwaite1946]; ratios of sums "
        "entered by jackknife values [@miller1974]. P-values were adjusted over arms by Holm's method "
        "[@holm1979], intervals are simultaneous at 95 %, and equivalence means two one-sided tests "
        f"[@schuirmann1987] within ±{results.margin:g}."
    )


def _tools(results: StudyResults) -> str:
    versions = results.versions
    named = {"unetseg": "", "torch": "paszke2019", "segmentation-models-pytorch": "iakubovskii2019"}
    named["albumentations"] = "buslaev2020"
    told = [
        f"{name} {versions[name]}" + (f" [@{key}]" if key else "")
        for name, key in named.items()
        if versions.get(name)
    ]
    return f"Software: {', '.join(told)}." if told else ""
