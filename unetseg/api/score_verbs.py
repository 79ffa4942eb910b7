"""Score a run or masks, and compare several."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unetseg.api.plain_calls import plain_calls
from unetseg.errors import UsageError
from unetseg.evaluation.pairing import PLAIN_MASKS, MaskOptions
from unetseg.runs import Run, find_run
from unetseg.utilities.files import plain_write_errors
from unetseg.utilities.locks import one_writer
from unetseg.utilities.progress import Report, print_line, show_progress
from unetseg.utilities.text import printable
from unetseg.utilities.waiting import choose_waiting

if TYPE_CHECKING:
    from unetseg.evaluation.label_folders import PlainFolders
    from unetseg.evaluation.pairing import LeftOut
    from unetseg.evaluation.summary import Evaluation
    from unetseg.studies.analysis.results import StudyResults


@plain_calls
def evaluate(
    run: str | Path | Run | None = None,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
    split: str = "test",
    device: str = "auto",
    predictions: str | Path | None = None,
    reference: str | Path | None = None,
    valid: str | Path | None = None,
    classes: Sequence[str] | None = None,
    ignore: int | None = None,
    instances: bool = False,
    key: str | None = None,
    rows: bool = False,
    html: str | Path | None = None,
    command: str = "",
    report: Report = print_line,
) -> dict[str, Any]:
    """Score a run on a split, whole masks at their original resolution; or score masks made by any tool.

    Args:
        run: its folder, or the run.
        data: another dataset of the same classes; the run's own if not given.
        data_dir: where the named dataset already lies on disk.
        split: train, val or test.
        device: auto, cpu, cuda or mps.
        predictions: in place of a run, a folder of masks, or of labels of an annotation tool, to score.
        reference: folder of the masks or labels to score them against, of the same names.
        valid: of masks: folder of fields of view; pixels that are 0 there do not count.
        classes: of masks: class names, the background first; without, masks hold 0 and 1, or 0 and 255.
        ignore: of masks: the value in a reference that marks pixels which do not count; of more than two
            classes 255 if not given.
        instances: of masks: labels are instances, 0 the background; predictions may be plain masks.
        key: of masks: regular expression for the part of the files' names that pairs; all but the suffix if
            not given.
        rows: also return every image's scores, under ``rows``.
        html: file for a page with pictures; none is written if not given.
        command: what the page names as the way to repeat it.
        report: is told of masks that were left out, a line each kind, and of a run that was interrupted;
            that is printed if not given.

    Returns:
        Plain values, as in the run's ``test.json``: dataset and image averages by class and over classes, and
        the scores by width of structure and by size of object. Of masks, also what was left out.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.

    Examples:
        >>> scores = unetseg.evaluate(predictions="cells/masks", reference="cells/masks")
        >>> scores["mean"]["dataset"]["iou"]
        1.0
    """
    masks = MaskOptions(valid, classes, ignore, instances, key)
    if predictions is None and reference is None:
        _refuse_mask_options("evaluate()", masks)
        if run is None:
            raise UsageError("evaluate(): name a run, or predictions and reference")
        found = run if isinstance(run, Run) else find_run(run)
        if found.standing:
            report(f"note: {printable(found.standing)}")
        folder = None if data_dir is None else str(data_dir)
        evaluation = _evaluate_run(found, data, folder, split, device, html, command)
        return evaluation.as_dict() if rows else evaluation.summary()
    if run is not None or predictions is None or reference is None:
        raise UsageError("evaluate(): name a run, or predictions and reference")
    if (data, data_dir, split, device) != (None, None, "test", "auto"):
        raise UsageError("evaluate(): data, data_dir, split and device go with a run only")
    evaluation, left_out = _evaluate_masks(predictions, reference, masks, html, command)
    for line in left_out.lines():
        report(line)
    return (evaluation.as_dict() if rows else evaluation.summary()) | {"left_out": left_out.as_dict()}


def _refuse_mask_options(where: str, masks: MaskOptions) -> None:
    """Refuse to leave out without a word what is said of folders of masks, where there are none."""
    if masks != PLAIN_MASKS:
        raise UsageError(
            f"{where}: valid, classes, instances and key go with reference, for folders of masks, "
            "and so does ignore"
        )


def _evaluate_run(
    run: Run,
    data: str | None,
    data_dir: str | None,
    split: str,
    device: str,
    html: str | Path | None,
    command: str,
) -> "Evaluation":
    choose_waiting()
    from unetseg.experiment import evaluate_existing, with_data

    evaluation = evaluate_existing(run, data, data_dir, split, device)
    if html is not None:
        from unetseg.report.run_page import write_run_page

        config = with_data(run.config(), data, data_dir).changed(device=device)
        with plain_write_errors(html):
            write_run_page(html, run, evaluation, config, command, show_progress("drawing"))
    return evaluation


def _evaluate_masks(
    predictions: str | Path, reference: str | Path, masks: MaskOptions, html: str | Path | None, command: str
) -> "tuple[Evaluation, LeftOut]":
    from unetseg.evaluation.folders import evaluate_masks
    from unetseg.evaluation.label_folders import plain_folders

    with plain_folders([predictions], reference, masks) as plain:
        evaluation, left_out = evaluate_masks(
            predictions, reference, plain.masks, progress=show_progress("scoring")
        )
        evaluation = replace(evaluation, notes=(*plain.notes, *evaluation.notes))
        left_out.failed[:] = [replace(each, reason=plain.renamed(each.reason)) for each in left_out.failed]
        left_out.failed += [each for failed in plain.failed.values() for each in failed]
        if html is not None:
            from unetseg.report.run_page import write_masks_page

            with plain_write_errors(html):
                write_masks_page(html, predictions, reference, evaluation, command, plain.masks)
    return evaluation, left_out


@plain_calls
def compare(
    *what: str | Path | Run,
    reference: str | Path | None = None,
    valid: str | Path | None = None,
    classes: Sequence[str] | None = None,
    ignore: int | None = None,
    instances: bool = False,
    key: str | None = None,
    primary: str | None = None,
    margin: float | None = None,
    output: str | Path | None = None,
    figures: str | Path | None = None,
    command: str = "",
) -> "StudyResults":
    """Compare runs of one test split, a study's runs as they are, or folders of masks by any tool.

    Args:
        *what: runs, of which those that differ in the seed alone are one arm, the first the reference arm; or
            one study's folder; or several studies', whose arms stand against the first one's reference; or
            folders of masks, or of labels of annotation tools.
        reference: folder of the masks or labels to score such folders against.
        valid: of masks: folder of fields of view; pixels that are 0 there do not count.
        classes: of masks: class names, the background first; without, masks hold 0 and 1, or 0 and 255.
        ignore: of masks: the value in a reference that marks pixels which do not count; of more than two
            classes 255 if not given.
        instances: of masks: labels are instances, 0 the background; predictions may be plain masks.
        key: of masks: regular expression for the part of the files' names that pairs; all but the suffix if
            not given.
        primary: key of the metric that the verdict is about, ``iou`` if not given; a study has its own, and
            another is exploratory.
        margin: largest difference in it that counts as none, 0.01 if not given; a study has its own.
        output: folder for the report; a study's goes into the study's, others are not written if not given.
        figures: folder for a paper: every figure as SVG and PDF, every table as LaTeX and CSV, the methods
            and what they cite; none is written if not given.
        command: what the report names as the way to repeat it.

    Returns:
        What was found; its ``folder`` holds ``report.html``, or is None if no report was written.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.

    Examples:
        >>> results = unetseg.compare("cells/masks", "wide", reference="cells/masks", output="page")
        >>> score = results.metric("iou").arms["wide"]
        >>> score.difference.mean < 0, score.verdict
        (True, 'for these nets only')
    """
    from unetseg.report.outputs import require_free, write_outputs
    from unetseg.studies.study_file import study_folder

    masks = MaskOptions(valid, classes, ignore, instances, key)
    if reference is None:
        _refuse_mask_options("compare()", masks)
    names = [each.path if isinstance(each, Run) else each for each in what]
    studies = [study_folder(name) for name in names] if reference is None else []
    found = [folder for folder in studies if folder is not None]
    as_it_is = found[0] if len(names) == 1 and found and primary is None else None
    if found and len(found) < len(names):
        other = next(name for name, folder in zip(names, studies, strict=True) if folder is None)
        raise UsageError(
            f"{found[0]} is a study and {other} is none: name studies only, or runs only (a study's lie "
            "below its folder)"
        )
    if as_it_is is not None and (output is not None or margin is not None):
        raise UsageError(
            f"{as_it_is}: a study has its own metric and margin, and its report lies there: leave out margin "
            "and output, or name another primary metric, which is exploratory"
        )
    if output is not None:
        require_free(Path(output))
    with _painted(names, reference, masks) as plain:
        results = (
            _compare_studies(found, primary, margin, command)
            if found
            else _compare_runs_or_masks(names, reference, plain, primary, margin, command)
        )
        if figures is not None:
            from unetseg.report.paper.paper_files import write_paper

            write_paper(results, Path(figures))
        folder = as_it_is or output
        if folder is None:
            return results
        with one_writer(folder):
            return write_outputs(results, Path(folder), plain.masks)


@contextmanager
def _painted(
    names: Sequence[str | Path], reference: str | Path | None, masks: MaskOptions
) -> "Iterator[PlainFolders]":
    """Yield how folders of masks are read, in which those of labels are painted for the time of the block."""
    from unetseg.evaluation.label_folders import PlainFolders, plain_folders

    if reference is None:
        yield PlainFolders(masks)
        return
    with plain_folders(names, reference, masks) as plain:
        yield plain


def _compare_studies(
    folders: Sequence[Path], primary: str | None, margin: float | None, command: str
) -> "StudyResults":
    """Compare one study's arms, or those of several."""
    from unetseg.studies.comparison import require_question

    require_question(primary, margin)
    if len(folders) == 1:
        from unetseg.studies.ablation import read_study

        return read_study(folders[0], command, primary, margin)
    from unetseg.studies.study_comparison import compare_studies

    return compare_studies(folders, primary, margin, command)


def _compare_runs_or_masks(
    names: Sequence[str | Path],
    reference: str | Path | None,
    plain: "PlainFolders",
    primary: str | None,
    margin: float | None,
    command: str,
) -> "StudyResults":
    from unetseg.metrics.registry import PRIMARY
    from unetseg.studies.comparison import compare_runs_or_masks

    results = compare_runs_or_masks(
        names,
        reference,
        plain.masks,
        primary=primary or PRIMARY,
        margin=0.01 if margin is None else margin,
        command=command,
        failed=plain.failed,
    )
    return replace(results, notes=(*plain.notes, *results.notes)) if plain.notes else results
