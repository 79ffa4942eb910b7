"""Runs side by side: each process takes the next run, and one that dies costs its own run only."""

import signal
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from unetseg.runs import Run
from unetseg.studies.plan import Trial, make_plan
from unetseg.studies.study_file import load_study
from unetseg.studies.workers import train_side_by_side, worker_environments


@dataclass
class Fatal:
    """Ends the process that it is sent to, as the kernel does when memory is short."""

    run: Run

    def __reduce__(self):
        return signal.raise_signal, (signal.SIGKILL,)


def test_every_run_is_trained_and_a_process_that_dies_costs_its_own_run_only(study, tmp_path):
    trials = make_plan(load_study(study.folder / "study.yaml"), study.folder).trials()[:2]
    moved = [replace(trial, run=Run(tmp_path / trial.run.path.name)) for trial in trials]
    fatal = Fatal(Run(Path("nowhere")))
    looked, ended = [], {}
    train_side_by_side(
        [fatal, *moved], 2, looked.append, lambda trial, reason: ended.update({trial.run: reason})
    )
    assert "its process was killed (SIGKILL)" in ended.pop(fatal.run)
    assert ended == {trial.run: None for trial in moved}
    assert all(Trial("", trial.config, trial.run).done for trial in moved)
    assert set(map(id, looked)) == set(map(id, moved))


def test_cores_and_gpus_are_shared_out(monkeypatch):
    monkeypatch.setattr("unetseg.studies.workers.usable_cores", lambda: 7)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert worker_environments(2) == [{"OMP_NUM_THREADS": "3"}] * 2
    assert worker_environments(9)[0] == {"OMP_NUM_THREADS": "1"}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [each["CUDA_VISIBLE_DEVICES"] for each in worker_environments(3)] == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert [each["CUDA_VISIBLE_DEVICES"] for each in worker_environments(2)] == ["4", "6"]
