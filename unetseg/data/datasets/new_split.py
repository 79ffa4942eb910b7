"""Whether a new run draws its parts anew, so that each holds every class."""

from pathlib import Path

from unetseg.config import RunConfig
from unetseg.data.datasets.open import is_own, open_data
from unetseg.data.datasets.stratify import stratified


def with_stratify(config: RunConfig) -> RunConfig:
    """Return the configuration of a new run, with ``stratify`` where its drawn parts would else lack a class.

    Only there does it say so: what a run is, and what existing seeds draw, stays as it was for all others.
    """
    own = Path(config.data).exists() and is_own(config.data)
    if config.stratify is not None or config.folds is not None or not own:
        return config
    plain = open_data(config)
    return config.changed(stratify=True) if stratified(plain, config.split_seed) is not plain else config
