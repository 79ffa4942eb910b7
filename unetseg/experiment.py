"""Train, evaluate, draw: the chain that fit and studies both call."""

import errno
import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

from unetseg.config import RunConfig
from unetseg.data.datamodule import SegmentationData
from unetseg.data.datasets.check import describe_choice, describe_classes, require_sound
from unetseg.data.datasets.open import open_data
from unetseg.data.datasets.samples import SegmentationSet
from unetseg.errors import UnetsegError
from unetseg.evaluation.object_depth import choose_depth, require_objects
from unetseg.evaluation.run import evaluate_run
from unetseg.evaluation.score_table import score_table
from unetseg.evaluation.summary import Evaluation
from unetseg.evaluation.training_loss import training_losses
from unetseg.inference.calibration import TEMPERATURE, fit_temperature
from unetseg.inference.loading import load_predictor
from unetseg.inference.networks import TorchNetwork
from unetseg.inference.predictor import Predictor
from unetseg.inference.recalibration import recalibrate
from unetseg.metrics.registry import TRAIN_LOSS
from unetseg.models.hardware import choose_hardware
from unetseg.plots import training_curves
from unetseg.runs import Run, discard_empty, new_run
from unetseg.training import checkpoints
from unetseg.training.gradient_log import plot_gradients
from unetseg.training.initial import start_from_run
from unetseg.training.thread_count import threads_of
from unetseg.training.train import Net, build_net, train
from unetseg.training.trainer import check_trainer
from unetseg.utilities.files import write_json, write_rows
from unetseg.utilities.locks import one_writer
from unetseg.utilities.progress import Report, print_line, say_nothing, show_progress
from unetseg.utilities.signals import Stopped

_NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO)


def run_experiment(config: RunConfig, output: str | Path | None = None, report: Report = print_line) -> Run:
    """Train a configuration, evaluate it on the test split and leave all in a new run folder.

    Args:
        config: the complete configuration.
        output: the run's folder; a new one under ``checkpoints/`` if not given.
        report: is given the log, line by line.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    dataset, net = _prepare(config, report, goes_on=False)
    run = new_run(config, output)
    try:
        with one_writer(run.path):
            return finish(config, dataset, run, report, net)
    finally:
        discard_empty(run)


def resume_experiment(run: Run, config: RunConfig | None = None, report: Report = print_line) -> Run:
    """Go on with an interrupted run from its last whole epoch; a finished one is left as it is.

    Args:
        run: its folder.
        config: the run's own configuration, where device, workers or Trainer arguments are to change.
        report: is given the log, line by line.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    if run.finished:
        report(f"{run.path} is finished: trained to its end and tested")
        return run
    _refuse_without_last(run)
    config = config or run.config()
    if config.folds is not None and config.fold is None:
        raise UnetsegError(
            f"{run.path}: consists of folds, each with a net of its own: go on with the study's 'unetseg "
            "ablate' command, or name one of its folds"
        )
    with one_writer(run.path):
        run.remove_parts()
        with threads_of(run, report):
            dataset, net = _prepare(config, report, goes_on=run.last.is_file())
            return finish(config, dataset, run, report, net)


def _refuse_without_last(run: Run) -> None:
    """Refuse a run that would be trained from its beginning, over the weights that it has.

    One that was killed in its first epoch may have best weights and no state to go on from: it loses nothing.
    """
    if run.best.is_file() and not run.last.is_file() and len(run.epochs()) > 1:
        raise UnetsegError(
            f"{run.path}: has no {run.last.name}, from which training would go on, and from its beginning it "
            f"would write over {run.best.name}; train anew into another folder with -o"
        )


def _prepare(config: RunConfig, report: Report, *, goes_on: bool) -> tuple[SegmentationSet, Net]:
    """Open a dataset that can be trained on, and say what its masks hold.

    What can be refused without it is refused before the look at all files, which takes long.
    """
    check_trainer(config, choose_hardware(config))
    dataset = open_data(config)
    for line in dataset.notes:
        report(f"labels    {line}")
    if config.objects:
        require_objects(dataset)
    net = build_net(config, len(dataset.classes), goes_on, dataset.pixels.count)
    if config.init is not None and not goes_on:
        start_from_run(net.model, config, dataset.classes, say_nothing)
    found = require_sound(dataset, progress=show_progress("checking"))
    for line in [*describe_classes(dataset, found), *describe_choice(dataset, found)]:
        report(line)
    return dataset, net


def finish(config: RunConfig, dataset: SegmentationSet, run: Run, report: Report, net: Net) -> Run:
    """Train what is left to train in ``run``, then test it."""
    with _naming(run):
        train(config, dataset, run, report, net)
        training_curves(run.epochs(), run.curves)
        if run.gradients.is_file():
            plot_gradients(run)
        if config.recalibrate:
            recalibrate_run(config, dataset, run, report)
        if config.objects:
            _choose_depth(config, dataset, run, report)
        started = time.perf_counter()
        predictor = calibrated_predictor(config, dataset, run)
        evaluation = evaluate_run(predictor, dataset, progress=show_progress("testing"))
        write_rows(run.test_images, evaluation.rows)
        summary = evaluation.summary()
        write_json(run.test, summary)
    report(f"\n{score_table(summary)}\n")
    report(f"tested in {time.perf_counter() - started:.1f} s; the run is {run.path}")
    return run


