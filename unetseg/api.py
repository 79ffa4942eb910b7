"""What ``import unetseg`` offers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unetseg.config import RunConfig, from_mapping
from unetseg.errors import UsageError
from unetseg.runs import Run, find_run
from unetseg.utilities.yaml_files import load_yaml

if TYPE_CHECKING:
    from unetseg.inference.folder.pipeline import FolderResult
    from unetseg.inference.predictor import Predictor
    from unetseg.studies.analysis.results import StudyResults


def fit(
    config: RunConfig | str | Path | None = None, *, output: str | Path | None = None, **overrides: Any
) -> Run:
    """Train a U-Net, test it, and return its run.

    Args:
        config: a configuration or the path of a YAML file; the defaults if not given.
        output: the run's folder; a new one under ``checkpoints/`` if not given.
        **overrides: any field of :class:`RunConfig`, such as ``skips="off"``.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    from unetseg.experiment import run_experiment

    base = config if isinstance(config, RunConfig) else RunConfig()
    if config is not None and not isinstance(config, RunConfig):
        base = from_mapping(load_yaml(config), str(config))
    return run_experiment(from_mapping(overrides, "fit()", base), output)


def load(run: str | Path | Run | None = None, device: str = "auto") -> "Predictor":
    """Load a run as a function from images (H×W×3 uint8) to masks (H×W uint8).

    Args:
        run: its folder; the newest finished one under ``checkpoints/`` if not given.
        device: auto, cpu, cuda or mps.
    """
    from unetseg.inference.loading import load_predictor

    return load_predictor(run if isinstance(run, Run) else find_run(run), device)


def predict(
    images: str | Path | Sequence[str | Path],
    output: str | Path,
    run: str | Path | Run | Sequence[str | Path | Run] | None = None,
    *,
    device: str = "auto",
    **options: Any,
) -> "FolderResult":
    """Write a mask for every image.

    Args:
        images: a file, folder or glob, or several.
        output: the masks' folder.
        run: a run, or several to average; the newest finished one under ``checkpoints/`` if not given.
        device: auto, cpu, cuda or mps.
        **options: fields of :class:`unetseg.inference.folder.jobs.OutputOptions`, such as ``overlay=True``.
    """
    from unetseg.inference.folder.jobs import OutputOptions
    from unetseg.inference.folder.predict_folder import predict_folder
    from unetseg.inference.loading import find_models, load_models

    inputs = [images] if isinstance(images, (str, Path)) else list(images)
    runs = [] if run is None else [run] if isinstance(run, (str, Path, Run)) else list(run)
    names = [str(each.path) if isinstance(each, Run) else str(each) for each in runs]
    predictor = load_models(find_models(names), device)
    return predict_folder(predictor, inputs, Path(output), OutputOptions(**options))


def evaluate(
    run: str | Path | Run | None = None,
    *,
    data: str | None = None,
    data_dir: str | Path | None = None,
    split: str = "test",
    device: str = "auto",
) -> dict[str, Any]:
    """Score a run on a split, whole masks at their original resolution.

    Args:
        run: its folder; the newest finished one under ``checkpoints/`` if not given.
        data: another dataset of the same classes; the run's own if not given.
        data_dir: where the named dataset already lies on disk.
        split: train, val or test.
        device: auto, cpu, cuda or mps.

    Returns:
        Plain values, as in the run's ``test.json``: dataset and image averages by class and over classes, and
        the scores by width of structure and by size of object.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    from unetseg.experiment import evaluate_existing

    found = run if isinstance(run, Run) else find_run(run)
    folder = None if data_dir is None else str(data_dir)
    return evaluate_existing(found, data, folder, split, device).summary()


def ablate(
    study: str | Path = "long",
    *,
    seeds: int | None = None,
    arms: Sequence[str] | None = None,
    output: str | Path | None = None,
    workers: int = 1,
    **overrides: Any,
) -> "StudyResults":
    """Train every arm of a study in every seed, compare them, and write the report into the study's folder.

    Runs that are there are not trained again, and interrupted ones go on.

    Args:
        study: ``long``, ``levels``, or a YAML file.
        seeds: how many; the study's own number if not given.
        arms: names of a part of the arms; the reference is always one.
        output: the study's folder; ``checkpoints/STUDY-DATA`` if not given.
        workers: runs side by side.
        **overrides: any field of :class:`RunConfig` but the seed, for the base that the arms change.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    from unetseg.report.outputs import require_free, write_outputs
    from unetseg.studies.ablation import default_folder, run_study
    from unetseg.studies.plan import make_plan
    from unetseg.studies.study_file import load_study

    asked = load_study(study)
    asked = asked.based_on(from_mapping(overrides, "ablate()", asked.base), seeds)
    folder = default_folder(asked) if output is None else Path(output)
    plan = make_plan(asked, folder, arms)
    require_free(folder, of_study=True)
    results = run_study(plan, workers)
    write_outputs(results, folder)
    return results


def compare(
    *what: str | Path | Run,
    reference: str | Path | None = None,
    primary: str | None = None,
    margin: float | None = None,
    output: str | Path | None = None,
    command: str = "",
    **masks: Any,
) -> "StudyResults":
    """Compare runs of one test split, a study's runs as they are, or folders of masks by any tool.

    Args:
        *what: runs, of which those that differ in the seed alone are one arm, the first the reference arm; or
            one study's folder; or folders of masks.
        reference: folder of the masks to score folders of masks against.
        primary: key of the metric that the verdict is about, ``iou`` if not given; a study has its own.
        margin: largest difference in it that counts as none, 0.01 if not given; a study has its own.
        output: folder for the report; a study's goes into the study's, others are not written if not given.
        command: what the report names as the way to repeat it.
        **masks: ``valid``, ``classes``, ``instances`` and ``key`` of
            :func:`~unetseg.evaluation.folders.evaluate_masks`.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    from unetseg.report.outputs import require_free, write_outputs
    from unetseg.studies.study_file import study_folder

    names = [each.path if isinstance(each, Run) else each for each in what]
    study = study_folder(names[0]) if len(names) == 1 and reference is None else None
    if study is None:
        if output is not None:
            require_free(Path(output))
        from unetseg.studies.comparison import compare_runs_or_masks

        results = compare_runs_or_masks(
            names,
            reference,
            primary=primary or "iou",
            margin=0.01 if margin is None else margin,
            command=command,
            **masks,
        )
    elif output is not None or primary is not None or margin is not None:
        raise UsageError(
            f"{study}: a study has its own metric and margin, and its report lies there: leave out primary, "
            "margin and output"
        )
    else:
        from unetseg.studies.ablation import read_study

        results = read_study(study, command)
    folder = study or output
    if folder is not None:
        write_outputs(results, Path(folder), **masks)
    return results
