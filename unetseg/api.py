"""What ``import unetseg`` offers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from unetseg.config import RunConfig, from_mapping, load_yaml
from unetseg.runs import Run, find_run

if TYPE_CHECKING:
    from unetseg.inference.predictor import Predictor


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
    from unetseg.evaluation.experiment import run_experiment

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
    from unetseg.inference.predictor import load_predictor

    return load_predictor(run if isinstance(run, Run) else find_run(run), device)


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
    from unetseg.evaluation.experiment import evaluate_existing

    found = run if isinstance(run, Run) else find_run(run)
    folder = None if data_dir is None else str(data_dir)
    return evaluate_existing(found, data, folder, split, device).summary()
