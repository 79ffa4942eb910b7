"""One run of a study brought to its end, from wherever it is."""

import io
from contextlib import redirect_stderr

from unetseg.config import RunConfig
from unetseg.data.datasets.open import open_data
from unetseg.errors import UnetsegError, describe
from unetseg.evaluation.training_loss import training_losses
from unetseg.experiment import resume_experiment, run_experiment
from unetseg.inference.loading import load_predictor
from unetseg.runs import Run
from unetseg.studies.folds import fold_runs, join_folds
from unetseg.utilities.files import write_rows, write_text
from unetseg.utilities.progress import Report


def attempt(config: RunConfig, run: Run, report: Report) -> str | None:
    """Bring one run to its end from wherever it is; return why that failed, or None.

    What libraries print meanwhile is left out, their progress bars too.
    """
    try:
        with redirect_stderr(io.StringIO()):
            folds = fold_runs(config, run)
            if folds:
                run.path.mkdir(parents=True, exist_ok=True)
                write_text(run.config_file, config.to_yaml())
                for each, part in folds:
                    _to_its_end(each, part, report)
                join_folds([part for _, part in folds], run)
            else:
                _to_its_end(config, run, report)
    except UnetsegError as error:
        return str(error)
    except Exception as error:
        return f"{describe(error)} ('unetseg fit --resume {run.path} --debug' shows where)"
    return None


def _to_its_end(config: RunConfig, run: Run, report: Report) -> None:
    """Train, test and measure one net, from wherever it is."""
    if run.config_file.is_file():
        resume_experiment(run, config, report)
    else:
        run_experiment(config, run.path, report)
    if not run.train_images.is_file():
        losses = training_losses(run, load_predictor(run, config.device), open_data(config))
        write_rows(run.train_images, losses)
