"""A study's results as a page."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from unetseg.errors import UnetsegError
from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions
from unetseg.evaluation.rows import elsewhere, in_reference
from unetseg.report.gallery.cases import Progress
from unetseg.report.gallery.pictures import Gallery
from unetseg.report.html.page import Block, Cell, Finding, Items, Page, Section, Table, Text, write_page
from unetseg.report.plan_figures import exploratory_note, plan_blocks, power_blocks, seed_blocks
from unetseg.report.study_figures import (
    class_title,
    difference_figures,
    heading,
    image_figures,
    present,
    strata_figures,
    test_images,
)
from unetseg.report.study_gallery import study_gallery
from unetseg.report.training_figures import gradient_blocks, training_blocks
from unetseg.report.wording import configuration_table, counted, interval, number, versions_table
from unetseg.studies.analysis.means import Difference
from unetseg.studies.analysis.results import METHOD, ArmScore, StudyResults
from unetseg.studies.analysis.verdicts import Judgement


def write_study_page(
    results: StudyResults,
    path: str | Path,
    progress: Progress | None = None,
    masks: MaskOptions = PLAIN_MASKS,
) -> None:
    """Write the page of a study; where pictures cannot be drawn any more, the page says why.

    Args:
        results: of at least two arms.
        path: of the HTML file.
        progress: is told (masks predicted, masks in all).
        masks: how folders of masks are read.
    """
    try:
        gallery = study_gallery(results, progress, masks)
    except UnetsegError as error:
        results = replace(results, notes=(*results.notes, f"the page has no pictures: {error}"))
        gallery = None
    write_page(study_page(results, gallery), path)


def study_page(results: StudyResults, gallery: Gallery | None) -> Page:
    """Return the page of a study; without pictures where there are none.

    Args:
        results: of at least two arms.
        gallery: of the images whose arms differ most.
    """
    arms = f"{counted(len(results.arms), 'arm')}, {_seeds_text(results)}"
    images = counted(len(test_images(results)), "image")
    split = f"of the {results.split} split" if results.split else "with masks"
    failures = [
        f"{failure.arm}, seed {failure.seed} is missing: {failure.reason}" for failure in results.failures
    ]
    claim = f"The claim under test: {results.claim}" if results.claim else ""
    sections = [
        Section("The arms", [_arms_table(results), *_class_tables(results), *_metric_tables(results)]),
        Section("The plan", plan_blocks(results)),
        Section("Differences from the reference", difference_figures(results)),
        Section("Seed by seed", seed_blocks(results)),
        Section("Further pairs", _pair_tables(results)),
        Section("Image by image", image_figures(results, gallery)),
        Section("By width and size of the structures", strata_figures(results)),
        Section("What more seeds or images would show", power_blocks(results)),
        Section("Training", training_blocks(results)),
        Section("Gradients", gradient_blocks(results)),
        Section("Cost and chosen settings", [_cost_table(results)]),
        Section("How the numbers were analysed", [Items(METHOD)]),
        Section("To repeat this", _provenance(results)),
    ]
    return Page(
        mark="Exploratory, not as planned" if results.exploratory else "",
        title=f"Study on {results.data}: {results.name}",
        summary=f"{arms}; {images} {split}. {_tally(results)} {claim}".strip(),
        findings=_findings(results),
        notes=[*exploratory_note(results), *failures, *results.notes],
        sections=[section for section in sections if section.blocks],
    )


def _seeds_text(results: StudyResults) -> str:
    counts = {len(arm.runs) for arm in results.arms}
    if len(counts) > 1:
        return f"{min(counts)} to {max(counts)} seeds each"
    return f"{counted(max(counts), 'seed')} each"


def _tally(results: StudyResults) -> str:
    """Count the verdicts, for who reads no further."""
    primary = results.metric(results.primary)
    own = [primary.arms[arm.name] for arm in results.arms if arm.same_as is None]
    verdicts = Counter(score.verdict for score in own if score.verdict)
    told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    return f"Against {results.baseline}, in {primary.label}: {told}."


def _findings(results: StudyResults) -> list[Finding]:
    """Return each arm's sentence, with what it says of the boundary beneath."""
    primary = results.metric(results.primary)
    return [
        Finding(
            arm.sentence,
            primary.arms[arm.name].verdict or "",
            [each.arms[arm.name].sentence for each in results.contrasts if arm.name in each.arms],
        )
        for arm in results.arms
        if arm.sentence
    ]


def _arms_table(results: StudyResults) -> Table:
    primary = results.metric(results.primary)
    others = [metric for metric in present(results, "study figures") if metric is not primary][:3]
    head = ["Arm", heading(primary), "Difference", "95 % interval", "p, adjusted", "Verdict"]
    rows = [
        [
            arm.name,
            number(primary.arms[arm.name].estimate.mean),
            *difference_cells(primary.arms[arm.name]),
            *(_with_difference(metric.arms[arm.name]) for metric in others),
        ]
        for arm in results.arms
    ]
    caption = f"Each arm and its difference from {results.baseline}, in brackets for further metrics"
    return Table(caption, [*head, *map(heading, others)], rows)