def _choose_depth(config: RunConfig, dataset: SegmentationSet, run: Run, report: Report) -> None:
    """Choose on the validation split how objects are told apart, and keep it with the best weights."""
    found = choose_depth(load_predictor(run, config.device), dataset, show_progress("objects"))
    content = checkpoints.load(run.best)
    checkpoints.save(run.best, content | {"inference": content["inference"] | {"objects": found}})
    report(
        f"objects   told apart at depth {found['depth']:g} of the learned distance: PQ {found['pq']:.3f} on "
        f"the validation images, {found['pq_components']:.3f} of connected components"
    )


def calibrated_predictor(config: RunConfig, dataset: SegmentationSet, run: Run) -> Predictor:
    """Return the predictor of a run, whose temperature is fitted on validation and kept beside its weights.

    One that has a temperature already is left as it is.
    """
    predictor = load_predictor(run, config.device)
    content = checkpoints.load(run.best)
    if TEMPERATURE not in content["inference"]:
        temperature = fit_temperature(predictor, dataset, dataset.splits["val"])
        predictor.temperature = temperature or 1.0
        inference = content["inference"] | {TEMPERATURE: temperature}
        checkpoints.save(run.best, content | {"inference": inference})
    return predictor


def recalibrate_run(config: RunConfig, dataset: SegmentationSet, run: Run, report: Report) -> None:
    """Estimate the running statistics of batch norm anew on whole training images, and say what it changes.

    The best weights are written anew with them; a run that has them already is left as it is. What changed is
    kept in the run's ``environment.json``, too: the loss of whole training images before and after.
    """
    content = checkpoints.load(run.best)
    told = content.get("recalibration") or _recalibrated(config, dataset, run, content)
    if told is None:
        report("--recalibrate: the net has no batch norm, or images too small for it, and stays as it is")
        return
    environment = json.loads(run.environment.read_text()) if run.environment.is_file() else {}
    write_json(run.environment, environment | {"recalibration": told})
    report(
        f"batch norm's statistics estimated anew on {told['images']} whole training images: their loss "
        f"{told['loss_before']:.4f} before, {told['loss_after']:.4f} after"
    )


def _recalibrated(
    config: RunConfig, dataset: SegmentationSet, run: Run, content: dict[str, Any]
) -> dict[str, Any] | None:
    """Estimate the statistics and save the best weights with them; return what changed."""
    predictor = load_predictor(run, config.device)
    network = predictor.members[0].network
    assert isinstance(network, TorchNetwork)
    before = _training_loss(run, predictor, dataset)
    data = SegmentationData(dataset, config, predictor.stride, predictor.preprocessing)
    images = recalibrate(network, data.whole_images(data.train_samples))
    if not images:
        return None
    told = {"images": images, "loss_before": before, "loss_after": _training_loss(run, predictor, dataset)}
    weights = {name: value.cpu().contiguous() for name, value in network.model.state_dict().items()}
    checkpoints.save(run.best, content | {"state_dict": weights, "recalibration": told})
    return told


def _training_loss(run: Run, predictor: Predictor, dataset: SegmentationSet) -> float:
    return fmean(row[TRAIN_LOSS] for row in training_losses(run, predictor, dataset))


@contextmanager
def _naming(run: Run) -> Iterator[None]:
    """Say in the one line of an interruption or a failed write which run it was and how to go on."""
    hint = f"continue with: unetseg fit --resume {shlex.quote(str(run.path))}"
    try:
        yield
    except Stopped as stopped:
        if run.config_file.is_file():
            stopped.args = (f"{stopped}; {run.path} keeps every whole epoch; {hint}",)
        raise
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise UnetsegError(
            f"{error.filename or run.path}: cannot be written ({error.strerror}); the last good checkpoint "
            f"is whole; {hint}"
        ) from error


def evaluate_existing(
    run: Run, data: str | None = None, data_dir: str | None = None, split: str = "test", device: str = "auto"
) -> Evaluation:
    """Score a run on a split of its own dataset, or of ``data``.

    Raises:
        UnetsegError: with one plain line, for whatever a user can act on.
    """
    dataset = open_data(with_data(run.config(), data, data_dir))
    return evaluate_run(load_predictor(run, device), dataset, split, show_progress("evaluating"))


def with_data(config: RunConfig, data: str | None, data_dir: str | None) -> RunConfig:
    """Return a configuration with another dataset, or the same in another place; as it is for None."""
    if data is not None:
        return config.changed(data=data, data_dir=data_dir, images=None, masks=None)
    return config if data_dir is None else config.changed(data_dir=data_dir)