def difference_cells(score: ArmScore) -> list[str | Cell]:
    """Return difference, interval, p and verdict of an arm in one metric."""
    if score.difference is None or score.judgement is None:
        return ["", "", "", "reference"]
    return _judged_cells(score.difference, score.judgement)


def _judged_cells(difference: Difference, judgement: Judgement) -> list[str | Cell]:
    p = judgement.p_adjusted
    return [
        number(difference.mean, signed=True),
        interval(difference.low, difference.high, signed=True),
        "< 0.001" if p < 0.001 else f"{p:.3f}",
        Cell(judgement.verdict, judgement.verdict),
    ]


def _pair_tables(results: StudyResults) -> list[Table]:
    """Return the pairs that the study asks for, one table a metric."""
    head = ["Arm", "Against", "Difference", "95 % interval", "p, adjusted", "Verdict"]
    return [
        Table(
            f"Pairs in {results.metric(key).label}: the first arm minus the second",
            head,
            [
                [pair.first, pair.second, *_judged_cells(pair.difference, pair.judgement)]
                for pair in results.pairs
                if pair.metric == key
            ],
            left=2,
        )
        for key in dict.fromkeys(pair.metric for pair in results.pairs)
    ]


def _with_difference(score: ArmScore) -> str:
    own = number(score.estimate.mean)
    return own if score.difference is None else f"{own} ({number(score.difference.mean, signed=True)})"


def _metric_tables(results: StudyResults) -> list[Table]:
    """Return every metric of every arm, one folded table a class."""
    tables = []
    for name in dict.fromkeys(metric.class_name for metric in results.metrics):
        rows = [
            [heading(metric), *(_with_difference(metric.arms[arm.name]) for arm in results.arms)]
            for metric in results.metrics
            if metric.class_name == name
        ]
        what = f"Every metric, {class_title(name)}"
        caption = f"{what}: the average and, in brackets, the difference from {results.baseline}"
        tables.append(Table(caption, ["Metric", *(arm.name for arm in results.arms)], rows, folded=True))
    return tables


def _class_tables(results: StudyResults) -> list[Table]:
    """Return where each class is, and how often it was predicted elsewhere, unless every image has all."""
    arms = [arm.name for arm in results.arms if arm.same_as is None]
    images = len(test_images(results))
    rows = []
    for name in results.classes:
        tables = {arm: [[*run.table[name].values()] for run in results.scores[arm]] for arm in arms}
        has_class = sum(map(in_reference, tables[arms[0]][0]))
        predicted = [fmean(sum(map(elsewhere, run)) for run in tables[arm]) for arm in arms]
        rows.append([name, f"{has_class} of {images}", *(f"{count:.1f}" for count in predicted)])
    if all(row[1] == f"{images} of {images}" for row in rows):
        return []
    rule = (
        "each class is averaged over the images that have it"
        if len(results.classes) > 1
        else "an image without it, in which none is predicted, counts as right"
    )
    caption = f"Images that have each class, and the others in which it was predicted, a run: {rule}"
    return [Table(caption, ["Class", "In images", *(f"Elsewhere, {arm}" for arm in arms)], rows)]


def _cost_table(results: StudyResults) -> Table:
    rows = []
    for arm in results.arms:
        rate = arm.chosen.get("lr", (arm.config or {}).get("lr"))
        tried = [
            f"{_settings(each.values)}: {number(each.validation_iou) or 'failed'}" for each in arm.candidates
        ]
        rows.append(
            [
                arm.name,
                f"{arm.label} (the same runs as {arm.same_as})" if arm.same_as else arm.label,
                f"{arm.parameters:,}" if arm.parameters is not None else "",
                f"{arm.gmacs:.3f} at {arm.gmacs_size}²" if arm.gmacs is not None else "",
                f"{arm.seconds:.0f}" if arm.seconds is not None else "",
                ", ".join(dict.fromkeys(run.device for run in arm.runs if run.device)),
                f"{rate:g}" if rate is not None else "",
                "; ".join(tried),
            ]
        )
    head = ["Arm", "What it is", "Parameters", "GMACs", "Seconds a run", "Device", "Learning rate"]
    head.append("Tried: validation IoU")
    used = [column for column in range(len(head)) if any(row[column] for row in rows)]
    return Table(
        "What each arm is, what it costs, and what the validation split chose for it",
        [head[column] for column in used],
        [[row[column] for column in used] for row in rows],
        left=2,
    )


def _provenance(results: StudyResults) -> list[Block]:
    runs = [
        [arm.name, str(run.seed), run.path, _settings(arm.overrides)]
        for arm in results.arms
        if arm.same_as is None
        for run in arm.runs
    ]
    seeds = ", ".join(map(str, results.seeds))
    blocks: list[Block] = [Items([results.command], code=True)] if results.command else []
    blocks += [
        Text(f"Seeds: {seeds}. Fingerprint of the test images and their masks: {results.fingerprint}."),
        Table("Every run", ["Arm", "Seed", "Folder", "What makes it this arm"], runs, folded=True),
    ]
    config = results.arm(results.baseline).config
    if config:
        blocks.append(configuration_table(config, results.baseline))
    return [*blocks, *versions_table(results.versions)]


def _settings(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())
